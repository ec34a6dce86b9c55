"""Whether a recording is already what a rendition of it would be."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from ray_jobs.contract import MediaInfo, Rendition
from ray_jobs.media.container import only, open_media, video_stream
from ray_jobs.media.rendition import HDR_TRANSFERS, KEYFRAME_S, Form, form_of
from ray_jobs.media.verify import starts_fast

MAX_START_S = 0.05
BITS_PER_PIXEL = 0.1
"""What x264 spends on most pictures at CRF 21; six steps of CRF halve or double it."""


def looks_like(media: MediaInfo, size_bytes: int, wanted: Rendition) -> bool:
    """Whether what a probe found is what `wanted` asks for, and no heavier than it would be."""
    if not (media.width and media.height and media.frame_rate and media.duration_s):
        return False
    rate = Fraction(media.frame_rate)
    shown = media.width * media.height * float(rate) * media.duration_s
    heaviest = shown * BITS_PER_PIXEL * 2 ** ((21 - wanted.crf) / 6)
    heaviest += wanted.audio_bitrate_bps * media.duration_s
    return (
        (media.container, media.video_codec, media.pixel_format) == ("mp4", "h264", "yuv420p")
        and Form(media.width, media.height, rate) == form_of(media, wanted.height)
        and Fraction(media.sample_aspect_ratio) == 1
        and not (media.vfr or media.interlaced or media.rotation_deg or media.warnings)
        and media.color_transfer not in HDR_TRANSFERS
        and max(media.video_start_s, media.audio_start_s) <= MAX_START_S
        and [(s.codec, s.sample_rate_hz, s.channels) for s in media.audio]
        in ([], [("aac", 48_000, 2)])
        and 8 * size_bytes <= heaviest
    )


def seeks_well(path: Path) -> bool:
    """Whether an MP4 plays before it is loaded whole and has a key frame every two seconds."""
    if not starts_fast(path):
        return False
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None or not stream.time_base:
            return False
        only(container, stream)
        shown = [(p.pts, p.is_keyframe) for p in container.demux(stream) if p.pts is not None]
        keys = [pts for pts, is_key in shown if is_key]
        step = KEYFRAME_S / stream.time_base + 1 / (stream.average_rate or 1) / stream.time_base
    ends = [*keys, max((pts for pts, _ in shown), default=0)]
    return bool(keys) and all(after - before <= step for before, after in pairwise(ends))
