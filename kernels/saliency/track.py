"""The crop path: where a camera operator would hold the frame."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

POSITIONS = 96
MOVE_COST = 0.6
STILL_SHARE = 0.25


def crop_track(
    centroids: NDArray[np.floating],
    weights: NDArray[np.floating],
    times_s: NDArray[np.float64],
    shot_starts: NDArray[np.integer],
    *,
    window: tuple[float, float],
    max_speed: float = 0.25,
) -> NDArray[np.float64]:
    """Centres [n, 2] of a crop window that follows the subject calmly.

    Each axis of each shot is the cheapest path over POSITIONS steps: squared distance to the
    centroid, weighed, plus a price on moving, found by dynamic programming. Within a shot the path
    never moves faster than `max_speed`; at a shot's first frame it may jump. A shot whose subject
    stays within STILL_SHARE of the window is held on a tripod.

    Parameters
    ----------
    centroids : [n, 2] in 0..1. weights : [n], 0 where the centroid means nothing.
    times_s : [n] strictly growing. shot_starts : indices at which a shot begins.
    window : width and height of the crop as shares of the picture.
    max_speed : shares of the picture per second.
    """
    n = len(times_s)
    path = np.full((n, 2), 0.5)
    if not n:
        return path
    starts = sorted({0, *(int(start) for start in shot_starts if 0 <= start < n)})
    for first, end in zip(starts, [*starts[1:], n], strict=True):
        for axis in range(2):
            half = min(1.0, window[axis]) / 2
            wanted = np.clip(centroids[first:end, axis], half, 1 - half).astype(np.float64)
            pull = np.nan_to_num(np.maximum(weights[first:end], 0)).astype(np.float64)
            wanted = np.nan_to_num(wanted, nan=0.5)
            path[first:end, axis] = _shot(
                wanted, pull, np.asarray(times_s[first:end], np.float64), half, max_speed
            )
    return path


def _shot(
    wanted: NDArray[np.float64],
    pull: NDArray[np.float64],
    times_s: NDArray[np.float64],
    half: float,
    max_speed: float,
) -> NDArray[np.float64]:
    if 1 - 2 * half < 1e-6 or not pull.any():
        return np.full(len(wanted), 0.5)
    pull = pull / pull.max()
    order = np.argsort(wanted, kind="stable")
    share = np.cumsum(pull[order]) / pull.sum()
    low, middle, high = (wanted[order[np.searchsorted(share, q)]] for q in (0.1, 0.5, 0.9))
    if high - low <= STILL_SHARE * 2 * half:
        return np.full(len(wanted), middle)
    grid = np.linspace(half, 1 - half, POSITIONS)
    return np.asarray(_cheapest(wanted, pull, times_s, grid, max_speed))


@njit(cache=True, nogil=True)
def _cheapest(wanted, pull, times_s, grid, max_speed):
    """Viterbi over grid positions; the reach of a move is what `max_speed` allows since the last
    move, counted in whole grid steps so that rounding never exceeds it.
    """
    n, k = len(wanted), len(grid)
    step = grid[1] - grid[0]
    cost = np.empty(k)
    for j in range(k):
        cost[j] = pull[0] * (grid[j] - wanted[0]) ** 2
    back = np.zeros((n, k), dtype=np.int16)
    spare = 0.0
    for i in range(1, n):
        spare = min(spare + max_speed * (times_s[i] - times_s[i - 1]), 4 * step)
        reach = int(spare / step)
        if reach > 0:
            spare = 0.0
        fresh = np.empty(k)
        for j in range(k):
            best, at = np.inf, j
            for m in range(max(0, j - reach), min(k, j + reach + 1)):
                price = cost[m] + MOVE_COST * abs(grid[j] - grid[m])
                if price < best:
                    best, at = price, m
            fresh[j] = best + pull[i] * (grid[j] - wanted[i]) ** 2
            back[i, j] = at
        cost = fresh
    path = np.empty(n)
    j = int(np.argmin(cost))
    for i in range(n - 1, -1, -1):
        path[i] = grid[j]
        j = back[i, j]
    return path
