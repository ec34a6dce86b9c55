"""Small recordings made on the spot, whose every frame and sample is known."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ray_jobs.contract import IngestLimits, MediaInfo
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.survey import survey

RATE_HZ = 25
LEVEL_STEP = 4


@pytest.fixture(scope="session")
def measured() -> Callable[[Path], MediaInfo]:
    return lambda path: survey(path, IngestLimits())


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Callable[..., Path]:
    """`made("name.mkv", *ffmpeg_arguments)`: a file, made once per session and arguments."""
    folder = tmp_path_factory.mktemp("media")

    def make(name: str, *arguments: str) -> Path:
        path = folder / hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:12] / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            ffmpeg(["-v", "error", *arguments, str(path)])
        return path

    return make


@pytest.fixture(scope="session")
def numbered(made) -> Callable[..., Path]:
    """A grey video of 50 frames at 25 Hz whose frame n has the luma code 16 + 4 n."""

    def make(name: str, *options: str) -> Path:
        grey = f"color=black:s=64x48:r={RATE_HZ}:d=2,geq=lum=16+{LEVEL_STEP}*N:cb=128:cr=128"
        return made(name, "-f", "lavfi", "-i", grey, *options)

    return make


LOSSLESS = ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
