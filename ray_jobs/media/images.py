"""Still pictures of a recording: the poster that stands for it, the strip that shows its course."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from ray_jobs.contract import MediaInfo
from ray_jobs.failures import Failure
from ray_jobs.media.decode import frames_at

POSTER_HEIGHT = 540
POSTER_CANDIDATES = 12
TILE_HEIGHT = 90
COLUMNS = 10
MAX_TILES = 100
TILE_EVERY_S = 2.0
FF_QP2LAMBDA = 118
MAX_IMAGE_PIXELS = 40_000_000
Tick = Callable[[], None]
Rgb = npt.NDArray[np.uint8]


class Filmstrip(NamedTuple):
    """Tiles row by row; tile i shows the recording at `(i + 0.5) * interval_s`."""

    tiles: int
    columns: int
    rows: int
    tile_width: int
    tile_height: int
    interval_s: float


class Image(NamedTuple):
    content_type: str
    width: int
    height: int
    transparent: bool


def read_image(path: Path) -> Image:
    """Decode a still picture a user has sent: PNG, JPEG or WebP, at most MAX_IMAGE_PIXELS.

    Raises
    ------
    Failure
        `svg_refused`, `not_an_image`, `too_large` or `corrupt_media`.
    """
    head = path.read_bytes()[:1024]
    marks = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
    form = next((name for mark, name in marks.items() if head.startswith(mark)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        form = "webp"
    if form is None:
        if b"<svg" in head.lower():
            raise Failure("svg_refused", "SVG can carry scripts: send a PNG instead.")
        raise Failure("not_an_image", "This is no picture that can be used: send PNG or WebP.")
    try:
        with av.open(f"file:{path}", format=f"{form}_pipe") as container:
            stream = container.streams.video[0]
            if stream.width * stream.height > MAX_IMAGE_PIXELS:
                raise Failure("too_large", f"At most {MAX_IMAGE_PIXELS} pixels can be used.")
            frame = next(container.decode(stream))
    except (av.FFmpegError, StopIteration, IndexError) as error:
        raise Failure("corrupt_media", "The picture is damaged: save it again.") from error
    transparent = any(each.is_alpha for each in frame.format.components)
    return Image(
        f"image/{form}", frame.width, frame.height, transparent or "pal8" in frame.format.name
    )


def write_poster(source: Path, media: MediaInfo, target: Path, tick: Tick = lambda: None) -> float:
    """Write the picture richest in light and detail of twelve even ones; returns its time."""
    share = (np.arange(POSTER_CANDIDATES) + 0.5) / POSTER_CANDIDATES
    times_s = [float(each) for each in share * media.duration_s]
    small = frames_at(source, media, times_s, height=TILE_HEIGHT, tick=tick)
    best_s = times_s[int(np.argmax([_appeal(picture) for picture in small]))]
    height = min(POSTER_HEIGHT, media.height or POSTER_HEIGHT)
    write_jpeg(frames_at(source, media, [best_s], height=height)[0], target)
    return best_s


def _appeal(picture: Rgb) -> float:
    """Contrast plus detail, less the further the mean is from mid grey."""
    grey = picture.mean(axis=2) / 255
    detail = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    exposure = 1 - abs(2 * float(grey.mean()) - 1)
    return float((grey.std() + 2 * detail) * exposure)


def write_filmstrip(
    source: Path, media: MediaInfo, target: Path, tick: Tick = lambda: None
) -> Filmstrip:
    """Write a sprite of one tile per 2 s, at most 100, on black."""
    tiles = min(MAX_TILES, max(1, round(media.duration_s / TILE_EVERY_S)))
    interval_s = media.duration_s / tiles
    times_s = [(index + 0.5) * interval_s for index in range(tiles)]
    pictures = frames_at(source, media, times_s, height=TILE_HEIGHT, tick=tick)
    columns, rows = min(COLUMNS, tiles), -(-tiles // COLUMNS)
    height, width = pictures[0].shape[:2]
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + height, left : left + width] = picture
    write_jpeg(sheet, target)
    return Filmstrip(tiles, columns, rows, width, height, interval_s)


def write_jpeg(picture: Rgb, target: Path, *, quality: int = 3) -> None:
    """Write RGB [h, w, 3] as baseline JPEG; `quality` is ffmpeg's q, 2 (best) to 31."""
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
    frame = frame.reformat(format="yuvj420p", dst_colorspace="ITU601", dst_color_range="JPEG")
    encoder = av.CodecContext.create("mjpeg", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise TypeError("mjpeg is a video codec")
    encoder.width, encoder.height = frame.width, frame.height
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    encoder.thread_count = 1
    encoder.flags |= Flags.qscale
    encoder.global_quality = quality * FF_QP2LAMBDA
    encoder.flags |= Flags.bitexact
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    target.write_bytes(b"".join(bytes(packet) for packet in packets))
