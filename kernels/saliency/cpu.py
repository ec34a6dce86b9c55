"""One pass over each frame's bytes, compiled."""

import numpy as np
from numba import njit

from kernels.saliency.reference import COLUMNS, CONTRAST, MOTION, POWER, ROWS


@njit(cache=True, nogil=True)
def _cells(plane, sums, counts):
    h, w = plane.shape
    sums[:] = 0.0
    counts[:] = 0.0
    total = 0.0
    for y in range(h):
        row = y * ROWS // h
        for x in range(w):
            column = x * COLUMNS // w
            value = float(plane[y, x])
            sums[row, column] += value
            counts[row, column] += 1
            total += value
    for row in range(ROWS):
        for column in range(COLUMNS):
            sums[row, column] /= max(1.0, counts[row, column])
    return total / (h * w)


@njit(cache=True, nogil=True)
def measure(luma, chroma, before):
    """Rows [n, 3] of energy, x, y."""
    n, h, w = luma.shape
    rows = np.zeros((n, 3), dtype=np.float32)
    moved, apart = np.empty((ROWS, COLUMNS)), np.empty((ROWS, COLUMNS))
    means, counts = np.empty((ROWS, COLUMNS)), np.empty((ROWS, COLUMNS))
    difference = np.empty((h, w), dtype=np.int16)
    for i in range(n):
        last = before if i == 0 else luma[i - 1]
        for y in range(h):
            for x in range(w):
                difference[y, x] = abs(np.int16(luma[i, y, x]) - np.int16(last[y, x]))
        _cells(difference, moved, counts)
        mean = _cells(luma[i], means, counts)
        for row in range(ROWS):
            for column in range(COLUMNS):
                apart[row, column] = abs(means[row, column] - mean)
        for plane in range(2):
            mean = _cells(chroma[i, plane], means, counts)
            for row in range(ROWS):
                for column in range(COLUMNS):
                    apart[row, column] += 2 * abs(means[row, column] - mean)
        _centre(moved, apart, rows[i])
    return rows


@njit(cache=True, nogil=True)
def _centre(moved, apart, out):
    moving = moved.mean() / 255
    total, at_x, at_y, energies = 0.0, 0.0, 0.0, 0.0
    for row in range(ROWS):
        y = (row + 0.5) / ROWS
        for column in range(COLUMNS):
            x = (column + 0.5) / COLUMNS
            prior = 1 - 0.5 * ((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.5
            stands_out = apart[row, column] / 255
            energy = MOTION * moved[row, column] / 255 + (CONTRAST * moving + 0.02) * stands_out
            energy *= prior
            weight = energy**POWER
            total += weight
            at_x += weight * x
            at_y += weight * y
            energies += energy
    if total <= 1e-12:
        out[0], out[1], out[2] = 0.0, 0.5, 0.5
    else:
        out[0] = min(1.0, 4 * energies / (ROWS * COLUMNS))
        out[1], out[2] = at_x / total, at_y / total
