"""Where the picture is cut: from a wanted subject centre to a calm crop, frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import inf
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.saliency import crop_track
from ray_jobs.contract import Aspect, Box, CropPoint, Json, Layout, MediaInfo

ASPECTS: dict[Aspect, Fraction] = {
    "9:16": Fraction(9, 16),
    "1:1": Fraction(1),
    "4:5": Fraction(4, 5),
    "16:9": Fraction(16, 9),
}
SAME_SHAPE = 0.01
MIN_CROP_SHARE = 0.2
# In widths (or heights) of the crop.
MAX_SPEED_PER_S = 0.8
SMOOTHING_S = 0.8
# A subject that is elsewhere for more than this share of the time is not one to follow.
LOST_SHARE = 0.4
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

Centres = npt.NDArray[np.float64]
Corners = npt.NDArray[np.int64]


class Size(NamedTuple):
    width: int
    height: int


class Area(NamedTuple):
    """A part of the source's picture, in its pixels, even."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Framing:
    """How the source fills the target: `scaled` is its size after scaling, square pixels.

    `fit` means scaled and target are the same shape, `crop` that the target is a window of the
    scaled picture, `fill` that the scaled picture lies on a blurred copy of itself, `screen` that
    it lies on a plain ground, `split` that the target is two windows of it, one above the other.
    `area` is what is scaled, in shares of the source's picture: all of it but black bars. `whole_s`
    are the times of the source at which a crop gives way to the whole picture, as with `fill`.
    """

    mode: Literal["fit", "crop", "fill", "screen", "split"]
    target: Size
    scaled: Size
    area: Box = WHOLE
    whole_s: tuple[tuple[float, float], ...] = ()

    @property
    def window(self) -> Size:
        """What a crop shows of the scaled picture, in pixels."""
        upper = Size(self.target.width, self.target.height // 4 * 2)
        return upper if self.mode == "split" else self.target


def target_size(media: MediaInfo, aspect: Aspect, height: int) -> Size:
    """Even size of the delivered picture.

    A named aspect gets the asked height, `source` keeps the source's shape and is never enlarged;
    a source without a picture counts as 16:9.
    """
    if aspect != "source":
        ratio = ASPECTS[aspect]
    elif media.width and media.height:
        ratio = shown_ratio(media)
        height = min(height, shown_area(media).height)
    else:
        ratio = ASPECTS["16:9"]
    return Size(_even(height * ratio), _even(Fraction(height)))


def framing(media: MediaInfo, target: Size) -> Framing:
    """How to bring the source into `target`.

    A source that would lose more than 80 % of its picture, or an upright one in a wider target,
    is shown whole on a blurred copy of itself.
    """
    source, wanted = shown_ratio(media), Fraction(target.width, target.height)
    if abs(source / wanted - 1) <= SAME_SHAPE:
        return Framing("fit", target, target, _shares(media))
    share = min(source / wanted, wanted / source)
    upright_in_wider = source < 1 and source < wanted
    if share < MIN_CROP_SHARE or upright_in_wider:
        inside = min(Fraction(target.width), target.height * source)
        scaled = Size(_even(inside), min(target.height, _even(inside / source)))
        return Framing("fill", target, scaled, _shares(media))
    cover = max(Fraction(target.width), target.height * source)
    scaled = Size(max(target.width, _even(cover)), max(target.height, _even(cover / source)))
    return Framing("crop", target, scaled, _shares(media))


def whole(media: MediaInfo, target: Size) -> Framing:
    """As `framing`, but never cropped: what a brand made is shown to its edges."""
    frame = framing(media, target)
    if frame.mode != "crop":
        return frame
    source = shown_ratio(media)
    inside = min(Fraction(target.width), target.height * source)
    scaled = Size(min(target.width, _even(inside)), min(target.height, _even(inside / source)))
    return Framing("fill", target, scaled, _shares(media))


def laid_out(
    media: MediaInfo, target: Size, layout: Layout, track: Sequence[CropPoint]
) -> tuple[Framing, Layout, str | None]:
    """The framing for a layout, the layout it is, and why it is not the one that was asked for."""
    frame = framing(media, target)
    if frame.mode != "crop":
        shown: Layout = "fit" if frame.mode == "fill" else "track"
        fits = (
            "the picture has the wanted shape" if frame.mode == "fit" else "a crop shows too little"
        )
        return frame, shown, fits if layout not in {shown, "track"} or shown == "fit" else None
    reason = None
    if layout == "auto":
        layout, reason = _chosen(frame, _within(track, frame.area))
    if layout == "split" and target.height <= target.width:
        layout, reason = "track", "two windows need an upright picture"
    if layout == "track":
        frame = replace(frame, whole_s=_too_wide(track, frame))
        if track and frame.whole_s == ((min(point.time_s for point in track), inf),):
            layout, reason = "fit", "what is to be read is wider than a crop"
    match layout:
        case "fit":
            frame = whole(media, target)
        case "screen":
            frame = Framing("screen", target, whole(media, target).scaled, _shares(media))
        case "split":
            frame = _halved(media, target)
    return frame, layout, reason


def _too_wide(track: Sequence[CropPoint], frame: Framing) -> tuple[tuple[float, float], ...]:
    """When more of the picture must be seen than a crop shows, in seconds of the source."""
    window = frame.target.width / frame.scaled.width * frame.area[2]
    points = sorted(track, key=lambda point: point.time_s)
    times_s = [*(point.time_s for point in points), inf]
    spans: list[tuple[float, float]] = []
    for point, end_s in zip(points, times_s[1:], strict=True):
        if point.width <= window:
            continue
        if spans and spans[-1][1] == point.time_s:
            spans[-1] = (spans[-1][0], end_s)
        else:
            spans.append((point.time_s, end_s))
    return tuple(spans)


def _chosen(frame: Framing, track: Sequence[CropPoint]) -> tuple[Layout, str]:
    """What suits a subject: to be followed, shown in two windows, or shown with all around it."""
    if not track:
        return "fit", "nothing is known of the subject: the whole picture is shown"
    window = frame.target.width / frame.scaled.width
    line = np.array([point.x for point in track])
    left, right = _two_places(line)
    between = np.minimum(abs(line - left), abs(line - right)) > window / 4
    away = abs(line - np.median(line)) > window / 2
    share = f"{away.mean():.0%} of the time outside of one window"
    if away.mean() <= LOST_SHARE:
        return "track", f"the subject stays in one window, {share}"
    if between.mean() <= LOST_SHARE / 4 and right - left >= window:
        return "split", f"the subject is in two places, {share}"
    return "fit", f"the subject is all over the picture, {share}"


def _two_places(line: Centres) -> tuple[float, float]:
    """The middles of the left and right of two groups on a line (two means, from its ends)."""
    left, right = float(np.quantile(line, 0.1)), float(np.quantile(line, 0.9))
    for _ in range(16):
        nearer = abs(line - left) <= abs(line - right)
        if nearer.all() or not nearer.any():
            break
        left, right = float(np.median(line[nearer])), float(np.median(line[~nearer]))
    return left, right


def _halved(media: MediaInfo, target: Size) -> Framing:
    source = shown_ratio(media)
    window = Framing("split", target, target).window
    # Half of the picture's width at most, so that nobody is seen in both windows.
    cover = max(Fraction(2 * window.width), window.height * source)
    scaled = Size(max(window.width, _even(cover)), max(window.height, _even(cover / source)))
    return Framing("split", target, scaled, _shares(media))


def crop_path(
    track: Sequence[CropPoint], frame: Framing, times_s: npt.NDArray[np.float64]
) -> Corners:
    """Left upper corner [n, 2] of the crop in the scaled picture at each source time, even; [n, 4]
    for the two windows of a split, left and right, which hold still.

    The camera holds still while the subject stays well inside, follows it with bounded speed where
    it does not, and jumps only where the track has a cut (`kernels.saliency.crop_track`) or where
    something of the source is left out.
    """
    scaled, target = np.array(frame.scaled, float), np.array(frame.window, float)
    window, track = target / scaled, _within(track, frame.area)
    if frame.mode == "split":
        return np.tile(_two_windows(track, frame), (len(times_s), 1))
    points = sorted(track, key=lambda point: point.time_s)
    centres, shots = np.full((len(times_s), 2), 0.5), [0]
    if points and len(times_s):
        known_s = np.array([point.time_s for point in points])
        begins = [0] + [at for at, point in enumerate(points) if point.cut and at]
        planned = crop_track(
            np.array([(point.x, point.y) for point in points]), np.ones(len(points)), known_s,
            np.array(begins), window=(window[0], window[1]), max_speed=MAX_SPEED_PER_S,
        )  # fmt: skip
        centres, shots = _at_frames(planned, known_s, begins, times_s)
    shots = sorted({*shots, *_joins(times_s)})
    for first, last in pairwise([*shots, len(times_s)]):
        centres[first:last] = _calm(centres, times_s, first, last)
    return _corners(centres, frame)


def crop_data(frame: Framing, layout: Layout, corners: Corners, times_s: Centres) -> Json:
    """The camera's path as data: the crop's centre in shares of the source picture wherever its
    motion changes; `cut` where it jumps; `whole` the spans in which there is no crop. Times are the
    source's.
    """
    window, scaled = np.array(frame.window, float), np.array(frame.scaled, float)
    windows = corners.reshape(len(corners), -1, 2)
    corner, size = np.array(frame.area[:2]), np.array(frame.area[2:])
    centres = corner + (windows + window / 2) / scaled * size
    moves = np.abs(np.diff(windows[:, 0], axis=0)).max(axis=1, initial=0)
    step_s = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
    jumps = moves > MAX_SPEED_PER_S * step_s * window.max() * 2 + 2
    turns = np.flatnonzero(np.any(np.diff(windows[:, 0], 2, axis=0) != 0, axis=1)) + 1
    ends = [0, len(corners) - 1]
    kept = sorted({*ends, *turns.tolist(), *(np.flatnonzero(jumps) + 1).tolist()})
    cropped = frame.mode in {"crop", "split"}
    last_s = float(times_s[-1]) if len(times_s) else 0.0
    return {
        "layout": layout,
        "whole": [[start_s, min(end_s, last_s)] for start_s, end_s in frame.whole_s],
        "window": [round(float(side), 4) for side in np.minimum(window / scaled, 1) * size],
        "paths": [
            [
                {
                    "time_s": round(float(times_s[n]), 4),
                    "x": round(float(path[n, 0]), 4),
                    "y": round(float(path[n, 1]), 4),
                    "cut": bool(n and jumps[n - 1]),
                }
                for n in kept
            ]
            for path in np.moveaxis(centres, 1, 0)
        ]
        if cropped
        else [],
    }


def _two_windows(track: Sequence[CropPoint], frame: Framing) -> Corners:
    """Corners [4] of windows on the subject's two places, or on the quarters of the picture."""
    window = frame.window.width / frame.scaled.width
    line = np.array([point.x for point in track] or [0.5])
    left, right = _two_places(line)
    if right - left < window:
        left, right = 0.25, 0.75
    height = float(np.median([point.y for point in track] or [0.5]))
    return _corners(np.array([(left, height), (right, height)]), frame).reshape(4)


def _corners(centres: Centres, frame: Framing) -> Corners:
    corner = centres * np.array(frame.scaled) - np.array(frame.window) / 2
    even = np.rint(corner / 2).astype(np.int64) * 2
    room = np.array(frame.scaled) - np.array(frame.window)
    return np.asarray(np.minimum(np.maximum(even, 0), np.maximum(room, 0)), dtype=np.int64)


def _at_frames(
    planned: Centres,
    known_s: npt.NDArray[np.float64],
    begins: Sequence[int],
    times_s: npt.NDArray[np.float64],
) -> tuple[Centres, list[int]]:
    """The path [n, 2] at each frame, never interpolated over a cut, and where shots begin."""
    half_s = float(times_s[1] - times_s[0]) / 2 if len(times_s) > 1 else 0.0
    centres = np.empty((len(times_s), 2))
    shots = [0]
    for first, last in pairwise([*begins, len(known_s)]):
        start = int(np.searchsorted(times_s, known_s[first] - half_s)) if first else 0
        if start >= len(times_s):
            break
        for axis in (0, 1):
            centres[start:, axis] = np.interp(
                times_s[start:], known_s[first:last], planned[first:last, axis]
            )
        if start > shots[-1]:
            shots.append(start)
    return centres, shots


def _joins(times_s: npt.NDArray[np.float64]) -> list[int]:
    """Frames before which some of the source's are left out."""
    steps_s = np.diff(times_s)
    return (np.flatnonzero(steps_s > 1.5 * steps_s.min(initial=np.inf)) + 1).tolist()


def _calm(line: Centres, times_s: npt.NDArray[np.float64], first: int, last: int) -> Centres:
    """One shot's path, its starts and stops eased over SMOOTHING_S; an average is no faster."""
    step_s = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
    radius = max(1, round(SMOOTHING_S / step_s / 2))
    bell = np.hanning(2 * radius + 3)[1:-1]
    bell /= bell.sum()
    padded = np.pad(line[first:last], ((radius, radius), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, axis], bell, mode="valid") for axis in (0, 1)], axis=1)


def shown_area(media: MediaInfo) -> Area:
    """The picture without its black bars; nominal where there is no picture."""
    width, height = media.width or 16, media.height or 9
    if media.active is None:
        return Area(0, 0, width, height)
    x, y, w, h = media.active
    left, top = (2 * -(-side // 2) for side in (round(x * width), round(y * height)))
    right, bottom = (round((x + w) * width), round((y + h) * height))
    return Area(left, top, max(2, (right - left) // 2 * 2), max(2, (bottom - top) // 2 * 2))


def shown_ratio(media: MediaInfo) -> Fraction:
    """Width over height of that, in square pixels."""
    area = shown_area(media)
    return Fraction(area.width, area.height) * Fraction(media.sample_aspect_ratio)


def _shares(media: MediaInfo) -> Box:
    area, width, height = shown_area(media), media.width or 16, media.height or 9
    return (area.left / width, area.top / height, area.width / width, area.height / height)


def _within(track: Sequence[CropPoint], area: Box) -> list[CropPoint]:
    """The track in shares of an area of the picture; what lies outside is at its edge."""
    if area == WHOLE:
        return list(track)
    x, y, w, h = area
    return [
        point.model_copy(
            update={
                "x": min(1.0, max(0.0, (point.x - x) / w)),
                "y": min(1.0, max(0.0, (point.y - y) / h)),
            }
        )
        for point in track
    ]


def _even(length: Fraction) -> int:
    return max(2, round(length / 2) * 2)
