"""One pass over each frame's bytes, compiled: integers along rows, so that it vectorises."""

import numpy as np
from numba import njit

from kernels.frame_change.reference import BINS, COLUMNS, LONG, ROWS, SIGNATURE, SKIP

BLOCKS = ROWS * COLUMNS
THIRD = SIGNATURE // 3


def push(luma, chroma, state):
    """Signals [7, n] of the next frames, in the order of `FrameChange`, and the new state."""
    if state is None:
        state = (luma[0].copy(), np.zeros(BINS), np.zeros((LONG, SIGNATURE), np.float32), 0)
    before, histogram, past, seen = state
    rows, histogram, signatures = measure(luma, chroma, before, histogram, seen)
    history = np.concatenate([past, signatures])
    compared = compare(history, len(luma), seen)
    change = np.maximum(compared[:, 0], 0.5 * rows[:, 2]).astype(np.float32)
    signals = np.stack([rows[:, 0], rows[:, 1], change, *compared[:, 1:].T])
    return signals, (luma[-1].copy(), histogram, history[-LONG:].copy(), seen + len(luma))


@njit(cache=True, nogil=True)
def measure(luma, chroma, before, histogram_before, seen):
    """Rows [n, 3] of luma mean, motion, histogram change; histogram; signatures."""
    n, h, w = luma.shape
    rows = np.zeros((n, 3), dtype=np.float32)
    signatures = np.zeros((n, SIGNATURE), dtype=np.float32)
    histogram, counts = histogram_before.copy(), np.empty(BINS)
    line = np.empty(max(w, chroma.shape[3]), dtype=np.uint32)
    moved = np.empty(w, dtype=np.uint32)
    blocks = np.empty((ROWS, COLUMNS), dtype=np.uint32)
    for i in range(n):
        last = before if i == 0 else luma[i - 1]
        moved[:] = 0
        for y in range(h):
            for x in range(w):
                moved[x] += abs(np.int16(luma[i, y, x]) - np.int16(last[y, x]))
        _count(luma[i], counts)
        for plane in range(3):
            picture = luma[i] if plane == 0 else chroma[i, plane - 1]
            cell_sums(picture, blocks, line)
            means(blocks, picture.shape, signatures[i, plane * BLOCKS : (plane + 1) * BLOCKS])
            if plane == 0:
                rows[i, 0] = blocks.sum() / (255.0 * h * w)
        if seen + i > 0:
            rows[i, 1] = moved.sum() / (255.0 * h * w)
            rows[i, 2] = np.abs(counts - histogram).sum() / 2
        histogram[:] = counts
    return rows, histogram, signatures


@njit(cache=True, nogil=True)
def _count(frame, counts):
    """Histogram as shares. Four tables, so that equal neighbours do not wait for each other."""
    h, w = frame.shape
    tables = np.zeros((4, BINS), dtype=np.int32)
    for y in range(h):
        row = frame[y]
        for x in range(0, w - 3, 4):
            tables[0, row[x] >> 3] += 1
            tables[1, row[x + 1] >> 3] += 1
            tables[2, row[x + 2] >> 3] += 1
            tables[3, row[x + 3] >> 3] += 1
        for x in range(w // 4 * 4, w):
            tables[0, row[x] >> 3] += 1
    counts[:] = tables.sum(axis=0) / (h * w)


@njit(cache=True, nogil=True)
def cell_sums(plane, out, line):
    """Sums over a grid `out` [rows, columns]: first down the columns, which vectorises.

    Pixel (y, x) of [h, w] is in cell (y * rows // h, x * columns // w); `line` holds w numbers.
    """
    h, w = plane.shape
    rows, columns = out.shape
    for row in range(rows):
        line[:w] = 0
        for y in range((row * h + rows - 1) // rows, ((row + 1) * h + rows - 1) // rows):
            for x in range(w):
                line[x] += plane[y, x]
        start = 0
        for column in range(columns):
            end = ((column + 1) * w + columns - 1) // columns
            total = np.uint32(0)
            for x in range(start, end):
                total += line[x]
            out[row, column] = total
            start = end


@njit(cache=True, nogil=True)
def means(sums, shape, out):
    """Means, as shares of 255, of the cells of a picture of that shape; empty cells are 0."""
    rows, columns = sums.shape
    h, w = shape
    for row in range(rows):
        high = ((row + 1) * h + rows - 1) // rows - (row * h + rows - 1) // rows
        for column in range(columns):
            wide = ((column + 1) * w + columns - 1) // columns - (
                column * w + columns - 1
            ) // columns
            out[row * columns + column] = sums[row, column] / (255.0 * max(1, high * wide))


@njit(cache=True, nogil=True)
def _distance(a, b):
    luma, chroma = 0.0, 0.0
    for k in range(THIRD):
        luma += abs(a[k] - b[k])
    for k in range(THIRD, SIGNATURE):
        chroma += abs(a[k] - b[k])
    return min(1.0, 1.5 * (luma / THIRD + chroma / THIRD))


@njit(cache=True, nogil=True)
def _swap(a, b):
    """As defined, in float64: what cancels out of alike pictures would be noise in float32."""
    mean_a, mean_b = a[:THIRD].astype(np.float64).mean(), b[:THIRD].astype(np.float64).mean()
    aa, bb, ab = 0.0, 0.0, 0.0
    for k in range(THIRD):
        x, y = a[k] - mean_a, b[k] - mean_b
        aa, bb, ab = aa + x * x, bb + y * y, ab + x * y
    gain, total = ab / max(aa, bb, 1e-9), 0.0
    for k in range(THIRD):
        x, y = a[k] - mean_a, b[k] - mean_b
        total += np.sqrt(abs(y - gain * x if aa > bb else x - gain * y))
    return (total / THIRD) ** 2


@njit(cache=True, nogil=True)
def compare(history, n, seen):
    """[n, 5] of change, skip, long, bend and swap; `history` begins LONG frames earlier."""
    out = np.zeros((n, 5), dtype=np.float32)
    middle = np.empty(SIGNATURE, dtype=np.float32)
    for i in range(n):
        at, number = LONG + i, seen + i
        if number >= 1:
            out[i, 0] = _distance(history[at], history[at - 1])
        if number >= SKIP:
            out[i, 1] = _distance(history[at], history[at - SKIP])
        if number >= LONG:
            ends = _distance(history[at], history[at - LONG])
            for k in range(SIGNATURE):
                middle[k] = (history[at, k] + history[at - LONG, k]) / 2
            out[i, 2] = ends
            out[i, 3] = min(1.0, _distance(history[at - LONG // 2], middle) / max(ends, 1e-3))
            out[i, 4] = _swap(history[at], history[at - LONG])
    return out
