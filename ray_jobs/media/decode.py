"""Pictures for analysis: one decode pass that hands on small planes, never whole frames."""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ray_jobs.contract import MediaInfo
from ray_jobs.failures import Failure
from ray_jobs.media.container import Clock, decoded_video, open_media, resets_clock, video_stream
from ray_jobs.media.orientation import orientation
from ray_jobs.media.shrink import Picture, shrink
from ray_jobs.settings import Decoder

ANALYSIS_HEIGHT = 90
SEEK_WORTH_S = 5.0
# libavcodec's AVDISCARD levels, by its option names. Block edges stay rough only in frames that
# look both ways, on which none but their like depend. Elsewhere errors would add up until a key
# frame, which then passes for a cut, and their noise would hide what is a dissolve.
FAST = {"skip_frame": "noref", "skip_loop_filter": "bidir"}
LEFT_OUT = 16
"""As many frames in a row as x264 ever lets nothing refer to."""


class AnalysisBatch(NamedTuple):
    """Consecutive frames at analysis size, upright, full range (black 0, white 255).

    `times_s` are presentation times from the file's start, strictly growing over all batches.
    """

    times_s: npt.NDArray[np.float64]  # [n]
    luma: Any  # [n, h, w] uint8, an array or a CUDA tensor
    chroma: Any  # [n, 2, h/2, w/2] uint8, of the same kind: Cb, Cr; 128 is grey
    held: npt.NDArray[np.bool_]  # [n], the picture before it again, in place of one left out


class Choice(NamedTuple):
    """How a recording is decoded: DALI's device ("mixed" is NVDEC), or None for PyAV."""

    device: str | None
    name: str


def choose_decoder(media: MediaInfo, wanted: Decoder = "auto") -> Choice:
    """What decodes this recording here, and its name for the job's report, with the reason."""
    codec = media.video_codec
    if codec is None:
        return Choice(None, "none (no video)")
    if wanted == "pyav":
        return Choice(None, f"cpu (pyav {codec}, as configured)")
    if find_spec("nvidia") is None or find_spec("nvidia.dali") is None:
        return Choice(None, f"cpu (pyav {codec}, no DALI)")
    import torch

    from ray_jobs.media.dali import CODECS

    if not torch.cuda.is_available() and wanted == "auto":
        return Choice(None, f"cpu (pyav {codec}, no NVDEC)")
    device, name = ("mixed", "nvdec") if torch.cuda.is_available() else ("cpu", "cpu")
    if codec not in CODECS[device]:
        return Choice(None, f"cpu (pyav {codec}, not a codec of dali {name})")
    return Choice(device, f"dali {name} {codec}")


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
    decoder: Decoder = "auto",
    say: Callable[[str], None] = lambda _name: None,
) -> Iterator[AnalysisBatch]:
    """Decode the video once and yield its frames, averaged to `analysis_size`.

    With `max_rate_hz` frames closer than its period are dropped before conversion. With `fast`
    PyAV's decoder leaves out frames that no other frame refers to; in place of each the picture
    before it is `held`, so that as many frames as ever make a second. A damaged tail ends the
    frames early. On NVDEC the planes are CUDA tensors. `say` hears what decodes, and again when
    PyAV goes on where DALI gave up.

    Raises
    ------
    Failure
        `no_video_stream`, or `corrupt_media` if not one frame decodes.
    """
    size = analysis_size(media)
    choice = choose_decoder(media, decoder)
    say(choice.name)
    pace = _Pace(media, max_rate_hz)
    like: Any = None
    if choice.device:
        from ray_jobs.media.dali import Refused, planes

        try:
            for times_s, *pair in planes(path, media, size, choice.device, batch=batch):
                kept = [n for n, time_s in enumerate(times_s) if pace.keeps(float(time_s))]
                like = pair[0]
                if kept:
                    every = np.zeros(len(kept), np.bool_)
                    yield AnalysisBatch(times_s[kept], pair[0][kept], pair[1][kept], every)
        except Refused as reason:
            say(f"cpu (pyav {media.video_codec}, {choice.name} gave up: {reason})")
        else:
            if like is not None:
                return
    for times_s, luma, chroma, held in _by_pyav(path, size, batch, pace, fast=fast):
        yield AnalysisBatch(times_s, _beside(like, luma), _beside(like, chroma), held)
    if pace.last_s == -np.inf:
        raise Failure("corrupt_media", "Not one picture of the video can be decoded.")


def _beside(like: Any, plane: Picture) -> Any:
    """The plane on the GPU where the planes before it were."""
    if not getattr(like, "is_cuda", False):
        return plane
    import torch

    return torch.from_numpy(plane).to(like.device)


def _by_pyav(
    path: Path, size: tuple[int, int], batch: int, pace: "_Pace", *, fast: bool
) -> Iterator[AnalysisBatch]:
    height, width = size
    frames: Iterable[tuple[float, VideoFrame | None]] = timed_frames(path, pace, fast=fast)
    into, filled, turn = _room(batch, height, width), 0, None
    before = into
    for time_s, frame in _stood_in(frames, pace.usual_s) if fast else frames:
        if frame is None:
            into.luma[filled], into.chroma[filled] = (
                before.luma[filled - 1],
                before.chroma[filled - 1],
            )
        else:
            # Asked once: a frame's side data refers back to it, which keeps every picture alive
            # until the garbage collector runs, and costs a third of decoding.
            turn = turn or orientation(frame)
            shrink(frame, turn, into.luma[filled], into.chroma[filled])
        into.times_s[filled], into.held[filled] = time_s, frame is None
        before, filled = into, filled + 1
        if filled == batch:
            yield into
            into, filled = _room(batch, height, width), 0
    if filled:
        times_s, luma, chroma, held = into
        yield AnalysisBatch(times_s[:filled], luma[:filled], chroma[:filled], held[:filled])


def _room(batch: int, height: int, width: int) -> AnalysisBatch:
    return AnalysisBatch(
        np.empty(batch, np.float64),
        np.empty((batch, height, width), np.uint8),
        np.empty((batch, 2, height // 2, width // 2), np.uint8),
        np.empty(batch, np.bool_),
    )


def _stood_in(
    frames: Iterable[tuple[float, VideoFrame | None]], usual_s: float
) -> Iterator[tuple[float, VideoFrame | None]]:
    """The frames, and None at the times where by their rate some were left out between them."""
    last_s = np.inf
    for time_s, frame in frames:
        steps = round((time_s - last_s) / usual_s) if last_s < time_s else 1
        if 1 < steps <= LEFT_OUT + 1:
            for step in range(1, steps):
                yield last_s + step * (time_s - last_s) / steps, None
        yield time_s, frame
        last_s = time_s


class _Pace:
    """Which frames are used: times strictly grow, no closer than a rate's period."""

    def __init__(self, media: MediaInfo, max_rate_hz: float | None) -> None:
        self.step_s = _step_s(media)
        # Half a step of slack, so that a rate equal to the frame rate keeps every frame.
        self.period_s = max(0.0, 1 / max_rate_hz - self.step_s / 2) if max_rate_hz else 0.0
        self.usual_s = max(self.step_s, 1 / max_rate_hz) if max_rate_hz else self.step_s
        self.last_s = -np.inf

    def keeps(self, time_s: float) -> bool:
        kept = time_s > self.last_s and time_s - self.last_s >= self.period_s
        self.last_s = time_s if kept else self.last_s
        return kept


def timed_frames(
    path: Path, pace: _Pace, *, fast: bool = False
) -> Iterator[tuple[float, VideoFrame]]:
    """Decoded frames with their presentation times, those that the pace keeps."""
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise Failure("no_video_stream", "The recording has no picture to analyse.")
        stream.thread_type = "AUTO"
        if fast:
            stream.codec_context.options = FAST
        clock = Clock(container)
        for frame in decoded_video(container, stream):
            time_s = clock.place(frame, pace.step_s)
            if pace.keeps(time_s):
                yield time_s, frame


def _step_s(media: MediaInfo) -> float:
    numerator, denominator = (int(part) for part in (media.frame_rate or "25/1").split("/"))
    return denominator / max(1, numerator)


# ---- exact single frames -----------------------------------------------------------------------


def frames_at(
    path: Path, media: MediaInfo, times_s: list[float], *, height: int,
    tick: Callable[[], None] = lambda: None,
) -> list[Picture]:  # fmt: skip
    """The pictures on screen at the given times, in any order: see `pictures_at`."""
    wanted = sorted(set(times_s))
    pictures = {}
    for time_s, picture in zip(
        wanted, pictures_at(path, media, wanted, height=height), strict=True
    ):
        pictures[time_s] = picture
        tick()
    return [pictures[time_s] for time_s in times_s]


def pictures_at(
    path: Path, media: MediaInfo, times_s: Iterable[float], *, height: int
) -> Iterator[Picture]:
    """The pictures on screen at growing times, as RGB [height, w, 3], upright, square pixels.

    Before the first frame that is the first frame, after the last one the last.

    Raises
    ------
    Failure
        `no_video_stream`, or `corrupt_media` if nothing decodes.
    """
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise Failure("no_video_stream", "The recording has no picture to show.")
        screen = _Screen(container, stream, _step_s(media))
        for time_s in times_s:
            yield rgb(screen.at(time_s), media, height=height)


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
