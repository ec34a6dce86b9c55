"""Where the eye goes: motion and contrast energy per frame, their centre, and a calm crop path."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.saliency import cpu
from kernels.saliency.track import crop_track

__all__ = ["Saliency", "Stream", "crop_track", "join"]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class Saliency(NamedTuple):
    """Per frame: `energy` [n] in 0..1, and its centre [n, 2] (x, y) as shares of the picture."""

    energy: Floats
    centroid: Floats


class Stream:
    """Saliency over batches; any split into batches gives the same numbers."""

    def __init__(self) -> None:
        self.last: Bytes | None = None

    def push(self, luma: Bytes, chroma: Bytes) -> Saliency:
        """Measure the next frames: luma [n, h, w] and chroma [n, 2, h2, w2], uint8."""
        if luma.ndim != 3 or chroma.ndim != 4 or len(luma) != len(chroma):
            raise ValueError(f"want [n,h,w] and [n,2,h,w], not {luma.shape} and {chroma.shape}")
        if not len(luma):
            return Saliency(np.empty(0, np.float32), np.empty((0, 2), np.float32))
        luma, chroma = np.ascontiguousarray(luma), np.ascontiguousarray(chroma)
        before = luma[0] if self.last is None else self.last
        rows = cpu.measure(luma, chroma, before)
        self.last = luma[-1].copy()
        return Saliency(rows[:, 0].copy(), rows[:, 1:].copy())


def join(parts: list[Saliency]) -> Saliency:
    """The saliency of consecutive batches as one."""
    if not parts:
        return Saliency(np.empty(0, np.float32), np.empty((0, 2), np.float32))
    return Saliency(*(np.concatenate(column) for column in zip(*parts, strict=True)))
