"""Score every window over feature tracks by named parts, never holding windows x parts.

A window [start, end) of frames is measured on each track by seven parts (`Parts`), each part is
placed on a curve in 0..1 and weighted (`Terms`), and the window's score is the sum of it all. What
is searched is every window of a grid (`Grid`) or of given boundaries (`Pairs`); what is kept comes
with its breakdown, recomputed for the kept windows alone. Frames that are not finite are left out.
"""

from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.window_scores.layout import Grid, Layout, Pairs, layout
from kernels.window_scores.parts import SHAPES, Bound, Parts, Terms, placed

if TYPE_CHECKING:
    import torch

__all__ = [
    "SHAPES", "Bound", "Grid", "Kept", "Pairs", "Parts", "Terms", "all_scores", "placed",
    "top_windows", "window_parts",
]  # fmt: skip

Floats = NDArray[np.float64]
Tracks = Union[NDArray[np.floating[Any]], "torch.Tensor"]
EDGE_FRAMES = 3


class Kept(NamedTuple):
    """The best windows, best first; equal scores stand by start, then by end."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    scores: Floats
    """The sum of the window's contributions."""
    raw: Floats
    """[windows, parts, tracks], NaN where nothing was measured; so too the next two."""
    normalised: Floats
    contributions: Floats
    """Weight x normalised, 0 where nothing was measured."""


def window_parts(
    tracks: Tracks, starts: ArrayLike, ends: ArrayLike, *, edge_frames: int = EDGE_FRAMES
) -> Parts:
    """Measure given windows [start, end) over tracks [tracks, frames].

    Returns
    -------
    Parts, each [tracks, windows] float64, NaN where a window holds no frame that is finite. On a
    CUDA tensor it is computed in float32 from float64 sums.

    Raises
    ------
    ValueError
        where a window is empty or reaches outside the tracks.
    """
    values = _checked(tracks, edge_frames)
    first, last = (np.ascontiguousarray(x, dtype=np.int64) for x in (starts, ends))
    if first.shape != last.shape or first.ndim != 1:
        raise ValueError("starts and ends must be vectors of one length")
    if len(first) and (first.min() < 0 or last.max() > values.shape[1] or (last <= first).any()):
        raise ValueError("every window must hold a frame and lie within the tracks")
    raw = _device(values).measure(values, first, last, edge_frames)
    return Parts(*raw.transpose(1, 2, 0))


def top_windows(
    tracks: Tracks, windows: Grid | Pairs, terms: Terms, k: int, *, edge_frames: int = EDGE_FRAMES
) -> Kept:
    """Keep the `k` best of all windows over tracks [tracks, frames], with their breakdown.

    The search is float64 on the CPU, the same for any number of threads; on a CUDA tensor it is
    float32 from float64 sums, so windows closer than 1e-5 in score may take each other's place.

    Raises
    ------
    ValueError
        where `k` is below 1, a step or length is below 1, or a curve is flat.
    """
    if k < 1:
        raise ValueError("k must be at least 1")
    values, plan, bound = _planned(tracks, windows, terms, edge_frames)
    if plan.size == 0:
        none = np.empty(0, dtype=np.int64)
        first, last, raw = none, none, np.empty((0, len(Parts._fields), len(values)))
    else:
        first, last, raw = _device(values).top(values, plan, bound, min(k, plan.size), edge_frames)
    normalised = placed(raw, bound)
    contributions = bound.weight * np.nan_to_num(normalised)
    return Kept(first, last, contributions.sum((1, 2)), raw, normalised, contributions)


def all_scores(
    tracks: Tracks, windows: Grid | Pairs, terms: Terms, *, edge_frames: int = EDGE_FRAMES
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Score all windows: their starts, ends and scores, by start, then by end.

    It is what `select_clips` chooses from. Raises what `top_windows` raises.
    """
    values, plan, bound = _planned(tracks, windows, terms, edge_frames)
    first, last = plan.windows()
    if plan.size == 0:
        return first, last, np.empty(0)
    return first, last, _device(values).every(values, plan, bound, edge_frames)


def _planned(
    tracks: Tracks, windows: Grid | Pairs, terms: Terms, edge_frames: int
) -> tuple[Tracks, Layout, Bound]:
    values = _checked(tracks, edge_frames)
    return values, layout(windows, values.shape[1]), terms.over(values.shape[0])


def _checked(tracks: Tracks, edge_frames: int) -> Tracks:
    if tracks.ndim != 2:
        raise ValueError(f"tracks must be [tracks, frames], not {tuple(tracks.shape)}")
    if edge_frames < 1:
        raise ValueError("edge_frames must be at least 1")
    if not isinstance(tracks, np.ndarray) and not tracks.is_cuda:
        return tracks.detach().numpy()
    return tracks


def _device(tracks: Tracks) -> ModuleType:
    if not isinstance(tracks, np.ndarray):
        from kernels.window_scores import fused

        return fused
    from kernels.window_scores import cpu

    return cpu
