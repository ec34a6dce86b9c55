"""The definition, in float64: a grid of cells, each as salient as it differs from its surround."""

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 18, 32
# Cells on each side: what a thing is compared over, with what, and how far a thing reaches.
CENTRE, SURROUND, PEAK, REACH = 1, 4, 2, 4
CONTRAST = 2.0
# Peaks this close are one, and the first of them is taken: rounding must not choose.
ALIKE = 1 - 1e-5
# Weights of all cells that are nothing but rounding.
BLANK = 1e-4
# Means below these (shares of full scale) are noise, and do not make a map a loud one.
MOTION_FLOOR, CONTRAST_FLOOR = 1e-3, 4e-3

Array = NDArray[np.float64]


def cells(plane: NDArray[np.floating]) -> Array:
    """Means of a ROWS x COLUMNS grid; pixel (y, x) is in cell (y * ROWS // h, x * COLUMNS // w)."""
    h, w = plane.shape
    rows, columns = np.arange(h) * ROWS // h, np.arange(w) * COLUMNS // w
    cell = (rows[:, None] * COLUMNS + columns[None, :]).ravel()
    sums = np.bincount(cell, plane.ravel(), ROWS * COLUMNS)
    counts = np.maximum(np.bincount(cell, minlength=ROWS * COLUMNS), 1)
    return np.asarray((sums / counts).reshape(ROWS, COLUMNS))


def around(grid: Array, radius: int) -> Array:
    """Mean over the cells within `radius` of each, as far as they lie in the picture."""
    out = np.empty_like(grid)
    for y in range(ROWS):
        for x in range(COLUMNS):
            near = grid[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
            out[y, x] = near.mean()
    return out


def prior() -> Array:
    """How far the eye is drawn to each cell before anything is shown: 1 in the middle, 0.5 in the
    corners.
    """
    y, x = (np.arange(ROWS) + 0.5) / ROWS, (np.arange(COLUMNS) + 0.5) / COLUMNS
    return np.asarray(1 - ((x[None, :] - 0.5) ** 2 + (y[:, None] - 0.5) ** 2))


def saliency(
    luma: NDArray[np.uint8], chroma: NDArray[np.uint8], before: NDArray[np.uint8]
) -> tuple[float, float, float]:
    """Energy, x and y of one frame; a frame without any energy is centred.

    Centre minus surround of luma change, of luma and of chroma (Itti, Koch and Niebur, 1998). Each
    map is divided by its mean, so that one moving thing counts for more than a picture that moves
    everywhere; cells are drawn towards the middle a little, as photographers do (Judd et al.,
    2009). The strongest region alone gives the centre: between two things the eye takes one.
    """
    moved = cells(np.abs(luma.astype(float) - before)) / 255
    motion = np.maximum(0, around(moved, CENTRE) - around(moved, SURROUND))
    contrast = np.zeros((ROWS, COLUMNS))
    for plane, weight in ((luma, 1), (chroma[0], 2), (chroma[1], 2)):
        grid = cells(plane.astype(float)) / 255
        contrast += weight * np.abs(around(grid, CENTRE) - around(grid, SURROUND))
    loud = motion / (motion.mean() + MOTION_FLOOR)
    loud += CONTRAST * contrast / (contrast.mean() + CONTRAST_FLOOR)
    weight = (loud * prior()) ** 2
    if weight.sum() <= BLANK:
        return 0.0, 0.5, 0.5
    peaks = around(weight, PEAK)
    row, column = divmod(int(np.argmax(peaks >= ALIKE * peaks.max())), COLUMNS)
    rows = slice(max(0, row - REACH), row + REACH + 1)
    columns = slice(max(0, column - REACH), column + REACH + 1)
    thing = weight[rows, columns]
    y, x = (np.arange(ROWS) + 0.5) / ROWS, (np.arange(COLUMNS) + 0.5) / COLUMNS
    return (
        float(min(1.0, 8 * motion.mean() + contrast.mean())),
        float((thing * x[columns]).sum() / thing.sum()),
        float((thing * y[rows, None]).sum() / thing.sum()),
    )
