"""One reading of a recording: every packet counted, the first picture and sound decoded."""

import re
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ray_jobs.contract import AudioStream as AudioInfo
from ray_jobs.contract import IngestLimits, MediaInfo
from ray_jobs.failures import Failure
from ray_jobs.media.container import (
    audio_streams,
    hidden,
    only,
    open_media,
    resets_clock,
    video_stream,
)
from ray_jobs.media.orientation import orientation
from ray_jobs.media.timing import FrameRate, PacketLog, Timing, frame_rate, timing

MIN_SIDE = 16
MIN_DURATION_S = 0.1
MAX_AUDIO_STREAMS = 64
# Packets offered to a decoder before it counts as hopeless: 1 s of pictures is not enough where a
# broadcast recording starts far from a key frame.
PATIENCE_PACKETS = 1000
LOST_SHARE = 0.01
"""Of its packets a file may lack as much without being called cut short."""
FIELD_ORDER_PROGRESSIVE = 1
TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    8: "linear",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}  # H.273 code points, by the names ffmpeg gives them


def survey(path: Path, limits: IngestLimits) -> MediaInfo:
    """Measure a file in this process: see `probe.probe`, which does it at a safe distance."""
    with open_media(path, max_pixels=limits.max_pixels) as container:
        video, sounds = video_stream(container), audio_streams(container)
        if video is None and not sounds:
            raise Failure("no_streams", "The file holds neither pictures nor sound to decode.")
        if video:
            _check_size(video.codec_context.width, video.codec_context.height, limits)
            video.codec_context.options = {"max_pixels": str(limits.max_pixels)}
        reading = _Reading(container, video, sounds[0] if sounds else None)
        reading.run()
        return _described(reading, sounds, limits)


class _Reading:
    """What one pass over the packets of a picture and a sound stream brings to light."""

    def __init__(
        self, container: InputContainer, video: VideoStream | None, sound: AudioStream | None
    ) -> None:
        self.container, self.video, self.sound = container, video, sound
        self.streams = [stream for stream in (video, sound) if stream]
        self.logs = {stream.index: PacketLog() for stream in self.streams}
        self.found = dict.fromkeys(self.logs, 0)
        self.picture: VideoFrame | None = None
        self.heard = False
        self.broken_off = False

    def run(self) -> None:
        only(self.container, *self.streams)
        packets = self.container.demux(self.streams)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, EOFError):
                self.broken_off = True
                return
            if packet is None:
                return
            self._decode(packet)
            self.found[packet.stream_index] += bool(packet.size)
            if packet.size and not packet.is_discard and not hidden(packet):
                log = self.logs[packet.stream_index]
                log.add(packet.pts, packet.dts, packet.duration)

    def _decode(self, packet: "Packet[Stream]") -> None:
        """Decode until there is one picture and one piece of sound, or patience ends."""
        is_video = self.video is not None and packet.stream_index == self.video.index
        done = self.picture is not None if is_video else self.heard
        flush = not packet.size
        if done or (len(self.logs[packet.stream_index].shown) > PATIENCE_PACKETS and not flush):
            return
        try:
            frames = packet.decode()
        except (av.FFmpegError, EOFError):
            return
        for frame in frames:
            if isinstance(frame, VideoFrame):
                self.picture = self.picture or frame
            else:
                self.heard = True

    @property
    def cut_short(self) -> bool:
        """Whether the index names more packets than the file has: its end got lost on the way."""
        return any(
            self.found[stream.index] < stream.frames * (1 - LOST_SHARE) for stream in self.streams
        )

    def timing(self, stream: VideoStream | AudioStream | None) -> Timing | None:
        if stream is None or not stream.time_base:
            return None
        log = self.logs[stream.index]
        return timing(log, stream.time_base, resets=resets_clock(self.container))


def _described(reading: _Reading, sounds: list[AudioStream], limits: IngestLimits) -> MediaInfo:
    _check_decoded(reading)
    if not reading.heard:
        sounds = []
    pictures = reading.timing(reading.video)
    sound = reading.timing(reading.sound) if sounds else None
    duration_s = _duration_s(reading, pictures, sound)
    if duration_s < MIN_DURATION_S:
        raise Failure("too_short", f"The recording lasts {duration_s:.3f} s only; export it again.")
    if duration_s > limits.max_duration_s:
        raise Failure("too_long", f"The recording is longer than {limits.max_duration_s:.0f} s.")
    claimed_s = (reading.container.duration or 0) / 1_000_000
    warnings = {
        "sound_unreadable": reading.sound is not None and not reading.heard,
        "more_audio_streams": len(sounds) > MAX_AUDIO_STREAMS,
        "header_duration_wrong": bool(claimed_s)
        and abs(claimed_s - duration_s) > max(1.0, 0.02 * duration_s),
        "breaks_off": reading.broken_off or reading.cut_short,
        "timestamp_jump": any(each and each.jumps for each in (pictures, sound)),
    }
    return MediaInfo(
        container=_container_name(reading.container, moving=reading.video is not None),
        duration_s=duration_s,
        audio=[_audio_info(stream) for stream in sounds[:MAX_AUDIO_STREAMS]],
        audio_start_s=_start_s(reading, reading.sound, sound),
        warnings=[code for code, applies in warnings.items() if applies],
        **_picture_facts(reading, pictures, limits),
    )


def _check_decoded(reading: _Reading) -> None:
    if not any(log.shown for log in reading.logs.values()) and not reading.container.duration:
        raise Failure("zero_duration", "The recording is empty; export it again.")
    if reading.video and not reading.picture:
        raise Failure("corrupt_media", "Not one picture of the video can be decoded.")
    if not reading.video and not reading.heard:
        raise Failure("corrupt_media", "The recording's sound cannot be decoded.")


def _duration_s(reading: _Reading, pictures: Timing | None, sound: Timing | None) -> float:
    """From the file's start to the end of what is shown or heard last."""
    ends = [
        float(found.end * stream.time_base)
        for stream, found in ((reading.video, pictures), (reading.sound, sound))
        if stream and found and stream.time_base
    ]
    start_s = (reading.container.start_time or 0) / 1_000_000
    return round(max(ends, default=0.0) - start_s, 6)


def _start_s(
    reading: _Reading, stream: VideoStream | AudioStream | None, found: Timing | None
) -> float:
    if not stream or not found or not stream.time_base:
        return 0.0
    start_s = (reading.container.start_time or 0) / 1_000_000
    return round(max(0.0, float(int(found.times[0]) * stream.time_base) - start_s), 6)


def _picture_facts(
    reading: _Reading, pictures: Timing | None, limits: IngestLimits
) -> dict[str, object]:
    stream, frame = reading.video, reading.picture
    if stream is None or frame is None:
        return {}
    turn = orientation(frame)
    sizes = (frame.height, frame.width) if turn.transposed else (frame.width, frame.height)
    _check_size(*sizes, limits)
    rate = _rate(stream, pictures)
    aspect = stream.codec_context.sample_aspect_ratio or Fraction(1)
    aspect = 1 / aspect if turn.transposed else aspect
    fields = (stream.codec_context.field_order or 0) > FIELD_ORDER_PROGRESSIVE
    return {
        "frame_rate": f"{rate.rate.numerator}/{rate.rate.denominator}",
        "vfr": rate.vfr,
        "frames": len(pictures.times) if pictures else None,
        "width": sizes[0],
        "height": sizes[1],
        "sample_aspect_ratio": f"{aspect.numerator}/{aspect.denominator}",
        "rotation_deg": turn.clockwise_deg,
        "video_codec": stream.codec_context.codec.canonical_name,
        "pixel_format": frame.format.name,
        "color_transfer": TRANSFERS.get(int(frame.color_trc)),
        "interlaced": bool(frame.interlaced_frame) or fields,
        "video_start_s": _start_s(reading, stream, pictures),
    }


def _rate(stream: VideoStream, pictures: Timing | None) -> FrameRate:
    claimed = [stream.average_rate, stream.guessed_rate, stream.base_rate]
    if pictures and stream.time_base:
        found = frame_rate(pictures.times, stream.time_base, claimed)
        if found:
            return found
    return FrameRate(next((rate for rate in claimed if rate), Fraction(25)), vfr=False)


def _check_size(width: int, height: int, limits: IngestLimits) -> None:
    if width * height > limits.max_pixels:
        raise Failure(
            "too_large", f"A picture of {width} x {height} is too large; scale it down first."
        )
    if 0 < min(width, height) < MIN_SIDE:
        raise Failure("too_small", f"A picture of {width} x {height} is too small to work with.")


def _audio_info(stream: AudioStream) -> AudioInfo:
    context = stream.codec_context
    return AudioInfo(
        index=stream.index,
        codec=context.codec.canonical_name,
        sample_rate_hz=context.rate,
        channels=context.channels,
        layout=context.layout.name,
        language=_language(stream.language),
    )


def _language(tag: str | None) -> str | None:
    """A language tag of the file, unless it is anything else."""
    known = tag and tag != "und" and re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag)
    return tag if known else None


def _container_name(container: InputContainer, *, moving: bool) -> str:
    """Libavformat's name, with one word for the MP4 family."""
    names = container.format.name.split(",")
    if "mp4" in names:
        return "mp4" if moving else "m4a"
    return names[0]
