"""The best set of clips: exactly, not greedily."""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

__all__ = ["select"]


def select(
    starts: ArrayLike, ends: ArrayLike, scores: ArrayLike, k: int, *, max_overlap: float = 0.0
) -> NDArray[np.int64]:
    """Indices of at most `k` windows with the largest sum of scores, ordered by start.

    Windows may touch. With `max_overlap` x, each window is first shortened by x / 2 of its length
    at both ends and the shortened ones must not overlap: two neighbours then share at most x of
    their mean length. Windows whose score is not above zero (or is NaN) are never chosen. Among
    equal sums the answer is always the same.

    Weighted interval scheduling with a bound on the count: O(n log n + n k) time, by the recurrence
    best[i][c] = max(best[i - 1][c], score_i + best[p(i)][c - 1]) over windows ordered by end
    (Kleinberg and Tardos, Algorithm Design, section 6.1).
    """
    begin, end, value = (np.asarray(a, dtype=np.float64) for a in (starts, ends, scores))
    if not begin.shape == end.shape == value.shape or begin.ndim != 1:
        raise ValueError("starts, ends and scores must be vectors of one length")
    if not 0 <= max_overlap < 1:
        raise ValueError("max_overlap must be in [0, 1)")
    if (end <= begin).any():
        raise ValueError("every window must end after its start")
    usable = np.flatnonzero(value > 0)
    if k < 1 or not len(usable):
        return np.empty(0, dtype=np.int64)
    trim = (end - begin) * max_overlap / 2
    begin, end, value = (begin + trim)[usable], (end - trim)[usable], value[usable]
    order = np.lexsort((usable, begin, end))
    begin, end, value = begin[order], end[order], value[order]
    before = np.searchsorted(end, begin, side="right")
    chosen = _best(value, before, min(k, len(order)))
    picked = usable[order[chosen]]
    return np.asarray(picked[np.argsort(np.asarray(starts)[picked], kind="stable")], np.int64)


@njit(cache=True, nogil=True)
def _best(value, before, k):
    n = len(value)
    best = np.zeros((n + 1, k + 1))
    for i in range(1, n + 1):
        for c in range(1, k + 1):
            taken = value[i - 1] + best[before[i - 1], c - 1]
            best[i, c] = max(best[i - 1, c], taken)
    chosen = np.empty(k, dtype=np.int64)
    count, i, c = 0, n, k
    while i > 0 and c > 0:
        if best[i, c] > best[i - 1, c]:
            chosen[count] = i - 1
            count += 1
            i, c = before[i - 1], c - 1
        else:
            i -= 1
    return chosen[:count]
