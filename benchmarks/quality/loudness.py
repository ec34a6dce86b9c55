"""The loudness meter on signals of known loudness, beside pyloudnorm and ffmpeg."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.quality import Row
from kernels.loudness import LoudnessResult, measure
from ray_jobs.media.audio import read_audio
from ray_jobs.media.ffmpeg import ffmpeg

TITLE = "Loudness meter"
ITU = "1770-2_Comp_RelGateTest.wav"
RATE_HZ, CHANNELS = 48_000, 2
TOLERANCES = {"I": (0.1, "integrated loudness", "LU"), "M": (0.1, "momentary maximum", "LU"),
              "S": (0.1, "short-term maximum", "LU"), "LRA": (1.0, "loudness range", "LU"),
              "TP": (0.4, "true peak", "dB")}  # fmt: skip
"""EBU Tech 3341: ±0.1 LU, true peak +0.2/-0.4 dB; Tech 3342: ±1 LU."""


def rows(media: Path) -> Iterator[Row]:
    folder = media / "loudness"
    known = json.loads((folder / "expected_synthetic.json").read_text(encoding="utf-8"))
    known[ITU] = {"I": -10.0}
    off: dict[str, dict[str, list[float]]] = {key: {} for key in TOLERANCES}
    for name, truth in known.items():
        for meter, values in measured(folder / name).items():
            for key in TOLERANCES:
                if truth.get(key) is not None and key in values:
                    off[key].setdefault(meter, []).append(abs(values[key] - truth[key]))
    for key, (tolerance, what, unit) in TOLERANCES.items():
        if not off[key]:
            continue
        worst = {meter: max(values) for meter, values in off[key].items()}
        ours = worst.pop("ours")
        files = len(off[key]["ours"])
        yield Row(f"{what}: largest error ({files} signals)", unit, ours, "loudness/", worst,
                  target=f"≤ {tolerance:g}", met=ours <= tolerance)  # fmt: skip


def measured(path: Path) -> dict[str, dict[str, float]]:
    """What each meter says of a file."""
    samples = read_audio(path, rate_hz=RATE_HZ, channels=CHANNELS)
    return {"ours": _ours(measure(samples, RATE_HZ)), "ffmpeg ebur128": ebur128(path),
            "pyloudnorm": _pyloudnorm(samples)}  # fmt: skip


def _ours(said: LoudnessResult) -> dict[str, float]:
    return {
        "I": said.integrated_lufs, "LRA": said.range_lu, "TP": said.true_peak_dbtp,
        "M": float(np.max(said.momentary_lufs)), "S": float(np.max(said.short_term_lufs)),
    }  # fmt: skip


def ebur128(path: Path) -> dict[str, float]:
    """Integrated loudness, range and true peak as ffmpeg's summary has them (one decimal)."""
    graph = "ebur128=peak=true:framelog=quiet"
    said = ffmpeg(["-i", str(path), "-map", "0:a:0", "-af", graph, "-f", "null", "-"])
    summary = said[said.rindex("Summary:") :]
    names = {"I": r"\bI:", "LRA": r"\bLRA:", "TP": r"\bPeak:"}
    found = {key: re.search(rf"{name}\s*(-?[\d.]+|-inf)", summary) for key, name in names.items()}
    return {key: float(match.group(1)) for key, match in found.items() if match}


def _pyloudnorm(samples: np.ndarray) -> dict[str, float]:
    try:
        import pyloudnorm
    except ImportError:
        return {}
    return {"I": float(pyloudnorm.Meter(RATE_HZ).integrated_loudness(samples.astype(np.float64)))}
