"""Window scores in torch: see `kernels.window_scores.reference`.

All windows of a grid at once, track by track: 27 million windows of 16 tracks do not fit into
memory side by side. What is compiled is one track, sixteen times the same graph.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from kernels.window_scores import Bound, Grid
from kernels.window_scores.reference import FLAT

PARTS = 7


class Curves(NamedTuple):
    """How scaled parts are placed and weighted: each [tracks, parts]."""

    gain: Tensor
    offset: Tensor
    bell: Tensor
    ramp: Tensor
    weight: Tensor


class Windows(NamedTuple):
    """Windows [starts, lengths] by what broadcasts to them; those that reach too far are cut."""

    first: Tensor
    last: Tensor
    length: Tensor
    level: Tensor
    """The largest power of two, by its exponent, that a length holds."""


def top_windows(
    tracks: Tensor, grid: Grid, terms: Bound, k: int, edge: int,
    scored: Callable[..., Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Starts, ends and scores [k] of the best windows over tracks [tracks, frames] without holes.

    `scored` is `of_track`, or that compiled.
    """
    frames = tracks.shape[1]
    windows = _windows(grid, frames, tracks.device)
    values, centre, scale = _scaled(tracks.double())
    sums, peaks, ends = _sums(values), _peaks(values.float()), _ends(values, edge).float()
    curves = _curves(terms, centre, scale)
    scores = torch.zeros_like(windows.last, dtype=torch.float32)
    for t in range(len(tracks)):
        of = (sums[:, t], peaks[:, t], ends[t], torch.stack([c[t].float() for c in curves]))
        scores += (scored or of_track)(*windows, *of)
    scores = torch.where(windows.first + windows.length <= frames, scores, -torch.inf)
    best = torch.topk(scores.flatten(), k)
    row, column = best.indices // scores.shape[1], best.indices % scores.shape[1]
    return windows.first[row, 0], windows.last[row, column], best.values


def of_track(
    a: Tensor, b: Tensor, length: Tensor, level: Tensor, sums: Tensor, peaks: Tensor, ends: Tensor,
    curves: Tensor,
) -> Tensor:  # fmt: skip
    """What one track adds to every window's score, [starts, lengths] float32.

    `sums` [4, frames + 1] are float64; `curves` [5, parts] are `Curves` of the track.
    """
    frames = peaks.shape[1]
    n, half = length.double(), (length // 2).clamp(min=1)
    c, d = (a - half).clamp(min=0), (b + half).clamp(max=frames)
    around = (d - c - length).double()
    total = sums[0, b] - sums[0, a]
    mean = total / n
    variance = ((sums[1, b] - sums[1, a]) / n - mean * mean).clamp(min=0).float()
    deviation = variance.sqrt()
    flat = deviation <= FLAT
    peak = torch.maximum(peaks[level, a], peaks[level, (b - (1 << level)).clamp(min=0)])
    middle = 0.5 * (2 * a + length - 1)
    spread = (n * (n * n - 1) / 12).clamp(min=0.1)
    slope = torch.where(length > 1, (sums[3, b] - sums[3, a] - middle * total) / spread, 0.0)
    contrast = mean - (sums[0, d] - sums[0, c] - total) / around.clamp(min=1)
    steps = ((sums[2, b] - sums[2, (a + 1).clamp(max=frames)]) / (n - 1).clamp(min=1)).float()
    alike = torch.where(flat, 1.0, 1 - steps / variance.clamp(min=FLAT * FLAT) / 2)
    calm = -torch.maximum(ends[a], ends[b])
    return (
        _worth(mean, curves[:, 0])
        + _worth(peak, curves[:, 1])
        + _worth(torch.where(flat, 0.0, deviation), curves[:, 2])
        + _worth(slope, curves[:, 3])
        + torch.where(around > 0, _worth(contrast, curves[:, 4]), 0.0)
        + _worth(calm, curves[:, 5])
        + _worth(alike, curves[:, 6])
    )


def _worth(raw: Tensor, curve: Tensor) -> Tensor:
    gain, offset, bell, ramp, weight = curve.unbind()
    x = raw.float() * gain + offset
    x = torch.where(bell > 0, 1 - (2 * x - 1).abs(), x).clamp(0, 1)
    return weight * torch.where(ramp > 0, x, x * x * (3 - 2 * x))


def _windows(grid: Grid, frames: int, device: torch.device) -> Windows:
    first = torch.arange(0, frames - grid.min_frames + 1, grid.start_step, device=device)[:, None]
    longest = min(grid.max_frames, frames)
    length = torch.arange(grid.min_frames, longest + 1, grid.length_step, device=device)[None]
    level = torch.frexp(length.double())[1].long() - 1
    return Windows(first, (first + length).clamp(max=frames), length, level)


def _scaled(tracks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Tracks in -1..1 around their means, and the means and scales [tracks]."""
    centre = tracks.mean(dim=1, keepdim=True)
    scale = (tracks - centre).abs().amax(dim=1, keepdim=True)
    scale = torch.where(scale > 0, scale, 1.0)
    return (tracks - centre) / scale, centre[:, 0], scale[:, 0]


def _sums(values: Tensor) -> Tensor:
    """[4, tracks, frames + 1] of x, x², squared steps and time x."""
    time = torch.arange(values.shape[1], dtype=torch.float64, device=values.device)
    steps = pad(values.diff(dim=1), (1, 0))
    terms = torch.stack([values, values**2, steps**2, time * values])
    return pad(terms.cumsum(dim=-1), (1, 0))


def _peaks(values: Tensor) -> Tensor:
    """[levels, tracks, frames]: the peak of the 2^level frames from each on."""
    levels, width = [values], 1
    while 2 * width <= values.shape[1]:
        longer = torch.maximum(levels[-1][:, :-width], levels[-1][:, width:])
        levels.append(torch.cat([longer, levels[-1][:, -width:]], dim=1))
        width *= 2
    return torch.stack(levels)


def _ends(values: Tensor, edge: int) -> Tensor:
    """The mean around each boundary, [tracks, frames + 1]."""
    frames = torch.arange(values.shape[1] + 1, device=values.device)
    c, d = (frames - edge).clamp(min=0), (frames + edge).clamp(max=values.shape[1])
    sums = pad(values.cumsum(dim=1), (1, 0))
    return (sums[:, d] - sums[:, c]) / (d - c)


def _curves(terms: Bound, centre: Tensor, scale: Tensor) -> Curves:
    weight, low, high, shape = (
        torch.from_numpy(np.ascontiguousarray(x.T)).to(centre.device) for x in terms
    )
    level = centre[:, None] * torch.tensor([1, 1, 0, 0, 0, -1, 0], device=centre.device)
    gain = scale[:, None].repeat(1, PARTS)
    gain[:, 6] = 1.0
    width = high - low
    return Curves(gain / width, (level - low) / width, shape == 0, shape == 1, weight)
