"""The definition: every set of at most k windows, and the best of them; and the usual heuristic."""

from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def apart(starts: Array, ends: Array, windows: tuple[int, ...]) -> bool:
    ordered = sorted(windows, key=lambda w: starts[w])
    return all(ends[a] <= starts[b] for a, b in pairwise(ordered))


def brute_force(starts: Array, ends: Array, scores: Array, k: int) -> float:
    """The largest sum of scores of at most `k` windows that do not overlap."""
    sums = [0.0]
    for count in range(1, k + 1):
        sums += [
            float(sum(scores[w] for w in windows))
            for windows in combinations(range(len(starts)), count)
            if apart(starts, ends, windows)
        ]
    return max(sums)


def greedy(starts: Array, ends: Array, scores: Array, k: int) -> float:
    """Non-maximum suppression, for comparison: the best window, then the best that still fits."""
    chosen: tuple[int, ...] = ()
    for window in np.argsort(-scores, kind="stable"):
        if len(chosen) == k or scores[window] <= 0:
            break
        if apart(starts, ends, (*chosen, int(window))):
            chosen = (*chosen, int(window))
    return float(sum(scores[w] for w in chosen))
