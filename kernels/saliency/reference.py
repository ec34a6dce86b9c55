"""The definition, in float64: a grid of cells, each as salient as it moves and stands out."""

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 18, 32
MOTION, CONTRAST = 1.0, 0.35
POWER = 2.0

Array = NDArray[np.float64]


def cells(plane: NDArray[np.floating]) -> Array:
    """Means of a ROWS x COLUMNS grid; pixel (y, x) is in cell (y * ROWS // h, x * COLUMNS // w)."""
    h, w = plane.shape
    rows, columns = np.arange(h) * ROWS // h, np.arange(w) * COLUMNS // w
    cell = (rows[:, None] * COLUMNS + columns[None, :]).ravel()
    sums = np.bincount(cell, plane.ravel(), ROWS * COLUMNS)
    counts = np.maximum(np.bincount(cell, minlength=ROWS * COLUMNS), 1)
    return np.asarray((sums / counts).reshape(ROWS, COLUMNS))


def saliency(
    luma: NDArray[np.uint8], chroma: NDArray[np.uint8], before: NDArray[np.uint8]
) -> tuple[float, float, float]:
    """Energy, x and y of one frame; a frame without any energy is centred.

    A cell's energy is its mean luma change, plus how far its chroma and luma lie from the whole
    picture's, drawn towards the middle a little as photographers do (Judd et al., 2009). Squaring
    before the centre of mass lets the strongest region win over a busy background.
    """
    moved = cells(np.abs(luma.astype(float) - before)) / 255
    apart = np.abs(cells(luma.astype(float)) - luma.mean())
    for plane in chroma:
        apart = apart + 2 * np.abs(cells(plane.astype(float)) - plane.mean())
    y, x = (np.arange(ROWS) + 0.5) / ROWS, (np.arange(COLUMNS) + 0.5) / COLUMNS
    prior = 1 - 0.5 * ((x[None, :] - 0.5) ** 2 + (y[:, None] - 0.5) ** 2) / 0.5
    energy = (MOTION * moved + CONTRAST * moved.mean() * apart / 255 + 0.02 * apart / 255) * prior
    weight = energy**POWER
    total = weight.sum()
    if total <= 1e-12:
        return 0.0, 0.5, 0.5
    share = min(1.0, float(energy.mean() * 4))
    return (
        share,
        float((weight * x[None, :]).sum() / total),
        float((weight * y[:, None]).sum() / total),
    )
