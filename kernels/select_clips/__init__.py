"""The best set of clips: exactly, not greedily."""

from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["select"]

Times = Union[ArrayLike, "torch.Tensor"]
TICKS_A_WINDOW = 8


def select(
    starts: Times, ends: Times, scores: Times, k: int, *, max_overlap: float = 0.0
) -> NDArray[np.int64]:
    """Indices of at most `k` windows with the largest sum of scores, ordered by start.

    Windows may touch. With `max_overlap` x, each window is first shortened by x / 2 of its length
    at both ends and the shortened ones must not overlap: two neighbours then share at most x of
    their mean length. Windows whose score is not above zero (or is NaN) are never chosen. Among
    equal sums the answer is always the same.

    Weighted interval scheduling with a bound on the count (Kleinberg and Tardos, Algorithm Design,
    section 6.1), by a recurrence over times instead of windows: best[t][c] is the most that c
    windows ending by t can bring, and each window from s to e offers best[s][c] + its score to
    best[e][c + 1]. Whole-numbered times (frames) cost O(n k + times) and no sorting where the
    windows come by start; any other times are sorted once. Time after time waits for the one
    before and each step is a handful of numbers, so tensors on a GPU are brought to the CPU.

    Raises
    ------
    ValueError
        where lengths differ, a window does not end after its start, or max_overlap is not in
        [0, 1).
    """
    begin, end, value = (_array(x) for x in (starts, ends, scores))
    if not begin.shape == end.shape == value.shape or begin.ndim != 1:
        raise ValueError("starts, ends and scores must be vectors of one length")
    if not 0 <= max_overlap < 1:
        raise ValueError("max_overlap must be in [0, 1)")
    if not len(begin):
        return np.empty(0, dtype=np.int64)
    from kernels.select_clips import cpu

    wrong, low, high = cpu.survey(begin, end)
    if wrong:
        raise ValueError("every window must end after its start")
    if k < 1:
        return np.empty(0, dtype=np.int64)
    if max_overlap:
        trim = (end - begin) * (max_overlap / 2)
        begin, end = begin + trim, end - trim
    first, last, times = _ticks(begin, end, low, high)
    gain = value.astype(np.float64, copy=False)
    chosen: NDArray[np.int64] = cpu.best(first, last, times, gain, min(k, len(value)))
    return chosen


def _array(values: Times) -> NDArray[Any]:
    """As int64 where they are whole numbers by type, else as float64."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    array = np.asarray(values)
    return array.astype(np.int64 if array.dtype.kind in "iu" else np.float64, copy=False)


def _ticks(
    begin: NDArray[Any], end: NDArray[Any], low: float, high: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Starts and ends as whole numbers below `times` that compare as the times do."""
    whole = begin.dtype.kind == end.dtype.kind == "i"
    if whole and high - low < TICKS_A_WINDOW * len(begin) + 2**16:
        shift = int(low)
        first, last = (begin - shift, end - shift) if shift else (begin, end)
        return first, last, int(high) - shift + 1
    moments = np.unique(end)
    first = np.searchsorted(moments, begin, side="right")
    return first, np.searchsorted(moments, end) + 1, len(moments) + 1
