"""A wav2vec2 of random weights whose last layer is fitted so that it hears tones as letters.

So it has a truth to be tested on, and its weights are a real file that production code loads.
"""

import json
from pathlib import Path

import numpy as np

RATE_HZ, HOP, FIELD = 16_000, 320, 400
LABELS = ("|", *"ABDEINORST'")
LETTER_S, GAP_S = 0.12, 0.16
LESSONS, SHARPNESS = 24, 16.0
PARAMS = {
    "extractor_mode": "layer_norm",
    "extractor_conv_layer_config": [
        [64, 10, 5], [64, 3, 2], [64, 3, 2], [64, 3, 2], [64, 3, 2], [64, 2, 2], [64, 2, 2],
    ],
    "extractor_conv_bias": True,
    "encoder_embed_dim": 192,
    "encoder_projection_dropout": 0.0,
    "encoder_pos_conv_kernel": 4,
    "encoder_pos_conv_groups": 2,
    "encoder_num_layers": 1,
    "encoder_num_heads": 2,
    "encoder_attention_dropout": 0.0,
    "encoder_ff_interm_features": 32,
    "encoder_ff_interm_dropout": 0.0,
    "encoder_dropout": 0.0,
    "encoder_layer_norm_first": True,
    "encoder_layer_drop": 0.0,
    "aux_num_out": len(LABELS) + 1,
}  # fmt: skip


def toned(text: str, lead_s: float = 0.3) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Samples in which letters are said as tones, and when each word is."""
    random = np.random.default_rng(len(text))
    parts, times, at_s = [np.zeros(round(lead_s * RATE_HZ))], [], lead_s
    count = round(LETTER_S * RATE_HZ)
    for word in text.upper().split():
        times.append((at_s, at_s + LETTER_S * len(word)))
        for letter in word:
            hz = 300 + 280 * LABELS.index(letter)
            tone = np.sin(2 * np.pi * hz * np.arange(count) / RATE_HZ)
            parts.append(tone * np.hanning(count))
        parts.append(np.zeros(round(GAP_S * RATE_HZ)))
        at_s = times[-1][1] + GAP_S
    samples = np.concatenate(parts) * 0.5
    return (samples + random.normal(0, 0.002, len(samples))).astype(np.float32), times


def save(folder: Path, *, taught: bool = True, language: str = "en") -> None:
    """Leave a model as the folder of an aligner: all its weights are random but those of the last
    layer, which is fitted to some seconds of letters unless it is to know nothing.
    """
    import torch
    from torchaudio.models import wav2vec2_model

    torch.manual_seed(1)
    layers = [tuple(layer) for layer in PARAMS["extractor_conv_layer_config"]]
    net = wav2vec2_model(**{**PARAMS, "extractor_conv_layer_config": layers}).eval()
    if taught:
        random = np.random.default_rng(2)
        sounds, classes = zip(*(lesson(random) for _ in range(LESSONS)), strict=True)
        with torch.inference_mode():
            features = [net.extract_features(torch.from_numpy(s)[None])[0][-1][0] for s in sounds]
        x = torch.cat(features).double()
        x = torch.cat([x, torch.ones(len(x), 1)], 1)
        y = torch.eye(len(LABELS) + 1, dtype=torch.float64)[np.concatenate(classes)]
        fit = torch.linalg.solve(x.T @ x + 0.1 * torch.eye(x.shape[1]), x.T @ y)
        net.aux.weight.data = SHARPNESS * fit[:-1].T.float().contiguous()
        net.aux.bias.data = SHARPNESS * fit[-1].float()
    folder.mkdir(parents=True)
    torch.save(net.state_dict(), folder / "model.pt")
    own = {"params": PARAMS, "labels": LABELS, "normalize_waveform": False, "language": language}
    (folder / "aligner.json").write_text(json.dumps(own))


def lesson(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two seconds of random words, and the class of each frame: a letter in the midst of its tone,
    a gap in the midst of a pause, else the blank.
    """
    words = ["".join(random.choice(LABELS[1:], random.integers(1, 5))) for _ in range(8)]
    samples, times = toned(" ".join(words), lead_s=float(random.uniform(0.05, 0.5)))
    frames = (2 * RATE_HZ - FIELD) // HOP + 1
    classes = np.zeros(frames, np.int64)
    middle_s = (np.arange(frames) * HOP + FIELD / 2) / RATE_HZ
    for word, (start_s, end_s) in zip(words, times, strict=True):
        for n, letter in enumerate(word):
            at_s = start_s + n * LETTER_S
            inside = (middle_s > at_s + 0.01) & (middle_s < at_s + LETTER_S - 0.01)
            classes[inside] = 1 + LABELS.index(letter)
        gap = (middle_s > end_s + 0.05) & (middle_s < end_s + GAP_S - 0.05)
        classes[gap] = 1 + LABELS.index("|")
    gain = float(random.uniform(0.3, 1.0))
    return samples[: 2 * RATE_HZ] * np.float32(gain), classes
