"""How much each frame differs from the ones before it, and where shots begin.

Works on decoded planes at analysis size, batch after batch; the carried state is the last frame and
`LONG` signatures, so memory does not grow with the recording.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.frame_change import cpu
from kernels.frame_change.boundaries import Shot, cut_probability, shots
from kernels.frame_change.reference import BINS, LONG, SIGNATURE, SKIP

__all__ = ["FrameChange", "Shot", "Stream", "cut_probability", "join", "shots"]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class FrameChange(NamedTuple):
    """Per frame, [n] float32 in 0..1; differences are 0 where there is no earlier frame."""

    luma_mean: Floats
    motion: Floats
    """Mean absolute luma difference to the frame before."""
    change: Floats
    """Difference of signatures (block means of luma and chroma) and luma histograms."""
    edge_change: Floats
    """Mean absolute difference of luma gradients."""
    skip_change: Floats
    """Signature difference to the frame SKIP back: small again after a flash, large after a cut."""
    long_change: Floats
    """Signature difference to the frame LONG back: large across a dissolve."""
    bend: Floats
    """How far the middle of the last LONG frames lies off the straight line between their ends,
    as a share of their distance: near 0 in a dissolve, near 0.5 or above in motion."""


class Stream:
    """Frame change over batches; any split into batches gives the same numbers."""

    def __init__(self) -> None:
        self.luma: Bytes | None = None
        self.histogram = np.zeros(BINS)
        self.signatures = np.zeros((LONG, SIGNATURE), dtype=np.float32)
        self.seen = 0

    def push(self, luma: Bytes, chroma: Bytes) -> FrameChange:
        """Measure the next frames.

        Parameters
        ----------
        luma : [n, h, w] uint8, h and w at least 9 and 16.
        chroma : [n, 2, h2, w2] uint8.
        """
        if luma.ndim != 3 or chroma.ndim != 4 or len(luma) != len(chroma):
            raise ValueError(f"want [n,h,w] and [n,2,h,w], not {luma.shape} and {chroma.shape}")
        if luma.dtype != np.uint8 or chroma.dtype != np.uint8:
            raise ValueError("planes must be uint8")
        if self.luma is not None and self.luma.shape != luma.shape[1:]:
            raise ValueError("frames must keep their size")
        if not len(luma):
            return FrameChange(*(np.empty(0, np.float32) for _ in FrameChange._fields))
        luma, chroma = np.ascontiguousarray(luma), np.ascontiguousarray(chroma)
        before = luma[0] if self.luma is None else self.luma
        rows, self.histogram, signatures = cpu.measure(
            luma, chroma, before, self.histogram, self.seen
        )
        history = np.concatenate([self.signatures, signatures])
        compared = cpu.compare(history, len(luma), self.seen, SKIP)
        self.signatures = history[-LONG:].copy()
        self.luma = luma[-1].copy()
        self.seen += len(luma)
        change = np.maximum(compared[:, 0], 0.5 * rows[:, 3]).astype(np.float32)
        return FrameChange(rows[:, 0], rows[:, 1], change, rows[:, 2], *compared[:, 1:].T)


def join(parts: list[FrameChange]) -> FrameChange:
    """The signals of consecutive batches as one."""
    if not parts:
        return FrameChange(*(np.empty(0, np.float32) for _ in FrameChange._fields))
    return FrameChange(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
