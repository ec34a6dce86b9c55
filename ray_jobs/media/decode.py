"""Pictures for analysis: one decode pass that hands on small planes, never whole frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import av
import numba
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.stream import VideoStream
from typing_extensions import Buffer

from ray_jobs.contract import MediaInfo
from ray_jobs.failures import Failure
from ray_jobs.media.container import Clock, decoded_video, open_media, resets_clock, video_stream

ANALYSIS_HEIGHT = 90
MAX_ANALYSIS_WIDTH = 360
FULL_RANGE = 2
SEEK_WORTH_S = 5.0
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
    """Even height and width, in that order, of analysis frames; nothing is enlarged."""
    if not media.width or not media.height:
        raise Failure("no_video_stream", "The recording has no picture to analyse.")
    height = min(ANALYSIS_HEIGHT, media.height)
    width = min(MAX_ANALYSIS_WIDTH, media.width * height / media.height)
    return max(2, height // 2 * 2), max(2, round(width / 2) * 2)


def analysis_frames(
    path: Path, media: MediaInfo, *, batch: int = 64, max_rate_hz: float | None = None
) -> Iterator[AnalysisBatch]:
    """Decode the video once and yield its frames, area-averaged to `analysis_size`.

    With `max_rate_hz` frames closer than its period are dropped before conversion. A damaged tail
    ends the frames early.

    Raises
    ------
    Failure
        `no_video_stream`, or `corrupt_media` if not one frame decodes.
    """
    height, width = analysis_size(media)
    times_s = np.empty(batch, np.float64)
    luma = np.empty((batch, height, width), np.uint8)
    chroma = np.empty((batch, 2, height // 2, width // 2), np.uint8)
    filled, any_frame = 0, False
    for time_s, frame in timed_frames(path, media, max_rate_hz=max_rate_hz):
        shrink(frame, luma[filled], chroma[filled])
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
    path: Path, media: MediaInfo, *, max_rate_hz: float | None = None
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


def shrink(frame: VideoFrame, luma: Picture, chroma: Picture) -> None:
    """Area-average a frame into `luma` [h, w] and `chroma` [2, h/2, w/2], upright, full range."""
    turn = orientation(frame)
    bits = frame.format.components[0].bits
    if not _planar_yuv(frame):
        frame = frame.reformat(
            width=max(2, frame.width // 2 * 2),
            height=max(2, frame.height // 2 * 2),
            format="yuv420p",
        )
        bits = 8
    full = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
    targets = (luma, chroma[0], chroma[1])
    if len(frame.planes) == 1:
        chroma[:] = 128
    for plane, target, table in zip(frame.planes, targets, _tables(full=full), strict=False):
        source = _samples(plane, wide=bits > 8)
        if turn is None:
            _average(source, bits - 8, table, target)
        else:
            _average(source, bits - 8, table, turn.stored(target))


class Turn(NamedTuple):
    """How a stored picture becomes upright: swap its axes first, then mirror."""

    transposed: bool
    mirror_x: bool
    mirror_y: bool

    def upright(self, picture: Picture) -> Picture:
        """The stored picture [h, w, …] as it is to be shown (a view)."""
        turned = picture.swapaxes(0, 1) if self.transposed else picture
        return turned[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]

    def stored(self, picture: Picture) -> Picture:
        """The upright picture [h, w] as the stored one lies (a view): undoes `upright`."""
        turned = picture[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return turned.swapaxes(0, 1) if self.transposed else turned


def orientation(frame: VideoFrame) -> Turn | None:
    """The frame's display matrix (ISO/IEC 14496-12, 8.3.2) in right angles; None if upright."""
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return None
    a, b, _, c, d = np.frombuffer(memoryview(cast("Buffer", side_data)), np.int32)[:5].tolist()
    transposed = abs(b) > abs(a)
    x, y = (c, b) if transposed else (a, d)
    turn = Turn(transposed, mirror_x=x < 0, mirror_y=y < 0)
    return turn if any(turn) else None


def _planar_yuv(frame: VideoFrame) -> bool:
    """Whether luma and chroma lie in planes of their own, in native 8 or 16 bit samples."""
    form = frame.format
    planar = len(frame.planes) == len(form.components) and len(frame.planes) in (1, 3)
    return (
        planar
        and not form.is_rgb
        and not form.has_palette
        and not form.is_bit_stream
        and not form.is_big_endian
        and 8 <= form.components[0].bits <= 16
        and (form.name.startswith(("yuv", "gray")))
    )


def _samples(plane: VideoPlane, *, wide: bool) -> npt.NDArray[np.uint8 | np.uint16]:
    stride = plane.line_size // 2 if wide else plane.line_size
    samples = memoryview(cast("Buffer", plane))
    rows = np.frombuffer(samples, dtype=np.uint16 if wide else np.uint8).reshape(-1, stride)
    return cast("npt.NDArray[np.uint8 | np.uint16]", rows[: plane.height, : plane.width])


def _tables(*, full: bool) -> tuple[Picture, Picture, Picture]:
    return _FULL if full else _LIMITED


def _range_table(low: float, span: float, centre: float) -> Picture:
    code = np.arange(256, dtype=np.float64)
    return np.clip(np.rint((code - low) * 255 / span + centre), 0, 255).astype(np.uint8)


# ITU-R BT.601 and BT.709: luma 16..235, chroma 16..240 around 128.
_SAME = np.arange(256, dtype=np.uint8)
_FULL = (_SAME, _SAME, _SAME)
_CHROMA = _range_table(128, 224, 128)
_LIMITED = (_range_table(16, 219, 0), _CHROMA, _CHROMA)


@numba.njit(nogil=True, cache=True, boundscheck=False)  # type: ignore[untyped-decorator]
def _average(source: npt.NDArray[np.uint8], shift: int, table: Picture, target: Picture) -> None:
    """Box average of whole source samples; column sums first, so that rows are read as vectors."""
    rows, columns = source.shape
    height, width = target.shape
    sums = np.empty(columns, np.uint32)
    for y in range(height):
        top = y * rows // height
        bottom = max(top + 1, (y + 1) * rows // height)
        for x in range(columns):
            sums[x] = source[top, x]
        for row in range(top + 1, bottom):
            for x in range(columns):
                sums[x] += source[row, x]
        for x in range(width):
            left = x * columns // width
            right = max(left + 1, (x + 1) * columns // width)
            total = np.uint64(0)
            for column in range(left, right):
                total += sums[column]
            count = (bottom - top) * (right - left)
            target[y, x] = table[min(255, (total // count) >> shift)]


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
    stored = (height, width) if turn and turn.transposed else (width, height)
    small = frame.reformat(width=stored[0], height=stored[1], format="rgb24").to_ndarray()
    picture = small.astype(np.uint8, copy=False)
    return np.ascontiguousarray(turn.upright(picture) if turn else picture)


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
