"""Shots that are there to be read: titles, slides, screens, clocks. How much of them must be seen.

What is written at the edge of a picture, as are watermarks, channels' logos, tickers, burned-in
subtitles, is no reason to show all of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ray_jobs.engines.letters import Line

EDGE = 1 / 6
"""Of the height, above and below: the middle of a line that lies there does not count."""
LEAST = 0.15
"""Of the width: fewer letters than that are a sign or a number plate."""
LASTING = 0.2
"""Of a shot: letters are to be read where they are there for that long."""


class Card(NamedTuple):
    """The middle and the width of a shot's letters, as shares of the picture's width."""

    x: float
    width: float


def card(looks: Sequence[Sequence[Line]]) -> Card | None:
    """Where the letters of a shot are, of the lines in some of its pictures; None where there are
    none to be read.
    """
    pages = [
        [line for line in lines if EDGE <= (line.top + line.bottom) / 2 <= 1 - EDGE]
        for lines in looks
    ]
    sides = [(min(n.left for n in page), max(n.right for n in page)) for page in pages if page]
    wide = [(left, right) for left, right in sides if right - left >= LEAST]
    if not wide or len(wide) < LASTING * len(looks):
        return None
    left, right = min(left for left, _ in wide), max(right for _, right in wide)
    return Card((left + right) / 2, right - left)
