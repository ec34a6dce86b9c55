"""The definition: each window by itself, each track by itself."""

import numpy as np
from numpy.typing import NDArray

from kernels.window_scores.layout import Layout
from kernels.window_scores.parts import Bound, Parts, placed

Floats = NDArray[np.float64]
FLAT = 1e-6


def parts_of(track: Floats, a: int, b: int, edge: int) -> Parts:
    """The parts of window [a, b) on one track [frames]; NaN where nothing was measured."""
    track = np.where(np.isfinite(track), track, np.nan).astype(np.float64)
    at = a + np.flatnonzero(np.isfinite(track[a:b]))
    if not len(at):
        unknown = Parts(*[np.nan] * len(Parts._fields))
        return unknown._replace(boundary=_boundary(track, a, b, edge))
    x, half = track[at], max(1, (b - a) // 2)
    around = _known(np.concatenate([track[max(0, a - half) : a], track[b : b + half]]))
    known = _known(track)
    flat = x.std() <= FLAT * np.abs(known - known.mean()).max()
    steps = _known(np.diff(track[a:b]))
    return Parts(
        mean=x.mean(),
        peak=x.max(),
        deviation=0.0 if flat else x.std(),
        slope=np.polyfit(at - at.mean(), x - x.mean(), 1)[0] if len(x) > 1 else 0.0,
        contrast=x.mean() - around.mean() if len(around) else np.nan,
        boundary=_boundary(track, a, b, edge),
        coherence=1 - (steps**2).mean() / x.var() / 2 if len(steps) and not flat else 1.0,
    )


def _known(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _boundary(track: Floats, a: int, b: int, edge: int) -> float:
    near = [_known(track[max(0, f - edge) : f + edge]) for f in (a, b)]
    return -max((x.mean() for x in near if len(x)), default=np.nan)


def score(tracks: Floats, a: int, b: int, terms: Bound, edge: int) -> float:
    """The score of one window over tracks [tracks, frames]."""
    raw = np.array([parts_of(track, a, b, edge) for track in tracks]).T
    return float(np.nansum(terms.weight * placed(raw, terms)))


def top(tracks: Floats, plan: Layout, terms: Bound, k: int, edge: int) -> list[tuple[int, int]]:
    """The k best windows: by score, then by start, then by end."""
    scored = [
        (-score(tracks, a, b, terms, edge), a, b)
        for a, b in zip(*(x.tolist() for x in plan.windows()), strict=True)
    ]
    return [(a, b) for _, a, b in sorted(scored)[:k]]
