"""Black bars around a film's picture: where the picture really is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ray_jobs.contract import Box, MediaInfo
from ray_jobs.media.decode import pictures_at

LOOKS = 32
LOOK_HEIGHT = 540
DARK = 24
"""Of 255: black with the noise of its encoding."""
LIT, LIT_SHARE = 48, 0.02
"""A picture tells where bars are if that share of its pixels is at least that bright."""
LEAST_LIT = 6
ALWAYS = 0.9
"""The share of pictures in which a bar is black; a studio's own opening may fill it."""
FULL, OFTEN = 0.4, 0.25
"""A picture's edge is lit over that share of its length in that share of the pictures."""
EVEN = 0.02
"""Bars on opposite sides differ by less than that share of the picture."""
LEAST = 0.015
SOFT = 0.006
"""The edge of a bar is blurred by scaling and encoding: that much more is cut away."""

Lines = npt.NDArray[np.float64]


def active_area(
    path: Path, media: MediaInfo, tick: Callable[[], None] = lambda: None
) -> Box | None:
    """The part of the picture that is not a constant black bar; None where it is all of it.

    Pictures from all over the recording decide. Darkness alone is no bar: bars are black in every
    picture, come in pairs of one width, and end where the picture is often lit along its edge, so
    that neither a night scene nor white words on black are cut.
    """
    times_s = (np.arange(LOOKS) + 0.5) / LOOKS * media.duration_s
    height = min(LOOK_HEIGHT, media.height or LOOK_HEIGHT)
    black: list[tuple[Lines, Lines]] = []
    for picture in pictures_at(path, media, times_s.tolist(), height=height):
        tick()
        bright = picture.max(axis=2)
        if np.mean(bright >= LIT) >= LIT_SHARE:
            dark = bright < DARK
            black.append((dark.mean(axis=1), dark.mean(axis=0)))
    if len(black) < LEAST_LIT:
        return None
    top, bottom = _bars(np.stack([rows for rows, _ in black]))
    left, right = _bars(np.stack([columns for _, columns in black]))
    if not top + bottom + left + right:
        return None
    return (
        round(left, 4), round(top, 4), round(1 - left - right, 4), round(1 - top - bottom, 4),
    )  # fmt: skip


def _bars(dark: Lines) -> tuple[float, float]:
    """Shares of the picture that the bars at both ends cover, or two zeros.

    `dark` [pictures, lines] is the share of each line that is black.
    """
    lines = dark.shape[1]
    filled = (dark >= 0.995).mean(axis=0) < ALWAYS
    if not filled.any():
        return 0.0, 0.0
    first, last = int(np.argmax(filled)), lines - 1 - int(np.argmax(filled[::-1]))
    widths = first / lines, (lines - 1 - last) / lines
    if min(widths) < LEAST or abs(widths[0] - widths[1]) > EVEN:
        return 0.0, 0.0
    soft = max(2, round(SOFT * lines))
    edges = dark[:, min(first + soft, last)], dark[:, max(last - soft, first)]
    if any((edge <= 1 - FULL).mean() < OFTEN for edge in edges):
        return 0.0, 0.0
    return widths[0] + soft / lines, widths[1] + soft / lines
