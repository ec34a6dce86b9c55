"""A deliverable is decoded whole, every frame and sample of it, before anybody may have it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from kernels.loudness import Meter
from ray_jobs.failures import Failure
from ray_jobs.media.audio import audio_blocks
from ray_jobs.media.sound import CHANNELS, RATE_HZ, Samples


@dataclass(frozen=True)
class Verified:
    """Measured by decoding the whole file; loudness is None for silence or no sound."""

    width: int
    height: int
    frames: int
    duration_s: float
    loudness_lufs: float | None
    true_peak_dbtp: float | None


def verify(
    path: Path,
    *,
    frames: int,
    rate: Fraction,
    sound: bool,
    hear: Callable[[Samples], None] = lambda _: None,
    see: Callable[[int, VideoFrame], None] = lambda _, __: None,
) -> Verified:
    """Decode a finished MP4 to its end.

    `hear` is given its sound in blocks [n, 2] at 48 kHz, then `see` every frame with its number:
    whoever wants to know more need not decode it again.

    Raises
    ------
    Failure
        `verify_failed` where it has other frames, another length or other streams than it must
        have, or cannot start to play before it is loaded whole.
    """
    if not starts_fast(path):
        raise Failure("verify_failed", "The file's index lies behind its media.")
    with av.open(str(path)) as container:
        sounds = len(container.streams.audio)
    if sounds != int(sound):
        raise Failure("verify_failed", f"The file has {sounds} sound streams, not {int(sound)}.")
    duration_s = float(frames / rate)
    loudness, peak = _heard(path, duration_s, rate, hear) if sound else (None, None)
    with av.open(str(path)) as container:
        video, count = container.streams.video[0], 0
        for frame in container.decode(video):
            see(count, frame)
            count += 1
        width, height = video.width, video.height
    if count != frames:
        raise Failure("verify_failed", f"The file decodes to {count} frames of {frames}.")
    return Verified(width, height, count, duration_s, loudness, peak)


def _heard(
    path: Path, duration_s: float, rate: Fraction, hear: Callable[[Samples], None]
) -> tuple[float | None, float | None]:
    """Loudness and true peak of the sound, which must be as long as the picture."""
    meter, samples = Meter(RATE_HZ, CHANNELS), 0
    for block in audio_blocks(path, rate_hz=RATE_HZ, channels=CHANNELS):
        meter.push(block)
        hear(block)
        samples += len(block)
    if abs(samples / RATE_HZ - duration_s) > float(1 / rate) + 1024 / RATE_HZ:
        raise Failure("verify_failed", "Sound and picture differ in length.")
    result = meter.result()
    if not np.isfinite(result.integrated_lufs):
        return None, None
    return round(result.integrated_lufs, 2), round(result.true_peak_dbtp, 2)


def starts_fast(path: Path) -> bool:
    """Whether `moov` comes before `mdat`."""
    first = (kind for kind, _, _ in boxes(path) if kind in (b"moov", b"mdat"))
    return next(first, b"") == b"moov"


def boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset and size in bytes of each outermost box of an MP4 (ISO/IEC 14496-12, 4.2)."""
    end, offset = path.stat().st_size, 0
    with path.open("rb") as file:
        while offset + 8 <= end:
            file.seek(offset)
            header = file.read(16)
            size, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if size == 1:
                size = int.from_bytes(header[8:], "big")
            size = size or end - offset
            if size < 8:
                return
            yield kind, offset, size
            offset += size
