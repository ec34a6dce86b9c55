"""Opening untrusted recordings: what is read, where time zero lies, how damage is survived."""

import errno
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ray_jobs.failures import Failure

logger = logging.getLogger(__name__)

# No playlist, concat, image or device demuxer: those open other files by name.
DEMUXERS = "mov,matroska,avi,mpegts,mpeg,ogg,wav,w64,aiff,caf,flac,mp3,aac,amr,asf,flv,mxf"
INPUT_OPTIONS = ("-protocol_whitelist", "file", "-format_whitelist", DEMUXERS)
"""ffmpeg options that belong before every `-i` of an untrusted file; name it `file:<path>`."""

MAX_PIXELS = 8192 * 8192
MAX_JUMP_S = 10.0
AVFMT_TS_DISCONT = 0x0200
_CONTAINER_MARKS = {
    0: (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"fLaC", b"ID3", b"FLV", b"FORM", b"caff", b"RF64"),
    4: (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"),
}


def open_media(path: Path, *, max_pixels: int = MAX_PIXELS) -> InputContainer:
    """Open a recording by content, whatever its name says, with no way to reach another file.

    Raises
    ------
    Failure
        `empty_file`, `unsupported_media` (not a container we read) or `corrupt_media`.
    """
    if path.stat().st_size == 0:
        raise Failure("empty_file", "The file has no bytes; upload it again.")
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": DEMUXERS,
        "max_pixels": str(max_pixels),
    }
    try:
        return av.open(f"file:{path}", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        if error.errno == errno.EINVAL or not _looks_like_media(path):
            raise Failure(
                "unsupported_media",
                "This is not an audio or video file that can be read; convert it to MP4.",
            ) from error
        raise Failure(
            "corrupt_media", "The recording is damaged: its index cannot be read; export it again."
        ) from error


def _looks_like_media(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(16)
    return any(head[at:].startswith(marks) for at, marks in _CONTAINER_MARKS.items())


def video_stream(container: InputContainer) -> VideoStream | None:
    """The first moving picture; cover art is none. The same as ffmpeg's `0:V:0`."""
    for stream in container.streams.video:
        pictures = Disposition.attached_pic | Disposition.timed_thumbnails
        if stream.codec_context and not int(stream.disposition) & int(pictures):
            return stream
    return None


def audio_streams(container: InputContainer) -> list[AudioStream]:
    """The decodable sound streams; the first is the one that is listened to."""
    return [
        stream
        for stream in container.streams.audio
        if stream.codec_context and stream.codec_context.rate and stream.codec_context.channels
    ]


class Stamped(Protocol):
    """What has a presentation time: a frame or a packet."""

    @property
    def pts(self) -> int | None: ...

    @property
    def time_base(self) -> Fraction | None: ...


class Clock:
    """Turns timestamps of one stream into seconds from the file's start.

    Zero is libavformat's start time, the earliest start of any stream, so these times agree with
    ffmpeg's `-ss`. Backward jumps are closed, as are forward jumps of more than 10 s in formats
    whose clock may be reset (MPEG-TS, MPEG-PS): the stream goes on by one step.
    """

    def __init__(self, container: InputContainer) -> None:
        self.start_s = (container.start_time or 0) / 1_000_000
        self.resets = resets_clock(container)
        self.jumps = 0
        self._shift_s = 0.0
        self._next_s = 0.0
        self._started = False

    def place(self, frame: Stamped, length_s: float) -> float:
        """Time of the next frame, which lasts `length_s`; without a timestamp it follows on."""
        raw_s = self._next_s
        if frame.pts is not None and frame.time_base is not None:
            raw_s = self._presented(frame.pts, frame.time_base)
        time_s = raw_s
        step_s = raw_s - self._next_s
        if self._started and (step_s < -1.0 or (self.resets and step_s > MAX_JUMP_S)):
            self.jumps += 1
            self._shift_s -= step_s
            time_s = self._next_s
        elif not self._started and raw_s < 0:
            self._shift_s -= raw_s
            time_s = 0.0
        self._started = True
        self._next_s = time_s + length_s
        return time_s

    def _presented(self, pts: int, time_base: Fraction) -> float:
        seconds = pts * time_base.numerator / time_base.denominator
        return seconds - self.start_s + self._shift_s


def resets_clock(container: InputContainer) -> bool:
    return bool(container.format.flags & AVFMT_TS_DISCONT)


def decoded_video(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Every frame that decodes; damaged packets are passed over, a broken tail ends the stream."""
    for frame in _decoded(container, stream):
        if isinstance(frame, VideoFrame):
            yield frame


def decoded_audio(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Every frame that decodes; damaged packets are passed over, a broken tail ends the stream."""
    for frame in _decoded(container, stream):
        if isinstance(frame, AudioFrame):
            yield frame


def _decoded(
    container: InputContainer, stream: VideoStream | AudioStream
) -> Iterator[VideoFrame | AudioFrame]:
    only(container, stream)
    packets = container.demux(stream)
    damaged = 0
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            frames = packet.decode()
        except EOFError:
            break
        except av.FFmpegError as error:
            damaged += 1
            if not isinstance(error, av.InvalidDataError):
                logger.info("reading stops early: %s", error.strerror)
                break
            continue
        yield from frames  # type: ignore[misc]
    if damaged:
        logger.warning("%d damaged packets of stream %d passed over", damaged, stream.index)


def hidden(packet: "Packet[Any]") -> bool:
    """Whether a VP8 packet only updates a reference picture (RFC 6386, 9.1: show_frame)."""
    if packet.stream.codec_context.name != "vp8":
        return False
    return not memoryview(packet)[0] & 0x10


def only(container: InputContainer, *streams: Stream) -> None:
    """Let the demuxer skip the data of every other stream."""
    wanted = {stream.index for stream in streams}
    for stream in container.streams:
        stream.discard = Discard.default if stream.index in wanted else Discard.all
