"""Pictures made small: averaged in whole blocks, upright, full range, from any pixel format."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, cast

import numba
import numpy as np
import numpy.typing as npt
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from typing_extensions import Buffer

from ray_jobs.media.orientation import Turn

FULL_RANGE = 2
Picture = npt.NDArray[np.uint8]


def shrink(frame: VideoFrame, turn: Turn, luma: Picture, chroma: Picture) -> None:
    """Average a frame into `luma` [h, w] and `chroma` [2, h/2, w/2], upright, full range."""
    height, width = turn.stored(luma).shape
    bits = _native_bits(frame.format.name)
    planes = frame.planes
    if not bits or frame.width < width or frame.height < height or planes[0].line_size < 0:
        even = (max(width, frame.width // 2 * 2), max(height, frame.height // 2 * 2))
        frame = frame.reformat(*even, format="yuv420p")
        bits, planes = 8, frame.planes
    full = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
    if len(planes) == 1:
        chroma[:] = 128
    targets = (luma, chroma[0], chroma[1])
    for plane, target, reading in zip(planes, targets, _ranges(bits, full), strict=False):
        rows = _rows(plane, wide=bits > 8)
        small = turn.stored(target)
        average = _averager(plane.width // small.shape[1])
        average(rows, plane.height // small.shape[0], *reading, small)


@cache
def _native_bits(pixel_format: str) -> int:
    """Bits of a format whose luma and chroma lie in readable planes of their own, else 0."""
    form = VideoFormat(pixel_format)
    ready = form.name.startswith(("yuv", "gray")) and not form.is_big_endian
    apart = sorted(part.plane for part in form.components) in ([0], [0, 1, 2])
    bits = form.components[0].bits
    return bits if ready and apart and 8 <= bits <= 16 else 0


def _rows(plane: VideoPlane, *, wide: bool) -> npt.NDArray[Any]:
    """The plane's memory [rows, stride], padding included."""
    samples = memoryview(cast("Buffer", plane))
    dtype = np.dtype(np.uint16 if wide else np.uint8)
    return np.frombuffer(samples, dtype).reshape(-1, plane.line_size // dtype.itemsize)


class Range(NamedTuple):
    """8 bit full range is `gain * code + offset`."""

    gain: float
    offset: float


@cache
def _ranges(bits: int, full: bool) -> tuple[Range, Range, Range]:  # noqa: FBT001
    """How code values of luma, Cb and Cr are to be read (ITU-R BT.709, BT.2100)."""
    step = 2.0 ** (8 - bits)
    if full:
        same = Range(step * 255 / (256 - step), 0.0)
        return same, same, same
    chroma = Range(step * 255 / 224, 128 - 128 * 255 / 224)
    return Range(step * 255 / 219, -16 * 255 / 219), chroma, chroma


@cache
def _averager(wide: int) -> Callable[..., None]:
    """`average(source, high, gain, offset, target)` of blocks of `high` x `wide` samples.

    The width is a constant of the compiled code: loops of known length are unrolled, which is
    three times faster than running sums.
    """

    @numba.njit(nogil=True, cache=True, boundscheck=False)  # type: ignore[untyped-decorator]
    def average(
        source: npt.NDArray[Any], high: int, gain: float, offset: float, target: Picture
    ) -> None:
        # Four evenly spaced rows stand for a block: more change little, and reading is what this
        # costs.
        height, width = target.shape
        scale, shift = np.float32(gain / (4 * wide)), np.float32(offset + 0.5)
        sums = np.empty(wide * width, np.uint32)
        for y in range(height):
            first, second = source[y * high], source[y * high + high // 4]
            third, fourth = source[y * high + high // 2], source[y * high + high * 3 // 4]
            for x in range(wide * width):
                upper = np.uint32(first[x]) + np.uint32(second[x])
                sums[x] = upper + np.uint32(third[x]) + np.uint32(fourth[x])
            for x in range(width):
                total = np.int32(0)
                for k in range(wide):
                    total += np.int32(sums[x * wide + k])
                value = np.float32(total) * scale + shift
                target[y, x] = np.uint8(np.int32(min(np.float32(255), max(np.float32(0), value))))

    return cast("Callable[..., None]", average)
