"""The crop path: where a camera operator would hold the frame."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

POSITIONS = 96
# In widths (or heights) of the window: a subject this far from its middle costs nothing yet, one
# this far costs all it can; beyond, being further off is no worse, so that a glance elsewhere
# does not drag the camera along.
DEAD_ZONE, LOST = 0.12, 0.6
# Price of moving by one window, in seconds of a subject that is lost.
MOVE_COST_S = 0.5
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
    pull = pull * np.gradient(times_s) if len(times_s) > 1 else pull
    return np.asarray(_cheapest(wanted, pull, times_s, grid, width, max_speed * width))


@njit(cache=True, nogil=True)
def _off(at, wanted, width):
    """What it costs, from 0 to 1, that the subject is there."""
    off = abs(at - wanted) / width - DEAD_ZONE
    return min(1.0, max(0.0, off / (LOST - DEAD_ZONE)) ** 2)


@njit(cache=True, nogil=True)
def _cheapest(wanted, pull, times_s, grid, width, max_speed):
    """Viterbi over grid positions; the reach of a move is what `max_speed` allows since the last
    move, counted in whole grid steps so that rounding never exceeds it.
    """
    n, k = len(wanted), len(grid)
    step = grid[1] - grid[0]
    price = MOVE_COST_S / width
    cost = np.empty(k)
    for j in range(k):
        cost[j] = pull[0] * _off(grid[j], wanted[0], width)
    back = np.zeros((n, k), dtype=np.int16)
    spare = 0.0
    for i in range(1, n):
        spare += max_speed * (times_s[i] - times_s[i - 1])
        reach = int(spare / step)
        if reach > 0:
            spare = 0.0
        fresh = np.empty(k)
        for j in range(k):
            # Standing still wins a tie.
            best, at = cost[j], j
            for m in range(max(0, j - reach), min(k, j + reach + 1)):
                moved = cost[m] + price * abs(grid[j] - grid[m])
                if moved < best - 1e-12:
                    best, at = moved, m
            fresh[j] = best + pull[i] * _off(grid[j], wanted[i], width)
            back[i, j] = at
        cost = fresh
    path = np.empty(n)
    j = int(np.argmin(cost))
    for i in range(n - 1, -1, -1):
        path[i] = grid[j]
        j = back[i, j]
    return path
