"""The definition, in float64 and frame by frame."""

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 9, 16
SIGNATURE = 3 * ROWS * COLUMNS
BINS = 32
SKIP, LONG = 3, 12

Array = NDArray[np.float64]


def signature(luma: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> Array:
    """Block means of luma and both chroma planes on a 9 x 16 grid, [3 * 9 * 16] in 0..1."""
    return np.concatenate([block_means(plane) for plane in (luma, *chroma)]) / 255.0


def block_means(plane: NDArray[np.uint8]) -> Array:
    """Pixel (y, x) belongs to block (y * ROWS // h, x * COLUMNS // w); empty blocks are 0."""
    h, w = plane.shape
    rows, columns = np.arange(h) * ROWS // h, np.arange(w) * COLUMNS // w
    block = rows[:, None] * COLUMNS + columns[None, :]
    sums = np.bincount(block.ravel(), plane.ravel(), ROWS * COLUMNS)
    return np.asarray(sums / np.maximum(np.bincount(block.ravel(), minlength=ROWS * COLUMNS), 1))


def distance(a: Array, b: Array) -> float:
    """Mean absolute difference of signatures; chroma counts twice, as its range is narrower."""
    third = SIGNATURE // 3
    luma = np.abs(a[:third] - b[:third]).mean()
    return float(min(1.0, 1.5 * (luma + 2.0 * np.abs(a[third:] - b[third:]).mean())))


def histogram(luma: NDArray[np.uint8]) -> Array:
    return np.bincount(luma.ravel() // (256 // BINS), minlength=BINS) / luma.size


def swap(a: Array, b: Array) -> float:
    """What is left of the flatter picture after the best gain and offset of the richer one.

    Of the luma blocks alone; the square of the mean root, so that a large difference in a few
    blocks counts for less than a moderate one in all.
    """
    third = SIGNATURE // 3
    x, y = a[:third] - a[:third].mean(), b[:third] - b[:third].mean()
    rich, flat = (x, y) if x @ x > y @ y else (y, x)
    left = flat - (x @ y) / max(rich @ rich, 1e-9) * rich
    return float(np.sqrt(np.abs(left)).mean() ** 2)


def frame_change(luma: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> dict[str, Array]:
    """All signals of a whole recording, by the names of `FrameChange`."""
    n = len(luma)
    names = ("luma_mean", "motion", "change", "skip_change", "long_change", "bend", "swap")
    out = {name: np.zeros(n) for name in names}
    marks = [signature(a, b) for a, b in zip(luma, chroma, strict=True)]
    for i in range(n):
        out["luma_mean"][i] = luma[i].mean() / 255
        if i:
            difference = luma[i].astype(float) - luma[i - 1]
            out["motion"][i] = np.abs(difference).mean() / 255
            shape = np.abs(histogram(luma[i]) - histogram(luma[i - 1])).sum() / 2
            out["change"][i] = max(distance(marks[i], marks[i - 1]), 0.5 * shape)
        if i >= SKIP:
            out["skip_change"][i] = distance(marks[i], marks[i - SKIP])
        if i >= LONG:
            ends = distance(marks[i], marks[i - LONG])
            middle = (marks[i] + marks[i - LONG]) / 2
            out["long_change"][i] = ends
            bend = distance(marks[i - LONG // 2], middle) / max(ends, 1e-3)
            out["bend"][i] = min(1.0, bend)
            out["swap"][i] = swap(marks[i], marks[i - LONG])
    return out
