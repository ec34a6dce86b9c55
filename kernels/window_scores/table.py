"""What the windows of a recording are computed from on a GPU: sums, peaks, curves of its tracks.

Tracks are scaled to -1..1 around their means. Sums are float64, since a variance is the small
difference of large ones.
"""

from typing import NamedTuple

import numpy as np
import torch
import triton
import triton.language as tl

BLOCK, WARPS = 2048, 16
PARTS = 7
CURVE = 7
"""Numbers that place and weight a part: see `_place`."""
TINY = tl.constexpr(1e-300)  # what is smaller has no inverse
UNKNOWN = tl.constexpr(-2.0)  # below every scaled value, which lie in -1..1


class Table(NamedTuple):
    units: torch.Tensor  # [tracks, 2] float64: centre, scale
    sums: torch.Tensor  # [tracks, 4, frames + 1] of x, x^2, squared steps, time x
    holes: torch.Tensor | None  # the same of known frames, known steps, times, squared times
    peaks: torch.Tensor  # [levels, tracks, frames]: the peak of the 2^level frames from each on
    calm: torch.Tensor  # [tracks, 2, frames + 1]: mean around each boundary, what it is worth
    curves: torch.Tensor  # [tracks, parts, CURVE]


def table_of(tracks, edge, longest, terms):
    """The table for windows of up to `longest` frames; without `terms` nothing is placed by it."""
    count, frames = tracks.shape
    tracks, on = tracks.contiguous(), tracks.device
    complete = bool(torch.isfinite(tracks).all())
    levels = int(longest).bit_length()
    if levels * tracks.numel() >= 2**31:
        raise ValueError(f"{count} tracks of {frames} frames are too many for one search")
    units = torch.empty((count, 2), dtype=torch.float64, device=on)
    sums = torch.empty((count, 4, frames + 1), dtype=torch.float64, device=on)
    holes = None if complete else torch.empty_like(sums)
    peaks = torch.empty((levels, count, frames), dtype=torch.float32, device=on)
    calm = torch.empty((count, 2, frames + 1), dtype=torch.float32, device=on)
    curves = torch.empty((count, PARTS, CURVE), dtype=torch.float32, device=on)
    bound = (
        np.stack(terms[:4]) if terms else np.ones((4, PARTS, count)) * [[[0]], [[0]], [[1]], [[1]]]
    )
    given = torch.from_numpy(np.ascontiguousarray(bound, np.float64)).to(on)
    _sum[(count,)](
        tracks, given, units, sums, sums if complete else holes, peaks, curves, frames,
        HOLES=not complete, BLOCK=BLOCK, num_warps=WARPS,
    )  # fmt: skip
    _boundaries[(triton.cdiv(frames + 1, BLOCK), count)](
        sums, sums if complete else holes, curves, calm, frames, edge,
        HOLES=not complete, BLOCK=BLOCK, num_warps=WARPS,
    )  # fmt: skip
    for level in range(1, levels):
        half = 1 << (level - 1)
        shorter, longer = peaks[level - 1], peaks[level]
        # No window lies so far back that it would ask for the rest.
        torch.maximum(shorter[:, :-half], shorter[:, half:], out=longer[:, :-half])
    return Table(units, sums, holes, peaks, calm, curves)


@triton.jit
def _known(tracks, at, frames):
    """Frames as float64, and which of them are finite and there."""
    inside = (at >= 0) & (at < frames)
    x = tl.load(tracks + at, mask=inside, other=float("inf")).to(tl.float64)
    known = inside & (tl.abs(x) < float("inf"))
    return tl.where(known, x, 0.0), known


@triton.jit
def _sum(
    tracks, terms, units, sums, holes, peaks, curves, frames,
    HOLES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One track a program: its scale, its running sums, its values and its curves."""
    t, count = tl.program_id(0), tl.num_programs(0)
    track = tracks + t.to(tl.int64) * frames
    lane = tl.arange(0, BLOCK)
    largest, number = tl.zeros([BLOCK], tl.float64), tl.zeros([BLOCK], tl.int32)
    first = t * 0  # a range with an end that is no constant is beyond the interpreter
    while first < frames:
        x, known = _known(track, first + lane, frames)
        largest = tl.maximum(largest, tl.abs(x))
        number += known.to(tl.int32)
        first += BLOCK
    size = tl.max(largest, axis=0)
    # Scaled first, so that no sum overflows.
    size = tl.where(size > TINY, size, 1.0)
    each = 1.0 / size
    total = tl.zeros([BLOCK], tl.float64)
    first = t * 0
    while first < frames:
        x, known = _known(track, first + lane, frames)
        total += x * each
        first += BLOCK
    middle = tl.sum(total, axis=0) / tl.maximum(tl.sum(number, axis=0), 1).to(tl.float64)
    largest = tl.zeros([BLOCK], tl.float64)
    first = t * 0
    while first < frames:
        x, known = _known(track, first + lane, frames)
        largest = tl.maximum(largest, tl.where(known, tl.abs(x * each - middle), 0.0))
        first += BLOCK
    reach = tl.max(largest, axis=0)
    reach = tl.where(reach > TINY, reach, 1.0)
    apart = 1.0 / reach
    tl.store(units + 2 * t, middle * size)
    tl.store(units + 2 * t + 1, reach * size)
    row, hole = sums + t.to(tl.int64) * 4 * (frames + 1), holes + t.to(tl.int64) * 4 * (frames + 1)
    zero = tl.zeros([1], tl.float64)
    for kind in tl.static_range(4):
        tl.store(row + kind * (frames + 1) + tl.arange(0, 1), zero)
        if HOLES:
            tl.store(hole + kind * (frames + 1) + tl.arange(0, 1), zero)
    values, squares, steps, moments = middle * 0, middle * 0, middle * 0, middle * 0
    knowns, pairs, times, time_squares = middle * 0, middle * 0, middle * 0, middle * 0
    first = t * 0
    while first < frames:
        at = first + lane
        x, known = _known(track, at, frames)
        before, both = _known(track, at - 1, frames)
        both = both & known
        x = tl.where(known, (x * each - middle) * apart, 0.0)
        before = tl.where(both, (before * each - middle) * apart, 0.0)
        step = tl.where(both, x - before, 0.0)
        time = at.to(tl.float64)
        inside = at < frames
        shown = tl.where(known, x, UNKNOWN).to(tl.float32)
        tl.store(peaks + t * frames + at, shown, mask=inside)
        here = row + 1 + at
        values = _running(here, x, values, inside)
        squares = _running(here + frames + 1, x * x, squares, inside)
        steps = _running(here + 2 * (frames + 1), step * step, steps, inside)
        moments = _running(here + 3 * (frames + 1), time * x, moments, inside)
        if HOLES:
            one = known.to(tl.float64)
            here = hole + 1 + at
            knowns = _running(here, one, knowns, inside)
            pairs = _running(here + frames + 1, both.to(tl.float64), pairs, inside)
            times = _running(here + 2 * (frames + 1), one * time, times, inside)
            time_squares = _running(
                here + 3 * (frames + 1), one * time * time, time_squares, inside
            )
        first += BLOCK
    _place(terms, curves, t, count, middle * size, reach * size)


@triton.jit
def _running(at, x, before, inside):
    """Write `before` and what was added up to each value; what is added up at the end."""
    tl.store(at, before + tl.cumsum(x, axis=0), mask=inside)
    return before + tl.sum(x, axis=0)


@triton.jit
def _place(terms, curves, t, count, centre, scale):
    """Seven numbers a part that place its scaled measure x and weigh it.

    y is the lower of x g + o and x g' + o', each held in 0..1: a bell's two slopes, or a ramp and
    1. The part is worth y (p + y (q + y r)): the weight times y, or times the smoothstep.
    """
    part = tl.arange(0, 8)
    there = part < 7
    term = terms + part * count + t
    weight = tl.load(term, mask=there, other=0.0)
    low = tl.load(term + 7 * count, mask=there, other=0.0)
    high = tl.load(term + 14 * count, mask=there, other=1.0)
    shape = tl.load(term + 21 * count, mask=there, other=1.0)
    bell, ramp = shape == 0.0, shape == 1.0
    # Mean and peak lie around the track's centre, the boundary around its opposite; coherence has
    # no unit.
    level = tl.where(part < 2, centre, tl.where(part == 5, -centre, 0.0))
    gain = tl.where(part == 6, 1.0, scale) / (high - low)
    offset = (level - low) / (high - low)
    gain, offset = tl.where(bell, 2.0 * gain, gain), tl.where(bell, 2.0 * offset, offset)
    out = curves + (t * 7 + part) * 7
    tl.store(out, gain.to(tl.float32), mask=there)
    tl.store(out + 1, offset.to(tl.float32), mask=there)
    tl.store(out + 2, tl.where(bell, -gain, 0.0).to(tl.float32), mask=there)
    tl.store(out + 3, tl.where(bell, 2.0 - offset, 1.0).to(tl.float32), mask=there)
    tl.store(out + 4, tl.where(ramp, weight, 0.0).to(tl.float32), mask=there)
    tl.store(out + 5, tl.where(ramp, 0.0, 3.0 * weight).to(tl.float32), mask=there)
    tl.store(out + 6, tl.where(ramp, 0.0, -2.0 * weight).to(tl.float32), mask=there)


@triton.jit
def worth(x, curve, before):
    """`before` and what a scaled measure, float32, is worth: see `_place`."""
    up = tl.load(curve) * x + tl.load(curve + 1)
    down = tl.load(curve + 2) * x + tl.load(curve + 3)
    y = tl.minimum(tl.minimum(tl.maximum(up, 0.0), 1.0), tl.minimum(tl.maximum(down, 0.0), 1.0))
    return before + y * (tl.load(curve + 4) + y * (tl.load(curve + 5) + y * tl.load(curve + 6)))


@triton.jit
def _boundaries(sums, holes, curves, calm, frames, edge, HOLES: tl.constexpr, BLOCK: tl.constexpr):
    """The mean around each boundary, UNKNOWN where nothing is known, and what it is worth."""
    at, t = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.program_id(1)
    inside = at <= frames
    c, d = tl.maximum(at - edge, 0), tl.minimum(at + edge, frames)
    row, hole = sums + t.to(tl.int64) * 4 * (frames + 1), holes + t.to(tl.int64) * 4 * (frames + 1)
    number = (d - c).to(tl.float64)
    if HOLES:
        number = tl.load(hole + d, mask=inside, other=0.0)
        number -= tl.load(hole + c, mask=inside, other=0.0)
    total = tl.load(row + d, mask=inside, other=0.0) - tl.load(row + c, mask=inside, other=0.0)
    known = number > 0.0
    mean = tl.where(known, total / tl.maximum(number, 1.0), UNKNOWN).to(tl.float32)
    out = calm + t * 2 * (frames + 1) + at
    tl.store(out, mean, mask=inside)
    value = worth(-mean, curves + (t * 7 + 5) * 7, 0.0)
    tl.store(out + frames + 1, tl.where(known, value, 0.0), mask=inside)
