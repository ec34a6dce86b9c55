"""One pass over each frame's bytes, compiled."""

import numpy as np
from numba import njit

from kernels.frame_change.reference import BINS, COLUMNS, LONG, ROWS, SIGNATURE

BLOCKS = ROWS * COLUMNS
THIRD = SIGNATURE // 3


@njit(cache=True, nogil=True)
def measure(luma, chroma, before, histogram_before, seen):
    """Rows [n, 4] of luma mean, motion, edge change, histogram change; histogram; signatures."""
    n, h, w = luma.shape
    rows = np.zeros((n, 4), dtype=np.float32)
    signatures = np.zeros((n, SIGNATURE), dtype=np.float32)
    histogram = histogram_before.copy()
    for i in range(n):
        frame = luma[i]
        last = before if i == 0 else luma[i - 1]
        counts = np.zeros(BINS)
        total, moved, edges = 0, 0, 0
        for y in range(h):
            for x in range(w):
                value = np.int32(frame[y, x])
                old = np.int32(last[y, x])
                total += value
                moved += abs(value - old)
                counts[value >> 3] += 1
                if y < h - 1 and x < w - 1:
                    now = abs(np.int32(frame[y, x + 1]) - value)
                    now += abs(np.int32(frame[y + 1, x]) - value)
                    then = abs(np.int32(last[y, x + 1]) - old)
                    then += abs(np.int32(last[y + 1, x]) - old)
                    edges += abs(now - then)
        _block_means(frame, signatures[i, :BLOCKS])
        _block_means(chroma[i, 0], signatures[i, BLOCKS : 2 * BLOCKS])
        _block_means(chroma[i, 1], signatures[i, 2 * BLOCKS :])
        counts /= h * w
        rows[i, 0] = total / (255.0 * h * w)
        if seen + i > 0:
            rows[i, 1] = moved / (255.0 * h * w)
            rows[i, 2] = edges / (2 * 255.0 * max(1, (h - 1) * (w - 1)))
            rows[i, 3] = np.abs(counts - histogram).sum() / 2
        histogram = counts
    return rows, histogram, signatures


@njit(cache=True, nogil=True)
def _block_means(plane, out):
    h, w = plane.shape
    counts = np.zeros(BLOCKS)
    sums = np.zeros(BLOCKS)
    for y in range(h):
        row = (y * ROWS // h) * COLUMNS
        for x in range(w):
            block = row + x * COLUMNS // w
            sums[block] += plane[y, x]
            counts[block] += 1
    for block in range(BLOCKS):
        out[block] = sums[block] / (255.0 * max(1.0, counts[block]))


@njit(cache=True, nogil=True)
def _distance(a, b):
    luma, chroma = 0.0, 0.0
    for k in range(THIRD):
        luma += abs(a[k] - b[k])
    for k in range(THIRD, SIGNATURE):
        chroma += abs(a[k] - b[k])
    return min(1.0, 1.5 * (luma / THIRD + chroma / THIRD))


@njit(cache=True, nogil=True)
def compare(history, n, seen, skip):
    """[n, 4] of change, skip change, long change, bend; `history` begins LONG frames earlier."""
    out = np.zeros((n, 4), dtype=np.float32)
    middle = np.empty(SIGNATURE, dtype=np.float32)
    for i in range(n):
        at, number = LONG + i, seen + i
        if number >= 1:
            out[i, 0] = _distance(history[at], history[at - 1])
        if number >= skip:
            out[i, 1] = _distance(history[at], history[at - skip])
        if number >= LONG:
            ends = _distance(history[at], history[at - LONG])
            for k in range(SIGNATURE):
                middle[k] = (history[at, k] + history[at - LONG, k]) / 2
            out[i, 2] = ends
            out[i, 3] = min(1.0, _distance(history[at - LONG // 2], middle) / max(ends, 1e-3))
    return out
