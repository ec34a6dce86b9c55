"""Rendering a clip's picture: an exact cut, reframed, with subtitles burned in, in one pass.

The same inputs give the same bytes: encoder threads are fixed in number, nothing is stamped with a
time, and every frame's source is decided by its presentation time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ray_jobs.contract import EncoderName, MediaInfo, Speed
from ray_jobs.failures import Failure
from ray_jobs.media.container import INPUT_OPTIONS
from ray_jobs.media.cut import Cut
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.filtergraph import (
    Subtitles,
    Watermark,
    burnt,
    chain,
    crop_commands,
    delivery_format,
    moving,
    node,
    watermarked,
    wave_of_sound,
)
from ray_jobs.media.fonts import check_drawn
from ray_jobs.media.reframe import Corners, Framing
from ray_jobs.media.sound import cut_samples, write_wave

X264_THREADS = 8
AV1_PRESETS: dict[Speed, int] = {
    "ultrafast": 12, "veryfast": 10, "fast": 8, "medium": 6, "slow": 4,
}  # fmt: skip
AV1_CRF_SHIFT = 12
"""SVT-AV1's scale ends at 63; what x264 does at 20 it does at about 32."""
AV1_PARALLELISM = 3
KEYFRAME_S = 2
BITEXACT = (
    "-map_metadata",
    "-1",
    "-map_chapters",
    "-1",
    "-fflags",
    "+bitexact",
    "-flags:v",
    "+bitexact",
    "-flags:a",
    "+bitexact",
)


# ---- encoders ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Encoder:
    """ffmpeg arguments of a video encoder and what to say of it in the job's report."""

    arguments: tuple[str, ...]
    name: str


LOSSLESS = Encoder(("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-threads", "4"), "x264")


def pick_encoder(
    wanted: EncoderName, *, crf: int, speed: Speed, max_bitrate_bps: int | None = None
) -> Encoder:
    """The encoder asked for, or x264 with the reason where NVENC does not really encode here.

    `crf` is on x264's scale for all of them.
    """
    cap = [f"-maxrate {max_bitrate_bps} -bufsize {2 * max_bitrate_bps}"] if max_bitrate_bps else []
    if wanted == "svtav1":
        form = f"-c:v libsvtav1 -preset {AV1_PRESETS[speed]} -crf {crf + AV1_CRF_SHIFT}"
        return _encoder("svt-av1", form, *cap, f"-svtav1-params lp={AV1_PARALLELISM}")
    reason = _nvenc_problem() if wanted != "x264" else None
    if wanted != "x264" and reason is None:
        form = f"-c:v h264_nvenc -rc vbr -cq {crf} -b:v 0 -preset p5 -profile:v high"
        return _encoder("nvenc (h264_nvenc)", form, *cap)
    form = f"-c:v libx264 -preset {speed} -crf {crf} -profile:v high -threads {X264_THREADS}"
    return _encoder(f"x264 ({reason})" if reason else "x264", form, *cap)


def _encoder(name: str, *arguments: str) -> Encoder:
    return Encoder(tuple(" ".join(arguments).split()), name)


@lru_cache(maxsize=1)
def _nvenc_problem() -> str | None:
    try:
        ffmpeg(
            ["-f", "lavfi", "-i", "color=s=256x144:d=0.2", "-c:v", "h264_nvenc", "-f", "null", "-"]
        )
    except Failure:
        return "no NVENC"
    return None


# ---- the picture -------------------------------------------------------------------------------


def render_picture(
    target: Path,
    source: Path,
    media: MediaInfo,
    cut: Cut,
    frame: Framing,
    corners: Corners,
    *,
    subtitles: Subtitles | None,
    encoder: Encoder,
    watermark: Watermark | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Encode exactly `cut.frames` frames of H.264 in MP4, without sound, to `target`.

    `corners` [frames, 2] is the crop's left upper corner in the scaled picture. A source without a
    picture is shown as the wave of its sound.

    Raises
    ------
    Failure
        `encode_failed`, or `font_missing` where nothing could be drawn.
    """
    commands = target.with_suffix(".cmd")
    commands.write_text(crop_commands(corners, cut.rate), encoding="ascii")
    video = (
        moving(source, media, cut, frame, corners[0], commands)
        if media.width
        else wave_of_sound(frame.target, cut.rate, cut.frames)
    )
    shown = watermarked(video, watermark, frame.target)
    graph = chain(shown, burnt(subtitles), delivery_format())
    _run(
        [
            *_input(source, cut, media, target),
            *(watermark.arguments if watermark else ()),
            *("-filter_complex", f"{graph}[out]", "-map", "[out]", "-frames:v", str(cut.frames)),
            *encoder.arguments,
            *("-g", str(round(KEYFRAME_S * cut.rate))),
            *BITEXACT,
            *("-movflags", "+faststart", "-f", "mp4", str(target)),
        ],
        subtitles,
        duration_s=cut.duration_s,
        progress=progress,
    )
    commands.unlink()
    target.with_suffix(".wav").unlink(missing_ok=True)


def render_still(
    target: Path,
    source: Path,
    media: MediaInfo,
    cut: Cut,
    frame: Framing,
    corners: Corners,
    *,
    index: int,
    subtitles: Subtitles | None,
    watermark: Watermark | None = None,
) -> None:
    """Write frame `index` of the cut, as `render_picture` shows it, as JPEG to `target`."""
    one = cut.still(index)
    if media.width:
        video = moving(source, media, one, frame, corners[index], None)
    else:
        video = wave_of_sound(frame.target, cut.rate, 1)
    video = watermarked(video, watermark, frame.target)
    shift = node("setpts", f"PTS+{index / float(cut.rate):.6f}/TB")
    jpeg = node("scale", out_color_matrix="bt601", out_range="pc")
    graph = chain(video, shift, burnt(subtitles), jpeg, "format=yuvj420p")
    arguments = ["-filter_complex", f"{graph}[out]", "-map", "[out]", "-frames:v", "1", "-q:v", "3"]
    _run(
        [
            *_input(source, one, media, target),
            *(watermark.arguments if watermark else ()),
            *arguments,
            *BITEXACT,
            *("-update", "1", str(target)),
        ],
        subtitles,
    )
    target.with_suffix(".wav").unlink(missing_ok=True)


def _run(
    arguments: list[str],
    subtitles: Subtitles | None,
    *,
    duration_s: float | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    environment = subtitles.environment if subtitles else {}
    log = ffmpeg(arguments, duration_s=duration_s, progress=progress, env=environment)
    if subtitles:
        check_drawn(log)


def _input(source: Path, cut: Cut, media: MediaInfo, target: Path) -> list[str]:
    if not media.width:
        # A damaged stream may change its form on the way, which no filter graph survives.
        heard = target.with_suffix(".wav")
        write_wave(cut_samples(source, cut), heard)
        return ["-i", f"file:{heard}"]
    seek = ["-ss", f"{cut.seek_s:.6f}"] if cut.seek_s > 0 else []
    return [*seek, *INPUT_OPTIONS, "-i", f"file:{source}"]


# ---- the file ----------------------------------------------------------------------------------


def join(picture: Path, sound: Path | None, target: Path) -> None:
    """Put picture and sound into one MP4 that starts to play before it is loaded whole."""
    inputs: Sequence[str] = ["-i", f"file:{picture}"]
    maps: Sequence[str] = ["-map", "0:v:0"]
    if sound:
        inputs, maps = [*inputs, "-i", f"file:{sound}"], [*maps, "-map", "1:a:0"]
    ffmpeg(
        [
            *inputs,
            *maps,
            "-c",
            "copy",
            *BITEXACT,
            "-movflags",
            "+faststart",
            "-f",
            "mp4",
            str(target),
        ]
    )
