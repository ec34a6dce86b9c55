"""Whole recordings in another size: even in time, quick to seek, playable everywhere."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from ray_jobs.contract import AudioStream, MediaInfo, Rendition
from ray_jobs.media.container import INPUT_OPTIONS
from ray_jobs.media.ffmpeg import ffmpeg

MAX_SHAPE = 4
MIN_SIDE = 16
MAX_RATE = Fraction(60)
MIN_RATE = Fraction(1)
KEYFRAME_S = 2
THREADS = 4
HDR_TRANSFERS = ("smpte2084", "arib-std-b67")


class Form(NamedTuple):
    width: int
    height: int
    rate: Fraction


def form_of(media: MediaInfo, wanted_height: Fraction | int) -> Form:
    """Even size with square pixels, never enlarged, at the source's rate within 1 to 60 Hz."""
    width, height = media.width or 2, media.height or 2
    shown = width * Fraction(media.sample_aspect_ratio)
    scale = min(Fraction(1), Fraction(wanted_height, height), MAX_SHAPE * wanted_height / shown)
    rate = min(MAX_RATE, max(MIN_RATE, Fraction(media.frame_rate or "25/1")))
    return Form(_even(shown * scale), _even(height * scale), rate)


def _even(length: Fraction) -> int:
    return max(MIN_SIDE, round(length / 2) * 2)


def encode_rendition(
    source: Path,
    media: MediaInfo,
    target: Path,
    wanted: Rendition,
    *,
    progress: Callable[[float], None] = lambda _: None,
) -> Form:
    """Write H.264 and AAC in MP4 whose time zero is the recording's, with constant frame rate.

    Damage in the source is passed over. Encoding is on the CPU.

    Raises
    ------
    Failure
        `encode_failed`.
    """
    form = form_of(media, wanted.height)
    ffmpeg(
        [
            *("-v", "error", *INPUT_OPTIONS, "-i", f"file:{source}"),
            *("-map", "0:V:0", "-vf", picture_filter(media, form)),
            *("-c:v", "libx264", "-preset", wanted.speed, "-crf", str(wanted.crf)),
            *("-profile:v", "high", "-g", str(max(1, round(KEYFRAME_S * form.rate)))),
            *("-threads", str(THREADS)),
            *_sound(media, wanted.audio_bitrate_bps),
            *("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"),
            *("-flags:v", "+bitexact", "-flags:a", "+bitexact"),
            *("-movflags", "+faststart", "-f", "mp4", f"file:{target}"),
        ],
        duration_s=media.duration_s,
        progress=progress,
    )
    return form


def picture_filter(media: MediaInfo, form: Form) -> str:
    """Filters for a recording's picture in this form, progressive and for SDR screens."""
    filters = ["bwdif=mode=send_frame:deint=all"] if media.interlaced else []
    filters.append(f"fps={form.rate.numerator}/{form.rate.denominator}:start_time=0")
    filters.append(f"scale={form.width}:{form.height}:flags=bicubic:out_range=tv,setsar=1")
    if media.color_transfer in HDR_TRANSFERS:
        linear = f"zscale=tin={media.color_transfer}:pin=2020:min=2020_ncl:t=linear:npl=100"
        filters += ["format=yuv420p10le", linear, "format=gbrpf32le", "zscale=p=709"]
        filters += ["tonemap=hable:desat=0", "zscale=t=709:m=709:r=tv"]
    return ",".join([*filters, "format=yuv420p"])


def _sound(media: MediaInfo, bitrate_bps: int) -> list[str]:
    if not media.audio:
        return ["-an"]
    sound = media.audio[0]
    filters = sound_filter(sound)
    return ["-map", f"0:{sound.index}", "-af", filters, "-c:a", "aac", "-b:a", str(bitrate_bps)]


def sound_filter(sound: AudioStream) -> str:
    """Filters for stereo at 48 kHz from the recording's time zero on."""
    # ffmpeg mixes only layouts it knows; channels without a place are averaged.
    placed = sound.channels <= 2 or not sound.layout.endswith("channels")
    mean = "+".join(f"{1 / sound.channels:.6f}*c{index}" for index in range(sound.channels))
    mix = "aformat=channel_layouts=stereo" if placed else f"pan=stereo|c0={mean}|c1={mean}"
    # Whole numbers, because an encoder refuses the NaN a float recording may hold.
    return f"aformat=sample_fmts=s32,{mix},aresample=48000:async=1:first_pts=0"
