"""The definition: each window by itself."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def window_stats(tracks: Floats, starts: Floats, ends: Floats) -> tuple[Floats, ...]:
    """Mean, peak, deviation and contrast, each [parts, windows]."""
    out = np.zeros((4, len(tracks), len(starts)))
    for p, track in enumerate(tracks):
        for i, (a, b) in enumerate(zip(starts, ends, strict=True)):
            inside = track[a:b][np.isfinite(track[a:b])]
            if not len(inside):
                continue
            half = max(1, (b - a) // 2)
            around = np.concatenate([track[max(0, a - half) : a], track[b : b + half]])
            around = around[np.isfinite(around)]
            out[:3, p, i] = inside.mean(), inside.max(), inside.std()
            if len(around):
                out[3, p, i] = inside.mean() - around.mean()
    return tuple(out)
