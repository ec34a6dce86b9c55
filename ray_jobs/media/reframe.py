"""Where the picture is cut: from a wanted subject centre to a calm crop, frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.saliency import crop_track
from ray_jobs.contract import Aspect, CropPoint, MediaInfo

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

Centres = npt.NDArray[np.float64]
Corners = npt.NDArray[np.int64]


class Size(NamedTuple):
    width: int
    height: int


@dataclass(frozen=True)
class Framing:
    """How the source fills the target: `scaled` is its size after scaling, square pixels.

    `fit` means scaled and target are the same shape, `crop` that the target is a window of the
    scaled picture, `fill` that the scaled picture lies on a blurred copy of itself.
    """

    mode: Literal["fit", "crop", "fill"]
    target: Size
    scaled: Size


def target_size(media: MediaInfo, aspect: Aspect, height: int) -> Size:
    """Even size of the delivered picture.

    A named aspect gets the asked height, `source` keeps the source's shape and is never enlarged;
    a source without a picture counts as 16:9.
    """
    if aspect != "source":
        ratio = ASPECTS[aspect]
    elif media.width and media.height:
        ratio = _shown_ratio(media)
        height = min(height, media.height)
    else:
        ratio = ASPECTS["16:9"]
    return Size(_even(height * ratio), _even(Fraction(height)))


def framing(media: MediaInfo, target: Size) -> Framing:
    """How to bring the source into `target`.

    A source that would lose more than 80 % of its picture, or an upright one in a wider target,
    is shown whole on a blurred copy of itself.
    """
    source, wanted = _shown_ratio(media), Fraction(target.width, target.height)
    if abs(source / wanted - 1) <= SAME_SHAPE:
        return Framing("fit", target, target)
    share = min(source / wanted, wanted / source)
    upright_in_wider = source < 1 and source < wanted
    if share < MIN_CROP_SHARE or upright_in_wider:
        inside = min(Fraction(target.width), target.height * source)
        scaled = Size(_even(inside), min(target.height, _even(inside / source)))
        return Framing("fill", target, scaled)
    cover = max(Fraction(target.width), target.height * source)
    scaled = Size(max(target.width, _even(cover)), max(target.height, _even(cover / source)))
    return Framing("crop", target, scaled)


def whole(media: MediaInfo, target: Size) -> Framing:
    """As `framing`, but never cropped: what a brand made is shown to its edges."""
    frame = framing(media, target)
    if frame.mode != "crop":
        return frame
    source = _shown_ratio(media)
    inside = min(Fraction(target.width), target.height * source)
    scaled = Size(min(target.width, _even(inside)), min(target.height, _even(inside / source)))
    return Framing("fill", target, scaled)


def crop_path(
    track: Sequence[CropPoint], frame: Framing, times_s: npt.NDArray[np.float64]
) -> Corners:
    """Left upper corner [n, 2] of the crop in the scaled picture at each source time, even.

    The camera holds still while the subject stays well inside, follows it with bounded speed where
    it does not, and jumps only where the track has a cut (`kernels.saliency.crop_track`).
    """
    scaled, target = np.array(frame.scaled, float), np.array(frame.target, float)
    window = target / scaled
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
    for first, last in pairwise([*shots, len(times_s)]):
        centres[first:last] = _calm(centres, times_s, first, last)
    corner = (centres - window / 2) * scaled
    even = np.rint(corner / 2).astype(np.int64) * 2
    room = np.array(frame.scaled) - np.array(frame.target)
    return np.asarray(np.minimum(np.maximum(even, 0), room), dtype=np.int64)


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


def _calm(line: Centres, times_s: npt.NDArray[np.float64], first: int, last: int) -> Centres:
    """One shot's path, its starts and stops eased over SMOOTHING_S; an average is no faster."""
    step_s = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
    radius = max(1, round(SMOOTHING_S / step_s / 2))
    bell = np.hanning(2 * radius + 3)[1:-1]
    bell /= bell.sum()
    padded = np.pad(line[first:last], ((radius, radius), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, axis], bell, mode="valid") for axis in (0, 1)], axis=1)


def _shown_ratio(media: MediaInfo) -> Fraction:
    sar = Fraction(media.sample_aspect_ratio)
    return Fraction(media.width or 16, media.height or 9) * sar


def _even(length: Fraction) -> int:
    return max(2, round(length / 2) * 2)
