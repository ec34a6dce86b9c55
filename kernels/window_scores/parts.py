"""What a window is measured by, and how its measures are placed and weighted."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHAPES = ("bell", "ramp", "smooth")


class Parts(NamedTuple):
    """The seven parts, over the finite frames of a window; units are the track's own."""

    mean: Any
    peak: Any
    deviation: Any
    """Standard deviation; 0 below a millionth of the track's largest excursion."""
    slope: Any
    """Least-squares slope a frame."""
    contrast: Any
    """Mean inside minus mean of the surroundings, half a window on either side."""
    boundary: Any
    """Minus the higher of the means around its two ends: the larger, the calmer it is to cut."""
    coherence: Any
    """1 - half of von Neumann's ratio (Ann. Math. Statist. 12, 1941): 1 where neighbouring frames
    are alike, near 0 for noise, -1 where they alternate; 1 where nothing deviates."""


class Bound(NamedTuple):
    """Terms over given tracks: arrays [parts, tracks], the shape as an index into SHAPES."""

    weight: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    shape: NDArray[np.int64]


class Terms(NamedTuple):
    """How parts become a score: each [parts, tracks], or what broadcasts to it.

    A part is 0 at `low` and 1 at `high` (which may lie below `low`), held outside: on a straight
    line ("ramp"), or on the smoothstep 3x^2 - 2x^3 ("smooth"). A "bell" is 0 at both and rises by
    the smoothstep to 1 in the middle between them.
    """

    weight: ArrayLike
    low: ArrayLike
    high: ArrayLike
    shape: ArrayLike = "ramp"

    def over(self, tracks: int) -> Bound:
        """Bind these terms to a number of tracks."""
        size = (len(Parts._fields), tracks)
        weight, low, high = (
            np.broadcast_to(np.asarray(x, np.float64), size)
            for x in (self.weight, self.low, self.high)
        )
        names = np.broadcast_to(np.asarray(self.shape), size)
        if not np.isin(names, SHAPES).all():
            raise ValueError(f"a shape is one of {', '.join(SHAPES)}")
        if not all(np.isfinite(x).all() for x in (weight, low, high)) or (low == high).any():
            raise ValueError("weights and curves must be finite, and low must differ from high")
        return Bound(weight, low, high, np.searchsorted(SHAPES, names))


def placed(raw: NDArray[np.float64], terms: Bound) -> NDArray[np.float64]:
    """Place parts [..., parts, tracks] on the curves of bound terms; NaN stays NaN."""
    x = (raw - terms.low) / (terms.high - terms.low)
    bell, ramp = terms.shape == 0, terms.shape == 1
    x = np.clip(np.where(bell, 1 - np.abs(2 * x - 1), x), 0, 1)
    return np.where(ramp, x, x * x * (3 - 2 * x))
