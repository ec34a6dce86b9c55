"""Where the picture is cut: from a wanted subject centre to a calm crop, frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ray_jobs.contract import Aspect, CropPoint, MediaInfo

ASPECTS: dict[Aspect, Fraction] = {
    "9:16": Fraction(9, 16),
    "1:1": Fraction(1),
    "4:5": Fraction(4, 5),
    "16:9": Fraction(16, 9),
}
SAME_SHAPE = 0.01
MIN_CROP_SHARE = 0.3
# In shares of the crop's own width or height.
HOLD_SPREAD = 0.4
DEAD_ZONE = 0.12
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

    A source that would lose more than 70 % of its picture, or an upright one in a wider target,
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


def crop_path(
    track: Sequence[CropPoint], frame: Framing, times_s: npt.NDArray[np.float64]
) -> Corners:
    """Left upper corner [n, 2] of the crop in the scaled picture at each source time, even.

    The camera holds still while the subject stays well inside, follows it with bounded speed where
    it does not, and jumps only where the track has a cut.
    """
    scaled, target = np.array(frame.scaled, float), np.array(frame.target, float)
    window = target / scaled
    wanted, shots = wanted_centres(track, times_s)
    centres = np.empty_like(wanted)
    for first, last in pairwise([*shots, len(times_s)]):
        centres[first:last] = _camera(wanted[first:last], times_s[first:last], window)
    corner = (centres - window / 2) * scaled
    even = np.rint(corner / 2).astype(np.int64) * 2
    room = np.array(frame.scaled) - np.array(frame.target)
    return np.asarray(np.minimum(np.maximum(even, 0), room), dtype=np.int64)


def wanted_centres(
    track: Sequence[CropPoint], times_s: npt.NDArray[np.float64]
) -> tuple[Centres, list[int]]:
    """Subject centre [n, 2] at each time, never interpolated over a cut, and where shots begin."""
    points = sorted(track, key=lambda point: point.time_s)
    if not points or not len(times_s):
        return np.full((len(times_s), 2), 0.5), [0]
    half_s = float(times_s[1] - times_s[0]) / 2 if len(times_s) > 1 else 0.0
    begins = [0] + [at for at, point in enumerate(points) if point.cut and at] + [len(points)]
    centres = np.empty((len(times_s), 2))
    shots = [0]
    for first, last in pairwise(begins):
        shot = points[first:last]
        start = int(np.searchsorted(times_s, shot[0].time_s - half_s)) if first else 0
        if start >= len(times_s):
            break
        known_s = [point.time_s for point in shot]
        centres[start:, 0] = np.interp(times_s[start:], known_s, [point.x for point in shot])
        centres[start:, 1] = np.interp(times_s[start:], known_s, [point.y for point in shot])
        if start > shots[-1]:
            shots.append(start)
    return centres, shots


def _camera(wanted: Centres, times_s: npt.NDArray[np.float64], window: Centres) -> Centres:
    """Centres [n, 2] of the crop over one shot."""
    path = np.empty_like(wanted)
    for axis in range(2):
        room = window[axis] / 2
        line = np.clip(wanted[:, axis], room, 1 - room)
        low, high = np.percentile(line, (3, 97))
        if high - low <= HOLD_SPREAD * window[axis]:
            path[:, axis] = (low + high) / 2
        else:
            path[:, axis] = _followed(line, times_s, window[axis])
    return path


def _followed(
    line: npt.NDArray[np.float64], times_s: npt.NDArray[np.float64], window: float
) -> npt.NDArray[np.float64]:
    """A line that lets the subject move inside a dead zone, smoothed, of bounded speed."""
    step_s = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
    dead = DEAD_ZONE * window
    held = np.empty_like(line)
    at = line[0]
    for index, subject in enumerate(line):
        at = min(max(at, subject - dead), subject + dead)
        held[index] = at
    radius = max(1, round(SMOOTHING_S / step_s / 2))
    padded = np.pad(held, radius, mode="edge")
    smooth = np.convolve(padded, np.hanning(2 * radius + 3)[1:-1], mode="valid")
    smooth /= np.hanning(2 * radius + 3)[1:-1].sum()
    limit = MAX_SPEED_PER_S * window * step_s
    bounded = smooth.copy()
    for index in range(1, len(bounded)):
        step = min(max(smooth[index] - bounded[index - 1], -limit), limit)
        bounded[index] = bounded[index - 1] + step
    return bounded


def _shown_ratio(media: MediaInfo) -> Fraction:
    sar = Fraction(media.sample_aspect_ratio)
    return Fraction(media.width or 16, media.height or 9) * sar


def _even(length: Fraction) -> int:
    return max(2, round(length / 2) * 2)
