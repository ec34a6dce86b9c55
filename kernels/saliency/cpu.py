"""One pass over each frame's bytes, compiled."""

import numpy as np
from numba import njit

from kernels.saliency.reference import (
    CENTRE,
    COLUMNS,
    CONTRAST,
    CONTRAST_FLOOR,
    MOTION_FLOOR,
    PEAK,
    POWER,
    REACH,
    ROWS,
    SURROUND,
)


@njit(cache=True, nogil=True)
def _cells(plane, sums, counts):
    h, w = plane.shape
    sums[:] = 0.0
    counts[:] = 0.0
    for y in range(h):
        row = y * ROWS // h
        for x in range(w):
            column = x * COLUMNS // w
            sums[row, column] += plane[y, x]
            counts[row, column] += 1
    for row in range(ROWS):
        for column in range(COLUMNS):
            sums[row, column] /= 255 * max(1.0, counts[row, column])


@njit(cache=True, nogil=True)
def _summed(grid, table):
    """Summed-area table of a grid: any rectangle's sum is four look-ups."""
    for row in range(ROWS):
        line = 0.0
        for column in range(COLUMNS):
            line += grid[row, column]
            table[row + 1, column + 1] = table[row, column + 1] + line


@njit(cache=True, nogil=True)
def _around(table, row, column, radius):
    top, bottom = max(0, row - radius), min(ROWS, row + radius + 1)
    left, right = max(0, column - radius), min(COLUMNS, column + radius + 1)
    total = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    return total / ((bottom - top) * (right - left))


@njit(cache=True, nogil=True)
def measure(luma, chroma, before):
    """Rows [n, 3] of energy, x, y."""
    n, h, w = luma.shape
    rows = np.zeros((n, 3), dtype=np.float32)
    grid, counts = np.empty((ROWS, COLUMNS)), np.empty((ROWS, COLUMNS))
    motion, contrast = np.empty((ROWS, COLUMNS)), np.empty((ROWS, COLUMNS))
    table = np.zeros((ROWS + 1, COLUMNS + 1))
    difference = np.empty((h, w), dtype=np.int16)
    for i in range(n):
        last = before if i == 0 else luma[i - 1]
        for y in range(h):
            for x in range(w):
                difference[y, x] = abs(np.int16(luma[i, y, x]) - np.int16(last[y, x]))
        _cells(difference, grid, counts)
        _summed(grid, table)
        for row in range(ROWS):
            for column in range(COLUMNS):
                apart = _around(table, row, column, CENTRE) - _around(table, row, column, SURROUND)
                motion[row, column] = max(0.0, apart)
        contrast[:] = 0.0
        for plane in range(3):
            _cells(luma[i] if plane == 0 else chroma[i, plane - 1], grid, counts)
            _summed(grid, table)
            weight = 1.0 if plane == 0 else 2.0
            for row in range(ROWS):
                for column in range(COLUMNS):
                    centre = _around(table, row, column, CENTRE)
                    apart = abs(centre - _around(table, row, column, SURROUND))
                    contrast[row, column] += weight * apart
        _centre(motion, contrast, grid, table, rows[i])
    return rows


@njit(cache=True, nogil=True)
def _centre(motion, contrast, weight, table, out):
    moving, standing = motion.mean(), contrast.mean()
    out[0], out[1], out[2] = 0.0, 0.5, 0.5
    for row in range(ROWS):
        y = (row + 0.5) / ROWS
        for column in range(COLUMNS):
            x = (column + 0.5) / COLUMNS
            prior = 1 - 0.5 * ((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.5
            loud = motion[row, column] / (moving + MOTION_FLOOR)
            loud += CONTRAST * contrast[row, column] / (standing + CONTRAST_FLOOR)
            weight[row, column] = (loud * prior) ** POWER
    if weight.sum() <= 1e-12:
        return
    _summed(weight, table)
    best, at_row, at_column = -1.0, 0, 0
    for row in range(ROWS):
        for column in range(COLUMNS):
            value = _around(table, row, column, PEAK)
            if value > best:
                best, at_row, at_column = value, row, column
    total, at_x, at_y = 0.0, 0.0, 0.0
    for row in range(max(0, at_row - REACH), min(ROWS, at_row + REACH + 1)):
        for column in range(max(0, at_column - REACH), min(COLUMNS, at_column + REACH + 1)):
            share = weight[row, column]
            total += share
            at_x += share * (column + 0.5) / COLUMNS
            at_y += share * (row + 0.5) / ROWS
    out[0] = min(1.0, 8 * moving + standing)
    out[1], out[2] = at_x / total, at_y / total
