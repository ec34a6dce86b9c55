"""One pass over each frame's bytes into cells, and a little work on those, compiled."""

import numpy as np
from numba import njit

from kernels.frame_change.cpu import cell_sums, means
from kernels.saliency.reference import (
    ALIKE,
    BLANK,
    CENTRE,
    COLUMNS,
    CONTRAST,
    CONTRAST_FLOOR,
    MOTION_FLOOR,
    PEAK,
    REACH,
    ROWS,
    SURROUND,
    prior,
)


def push(luma, chroma, before):
    """Rows [n, 3] of energy, x, y of the next frames, and the frame to compare the next with."""
    rows = measure(luma, chroma, luma[0] if before is None else before)
    return rows, luma[-1].copy()


def _shares(radius):
    """One over the number of cells within `radius` of each, as far as they lie in the picture."""
    high, wide = (
        np.minimum(size, np.arange(size) + radius + 1) - np.maximum(0, np.arange(size) - radius)
        for size in (ROWS, COLUMNS)
    )
    return 1.0 / np.outer(high, wide)


CENTRE_SHARES, SURROUND_SHARES, PEAK_SHARES = (_shares(r) for r in (CENTRE, SURROUND, PEAK))
PRIOR = prior()


@njit(cache=True, nogil=True)
def measure(luma, chroma, before):
    """Rows [n, 3] of energy, x, y."""
    n, h, w = luma.shape
    rows = np.zeros((n, 3), dtype=np.float32)
    sums = np.empty((ROWS, COLUMNS), dtype=np.uint32)
    line = np.empty(max(w, chroma.shape[3]), dtype=np.uint32)
    grid, apart = np.empty((ROWS, COLUMNS)), np.empty((ROWS, COLUMNS))
    motion, contrast = np.empty((ROWS, COLUMNS)), np.empty((ROWS, COLUMNS))
    table = np.zeros((ROWS + 1 + 2 * SURROUND, COLUMNS + 1 + 2 * SURROUND))
    difference = np.empty((h, w), dtype=np.uint8)
    for i in range(n):
        last = before if i == 0 else luma[i - 1]
        for y in range(h):
            for x in range(w):
                difference[y, x] = abs(np.int16(luma[i, y, x]) - np.int16(last[y, x]))
        _apart(difference, sums, line, grid, table, motion)
        motion[:] = np.maximum(0.0, motion)
        _apart(luma[i], sums, line, grid, table, contrast)
        contrast[:] = np.abs(contrast)
        for plane in range(2):
            _apart(chroma[i, plane], sums, line, grid, table, apart)
            contrast += 2.0 * np.abs(apart)
        _centre(motion, contrast, grid, apart, table, rows[i])
    return rows


@njit(cache=True, nogil=True)
def _apart(plane, sums, line, grid, table, out):
    """Mean around each cell minus that of its wider surround."""
    cell_sums(plane, sums, line)
    means(sums, plane.shape, grid.reshape(ROWS * COLUMNS))
    _summed(grid, table)
    for row in range(ROWS):
        for column in range(COLUMNS):
            centre = _around(table, row, column, CENTRE) * CENTRE_SHARES[row, column]
            wider = _around(table, row, column, SURROUND) * SURROUND_SHARES[row, column]
            out[row, column] = centre - wider


@njit(cache=True, nogil=True)
def _summed(grid, table):
    """Summed-area table, continued by SURROUND beyond every edge: no look-up needs a bound."""
    edge = SURROUND + 1
    for row in range(ROWS):
        line = 0.0
        for column in range(COLUMNS):
            line += grid[row, column]
            table[row + edge, column + edge] = table[row + edge - 1, column + edge] + line
        table[row + edge, COLUMNS + edge :] = table[row + edge, COLUMNS + edge - 1]
    for row in range(ROWS + edge, len(table)):
        table[row] = table[row - 1]


@njit(cache=True, nogil=True)
def _around(table, row, column, radius):
    """Sum over the cells within `radius`."""
    top, bottom = row + SURROUND - radius, row + SURROUND + radius + 1
    left, right = column + SURROUND - radius, column + SURROUND + radius + 1
    return table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]


@njit(cache=True, nogil=True)
def _centre(motion, contrast, weight, peaks, table, out):
    moving, standing = motion.mean(), contrast.mean()
    out[0], out[1], out[2] = 0.0, 0.5, 0.5
    of_motion = 1 / (moving + MOTION_FLOOR)
    of_contrast = CONTRAST / (standing + CONTRAST_FLOOR)
    weight[:] = ((motion * of_motion + contrast * of_contrast) * PRIOR) ** 2
    if weight.sum() <= BLANK:
        return
    _summed(weight, table)
    for row in range(ROWS):
        for column in range(COLUMNS):
            peaks[row, column] = _around(table, row, column, PEAK) * PEAK_SHARES[row, column]
    at_row, at_column = divmod(int(np.argmax(peaks >= ALIKE * peaks.max())), COLUMNS)
    total, at_x, at_y = 0.0, 0.0, 0.0
    for row in range(max(0, at_row - REACH), min(ROWS, at_row + REACH + 1)):
        for column in range(max(0, at_column - REACH), min(COLUMNS, at_column + REACH + 1)):
            share = weight[row, column]
            total += share
            at_x += share * (column + 0.5) / COLUMNS
            at_y += share * (row + 0.5) / ROWS
    out[0] = min(1.0, 8 * moving + standing)
    out[1], out[2] = at_x / total, at_y / total
