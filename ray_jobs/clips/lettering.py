"""Pictures that are made to be read: titles, credits, slides, screens. Where their letters are.

Strokes of letters are pairs of steep edges, up and down, close beside each other and in rows.
Nothing is recognised: what counts is how much of the picture must be seen for it to be read.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ray_jobs.engines.faces import Picture

CELL = (6, 12)
"""Height and width in pixels of a picture 320 high or more: a letter's stroke and its neighbour."""
STEEP, VISIBLE = 32, 8
"""Steps of luma (of 255) of a letter's edge, and of anything that is drawn at all."""
STROKES, BUSY = 4, 2
"""Pixels of a cell with an edge up, and with one down; with anything at all."""
GAP, LEAST_RUN = 2, 5
"""Cells in a row make a line of letters, words and all."""
LASTING, LEAST_CELLS, MOST = 0.35, 10, 0.5
"""Letters stay for that share of a shot, are that many cells, and fill at most that share of the
picture: gravel and leaves fill all of it.
"""
CHANGING = 0.1
"""Beside letters that stay are others that change, as those of a clock."""
ELSE = 0.2
"""A card has nothing else in more than this share of the picture; where letters lie over a scene,
the scene is what is seen."""
NEAR = 2
"""Cells around letters are theirs: their upper and lower parts, underlines, bullets."""
TAIL = 0.01

Cells = npt.NDArray[np.bool_]


class Print(NamedTuple):
    """Which cells [h, w] of a picture hold letters, and which hold anything."""

    letters: Cells
    busy: Cells


class Card(NamedTuple):
    """The middle and the width of a shot's letters, as shares of the picture's width."""

    x: float
    width: float


def print_of(picture: Picture) -> Print:
    """The cells of RGB [h, w, 3]."""
    luma = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    steps = np.diff(np.rint(luma).astype(np.int16), axis=1)
    up, down = _count(steps >= STEEP), _count(steps <= -STEEP)
    strokes = (up >= STROKES) & (down >= STROKES)
    return Print(_lines(strokes), _count(np.abs(steps) > VISIBLE) > BUSY)


def card(prints: Sequence[Print]) -> Card | None:
    """Where the letters of a shot are, of its pictures; None where it is no card."""
    share = np.mean([each.letters for each in prints], axis=0)
    letters = share >= LASTING
    if letters.sum() < LEAST_CELLS or letters.mean() > MOST:
        return None
    drawn = np.mean([each.busy for each in prints], axis=0) >= LASTING
    around = _around(letters)
    if (drawn & ~around).mean() > ELSE:
        return None
    columns = (around & (share >= CHANGING)).sum(axis=0)
    reached = np.cumsum(columns) / columns.sum()
    # Of the cell beside, too little is drawn to count, but some is.
    first, last = np.searchsorted(reached, (TAIL, 1 - TAIL)).tolist()
    left, right = max(0, first - 1) / len(columns), min(len(columns), last + 2) / len(columns)
    return Card((left + right) / 2, right - left)


def _count(pixels: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """How many pixels of each whole cell are set."""
    rows, columns = (side // cell for side, cell in zip(pixels.shape, CELL, strict=True))
    whole = pixels[: rows * CELL[0], : columns * CELL[1]]
    return np.asarray(whole.reshape(rows, CELL[0], columns, CELL[1]).sum(axis=(1, 3)))


def _lines(strokes: Cells) -> Cells:
    """The cells in a row of at least LEAST_RUN of them, with gaps of less than GAP."""
    kept = np.zeros_like(strokes)
    for row in np.flatnonzero(strokes.sum(axis=1) >= LEAST_RUN):
        at = np.flatnonzero(strokes[row])
        for run in np.split(at, np.flatnonzero(np.diff(at) > GAP) + 1):
            if len(run) >= LEAST_RUN:
                kept[row, run] = True
    return kept


def _around(cells: Cells) -> Cells:
    padded = np.pad(cells, NEAR)
    size = 2 * NEAR + 1
    return np.asarray(
        np.lib.stride_tricks.sliding_window_view(padded, (size, size)).any(axis=(2, 3))
    )
