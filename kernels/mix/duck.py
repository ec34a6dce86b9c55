"""Ducking: a bed gives way before a narration begins, stays down over its short gaps, returns.

The gain follows from two distances alone, so a stream cut into blocks has the gain of the whole:
with d the samples to the next active one and s those since the last, the share of the depth is
the larger of `ease(1 - d / attack)` and `ease(1 - (s - hold) / release)`, ease being the smooth
step 3x² - 2x³ on 0..1. It is applied in dB. The attack is a look-ahead: the bed is at its depth
when the first active sample comes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["DuckShape", "Ducker", "duck_gain"]

FAR = 2**40


class DuckShape(NamedTuple):
    """`depth_db` (0 or more) is how far the bed goes down; times in seconds."""

    depth_db: float
    attack_s: float
    hold_s: float
    release_s: float


class Ducker:
    """The gain of a stream: `push` activity, take gains, `finish` for the last ones.

    What comes out is `attack_s` behind what went in; together it is as long.
    """

    def __init__(self, rate_hz: int, shape: DuckShape) -> None:
        if rate_hz <= 0 or min(shape) < 0 or not np.isfinite(shape).all():
            raise ValueError(f"rate and shape must be positive and finite: {rate_hz}, {shape}")
        self.depth_db = shape.depth_db
        self.attack = round(shape.attack_s * rate_hz)
        self.hold = round(shape.hold_s * rate_hz)
        self.release = round(shape.release_s * rate_hz)
        self._waiting = np.zeros(0, dtype=bool)
        self._since = FAR

    def push(self, active: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Gains, linear, [m] float32 in 0..1, of as many samples as are now decided."""
        active = np.asarray(active, dtype=bool)
        if active.ndim != 1:
            raise ValueError(f"activity must be [samples], not {active.shape}")
        self._waiting = np.concatenate([self._waiting, active])
        return self._take(max(0, len(self._waiting) - self.attack))

    def finish(self) -> NDArray[np.float32]:
        """Gains of the samples still waiting; nothing is active after them."""
        return self._take(len(self._waiting))

    def _take(self, count: int) -> NDArray[np.float32]:
        seen = self._waiting
        at = np.arange(len(seen))
        ahead = np.minimum.accumulate(np.where(seen, at, FAR)[::-1])[::-1] - at
        last = np.maximum.accumulate(np.where(seen, at, -self._since))
        since = (at - last)[:count]
        share = np.maximum(
            _ease(1 - ahead[:count] / max(1, self.attack)),
            _ease(1 - np.maximum(0, since - self.hold) / max(1, self.release)),
        )
        if count:
            # The first sample to come is one further from the last active one.
            self._since = int(min(FAR, since[-1] + 1))
        self._waiting = seen[count:]
        return np.asarray(10 ** (-self.depth_db * share / 20), dtype=np.float32)


def duck_gain(active: NDArray[np.bool_], rate_hz: int, shape: DuckShape) -> NDArray[np.float32]:
    """Linear gain [n] of a bed below a narration that sounds where `active` [n] is true."""
    ducker = Ducker(rate_hz, shape)
    return np.concatenate([ducker.push(active), ducker.finish()])


def _ease(share: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.clip(share, 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))
