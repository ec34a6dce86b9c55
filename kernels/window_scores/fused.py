"""Triton: tiles of starts x ends stay in registers while the tracks pass by.

Of each track a tile reads a row of sums for its starts and one for its ends, looks peaks up in a
sparse table, places the parts in float32, and keeps nothing but its scores. The best of a tile are
listed unless as many of another tile surpass them; the list is short, and sorted on the host.
"""

import numpy as np
import torch
import triton
import triton.language as tl

from kernels.window_scores.reference import FLAT as FLATTEST
from kernels.window_scores.table import PARTS, table_of, worth

STARTS, ENDS = 4, 32
"""Of a tile; of half as many starts where tracks have holes, or its registers do not do."""
MOST_A_TILE = 64
FLAT = tl.constexpr(FLATTEST)


def measure(tracks, first, last, edge):
    """Raw parts of given windows, [windows, parts, tracks] float64; peaks are float32."""
    if not len(first):
        return np.empty((0, PARTS, len(tracks)))
    table = table_of(tracks, edge, int((last - first).max()), None)
    return _measured(table, first, last)


def top(tracks, plan, terms, k, edge):
    """Starts, ends and raw parts of the k best windows."""
    if k > MOST_A_TILE:
        table, scores = _scored(tracks, plan, terms, edge)
        kept = np.argsort(-scores.cpu().numpy(), kind="stable")[:k]
        first, last = (x[kept] for x in plan.windows())
        return first, last, _measured(table, first, last)
    table, (scores, places, count) = _search(tracks, plan, terms, edge, k)
    listed = int(count)
    scores, (first, last) = scores[:listed].cpu().numpy(), places[:, :listed].cpu().numpy()
    # Thousands are listed before the first are surpassed, and sorting them all takes longest.
    good = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
    kept = good[np.lexsort((last[good], first[good], -scores[good]))[:k]]
    first, last = first[kept].astype(np.int64), last[kept].astype(np.int64)
    return first, last, _measured(table, first, last)


def every(tracks, plan, terms, edge):
    """Scores of all windows, float32, by start, then by end."""
    return _scored(tracks, plan, terms, edge)[1].cpu().numpy()


def _scored(tracks, plan, terms, edge):
    table, (scores, _, _) = _search(tracks, plan, terms, edge, 0)
    return table, scores


def _search(tracks, plan, terms, edge, k):
    """The table, and either all scores or the scores and places [2, windows] of the best."""
    on, frames = tracks.device, tracks.shape[1]
    starts = len(plan.first)
    longest = int(plan.offsets[-1]) if plan.relative else int(plan.offsets[-1] - plan.first[0])
    table = table_of(tracks, edge, min(longest, frames), terms)
    rows = STARTS if table.holes is None else STARTS // 2
    regular, arrays, width = _lattice(plan, rows)
    across = triton.cdiv(width, ENDS)
    tiles = across * triton.cdiv(starts, rows)
    room = tiles * k if k else plan.size
    scores = torch.empty(room, dtype=torch.float32, device=on)
    places = torch.empty((2, room if k else 0), dtype=torch.int32, device=on)
    count = torch.zeros((), dtype=torch.int32, device=on)
    bar = torch.full((), -torch.inf, dtype=torch.float32, device=on)
    if not k:
        arrays = [*arrays, plan.places]
    packed = np.concatenate([np.zeros(1, np.int64), *arrays]).astype(np.int32)
    _score_tiles[(tiles,)](
        torch.from_numpy(packed).to(on), table.sums,
        table.sums if table.holes is None else table.holes, table.peaks, table.calm, table.curves,
        scores, places, count, bar, *regular, starts, len(plan.offsets), frames, room,
        across, RELATIVE=bool(plan.relative), TRACKS=len(tracks), K=k,
        HOLES=table.holes is not None, STARTS=rows, ENDS=ENDS, num_warps=1,
    )  # fmt: skip
    return table, (scores, places, count)


def _lattice(plan, rows):
    """Ends that many starts share, as numbers or as arrays, and how many a tile's starts reach.

    In a grid, lattice end j is at low + j unit; start i begins at j = i every and takes each
    `stride`-th of them.
    """
    if plan.relative:
        step = int(plan.offsets[1] - plan.offsets[0]) if len(plan.offsets) > 1 else 1
        apart = int(plan.first[1] - plan.first[0]) if len(plan.first) > 1 else step
        unit = int(np.gcd(step, apart))
        width = (rows - 1) * (apart // unit) + (len(plan.offsets) - 1) * (step // unit) + 1
        low = int(plan.offsets[0])
        return (apart, low, unit, apart // unit, step // unit), [], width
    heads = np.arange(0, len(plan.first), rows)
    low, high = np.minimum.reduceat(plan.begin, heads), np.maximum.reduceat(plan.stop, heads)
    return (
        (0, 0, 1, 0, 1),
        [plan.first, plan.begin, plan.stop, plan.offsets],
        int((high - low).max()),
    )


def _measured(table, first, last):
    windows = torch.from_numpy(np.stack([first, last])).to(table.sums.device)
    count, frames = table.peaks.shape[1:]
    raw = torch.empty((len(first), PARTS, count), dtype=torch.float64, device=table.sums.device)
    _measure[(len(first),)](
        windows, table.units, table.sums, table.sums if table.holes is None else table.holes,
        table.peaks, table.calm, raw, frames,
        TRACKS=count, BLOCK=triton.next_power_of_2(count), HOLES=table.holes is not None,
        num_warps=1,
    )  # fmt: skip
    return raw.cpu().numpy()


@triton.jit
def _between(row, a, b):
    """Differences [starts, ends] of a row of sums, from a [starts, 1] to b [1, ends]."""
    return tl.load(row + b) - tl.load(row + a)


@triton.jit
def _level(length):
    """The largest power of two, by its exponent, that a length of 1 or more holds."""
    level = tl.floor(tl.log2(length.to(tl.float32))).to(tl.int32)
    # A logarithm may be off by one at either side of a power of two.
    level = tl.where(length >> level == 0, level - 1, level)
    return tl.where(length >> level > 1, level + 1, level)


@triton.jit
def _score_tiles(
    arrays, sums, holes, peaks, calm, curves, scores, places, listed, bar,
    apart, low, unit, every, stride, starts, count, frames, room, across,
    RELATIVE: tl.constexpr, TRACKS: tl.constexpr, K: tl.constexpr, HOLES: tl.constexpr,
    STARTS: tl.constexpr, ENDS: tl.constexpr,
):  # fmt: skip
    # One axis for both, as the others of a grid are short.
    head, tile = tl.program_id(0) // across, tl.program_id(0) % across
    i = head * STARTS + tl.arange(0, STARTS)
    there = i < starts
    if RELATIVE:
        a = tl.where(there, i * apart, 0)  # [starts]
        begin = i * every
        number = tl.minimum(count, (frames - a - low) // (stride * unit) + 1)
        stop = tl.where(there, begin + (number - 1) * stride + 1, 0)
        j = tl.min(begin) + tile * ENDS + tl.arange(0, ENDS)
        b = tl.minimum(low + j * unit, frames)  # [ends]
    else:
        a = tl.load(arrays + 1 + i, mask=there, other=0)
        begin = tl.load(arrays + 1 + starts + i, mask=there, other=count)
        stop = tl.load(arrays + 1 + 2 * starts + i, mask=there, other=0)
        j = tl.min(begin) + tile * ENDS + tl.arange(0, ENDS)
        b = tl.load(arrays + 1 + 3 * starts + j, mask=j < count, other=1)
    a, b, j, begin, stop = a[:, None], b[None, :], j[None, :], begin[:, None], stop[:, None]
    step = j - begin
    valid = (step >= 0) & (j < stop) & (step % stride == 0)
    if tl.max(valid.to(tl.int32)) > 0:
        length = tl.where(valid, b - a, 1)  # [starts, ends]
        half = tl.maximum(1, length // 2)
        c, d = tl.maximum(0, tl.minimum(a - half, frames)), tl.minimum(frames, b + half)
        high = _level(length)
        late = tl.where(valid, b - (tl.full([STARTS, ENDS], 1, tl.int32) << high), 0)
        high *= TRACKS * frames
        early, late = high + tl.minimum(a, frames - 1), high + late
        after = tl.minimum(a + 1, frames)
        # What a window complete on all tracks shares; a track with holes has its own.
        whole = length.to(tl.float32)
        around = (d - c - length).to(tl.float32)
        each, each_around = 1.0 / whole, 1.0 / tl.maximum(around, 1.0)
        half_pair = 0.5 / tl.maximum(whole - 1.0, 1.0)
        each_spread = tl.where(length > 1, 12.0 / (whole * (whole * whole - 1.0) + 1e-9), 0.0)
        if not HOLES:
            each_around = tl.where(around > 0.0, each_around, 0.0)
        # By rows and by columns, as a tile of them would not fit into registers.
        at_a, at_b = a.to(tl.float64), b.to(tl.float64)
        half_a, half_b = 0.5 * at_a, 0.5 * (at_b - 1.0)
        score = tl.zeros([STARTS, ENDS], dtype=tl.float32)
        for t in range(TRACKS):
            row, hole = sums + t * 4 * (frames + 1), holes + t * 4 * (frames + 1)
            curve = curves + t * 49
            if HOLES:
                n = tl.where(valid, _between(hole, a, b), 0.0)
                outer = tl.load(hole + d) - tl.load(hole + c) - n
                times = _between(hole + 2 * (frames + 1), a, b)
                middle = times / tl.maximum(n, 1.0)
                spread = _between(hole + 3 * (frames + 1), a, b) - times * middle
                whole, around = n.to(tl.float32), outer.to(tl.float32)
                each = 1.0 / tl.maximum(whole, 1.0)
                each_around = tl.where(around > 0.0, 1.0 / tl.maximum(around, 1.0), 0.0)
                pairs = _between(hole + frames + 1, after, b).to(tl.float32)
                half_pair = 0.5 / tl.maximum(pairs, 1.0)
                each_spread = tl.where(
                    whole > 1.0, 1.0 / tl.maximum(spread.to(tl.float32), 0.1), 0.0
                )
            total = _between(row, a, b)
            mean = total.to(tl.float32) * each
            squares = _between(row + frames + 1, a, b)
            if HOLES:
                squares = n * squares - total * total
                slope = _between(row + 3 * (frames + 1), a, b) - middle * total
            else:
                squares = (at_b * squares - total * total) - at_a * squares
                times = row + 3 * (frames + 1)
                slope = (tl.load(times + b) - half_b * total) - (
                    tl.load(times + a) + half_a * total
                )
            variance = squares.to(tl.float32) * each * each
            flat = variance <= FLAT * FLAT
            root = tl.rsqrt(tl.maximum(variance, FLAT * FLAT))
            steps = _between(row + 2 * (frames + 1), after, b).to(tl.float32) * half_pair
            alike = tl.where(flat, 1.0, 1.0 - steps * (root * root))
            outside = tl.load(row + d) - tl.load(row + c) - total
            contrast = mean - outside.to(tl.float32) * each_around
            track = peaks + t * frames
            peak = tl.maximum(tl.load(track + early), tl.load(track + late))
            inside = worth(mean, curve, 0.0)
            inside = worth(peak, curve + 7, inside)
            inside = worth(tl.where(flat, 0.0, variance * root), curve + 14, inside)
            inside = worth(slope.to(tl.float32) * each_spread, curve + 21, inside)
            inside = tl.where(each_around > 0.0, worth(contrast, curve + 28, inside), inside)
            inside = worth(alike, curve + 42, inside)
            score += tl.where(whole > 0.0, inside, 0.0) if HOLES else inside
            edge = calm + t * 2 * (frames + 1)
            loud = tl.load(edge + a) >= tl.load(edge + b)
            edge += frames + 1
            score += tl.where(loud, tl.load(edge + a), tl.load(edge + b))
        if K == 0:
            place = tl.load(arrays + room_of(starts, count, RELATIVE) + i, mask=there, other=0)
            tl.store(scores + place[:, None] + step // stride, score, mask=valid)
        else:
            score = tl.where(valid, score, float("-inf"))
            _keep(score, a, b, scores, places, listed, bar, room, K, STARTS, ENDS)


@triton.jit
def room_of(starts, count, RELATIVE: tl.constexpr):
    """Where in the arrays the places of the starts' first windows begin."""
    return 1 if RELATIVE else 1 + 3 * starts + count


@triton.jit
def _keep(
    score, a, b, scores, places, listed, bar, room,
    K: tl.constexpr, STARTS: tl.constexpr, ENDS: tl.constexpr,
):  # fmt: skip
    """List a tile's best windows, but for those that K windows of another tile surpass."""
    row, column = tl.arange(0, STARTS)[:, None], tl.arange(0, ENDS)[None, :]
    at = row * ENDS + column
    least = tl.load(bar)
    best = tl.max(score)
    rank = 0
    while (rank < K) & (best >= least) & (best > float("-inf")):
        # The first in order of start, then of end, among equals.
        where = tl.min(tl.where(score == best, at, STARTS * ENDS))
        slot = tl.atomic_add(listed, 1)
        tl.store(scores + slot, best)
        tl.store(places + slot, tl.sum(tl.where(row == where // ENDS, a, 0)))
        tl.store(places + room + slot, tl.sum(tl.where(column == where % ENDS, b, 0)))
        rank += 1
        if rank == K:
            tl.atomic_max(bar, best)
        score = tl.where(at == where, float("-inf"), score)
        best = tl.max(score)


@triton.jit
def _measure(
    windows, units, sums, holes, peaks, calm, raw, frames,
    TRACKS: tl.constexpr, BLOCK: tl.constexpr, HOLES: tl.constexpr,
):  # fmt: skip
    """One window a program: its parts [parts, tracks] in the tracks' own units, float64."""
    w, many = tl.program_id(0), tl.num_programs(0)
    a, b = tl.load(windows + w).to(tl.int32), tl.load(windows + many + w).to(tl.int32)
    t = tl.arange(0, BLOCK)
    real = t < TRACKS
    row = sums + t.to(tl.int64) * 4 * (frames + 1)
    length = b - a
    half = tl.maximum(1, length // 2)
    c, d = tl.maximum(0, a - half), tl.minimum(frames, b + half)
    zero = tl.zeros([BLOCK], tl.float64)
    n, outer = zero + length.to(tl.float64), zero + (d - c - length).to(tl.float64)
    pairs = n - 1.0
    middle = zero + 0.5 * (a + b - 1).to(tl.float64)
    spread = n * (n * n - 1.0) / 12.0
    if HOLES:
        hole = holes + t.to(tl.int64) * 4 * (frames + 1)
        n = _span(hole, a, b, real)
        outer = _span(hole, c, d, real) - n
        pairs = _span(hole + frames + 1, a + 1, b, real)
        times = _span(hole + 2 * (frames + 1), a, b, real)
        middle = times / tl.maximum(n, 1.0)
        spread = _span(hole + 3 * (frames + 1), a, b, real) - times * middle
    total = _span(row, a, b, real)
    each = 1.0 / tl.maximum(n, 1.0)
    mean = total * each
    variance = tl.maximum(_span(row + frames + 1, a, b, real) * each - mean * mean, 0.0)
    deviation = tl.sqrt(variance)
    flat = deviation <= FLAT
    steps = _span(row + 2 * (frames + 1), a + 1, b, real) / tl.maximum(pairs, 1.0)
    alike = tl.where(flat, 1.0, 1.0 - steps / tl.where(flat, 1.0, variance) / 2.0)
    slope = _span(row + 3 * (frames + 1), a, b, real) - middle * total
    slope = tl.where(n > 1.0, slope / tl.maximum(spread, 0.1), 0.0)
    outside = (_span(row, c, d, real) - total) / tl.maximum(outer, 1.0)
    level = _level(tl.zeros([BLOCK], tl.int32) + length)
    track = peaks + (level.to(tl.int64) * TRACKS + t) * frames
    peak = tl.load(track + a, mask=real, other=0.0)
    last = b - (tl.full([BLOCK], 1, tl.int32) << level)
    peak = tl.maximum(peak, tl.load(track + last, mask=real, other=0.0)).to(tl.float64)
    edge = calm + t * 2 * (frames + 1)
    loud = tl.maximum(
        tl.load(edge + a, mask=real, other=0.0), tl.load(edge + b, mask=real, other=0.0)
    )
    centre, scale = tl.load(units + 2 * t, mask=real), tl.load(units + 2 * t + 1, mask=real)
    nan, known = float("nan"), n > 0.0
    out = raw + w.to(tl.int64) * 7 * TRACKS + t
    tl.store(out, tl.where(known, mean * scale + centre, nan), mask=real)
    tl.store(out + TRACKS, tl.where(known, peak * scale + centre, nan), mask=real)
    spreads = tl.where(flat, 0.0, deviation * scale)
    tl.store(out + 2 * TRACKS, tl.where(known, spreads, nan), mask=real)
    tl.store(out + 3 * TRACKS, tl.where(known, slope * scale, nan), mask=real)
    contrast = tl.where(known & (outer > 0.0), (mean - outside) * scale, nan)
    tl.store(out + 4 * TRACKS, contrast, mask=real)
    quiet = -loud.to(tl.float64) * scale - centre
    tl.store(out + 5 * TRACKS, tl.where(loud > -1.5, quiet, nan), mask=real)
    tl.store(out + 6 * TRACKS, tl.where(known, alike, nan), mask=real)


@triton.jit
def _span(row, a, b, real):
    """What each track's sums grow by from a to b, [tracks]."""
    return tl.load(row + b, mask=real, other=0.0) - tl.load(row + a, mask=real, other=0.0)
