"""How much each frame differs from the ones before it, and where shots begin.

Works on decoded planes at analysis size, batch after batch; the carried state is the last frame and
`LONG` signatures, so memory does not grow with the recording.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from kernels.frame_change.boundaries import Shot, Thresholds, cut_probability, shots

__all__ = [
    "FrameChange",
    "Shot",
    "Stream",
    "Thresholds",
    "checked",
    "cut_probability",
    "join",
    "joined",
    "shots",
]

Floats = NDArray[np.float32]


class FrameChange(NamedTuple):
    """Per frame, [n] float32 in 0..1; differences are 0 where there is no earlier frame."""

    luma_mean: Floats
    motion: Floats
    """Mean absolute luma difference to the frame before."""
    change: Floats
    """Difference of signatures (block means of luma and chroma) and luma histograms."""
    skip_change: Floats
    """Signature difference to the frame SKIP back: small again after a flash, large after a cut."""
    long_change: Floats
    """Signature difference to the frame LONG back: large across a dissolve."""
    bend: Floats
    """How far the middle of the last LONG frames lies off the straight line between their ends,
    as a share of their distance: near 0 in a dissolve, near 0.5 or above in motion."""
    swap: Floats
    """What of the luma blocks LONG frames back no change of brightness and contrast turns into
    those of now: near 0 in a fade, large where another picture, all of it, took the place."""


class Stream:
    """Frame change over batches; any split into batches gives the same numbers."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None
        self.state: object = None

    def push(self, luma: Any, chroma: Any) -> FrameChange:
        """Measure the next frames, where they lie: CUDA tensors on their GPU, without waiting.

        Parameters
        ----------
        luma : [n, h, w] uint8, an array or a tensor.
        chroma : [n, 2, h2, w2] uint8 of the same kind, with any strides: NV12's interleaved plane
            [n, h2, w2, 2] goes in as its view `uv.movedim(-1, 1)`.

        Returns
        -------
        FrameChange
            of CUDA tensors for CUDA tensors, else of arrays.

        Raises
        ------
        ValueError
            for other shapes or types, and when the size changes.
        """
        luma, chroma = checked(luma, chroma)
        if self.shape not in {None, luma.shape[1:]}:
            raise ValueError("frames must keep their size")
        if not len(luma):
            return join([])
        self.shape = luma.shape[1:]
        # numba and Triton are imported where they are used.
        where = "cpu" if isinstance(luma, np.ndarray) else "fused"
        backend = import_module(f"kernels.frame_change.{where}")
        signals, self.state = backend.push(luma, chroma, self.state)
        return FrameChange(*signals)


def checked(luma: Any, chroma: Any) -> tuple[Any, Any]:
    """The planes of a batch as CUDA tensors, or as contiguous arrays.

    Raises
    ------
    ValueError
        unless they are [n, h, w] and [n, 2, h2, w2], uint8, of at least one pixel.
    """
    if luma.ndim != 3 or chroma.ndim != 4 or len(luma) != len(chroma) or chroma.shape[1] != 2:
        raise ValueError(
            f"want [n,h,w] and [n,2,h,w], not {tuple(luma.shape)} and {tuple(chroma.shape)}"
        )
    if 0 in {*luma.shape[1:], *chroma.shape[1:]}:
        raise ValueError("frames must have pixels")
    # numpy says "uint8", torch "torch.uint8".
    if any(str(plane.dtype).rpartition(".")[2] != "uint8" for plane in (luma, chroma)):
        raise ValueError("planes must be uint8")
    if getattr(luma, "is_cuda", False):
        return luma, chroma
    return np.ascontiguousarray(luma), np.ascontiguousarray(chroma)


def join(parts: Sequence[FrameChange]) -> FrameChange:
    """The signals of consecutive batches as one, in host memory."""
    if not parts:
        return FrameChange(*(np.empty(0, np.float32) for _ in FrameChange._fields))
    return FrameChange(*(joined(columns) for columns in zip(*parts, strict=True)))


def joined(columns: Sequence[Any]) -> Floats:
    """Arrays or tensors of consecutive batches as one array."""
    if all(isinstance(column, np.ndarray) for column in columns):
        return np.concatenate(columns)
    import torch

    whole = torch.cat([torch.as_tensor(column, device=columns[0].device) for column in columns])
    return cast("Floats", whole.cpu().numpy())
