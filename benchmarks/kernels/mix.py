"""A narration over a bed, ducked and limited, 48 kHz stereo: beside ffmpeg and the definition.

ffmpeg compresses the bed by the narration, sums and limits (`sidechaincompress`, `amix`,
`alimiter`), reading raw float32 from shared memory; its reading and summing alone are shown beside
it as `amix alone`. Its limiter looks at samples, ours at what lies between them too. Both let go
of what they have made, block by block.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.case import Case, Rival, Work
from kernels.mix import Ducker, DuckShape, Limiter, cpu, mix, reference

TESTS = "tests/kernels/test_mix.py"
RATE_HZ = 48_000
SHAPE = DuckShape(depth_db=12.0, attack_s=0.1, hold_s=0.3, release_s=0.6)
CEILING_DBTP = -1.5
BLOCK = cpu.AT_ONCE
DUCK = (
    "[1:a][0:a]sidechaincompress=threshold=0.02:ratio=8:attack=100:release=600[bed];"
    "[0:a][bed]amix=inputs=2:normalize=0,alimiter=limit=0.84:attack=5:level=0[out]"
)
SUM = "[0:a][1:a]amix=inputs=2:normalize=0[out]"
Sound = NDArray[np.float32]


def programme(seconds: int, level: float) -> tuple[Sound, Sound, NDArray[np.bool_]]:
    """A narration in phrases of two seconds, a bed, and when the narration sounds."""
    random = np.random.default_rng(0)
    n = RATE_HZ * seconds
    active = np.repeat(np.arange(seconds) % 4 < 2, RATE_HZ)
    voice, bed = (random.standard_normal((n, 2), dtype=np.float32) for _ in range(2))
    return voice * active[:, None] * np.float32(level), bed * np.float32(level), active


def raw(sound: Sound) -> Path:
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".f32", delete=False) as file:
        file.write(sound.tobytes())
    return Path(file.name)


def ffmpeg(voice: Path, bed: Path, graph: str) -> None:
    from imageio_ffmpeg import get_ffmpeg_exe

    form = ("-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2")
    subprocess.run(
        [
            *(get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-v", "error"),
            *(*form, "-i", str(voice), *form, "-i", str(bed)),
            *("-filter_complex", graph, "-map", "[out]", "-f", "null", "-"),
        ],
        check=True,
    )


def stream(voice: Sound, bed: Sound, active: NDArray[np.bool_]) -> None:
    ducker, limiter = Ducker(RATE_HZ, SHAPE), Limiter(RATE_HZ, CEILING_DBTP)
    for first in range(0, len(voice), BLOCK):
        at = slice(first, first + BLOCK)
        limiter.push(ducker.push(voice[at], bed[at], active[at]))
    limiter.push(ducker.finish())
    limiter.finish()


def agrees(voice: Sound, bed: Sound, active: NDArray[np.bool_], *, gpu: bool = False) -> None:
    cut = 2 * RATE_HZ
    parts = voice[:cut], bed[:cut], active[:cut]
    wanted = reference.mix(*parts, RATE_HZ, SHAPE, CEILING_DBTP)
    given = [torch.from_numpy(part).cuda() for part in parts] if gpu else parts
    found = mix(*given, RATE_HZ, SHAPE, CEILING_DBTP)
    found = found.cpu().numpy() if gpu else found
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


def cases(*, peers: bool) -> Iterator[Case]:
    """Yield speech levels at three lengths, a mix that is limited all along, and the GPU."""
    for name, level, lengths in (("speech", 0.08, (1, 3, 10)), ("limited", 0.5, (1, 3, 10))):
        for minutes in lengths:
            sounds = programme(60 * minutes, level)
            rivals = {}
            paths = [raw(each) for each in sounds[:2]] if peers and minutes == 10 else []
            if paths:
                rivals["sidechaincompress+alimiter"] = Rival(partial(ffmpeg, *paths, DUCK), 2.0)
                rivals["amix alone"] = Rival(partial(ffmpeg, *paths, SUM))
            yield Case(
                "mix", f"{name}, {minutes} min", len(sounds[0]), "samples",
                run=partial(stream, *sounds), rivals=rivals,
                work=work(sounds[0]), agree=partial(agrees, *sounds), series=name,
                growth_limit=1.02,
            )  # fmt: skip
            for path in paths:
                path.unlink()
    yield from on_gpu()


def work(sound: Sound, launches: int = 0) -> Work:
    """Both sounds read, one written, and the activity; the interpolation where it is needed."""
    phases = (reference.OVERSAMPLING - 1) * reference.TAPS
    return Work(3 * sound.nbytes + len(sound), 2 * phases * sound.size, launches)


def launches(samples: int) -> int:
    """Edges, ducking, what is needed and limiting: of each block, and of what waits for the end."""
    from kernels.mix import fused

    return 4 * -(-samples // fused.AT_ONCE) + 4


def on_gpu() -> Iterator[Case]:
    if not torch.cuda.is_available():
        return
    from benchmarks.kernels import in_torch
    from benchmarks.kernels.in_torch.mix import mix as mix_in_torch
    from benchmarks.kernels.in_torch.mix import tables

    made = tables(RATE_HZ, SHAPE, "cuda")
    for minutes in (1, 3, 10):
        sounds = programme(60 * minutes, 0.5)
        tensors = [torch.from_numpy(each).cuda() for each in sounds]
        yield Case(
            "mix", f"on the GPU, {minutes} min", len(sounds[0]), "samples",
            run=partial(mix, *tensors, RATE_HZ, SHAPE, CEILING_DBTP),
            rivals=in_torch.rivals(
                mix_in_torch, *tensors, RATE_HZ, CEILING_DBTP, *made, compiling=minutes == 10
            ),
            work=work(sounds[0], launches(len(sounds[0]))),
            agree=partial(agrees, *sounds, gpu=True),
            series="gpu", growth_limit=1.02, clock="cuda",
        )  # fmt: skip
