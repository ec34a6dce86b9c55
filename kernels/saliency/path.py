"""The cheapest path of a crop window along one axis, compiled."""

import numpy as np
from numba import njit

# In widths (or heights) of the window: a subject this far from its middle costs nothing yet, one
# this far costs all it can; beyond, being further off is no worse, so that a glance elsewhere
# does not drag the camera along.
DEAD_ZONE, LOST = 0.12, 0.6
# Price of moving by one window, in seconds of a subject that is lost.
MOVE_COST_S = 0.5


@njit(cache=True, nogil=True)
def _off(at, wanted, width):
    """What it costs, from 0 to 1, that the subject is there."""
    off = abs(at - wanted) / width - DEAD_ZONE
    return min(1.0, max(0.0, off / (LOST - DEAD_ZONE)) ** 2)


@njit(cache=True, nogil=True)
def cheapest(wanted, pull, times_s, grid, width, max_speed):
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
