"""Statistics of many windows over feature tracks, without ever holding windows x frames."""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class WindowStats(NamedTuple):
    """Each [parts, windows] float64; frames that are NaN are left out, windows of NaNs give 0."""

    mean: Floats
    peak: Floats
    deviation: Floats
    """Standard deviation."""
    contrast: Floats
    """Mean inside minus mean of the surroundings (half a window on either side)."""


def window_stats(
    tracks: NDArray[np.floating], starts: NDArray[np.integer], ends: NDArray[np.integer]
) -> WindowStats:
    """Measure windows [start, end) of frames over tracks [parts, frames].

    Prefix sums give means and deviations, a sparse table of maxima gives peaks: once
    O(frames log frames), then constant time a window.

    Raises
    ------
    ValueError
        where a window is empty or reaches outside the tracks.
    """
    tracks = np.atleast_2d(np.asarray(tracks, dtype=np.float64))
    first, last = np.asarray(starts, np.int64), np.asarray(ends, np.int64)
    if first.shape != last.shape or first.ndim != 1:
        raise ValueError("starts and ends must be vectors of one length")
    if len(first) and (first.min() < 0 or last.max() > tracks.shape[1] or (last <= first).any()):
        raise ValueError("every window must hold a frame and lie within the tracks")
    known = np.isfinite(tracks)
    values = np.where(known, tracks, 0.0)
    # Sums around the track's own mean keep the variance exact where the level is high.
    counts = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centre = values.sum(axis=1, keepdims=True) / counts
    values = np.where(known, tracks - centre, 0.0)
    sums, squares, numbers = (_prefix(x) for x in (values, values**2, known.astype(np.float64)))
    peaks = _sparse(np.where(known, tracks, -np.inf))
    return WindowStats(*_measure(sums, squares, numbers, peaks, centre[:, 0], first, last))


def _prefix(values: Floats) -> Floats:
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _sparse(values: Floats) -> Floats:
    """Table [levels, parts, frames]: the maximum of the 2^level frames from each frame on."""
    levels = [values]
    width = 1
    while 2 * width <= values.shape[1]:
        last = levels[-1]
        longer = last.copy()
        longer[:, : values.shape[1] - width] = np.maximum(last[:, :-width], last[:, width:])
        levels.append(longer)
        width *= 2
    return np.stack(levels)


@njit(cache=True, nogil=True, parallel=True)
def _measure(sums, squares, numbers, peaks, centre, first, last):
    parts, frames = sums.shape[0], sums.shape[1] - 1
    n = len(first)
    out = np.zeros((4, parts, n))
    for p in prange(parts):
        for i in range(n):
            a, b = first[i], last[i]
            count = numbers[p, b] - numbers[p, a]
            if count == 0:
                continue
            mean = (sums[p, b] - sums[p, a]) / count
            out[0, p, i] = mean + centre[p]
            level = 0
            while (2 << level) <= b - a:
                level += 1
            out[1, p, i] = max(peaks[level, p, a], peaks[level, p, b - (1 << level)])
            out[2, p, i] = np.sqrt(max(0.0, (squares[p, b] - squares[p, a]) / count - mean**2))
            half = max(1, (b - a) // 2)
            c, d = max(0, a - half), min(frames, b + half)
            around = (numbers[p, d] - numbers[p, c]) - count
            if around > 0:
                outside = ((sums[p, d] - sums[p, c]) - (sums[p, b] - sums[p, a])) / around
                out[3, p, i] = mean - outside
    return out[0], out[1], out[2], out[3]
