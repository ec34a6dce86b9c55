"""Shots that are there to be read: titles, slides, screens, clocks. How much of them must be seen.

What is written at the edge of a scene, as are watermarks, channels' logos, tickers, burned-in
subtitles, is no reason to show all of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ray_jobs.engines.letters import Line, Picture, letters_in

EDGE = 1 / 6
"""Of the height, above and below: the middle of a line there does not count in a scene."""
STEP, SCENE = 8, 0.02
"""A picture is a scene where luma steps by more than that from one pixel to the next, of 255, in
more than that share of what lies beside its lines."""
LEAST = 0.15
"""Of the width: fewer letters than that are a sign or a number plate."""
LASTING = 0.2
"""Of a shot: letters are to be read where they are there for that long."""


class Card(NamedTuple):
    """The middle and the width of a shot's letters, as shares of the picture's width."""

    x: float
    width: float


def to_be_read(picture: Picture) -> list[Line]:
    """The lines of letters in RGB [h, w, 3] that are there to be read. Raises as `letters_in`."""
    lines = letters_in(picture)
    middle = [line for line in lines if EDGE <= (line.top + line.bottom) / 2 <= 1 - EDGE]
    return middle if len(middle) == len(lines) or _is_scene(picture, lines) else lines


def card(looks: Sequence[Sequence[Line]]) -> Card | None:
    """Where the letters of a shot are, by what is to be read in some of its pictures; None where
    that is too little.
    """
    sides = [(min(n.left for n in page), max(n.right for n in page)) for page in looks if page]
    wide = [(left, right) for left, right in sides if right - left >= LEAST]
    if not wide or len(wide) < LASTING * len(looks):
        return None
    left, right = min(left for left, _ in wide), max(right for _, right in wide)
    return Card((left + right) / 2, right - left)


def _is_scene(picture: Picture, lines: Sequence[Line]) -> bool:
    luma = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    steps = np.abs(np.diff(luma, axis=1)) > STEP
    beside = np.ones_like(steps)
    height, width = luma.shape
    for line in lines:
        rows = slice(int(line.top * height), int(np.ceil(line.bottom * height)))
        beside[rows, int(line.left * width) : int(np.ceil(line.right * width))] = False
    return bool(steps[beside].mean() > SCENE) if beside.any() else False
