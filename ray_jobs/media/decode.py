"""Pictures for analysis: one decode pass that hands on small planes, never whole frames."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import av
import numba
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.stream import VideoStream
from typing_extensions import Buffer

from ray_jobs.contract import MediaInfo
from ray_jobs.failures import Failure
from ray_jobs.media.container import Clock, decoded_video, open_media, resets_clock, video_stream
from ray_jobs.media.orientation import UPRIGHT, Turn, orientation

ANALYSIS_HEIGHT = 90
FULL_RANGE = 2
SEEK_WORTH_S = 5.0
# libavcodec's AVDISCARD levels, by its option names.
FAST = {"skip_frame": "noref", "skip_loop_filter": "all"}
Picture = npt.NDArray[np.uint8]


class AnalysisBatch(NamedTuple):
    """Consecutive frames at analysis size, upright, full range (black 0, white 255).

    `times_s` are presentation times from the file's start, strictly growing over all batches.
    """

    times_s: npt.NDArray[np.float64]  # [n]
    luma: npt.NDArray[np.uint8]  # [n, h, w]
    chroma: npt.NDArray[np.uint8]  # [n, 2, h/2, w/2]: Cb, Cr; 128 is grey


def decoder_name(media: MediaInfo) -> str:
    """What decodes this recording here, for the job's report."""
    if media.video_codec is None:
        return "none (no video)"
    return f"cpu (pyav {media.video_codec}, no NVDEC)"


def analysis_size(media: MediaInfo) -> tuple[int, int]:
    """Even height and width, in that order, of analysis frames.

    Upright pixels are averaged in whole squares, so that the short side comes near
    `ANALYSIS_HEIGHT` (68 to 178 for larger pictures); nothing is enlarged.
    """
    if not media.width or not media.height:
        raise Failure("no_video_stream", "The recording has no picture to analyse.")
    square = max(1, round(min(media.width, media.height) / ANALYSIS_HEIGHT))
    return max(2, media.height // square // 2 * 2), max(2, media.width // square // 2 * 2)


def analysis_frames(
    path: Path,
    media: MediaInfo,
    *,
    batch: int = 64,
    max_rate_hz: float | None = None,
    fast: bool = False,
) -> Iterator[AnalysisBatch]:
    """Decode the video once and yield its frames, averaged to `analysis_size`.

    With `max_rate_hz` frames closer than its period are dropped before conversion. With `fast`
    the decoder leaves out what little depends on: frames that no other frame refers to, and the
    smoothing of block edges. A damaged tail ends the frames early.

    Raises
    ------
    Failure
        `no_video_stream`, or `corrupt_media` if not one frame decodes.
    """
    height, width = analysis_size(media)
    times_s = np.empty(batch, np.float64)
    luma = np.empty((batch, height, width), np.uint8)
    chroma = np.empty((batch, 2, height // 2, width // 2), np.uint8)
    filled, any_frame, turn = 0, False, UPRIGHT
    for time_s, frame in timed_frames(path, media, max_rate_hz=max_rate_hz, fast=fast):
        # Asked once: a frame's side data refers back to it, which keeps every picture alive until
        # the garbage collector runs, and costs a third of decoding.
        turn = turn if any_frame else orientation(frame)
        shrink(frame, turn, luma[filled], chroma[filled])
        times_s[filled] = time_s
        filled, any_frame = filled + 1, True
        if filled == batch:
            yield AnalysisBatch(times_s, luma, chroma)
            times_s, luma = np.empty_like(times_s), np.empty_like(luma)
            chroma = np.empty_like(chroma)
            filled = 0
    if filled:
        yield AnalysisBatch(times_s[:filled], luma[:filled], chroma[:filled])
    if not any_frame:
        raise Failure("corrupt_media", "Not one picture of the video can be decoded.")


def timed_frames(
    path: Path, media: MediaInfo, *, max_rate_hz: float | None = None, fast: bool = False
) -> Iterator[tuple[float, VideoFrame]]:
    """Decoded frames with their presentation times, strictly growing."""
    step_s = _step_s(media)
    # Half a step of slack, so that a rate equal to the frame rate keeps every frame.
    period_s = max(0.0, 1 / max_rate_hz - step_s / 2) if max_rate_hz else 0.0
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise Failure("no_video_stream", "The recording has no picture to analyse.")
        stream.thread_type = "AUTO"
        if fast:
            stream.codec_context.options = FAST
        clock, last_s = Clock(container), -np.inf
        for frame in decoded_video(container, stream):
            time_s = clock.place(frame, step_s)
            if time_s > last_s and time_s - last_s >= period_s:
                last_s = time_s
                yield time_s, frame


def _step_s(media: MediaInfo) -> float:
    numerator, denominator = (int(part) for part in (media.frame_rate or "25/1").split("/"))
    return denominator / max(1, numerator)


# ---- small planes ------------------------------------------------------------------------------


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


# ---- exact single frames -----------------------------------------------------------------------


def frames_at(path: Path, media: MediaInfo, times_s: list[float], *, height: int) -> list[Picture]:
    """The pictures on screen at the given times, as RGB [height, w, 3], upright, square pixels.

    Before the first frame that is the first frame, after the last one the last.

    Raises
    ------
    Failure
        `no_video_stream`, or `corrupt_media` if nothing decodes.
    """
    pictures: dict[float, Picture] = {}
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise Failure("no_video_stream", "The recording has no picture to show.")
        screen = _Screen(container, stream, _step_s(media))
        for time_s in sorted(set(times_s)):
            pictures[time_s] = rgb(screen.at(time_s), media, height=height)
    return [pictures[time_s] for time_s in times_s]


def rgb(frame: VideoFrame, media: MediaInfo, *, height: int) -> Picture:
    """The frame as RGB [height, w, 3], upright, with square pixels."""
    turn = orientation(frame)
    sar_width, sar_height = (int(part) for part in media.sample_aspect_ratio.split("/"))
    shown_width = (media.width or frame.width) * sar_width / sar_height
    width = max(1, round(shown_width * height / (media.height or frame.height)))
    stored = (height, width) if turn.transposed else (width, height)
    small = frame.reformat(width=stored[0], height=stored[1], format="rgb24").to_ndarray()
    picture = small.astype(np.uint8, copy=False)
    return np.ascontiguousarray(turn.upright(picture))


class _Screen:
    """What is on screen at growing times; long ways are sought, short ones decoded."""

    def __init__(self, container: InputContainer, stream: VideoStream, step_s: float) -> None:
        self.container, self.stream, self.step_s = container, stream, step_s
        self.seekable = not resets_clock(container)
        stream.thread_type = "AUTO"
        self.shown: tuple[float, VideoFrame] | None = None
        self.ahead: tuple[float, VideoFrame] | None = None
        self._read()

    def at(self, time_s: float) -> VideoFrame:
        reached_s = self.shown[0] if self.shown else 0.0
        if self.seekable and time_s - reached_s > SEEK_WORTH_S:
            self._seek(time_s)
        while self.ahead and (self.shown is None or self.ahead[0] <= time_s + 1e-6):
            self.shown, self.ahead = self.ahead, next(self.frames, None)
        if self.shown is None:
            raise Failure("corrupt_media", "Not one picture of the video can be decoded.")
        return self.shown[1]

    def _seek(self, time_s: float) -> None:
        before = self.shown
        start_s = (self.container.start_time or 0) / 1_000_000
        try:
            self.container.seek(int((start_s + time_s) * 1_000_000), backward=True)
        except av.FFmpegError:
            self.seekable = False
            return
        self._read()
        if self.ahead is None or self.ahead[0] > time_s:
            # An index that leads astray: go back to the start and decode all the way.
            self.seekable = False
            self.container.seek(int(start_s * 1_000_000), backward=True)
            self._read()
            self.shown = self.ahead and before

    def _read(self) -> None:
        clock = Clock(self.container)
        self.frames = (
            (clock.place(frame, self.step_s), frame)
            for frame in decoded_video(self.container, self.stream)
        )
        self.ahead = next(self.frames, None)
