"""Where the eye goes: motion and contrast energy per frame, their centre, and a calm crop path."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.frame_change import checked, joined
from kernels.saliency.track import crop_track

__all__ = ["Saliency", "Stream", "crop_track", "join"]

Floats = NDArray[np.float32]


class Saliency(NamedTuple):
    """Per frame: `energy` [n] in 0..1, and its centre [n, 2] (x, y) as shares of the picture."""

    energy: Floats
    centroid: Floats


class Stream:
    """Saliency over batches; any split into batches gives the same numbers."""

    def __init__(self) -> None:
        self.last: Any = None

    def push(self, luma: Any, chroma: Any) -> Saliency:
        """Measure the next frames, as `frame_change.Stream.push` takes them and refuses them."""
        luma, chroma = checked(luma, chroma)
        if self.last is not None and self.last.shape != luma.shape[1:]:
            raise ValueError("frames must keep their size")
        if not len(luma):
            return join([])
        # numba and Triton are imported where they are used.
        where = "cpu" if isinstance(luma, np.ndarray) else "fused"
        backend = import_module(f"kernels.saliency.{where}")
        rows, self.last = backend.push(luma, chroma, self.last)
        return Saliency(rows[:, 0], rows[:, 1:])


def join(parts: Sequence[Saliency]) -> Saliency:
    """The saliency of consecutive batches as one, in host memory."""
    if not parts:
        return Saliency(np.empty(0, np.float32), np.empty((0, 2), np.float32))
    return Saliency(*(joined(columns) for columns in zip(*parts, strict=True)))
