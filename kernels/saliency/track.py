"""The crop path: where a camera operator would hold the frame."""

import numpy as np
from numpy.typing import NDArray

POSITIONS = 96
STILL_SHARE = 0.4


def crop_track(
    centroids: NDArray[np.floating],
    weights: NDArray[np.floating],
    times_s: NDArray[np.float64],
    shot_starts: NDArray[np.integer],
    *,
    window: tuple[float, float],
    max_speed: float = 0.8,
) -> NDArray[np.float64]:
    """Centres [n, 2] of a crop window that follows the subject calmly.

    Each axis of each shot is the cheapest path over POSITIONS steps, found by dynamic programming:
    the time the subject lies off the window's middle, weighed by how far, plus a price on moving.
    Within a shot the path never moves faster than `max_speed`; at a shot's first frame it may
    jump. A shot whose subject stays within STILL_SHARE of the window is held on a tripod.

    Parameters
    ----------
    centroids : [n, 2] in 0..1. weights : [n], 0 where the centroid means nothing.
    times_s : [n] strictly growing. shot_starts : indices at which a shot begins.
    window : width and height of the crop as shares of the picture.
    max_speed : windows per second.
    """
    n = len(times_s)
    path = np.full((n, 2), 0.5)
    if not n:
        return path
    starts = sorted({0, *(int(start) for start in shot_starts if 0 <= start < n)})
    for first, end in zip(starts, [*starts[1:], n], strict=True):
        for axis in range(2):
            width = min(1.0, window[axis])
            wanted = np.nan_to_num(centroids[first:end, axis].astype(np.float64), nan=0.5)
            wanted = np.clip(wanted, width / 2, 1 - width / 2)
            pull = np.nan_to_num(np.maximum(weights[first:end], 0)).astype(np.float64)
            path[first:end, axis] = _shot(
                wanted, pull, np.asarray(times_s[first:end], np.float64), width, max_speed
            )
    return path


def _shot(
    wanted: NDArray[np.float64],
    pull: NDArray[np.float64],
    times_s: NDArray[np.float64],
    width: float,
    max_speed: float,
) -> NDArray[np.float64]:
    if 1 - width < 1e-6 or not pull.any():
        return np.full(len(wanted), 0.5)
    pull = pull / pull.max()
    order = np.argsort(wanted, kind="stable")
    share = np.cumsum(pull[order]) / pull.sum()
    low, middle, high = (
        wanted[order[min(len(order) - 1, int(np.searchsorted(share, q)))]] for q in (0.1, 0.5, 0.9)
    )
    if high - low <= STILL_SHARE * width:
        return np.full(len(wanted), middle)
    grid = np.linspace(width / 2, 1 - width / 2, POSITIONS)
    # numba is imported where it is used.
    from kernels.saliency.path import cheapest

    pull = pull * np.gradient(times_s) if len(times_s) > 1 else pull
    return np.asarray(cheapest(wanted, pull, times_s, grid, width, max_speed * width))
