"""Loudness of 48 kHz stereo: beside pyloudnorm, ffmpeg's ebur128 and the definition.

pyloudnorm gives integrated loudness alone, from float64 samples as it wants them; ours is held
against it with everything that it measures. ffmpeg reads the same samples as raw float32 from
shared memory, so nothing is decoded; its start, reading and empty graph are shown beside it as
`ffmpeg idle`, to be taken off.
"""

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.case import Case, Rival, Work
from kernels.loudness import measure, reference

TESTS = "tests/kernels/test_loudness.py"
RATE_HZ = 48_000
LAUNCHES = 7
"""Of a whole signal: weighting, energies and peaks where its first samples meet the silence before
them, of the rest, and the peak of what rings on after its end."""
OPERATIONS = 12 + 3 * reference.TAPS
"""Multiply-adds a sample: two biquads, the energy, two ringing products; three phases at most."""


def programme(seconds: int, *, loud: bool = False) -> NDArray[np.float32]:
    """Noise with the swell of speech; with `loud`, pressed against full scale like pop music."""
    random = np.random.default_rng(0)
    level = np.repeat(0.02 + 0.1 * random.random(10 * seconds), RATE_HZ // 10)
    sound = random.standard_normal((RATE_HZ * seconds, 2), dtype=np.float32)
    sound *= level[:, None].astype(np.float32)
    return np.tanh(sound * 8) * np.float32(0.9) if loud else sound


def ffmpeg(path: Path, graph: str) -> str:
    from imageio_ffmpeg import get_ffmpeg_exe

    done = subprocess.run(
        [
            *(get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-f", "f32le", "-ar", str(RATE_HZ)),
            *("-ac", "2", "-i", str(path), "-af", graph, "-f", "null", "-"),
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stderr


def raw(sound: NDArray[np.float32]) -> Path:
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".f32", delete=False) as file:
        file.write(sound.tobytes())
    return Path(file.name)


def beside_pyloudnorm(sound: NDArray[np.float32]) -> Callable[[], object]:
    import pyloudnorm

    meter, doubled = pyloudnorm.Meter(RATE_HZ), sound.astype(np.float64)
    return lambda: meter.integrated_loudness(doubled)


def beside_peers(sound: NDArray[np.float32], path: Path) -> dict[str, Rival]:
    return {
        "pyloudnorm": Rival(beside_pyloudnorm(sound), 8.0),
        "ebur128=peak=true": Rival(lambda: ffmpeg(path, "ebur128=peak=true:framelog=quiet"), 1.5),
        "ffmpeg idle": Rival(lambda: ffmpeg(path, "anull")),
    }


def agrees(sound: NDArray[np.float32], path: Path) -> None:
    ours = measure(sound, RATE_HZ)
    log = ffmpeg(path, "ebur128=peak=true:framelog=quiet")
    log = log[log.rindex("Summary:") :]
    (loudness,) = re.findall(r"I:\s+(-?[\d.]+) LUFS", log)
    (peak,) = re.findall(r"Peak:\s+(-?[\d.]+) dBFS", log)
    assert abs(float(loudness) - ours.integrated_lufs) <= 0.1, (loudness, ours.integrated_lufs)
    assert abs(float(peak) - ours.true_peak_dbtp) <= 0.4, (peak, ours.true_peak_dbtp)


def defined(sound: Any) -> None:
    """The first two seconds measure what they do by definition."""
    short = sound[: 2 * RATE_HZ]
    found, wanted = measure(short, RATE_HZ), reference.measure(short.cpu().numpy(), RATE_HZ)
    np.testing.assert_allclose(found.integrated_lufs, wanted.integrated_lufs, atol=0.01)
    np.testing.assert_allclose(found.true_peak_dbtp, wanted.true_peak_dbtp, atol=0.01)


def work(sound: NDArray[np.float32], launches: int = 0) -> Work:
    return Work(sound.nbytes, 2 * OPERATIONS * sound.size, launches)


def cases(*, peers: bool) -> Iterator[Case]:
    """Yield everything at three lengths, pressed music, and the GPU where there is one."""
    for minutes in (1, 3, 10):
        sound = programme(60 * minutes)
        path = raw(sound) if peers and minutes == 10 else None
        yield Case(
            "loudness", f"everything, {minutes} min", len(sound), "samples",
            run=lambda sound=sound: measure(sound, RATE_HZ),
            rivals=beside_peers(sound, path) if path else {},
            work=work(sound), series="everything", growth_limit=1.02,
            agree=(lambda s=sound, p=path: agrees(s, p)) if path else None,
        )  # fmt: skip
        yield integrated(sound, minutes, peers=bool(path))
        if path:
            path.unlink()
    pressed = programme(180, loud=True)
    yield Case(
        "loudness", "everything, pressed, 3 min", len(pressed), "samples",
        run=lambda: measure(pressed, RATE_HZ), work=work(pressed),
    )  # fmt: skip
    short = programme(2)
    yield Case(
        "loudness", "everything, 2 s", len(short), "samples",
        run=lambda: measure(short, RATE_HZ), work=work(short),
        rivals={"definition": Rival(lambda: reference.measure(short, RATE_HZ))},
    )  # fmt: skip
    yield from on_gpu()


def integrated(sound: NDArray[np.float32], minutes: int, *, peers: bool) -> Case:
    """Everything but true peaks."""
    rival = {"pyloudnorm": Rival(beside_pyloudnorm(sound), 20.0)} if peers else {}
    return Case(
        "loudness", f"without peaks, {minutes} min", len(sound), "samples",
        run=lambda: measure(sound, RATE_HZ, peaks=False), rivals=rival,
        work=Work(sound.nbytes, 2 * 12 * sound.size), series="without peaks", growth_limit=1.02,
    )  # fmt: skip


def on_gpu() -> Iterator[Case]:
    import torch

    if not torch.cuda.is_available():
        return
    from benchmarks.kernels.in_torch import loudness, rivals

    filters = loudness.filters(RATE_HZ, "cuda")
    for minutes in (1, 10, 60):
        sound = torch.from_numpy(programme(60 * minutes)).cuda()
        yield Case(
            "loudness", f"everything on the GPU, {minutes} min", len(sound), "samples",
            run=lambda sound=sound: measure(sound, RATE_HZ), agree=lambda s=sound: defined(s),
            rivals=rivals(loudness.loudness, sound, RATE_HZ, *filters, compiling=minutes == 10),
            series="gpu", growth_limit=1.02,
            work=Work(4 * sound.numel(), 2 * OPERATIONS * sound.numel(), LAUNCHES), clock="cuda",
        )  # fmt: skip
