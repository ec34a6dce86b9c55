"""Triton: tiles of starts x ends stay in registers while the tracks pass by.

Of each track a tile reads a row of sums for its starts and one for its ends (float64, since a
variance is the small difference of large sums), looks peaks up in a sparse table, places the parts
in float32, and keeps nothing but its scores. The best of every tile are merged on the host.
"""

from typing import NamedTuple

import numpy as np
import torch
import triton
import triton.language as tl
from torch.nn.functional import pad

STARTS, ENDS = 16, 32
MOST_A_TILE = 64
FLAT = tl.constexpr(1e-6)
UNKNOWN = -2.0  # below every scaled value, which lie in -1..1


class _Table(NamedTuple):
    centre: torch.Tensor  # [tracks]
    scale: torch.Tensor
    sums: torch.Tensor  # [tracks, 4, frames + 1] of x, x^2, squared steps, time x
    holes: torch.Tensor  # the same of known frames, known steps, times, squared times
    peaks: torch.Tensor  # [levels, tracks, frames]: the peak of the 2^level frames from each on
    ends: torch.Tensor  # [tracks, frames + 1]: the mean around each boundary


def measure(tracks, first, last, edge):
    """Raw parts of given windows, [windows, parts, tracks] float64; peaks are float32."""
    table = _table(tracks, edge)
    a, b = (torch.as_tensor(x, device=tracks.device) for x in (first, last))
    half = ((b - a) // 2).clamp(min=1)
    c, d = (a - half).clamp(min=0), (b + half).clamp(max=tracks.shape[1])
    total, squares, _, moments = (table.sums[..., b] - table.sums[..., a]).unbind(1)
    n, _, times, time_squares = (table.holes[..., b] - table.holes[..., a]).unbind(1)
    steps = table.sums[:, 2, b] - table.sums[:, 2, a + 1]
    pairs = (table.holes[:, 1, b] - table.holes[:, 1, a + 1]).clamp(min=1)
    around = table.holes[:, 0, d] - table.holes[:, 0, c] - n
    mean, middle = total / n, times / n
    variance = (squares / n - mean**2).clamp(min=0)
    flat = variance.sqrt() <= FLAT.value
    spread = time_squares - times * middle
    level = torch.frexp((b - a).double())[1].long() - 1
    peak = torch.maximum(
        table.peaks[level, :, a], table.peaks[level, :, b - (1 << level)]
    ).T.double()  # fmt: skip
    slope = torch.where(n > 1, (moments - middle * total) / spread.clamp(min=0.1), 0.0)
    outside = (table.sums[:, 0, d] - table.sums[:, 0, c] - total) / around
    calm = -torch.maximum(table.ends[:, a], table.ends[:, b]).double()
    alike = torch.where(flat, 1.0, 1 - steps / pairs / variance / 2)
    centre, scale = table.centre[:, None], table.scale[:, None]
    raw = torch.stack([
        mean * scale + centre, peak * scale + centre,
        torch.where(flat, 0.0, variance.sqrt() * scale), slope * scale, (mean - outside) * scale,
        calm * scale - centre, alike,
    ])  # fmt: skip
    unknown = (n == 0).expand(raw.shape).clone()
    unknown[4] |= around == 0
    unknown[5] = calm > 1.5
    return torch.where(unknown, np.nan, raw).permute(2, 0, 1).cpu().numpy()


def top(tracks, plan, terms, k, edge):
    """Starts, ends and raw parts of the k best windows."""
    if k > MOST_A_TILE:
        scores = every(tracks, plan, terms, edge)
        first, last = plan.windows()
        kept = np.argsort(-scores, kind="stable")[:k]
        return first[kept], last[kept], measure(tracks, first[kept], last[kept], edge)
    best, place, tiles, ends = _search(tracks, plan, terms, edge, k)
    least = torch.topk(best.flatten(), k).values[-1]
    tile, rank = torch.nonzero((best >= least) & (best > -torch.inf), as_tuple=True)
    score, tile, at = (x.cpu().numpy() for x in (best[tile, rank], tile, place[tile, rank]))
    first = plan.first[tiles[tile, 0] + at // ENDS]
    last = ends[tiles[tile, 1] + at % ENDS]
    order = np.lexsort((last, first, -score))[:k]
    first, last = first[order], last[order]
    return first, last, measure(tracks, first, last, edge)


def every(tracks, plan, terms, edge):
    """Scores of all windows, float32, by start, then by end."""
    return _search(tracks, plan, terms, edge, 0)[0].cpu().numpy()


def _search(tracks, plan, terms, edge, k):
    table, device = _table(tracks, edge), tracks.device
    ends, begin, stop, stride = _lattice(plan)
    tiles = _tiles(begin, stop)
    curves = _curves(table, terms)
    if k:
        scores = torch.full((len(tiles), k), -torch.inf, dtype=torch.float32, device=device)
    else:
        scores = torch.empty(plan.size, dtype=torch.float32, device=device)
    place = torch.empty((len(tiles), k), dtype=torch.int32, device=device)
    bar = torch.full((1,), -torch.inf, dtype=torch.float32, device=device)
    first, ends_, begin, stop, places, tiles_ = (
        torch.as_tensor(np.ascontiguousarray(x, dtype=np.int32), device=device)
        for x in (plan.first, ends, begin, stop, plan.places, tiles)
    )
    _score_tiles[(len(tiles),)](
        tiles_, first, ends_, begin, stop, places,
        table.sums, table.holes, table.peaks, table.ends, curves, scores, place, bar,
        len(plan.first), len(ends), tracks.shape[1], stride, TRACKS=tracks.shape[0], K=k,
        HOLES=not bool(torch.isfinite(tracks).all()), STARTS=STARTS, ENDS=ENDS, num_warps=8,
    )  # fmt: skip
    return scores, place, tiles, ends


def _lattice(plan):
    """Ends that many starts share, and for each start every which of them it takes."""
    if not plan.relative:
        return plan.offsets, plan.begin, plan.stop, 1
    step = int(plan.offsets[1] - plan.offsets[0]) if len(plan.offsets) > 1 else 1
    unit = int(np.gcd.reduce([step, *np.unique(np.diff(plan.first))]))
    low, high = plan.first[0] + plan.offsets[0], plan.first[-1] + plan.offsets[-1]
    begin = (plan.first + plan.offsets[0] - low) // unit
    stride = step // unit
    stop = begin + (plan.stop - plan.begin - 1) * stride + 1
    return np.arange(low, high + 1, unit), begin, np.maximum(begin, stop), stride


def _tiles(begin, stop):
    """First start and first end of each tile that holds a window, [tiles, 2]."""
    heads = np.arange(0, len(begin), STARTS)
    low, high = np.minimum.reduceat(begin, heads), np.maximum.reduceat(stop, heads)
    number = -(-(high - low) // ENDS)
    which = np.repeat(np.arange(len(heads)), number)
    place = np.arange(len(which)) - np.repeat(np.cumsum(number) - number, number)
    return np.stack([heads[which], low[which] + place * ENDS], axis=1)


def _table(tracks, edge):
    known = torch.isfinite(tracks)
    values = torch.where(known, tracks.double(), 0.0)
    size = values.abs().amax(1, keepdim=True)
    size = torch.where(size > 0, size, 1.0)
    values = values / size
    middle = values.sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp(min=1)
    values = torch.where(known, values - middle, 0.0)
    reach = values.abs().amax(1, keepdim=True)
    reach = torch.where(reach > 0, reach, 1.0)
    values = values / reach
    time = torch.arange(tracks.shape[1], dtype=torch.float64, device=tracks.device)
    both = pad(known[:, 1:] & known[:, :-1], (1, 0))
    steps = torch.where(both, pad(values.diff(dim=1), (1, 0)), 0.0)
    terms = torch.stack([values, values**2, steps**2, time * values], dim=1)
    counts = torch.stack([known, both, known * time, known * time**2], dim=1).double()
    sums, holes = (pad(x.cumsum(-1), (1, 0)) for x in (terms, counts))
    frames = torch.arange(tracks.shape[1] + 1, device=tracks.device)
    c, d = (frames - edge).clamp(min=0), (frames + edge).clamp(max=tracks.shape[1])
    n = holes[:, 0, d] - holes[:, 0, c]
    ends = torch.where(n > 0, (sums[:, 0, d] - sums[:, 0, c]) / n.clamp(min=1), UNKNOWN)
    peaks = _sparse(torch.where(known, values, UNKNOWN).float())
    return _Table((middle * size)[:, 0], (reach * size)[:, 0], sums, holes, peaks, ends.float())


def _sparse(values):
    levels, width = [values], 1
    while 2 * width <= values.shape[1]:
        longer = levels[-1].clone()
        longer[:, :-width] = torch.maximum(levels[-1][:, :-width], levels[-1][:, width:])
        levels.append(longer)
        width *= 2
    return torch.stack(levels)


def _curves(table, terms):
    """What places and weights scaled parts, [tracks, parts, 5]: see cpu.py."""
    device = table.scale.device
    weight, low, high = (torch.tensor(np.asarray(x), device=device) for x in terms[:3])
    shape = torch.tensor(np.asarray(terms.shape), device=device)
    scale, none, one = table.scale, torch.zeros_like(table.scale), torch.ones_like(table.scale)
    gain = torch.stack([*[scale] * 6, one])
    offset = torch.stack([table.centre, table.centre, none, none, none, -table.centre, none])
    width = high - low
    rows = [gain / width, (offset - low) / width, shape == 0, shape != 1, weight]
    return torch.stack([x.double() for x in rows], dim=-1).transpose(0, 1).float().contiguous()


@triton.jit
def _worth(raw, curve):
    """Weight x place on the curve of a scaled part."""
    x = raw.to(tl.float32) * tl.load(curve) + tl.load(curve + 1)
    x += tl.load(curve + 2) * (1.0 - tl.abs(2.0 * x - 1.0) - x)
    x = tl.minimum(tl.maximum(x, 0.0), 1.0)
    x += tl.load(curve + 3) * (x * x * (3.0 - 2.0 * x) - x)
    return tl.load(curve + 4) * x


@triton.jit
def _between(row, a, b):
    """Differences [starts, ends] of a row of sums."""
    return tl.load(row + b)[None, :] - tl.load(row + a)[:, None]


@triton.jit
def _inverses(around, pairs, spread, n):
    return (
        1.0 / tl.maximum(around, 1.0), 1.0 / tl.maximum(pairs, 1.0),
        tl.where(n > 1.0, 1.0 / tl.maximum(spread, 0.1), 0.0),
    )  # fmt: skip


@triton.jit
def _score_tiles(
    tiles, firsts, all_ends, begins, stops, places, sums, holes, peaks, edges, curves, scores,
    place, bar, starts, ends, frames, stride,
    TRACKS: tl.constexpr, K: tl.constexpr, HOLES: tl.constexpr,
    STARTS: tl.constexpr, ENDS: tl.constexpr,
):  # fmt: skip
    tile = tl.program_id(0)
    i = tl.load(tiles + 2 * tile) + tl.arange(0, STARTS)
    j = tl.load(tiles + 2 * tile + 1) + tl.arange(0, ENDS)
    a = tl.load(firsts + i, mask=i < starts, other=0)  # [starts]
    b = tl.load(all_ends + j, mask=j < ends, other=1)  # [ends]
    begin = tl.load(begins + i, mask=i < starts, other=0)[:, None]
    stop = tl.load(stops + i, mask=i < starts, other=0)[:, None]
    step = j[None, :] - begin
    valid = (step >= 0) & (j[None, :] < stop) & (step % stride == 0)
    length = tl.where(valid, b[None, :] - a[:, None], 1)  # [starts, ends]
    half = tl.maximum(1, length // 2)
    c = tl.maximum(0, tl.minimum(a[:, None] - half, frames))
    d = tl.minimum(frames, b[None, :] + half)
    # A logarithm may be off by one at either side of a power of two.
    level = tl.floor(tl.log2(length.to(tl.float32))).to(tl.int32)
    level = tl.where(length >> level == 0, level - 1, level)
    level = tl.where(length >> level > 1, level + 1, level)
    last = tl.where(valid, b[None, :] - (tl.full([STARTS, ENDS], 1, tl.int32) << level), 0)
    after = tl.minimum(a + 1, frames)
    # What a window complete on all tracks shares; a track with holes has its own.
    n = length.to(tl.float64)
    around = (d - c).to(tl.float64) - n
    each, middle = 1.0 / n, 0.5 * (a[:, None] + b[None, :] - 1).to(tl.float64)
    spread = n * (n * n - 1.0) / 12.0
    each_around, each_pair, each_spread = _inverses(around, n - 1.0, spread, n)
    score = tl.zeros([STARTS, ENDS], dtype=tl.float32)
    for t in range(TRACKS):
        row, hole = sums + t * 4 * (frames + 1), holes + t * 4 * (frames + 1)
        curve = curves + t * 35
        if HOLES:
            n = tl.where(valid, _between(hole, a, b), 0.0)
            around = tl.load(hole + d) - tl.load(hole + c) - n
            pairs = _between(hole + frames + 1, after, b)
            times = _between(hole + 2 * (frames + 1), a, b)
            each = 1.0 / tl.maximum(n, 1.0)
            middle = times * each
            spread = _between(hole + 3 * (frames + 1), a, b) - times * middle
            each_around, each_pair, each_spread = _inverses(around, pairs, spread, n)
        total = _between(row, a, b)
        mean = total * each
        variance = (_between(row + frames + 1, a, b) * each - mean * mean).to(tl.float32)
        deviation = tl.sqrt(tl.maximum(variance, 0.0))
        flat = deviation <= FLAT
        steps = _between(row + 2 * (frames + 1), after, b) * each_pair
        alike = 1.0 - 0.5 * steps.to(tl.float32) / tl.maximum(variance, FLAT * FLAT)
        slope = (_between(row + 3 * (frames + 1), a, b) - middle * total) * each_spread
        outside = (tl.load(row + d) - tl.load(row + c) - total) * each_around
        table = peaks + (level.to(tl.int64) * TRACKS + t) * frames
        peak = tl.maximum(
            tl.load(table + tl.minimum(a, frames - 1)[:, None]), tl.load(table + last)
        )
        end = edges + t * (frames + 1)
        calm = -tl.maximum(tl.load(end + a)[:, None], tl.load(end + b)[None, :])
        inside = (
            _worth(mean, curve) + _worth(peak, curve + 5)
            + _worth(tl.where(flat, 0.0, deviation), curve + 10) + _worth(slope, curve + 15)
            + _worth(tl.where(flat, 1.0, alike), curve + 30)
            + tl.where(around > 0.0, _worth(mean - outside, curve + 20), 0.0)
        )  # fmt: skip
        score += tl.where(n > 0.0, inside, 0.0)
        score += tl.where(calm < 1.5, _worth(calm, curve + 25), 0.0)
    if K == 0:
        tl.store(scores + tl.load(places + i, mask=i < starts, other=0)[:, None] + step // stride,
                 score, mask=valid)  # fmt: skip
    else:
        _keep(tl.where(valid, score, float("-inf")), scores, place, tile, bar, K, STARTS, ENDS)


@triton.jit
def _keep(
    score, scores, place, tile, bar, K: tl.constexpr, STARTS: tl.constexpr, ENDS: tl.constexpr
):
    """Write a tile's best windows, but for those that K windows of another tile surpass."""
    at = tl.arange(0, STARTS)[:, None] * ENDS + tl.arange(0, ENDS)[None, :]
    least = tl.load(bar)
    best = tl.max(score)
    rank = 0
    while (rank < K) & (best >= least) & (best > float("-inf")):
        # The first in order of start, then of end, among equals.
        where = tl.min(tl.where(score == best, at, STARTS * ENDS))
        tl.store(scores + tile * K + rank, best)
        tl.store(place + tile * K + rank, where)
        rank += 1
        if rank == K:
            tl.atomic_max(bar, best)
        score = tl.where(at == where, float("-inf"), score)
        best = tl.max(score)
