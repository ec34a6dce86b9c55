"""Writing ffmpeg filtergraphs: how values are escaped, and the graphs a clip is rendered with."""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ray_jobs.contract import MediaInfo, Placement
from ray_jobs.media.container import open_media, video_stream
from ray_jobs.media.cut import Cut
from ray_jobs.media.reframe import Corners, Framing, Size, shown_area, whole


@dataclass(frozen=True)
class Subtitles:
    """An ASS file to burn, and the environment in which libass finds fonts."""

    path: Path
    environment: dict[str, str]


VIEW = "crop@view"
"""The moving crop by a name of its own, so that its commands reach no other."""
BACKDROP = 8
RAISED = 0.3
"""Share of the empty ground above a raised picture; the rest below is for subtitles."""
IMAGES = "png_pipe,jpeg_pipe,webp_pipe"
BACKGROUND = "0x101418"
HDR = {
    "smpte2084": "smpte2084",
    "arib-std-b67": "arib-std-b67",
    "16": "smpte2084",
    "18": "arib-std-b67",
}


def node(name: str, *values: object, **options: object) -> str:
    """One filter, `name=value:…:key=value:…`, with every value escaped.

    None leaves an option out. Paths, numbers and text are safe; names and keys are ours.
    """
    parts = [escaped(value) for value in values]
    parts += [f"{key}={escaped(value)}" for key, value in options.items() if value is not None]
    return f"{name}={':'.join(parts)}" if parts else name


def chain(*nodes: str | None) -> str:
    """Filters one after the other; None is passed over."""
    return ",".join(each for each in nodes if each)


def escaped(value: object) -> str:
    """A value as it must be written in a filtergraph (ffmpeg-filters, "Notes on escaping").

    The first pass protects it from the option parser, the second from the graph parser.
    """
    text = str(value.absolute() if isinstance(value, Path) else value)
    option = re.sub(r"([\\':])", r"\\\1", text)
    return re.sub(r"([\\'\[\],;])", r"\\\1", option)


# ---- pictures ----------------------------------------------------------------------------------


def crop_commands(corners: Corners, rate: Fraction) -> str:
    """A `sendcmd` script that moves the crop half a frame before each frame where it changes."""
    lines: list[str] = []
    if corners.shape[1] > 2:
        return "\n"
    changed = np.flatnonzero(np.any(np.diff(corners, axis=0) != 0, axis=1)) + 1
    for index in changed:
        x, y = corners[index]
        at_s = float((int(index) - Fraction(1, 2)) / rate)
        lines.append(f"{at_s:.6f} {VIEW} x {x}, {VIEW} y {y};")
    return "\n".join(lines) + "\n"


def moving(
    source: Path,
    media: MediaInfo,
    cut: Cut,
    frame: Framing,
    corner: npt.NDArray[np.int64],
    commands: Path | None,
) -> str:
    """The cut at a constant rate in the target's shape; frames past the source's last repeat it."""
    timed = chain(
        node("bwdif", mode="send_frame", deint="all") if media.interlaced else None,
        node("setpts", f"PTS-{cut.start_s - cut.seek_s:.6f}/TB"),
        node("fps", fps=f"{cut.rate.numerator}/{cut.rate.denominator}", start_time=0),
        node("tpad", stop_mode="clone", stop=-1),
        node("trim", end_frame=cut.kept[-1][1]),
        *_joined(cut),
        _without_bars(media),
    )
    colour = _colour(source, media)
    scaled = chain(_scaled(frame.scaled, colour, "lanczos"), node("setsar", 1))
    if frame.mode == "fill":
        return f"[0:V:0]{timed},{_filled(frame, scaled, colour)}"
    if frame.mode == "screen":
        top = int((frame.target.height - frame.scaled.height) * RAISED) // 2 * 2
        left = (frame.target.width - frame.scaled.width) // 4 * 2
        ground = node("pad", *frame.target, left, top, color=BACKGROUND)
        return f"[0:V:0]{timed},{scaled},{ground}"
    if frame.mode == "split":
        return f"[0:V:0]{timed},{_split(frame, corner, colour)}"
    moves = commands is not None and commands.stat().st_size > 1
    window = chain(
        node("sendcmd", filename=commands) if moves else None,
        _scaled(frame.scaled, colour, "lanczos", tone=False),
        node("setsar", 1),
        node(VIEW, *frame.target, *corner) if frame.mode == "crop" else None,
        _tone(colour),
    )
    when = _whole(cut, frame)
    if when is None:
        return f"[0:V:0]{timed},{window}"
    behind = whole(media, frame.target)
    far = _filled(
        behind, chain(_scaled(behind.scaled, colour, "lanczos"), node("setsar", 1)), colour
    )
    laid = node("overlay", 0, 0, enable=when)
    return f"[0:V:0]{timed},split[near][far];[near]{window}[part];[far]{far}[all];[part][all]{laid}"


def _whole(cut: Cut, frame: Framing) -> str | None:
    """An expression that is true at the frames whose crop gives way to the whole picture."""
    shown = np.zeros(cut.frames + 2, np.int8)
    middles_s = cut.times_s + 0.5 / float(cut.rate)
    for start_s, end_s in frame.whole_s:
        shown[1:-1] |= (middles_s >= start_s) & (middles_s < end_s)
    edges = (np.flatnonzero(np.diff(shown)) - 0.5) / float(cut.rate)
    spans = [f"between(t,{a:.6f},{b:.6f})" for a, b in edges.reshape(-1, 2)]
    return "+".join(spans) or None


def _joined(cut: Cut) -> list[str]:
    """Only the frames that are kept, closed up."""
    if not cut.left_out:
        return []
    kept = "+".join(f"between(n,{first},{last - 1})" for first, last in cut.kept)
    return [node("select", kept), node("setpts", f"N/({cut.rate})/TB")]


def _without_bars(media: MediaInfo) -> str | None:
    left, top, width, height = shown_area(media)
    return node("crop", width, height, left, top) if media.active else None


def _split(frame: Framing, corner: npt.NDArray[np.int64], colour: "Colour") -> str:
    """Two windows of the picture, `corner` [4] their left upper corners, one above the other."""
    large = chain(_scaled(frame.scaled, colour, "lanczos", tone=False), node("setsar", 1))
    upper, lower = (node("crop", *frame.window, *corner[at : at + 2]) for at in (0, 2))
    height = frame.target.height - 2 * frame.window.height
    rest = node("pad", *frame.target, 0, 0, color=BACKGROUND) if height else None
    parts = f"{large},split[a][b];[a]{upper}[upper];[b]{lower}[lower];[upper][lower]"
    return parts + chain("vstack", rest, _tone(colour))


def _filled(frame: Framing, scaled: str, colour: "Colour") -> str:
    """The whole picture on a dark, blurred copy of itself that covers the target."""
    small = Size(max(2, frame.target.width // BACKDROP), max(2, frame.target.height // BACKDROP))
    cover = max(small.width / frame.scaled.width, small.height / frame.scaled.height)
    large = Size(*(max(2, 2 * round(side * cover / 2 + 0.5)) for side in frame.scaled))
    back = chain(
        _scaled(large, colour, "bilinear"),
        node("setsar", 1),
        node("crop", *small),
        node("gblur", sigma=max(1.0, small.height / 24)),
        node("lutyuv", y="16+(val-16)*0.6"),
        node("scale", *frame.target, flags="bilinear"),
    )
    left = (frame.target.width - frame.scaled.width) // 2
    top = (frame.target.height - frame.scaled.height) // 2
    return f"split[a][b];[a]{back}[back];[b]{scaled}[front];[back][front]" + node(
        "overlay", left // 2 * 2, top // 2 * 2
    )


def wave_of_sound(size: Size, rate: Fraction, frames: int) -> str:
    """The sound's wave on a plain ground, for a source without a picture."""
    fps = f"{rate.numerator}/{rate.denominator}"
    wave = Size(size.width, max(2, size.height // 6 * 2))
    ground = node("color", c=BACKGROUND, s=f"{size.width}x{size.height}", r=fps)
    drawn = chain(
        node("aformat", channel_layouts="mono", sample_rates=48000),
        "apad",
        node(
            "showwaves",
            s=f"{wave.width}x{wave.height}",
            mode="cline",
            rate=fps,
            colors="0xFFD400",
            scale="sqrt",
        ),
    )
    laid = node("overlay", 0, (size.height - wave.height) // 2, shortest=1)
    return chain(
        f"{ground}[ground];[0:a:0]{drawn}[wave];[ground][wave]{laid}",
        node("scale", out_color_matrix="bt709", out_range="tv"),
        node("setsar", 1),
        node("trim", end_frame=frames),
    )


@dataclass(frozen=True)
class Watermark:
    """A picture to lay over every frame, and where."""

    path: Path
    placement: Placement

    @property
    def arguments(self) -> tuple[str, ...]:
        """Its input, which must be ffmpeg's second."""
        whitelist = ("-protocol_whitelist", "file", "-format_whitelist", IMAGES)
        return (*whitelist, "-i", f"file:{self.path}")


def watermark_edges(
    place: Placement, image: Size, target: Size
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of an image laid over the picture, as shares of the picture."""
    side = min(target)
    width = max(2, round(place.width * side)) / target.width
    height = round(width * target.width * image.height / image.width) / target.height
    across, down = (round(place.margin * side) / length for length in target)
    vertical, _, horizontal = place.corner.partition("_")
    left = {"left": across, "right": 1 - width - across}.get(horizontal, (1 - width) / 2)
    top = {"top": down, "bottom": 1 - height - down}.get(vertical, (1 - height) / 2)
    return left, top, left + width, top + height


def watermarked(picture: str, watermark: Watermark | None, target: Size) -> str:
    """The picture, an unlabelled chain, with the second input over it where there is one."""
    if watermark is None:
        return picture
    place, side = watermark.placement, min(target)
    margin = round(place.margin * side)
    across = {"left": str(margin), "right": f"W-w-{margin}"}
    down = {"top": str(margin), "bottom": f"H-h-{margin}"}
    vertical, _, horizontal = place.corner.partition("_")
    drawn = chain(
        "format=rgba",
        node("scale", w=max(2, round(place.width * side)), h=-1, flags="lanczos"),
        node("colorchannelmixer", aa=place.opacity),
    )
    laid = node("overlay", across.get(horizontal, "(W-w)/2"), down.get(vertical, "(H-h)/2"))
    return f"{picture}[shown];[1:v:0]{drawn}[mark];[shown][mark]{laid}"


def burnt(subtitles: Subtitles | None) -> str | None:
    return node("ass", filename=subtitles.path) if subtitles else None


def delivery_format() -> str:
    bt709 = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"}
    return chain("format=yuv420p", node("setparams", range="tv", **bt709))


# ---- colour ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Colour:
    """How to read the source's colours: its matrix where it names none, its HDR transfer."""

    matrix: str
    hdr: str | None


def _colour(source: Path, media: MediaInfo) -> Colour:
    """An untagged picture is BT.709 from 720 lines up, BT.601 below, as is custom."""
    unspecified = 2
    with open_media(source) as container:
        stream = video_stream(container)
        tagged = stream is not None and stream.codec_context.colorspace != unspecified
    assumed = "bt709" if (media.height or 0) >= 720 else "bt601"
    return Colour("auto" if tagged else assumed, HDR.get(media.color_transfer or ""))


def _scaled(size: Size, colour: Colour, flags: str, *, tone: bool = True) -> str:
    sized = {"w": size.width, "h": size.height, "flags": f"{flags}+accurate_rnd+full_chroma_int"}
    if colour.hdr:
        kept = chain(node("scale", **sized), "format=yuv420p10le")
        return chain(kept, _tone(colour)) if tone else kept
    matrices = {"in_color_matrix": colour.matrix, "out_color_matrix": "bt709", "out_range": "tv"}
    return chain(node("scale", **sized, **matrices), "format=yuv420p")


def _tone(colour: Colour) -> str | None:
    """HDR (BT.2100) to SDR (BT.709) by Hable's curve in linear light."""
    if not colour.hdr:
        return None
    return chain(
        node("zscale", tin=colour.hdr, pin=2020, min="2020_ncl", rin="tv", t="linear", npl=100),
        "format=gbrpf32le",
        node("zscale", p=709),
        node("tonemap", tonemap="hable", desat=0),
        node("zscale", t=709, m=709, p=709, r="tv"),
        "format=yuv420p",
    )
