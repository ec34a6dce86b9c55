"""HLS (RFC 8216) from fragmented MP4: one file for each rung, one for the sound, in byte ranges.

The sound is a rendition of its own, so that it is made once and stays when a player changes rungs.
All rungs have the same frame rate and as many frames in each segment, so every segment begins at
the same time in all of them, with a key frame that nothing before it is needed for.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from io import BytesIO
from math import inf
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer

from ray_jobs.contract import HlsLadder, MadeRung, MediaInfo, Rung
from ray_jobs.failures import Failure
from ray_jobs.media.container import INPUT_OPTIONS
from ray_jobs.media.encode import BITEXACT
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.rendition import THREADS, Form, form_of, picture_filter, sound_filter
from ray_jobs.media.verify import boxes

# The index is written when the first fragment is known: only then does it say where time zero is
# among pictures out of order and before a codec's priming samples.
FRAGMENTED = "cmaf+delay_moov+default_base_moof+skip_trailer"
TOLERANCE_S = 0.001
AAC_FRAME_S = 1024 / 48_000

Progress = Callable[[float], None]


class Piece(NamedTuple):
    """A segment: where it lies in the file, in bytes, and how long it lasts, in seconds."""

    offset: int
    size: int
    duration: Fraction


class Track(NamedTuple):
    """A finished file of a ladder; the pieces follow its first `head_bytes`, which all need."""

    codecs: str
    head_bytes: int
    pieces: list[Piece]

    @property
    def duration(self) -> Fraction:
        return sum((piece.duration for piece in self.pieces), Fraction(0))


def ladder_of(media: MediaInfo, ladder: HlsLadder) -> list[tuple[Rung, Form]]:
    """The rungs for a picture, largest first, and their sizes: never enlarged, no two alike.

    The smallest rung that is larger than the picture has the picture's own size.
    """
    upright = max(
        Fraction(1),
        (media.height or 1) / ((media.width or 1) * Fraction(media.sample_aspect_ratio)),
    )
    forms: dict[Form, Rung] = {}
    for rung in sorted(ladder.rungs, key=lambda rung: rung.height, reverse=True):
        forms[form_of(media, rung.height * upright)] = rung
    return [(rung, form) for form, rung in forms.items()]


def group_of(form: Form, ladder: HlsLadder) -> int:
    """Frames from key frame to key frame, which are one segment."""
    return max(1, round(Fraction(ladder.segment_s) * form.rate))


def encode_picture(
    source: Path,
    media: MediaInfo,
    target: Path,
    rung: Rung,
    form: Form,
    ladder: HlsLadder,
    *,
    progress: Progress = lambda _: None,
) -> Track:
    """Write a rung's picture, as long as the recording: its last picture stays to the end.

    Raises
    ------
    Failure
        `encode_failed`, or `verify_failed` where the file is not what it must be.
    """
    frames, group = max(1, round(Fraction(media.duration_s) * form.rate)), group_of(form, ladder)
    held = "tpad=stop=-1:stop_mode=clone"
    ffmpeg(
        [
            *("-v", "error", *INPUT_OPTIONS, "-i", f"file:{source}"),
            *("-map", "0:V:0", "-vf", f"{picture_filter(media, form)},{held}"),
            *("-frames:v", str(frames), "-c:v", "libx264", "-preset", ladder.speed),
            *("-crf", str(rung.crf), "-maxrate", str(rung.max_bitrate_bps)),
            *("-bufsize", str(2 * rung.max_bitrate_bps), "-profile:v", "high"),
            *("-g", str(group), "-keyint_min", str(group), "-sc_threshold", "0"),
            *("-threads", str(THREADS), *BITEXACT, "-movflags", f"{FRAGMENTED}+frag_keyframe"),
            *("-f", "mp4", f"file:{target}"),
            *_kept(media.audio[0].index if media.audio else None),
        ],
        duration_s=media.duration_s,
        progress=progress,
    )
    track = read_track(target, form.rate, progress=lambda: progress(1.0))
    counts = [piece.duration * form.rate for piece in track.pieces]
    if set(counts[:-1]) - {group} or sum(counts) != frames:
        raise Failure("verify_failed", f"{target.name} is not cut where its ladder is.")
    return track


def encode_sound(
    source: Path,
    media: MediaInfo,
    target: Path,
    ladder: HlsLadder,
    *,
    progress: Progress = lambda _: None,
) -> Track:
    """Write the first sound as AAC, with silence where the recording goes on without it.

    Raises
    ------
    Failure
        `encode_failed`, or `verify_failed` where the file is not what it must be.
    """
    sound, length_s = media.audio[0], media.duration_s
    ffmpeg(
        [
            *("-v", "error", *INPUT_OPTIONS, "-i", f"file:{source}"),
            *("-map", f"0:{sound.index}", "-af", f"{sound_filter(sound)},apad"),
            *("-t", f"{length_s:.6f}", "-c:a", "aac", "-b:a", str(ladder.audio_bitrate_bps)),
            *("-frag_duration", str(round(ladder.segment_s * 1e6)), *BITEXACT),
            *("-movflags", FRAGMENTED, "-f", "mp4", f"file:{target}"),
            *_kept("V:0" if media.video_codec else None),
        ],
        duration_s=length_s,
        progress=progress,
    )
    track = read_track(target, None, progress=lambda: progress(1.0))
    if abs(track.duration - Fraction(length_s)) > AAC_FRAME_S:
        raise Failure("verify_failed", f"{target.name} has another length than the recording.")
    return track


def _kept(stream: str | int | None) -> list[str]:
    """Read another stream to nowhere: in MPEG-TS ffmpeg takes for time zero the start of what it
    reads, and picture and sound are read apart.
    """
    return [] if stream is None else ["-map", f"0:{stream}", "-c", "copy", "-f", "null", "-"]


def read_track(
    path: Path, rate: Fraction | None, *, progress: Callable[[], None] = lambda: None
) -> Track:
    """Decode a file segment by segment, each by itself, as a player does who begins with it.

    `rate` is that of the picture's frames, None for sound.

    Raises
    ------
    Failure
        `verify_failed` where one does not begin with a key frame, or not where the last has ended.
    """
    starts = [offset for kind, offset, _ in boxes(path) if kind == b"moof"]
    pieces: list[Piece] = []
    at, codecs = Fraction(0), ""
    with path.open("rb") as file:
        head = file.read(starts[0] if starts else 0)
        for offset, end in zip(starts, [*starts[1:], path.stat().st_size], strict=True):
            progress()
            file.seek(offset)
            try:
                codecs, start_s, duration = _decoded(head + file.read(end - offset), rate)
            except av.FFmpegError as error:
                raise Failure(
                    "verify_failed", f"{path.name} is damaged at {float(at)} s."
                ) from error
            if abs(start_s - at) > TOLERANCE_S:
                raise Failure("verify_failed", f"{path.name} cannot be played from {float(at)} s.")
            pieces.append(Piece(offset, end - offset, duration))
            at += duration
    if not pieces:
        raise Failure("verify_failed", f"{path.name} has no segment.")
    return Track(codecs, len(head), pieces)


def _decoded(segment: bytes, rate: Fraction | None) -> tuple[str, float, Fraction]:
    """Codec name, start in seconds (infinite without a key frame) and length of what decodes."""
    start_s, duration = inf, Fraction(0)
    with av.open(BytesIO(segment), "r", format="mp4") as container:
        if rate is None:
            start_s, duration = _heard(container)
        else:
            for frame in container.decode(video=0):
                start_s = frame.time or 0.0 if not duration and frame.key_frame else start_s
                duration += 1 / rate
        context = container.streams[0].codec_context
        return codec_name(context.name, context.extradata or b""), start_s, duration


def _heard(container: InputContainer) -> tuple[float, Fraction]:
    """Start and length of a sound by its packets, less the codec's priming before time zero.

    Not by its frames: a decoder takes the first samples of whatever it is given for priming.
    """
    start, end = inf, Fraction(0)
    for packet in container.demux(audio=0):
        packet.decode()
        if packet.pts is not None:
            begins = packet.pts * Fraction(packet.time_base)
            start = min(start, max(0.0, float(begins)))
            end = begins + (packet.duration or 0) * Fraction(packet.time_base)
    return start, end - Fraction(start) if end else Fraction(0)


def codec_name(codec: str, setup: bytes) -> str:
    """RFC 6381's name, with profile and level as a file's `avcC` or AudioSpecificConfig has them
    (ISO/IEC 14496-15, 5.3.3; ISO/IEC 14496-3, 1.6.2).
    """
    if codec == "h264" and setup[:1] == b"\x01":
        return f"avc1.{setup[1:4].hex()}"
    if codec == "aac" and setup:
        return f"mp4a.40.{setup[0] >> 3}"
    raise Failure("verify_failed", f"{codec} has no name in a playlist.")


# ---- playlists ---------------------------------------------------------------------------------


def target_s(pieces: Sequence[Piece]) -> int:
    """EXT-X-TARGETDURATION: no segment, rounded to seconds, is longer."""
    return max(1, *(int(piece.duration + Fraction(1, 2)) for piece in pieces))


def average_bps(pieces: Sequence[Piece]) -> int:
    duration = sum(piece.duration for piece in pieces)
    return -int(-8 * sum(piece.size for piece in pieces) // duration)


def peak_bps(pieces: Sequence[Piece]) -> int:
    """The highest rate of neighbours that last 0.5 to 1.5 target durations (section 4.1)."""
    target = target_s(pieces)
    runs = [pieces[at : at + size] for size in (1, 2) for at in range(len(pieces) + 1 - size)]
    rates = [
        average_bps(run) for run in runs if 0.5 <= sum(p.duration for p in run) / target <= 1.5
    ]
    return max(rates, default=average_bps(pieces))


def playlist(media_name: str, track: Track) -> str:
    """The media playlist of a track whose file is `media_name`."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target_s(track.pieces)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{media_name}",BYTERANGE="{track.head_bytes}@0"',
    ]
    for piece in track.pieces:
        lines += [
            f"#EXTINF:{float(piece.duration):.6f},",
            f"#EXT-X-BYTERANGE:{piece.size}@{piece.offset}",
            media_name,
        ]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def master_playlist(rungs: Sequence[MadeRung], sound: MadeRung | None) -> str:
    """The playlist of all rungs, largest first; without any, of the sound alone."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if rungs and sound:
        lines.append(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",DEFAULT=YES,AUTOSELECT=YES,'
            f'CHANNELS="2",URI="{sound.playlist.filename}"'
        )
    for rung in rungs or ([sound] if sound else []):
        heard = sound if sound and sound is not rung else None
        lines += [_variant(rung, heard), rung.playlist.filename]
    return "\n".join([*lines, ""])


def _variant(rung: MadeRung, sound: MadeRung | None) -> str:
    made = [rung, *([sound] if sound else [])]
    attributes = [
        f"BANDWIDTH={sum(one.peak_bps for one in made)}",
        f"AVERAGE-BANDWIDTH={sum(one.average_bps for one in made)}",
        f'CODECS="{",".join(one.codecs for one in made)}"',
    ]
    if rung.frame_rate:
        attributes += [
            f"RESOLUTION={rung.width}x{rung.height}",
            f"FRAME-RATE={float(Fraction(rung.frame_rate)):.3f}",
        ]
    if sound:
        attributes.append('AUDIO="sound"')
    return f"#EXT-X-STREAM-INF:{','.join(attributes)}"
