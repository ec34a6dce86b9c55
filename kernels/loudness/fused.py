"""The same walk on a GPU: a lane a stretch of one channel, 25 ms each, so that minutes fill it.

Nothing is waited for before `fetched`: sums, states left and the peak stay on the device.
"""

from functools import lru_cache

import numpy as np
import torch
import triton
import triton.language as tl

from kernels.loudness.hops import hops_of
from kernels.loudness.reference import peak_filter
from kernels.loudness.weighing import energy_kernel, finite, weigh_kernel

PARTS = 4
LANES = 32
"""Stretches, of all channels, that one program weights."""
HOPS = 32
"""Hops whose energies one program sums."""
WIDTH = 1024
"""Outputs, of all channels, of one program that looks for peaks."""
PHASES = tl.constexpr(tuple(tuple(map(float, taps)) for taps in peak_filter().T))
"""[taps][phases], written into the code: so no product waits for a load of its weight."""
TAPS = tl.constexpr(len(PHASES.value))
MAGNITUDE = tl.constexpr(0x7FFFFFFF)
ENDLESS = tl.constexpr(0x7F800000)
"""Bits of infinity: magnitudes order like their bits, and what is not a number lies above."""


def as_line(block):
    """Samples as `analyse` takes them, copied where they have to be."""
    return block.to(torch.float32).contiguous()


def join(parts):
    """Lines [batch, samples, channels] after one another, copied."""
    return torch.cat(parts, dim=1)


def silence(like, samples):
    """A line of zeros beside another."""
    return like.new_zeros((like.shape[0], samples, like.shape[2]), dtype=torch.float32)


def nothing(like, hops):
    """States left [batch, reach, channels, 2] and peak [batch] before the first sample."""
    batch, _, channels = like.shape
    left = like.new_zeros((batch, hops.reach, channels, 2), dtype=torch.float64)
    return left, like.new_zeros(batch, dtype=torch.float32)


def analyse(line, origin, first, last, hops, left, peak):
    """Energies [batch, hops] of hops first, .. last - 1, what they leave, and the peak [batch].

    `line` float32 [batch, samples, channels] begins at sample `origin`, `hops.context` or more
    before the first hop. `left` is what the stretches before have left; `peak`, what is known
    already, is raised in place, None where it is not wanted.
    """
    batch, samples, channels = line.shape
    at, count = first * PARTS, (last - first) * PARTS
    taps, ringing, gram, weights = _tables(hops.rate_hz, channels, line.device)
    per_s = 10 * PARTS
    shortest, rest = divmod(hops.rate_hz, per_s)
    sums = torch.empty(batch, count, channels, 5, dtype=torch.float64, device=line.device)
    across = triton.next_power_of_2(channels)
    beside = max(1, LANES // across)
    weigh_kernel[triton.cdiv(count, beside), batch](
        line, sums, taps, ringing, samples, at, count, origin, hops.rate_hz,
        CHANNELS=channels, PER_S=per_s, WARM=hops.warm, SHORTEST=shortest,
        LONGEST=shortest + (rest > 0), ACROSS=across, BESIDE=beside, num_warps=1,
    )  # fmt: skip
    heard = torch.empty(batch, last - first, dtype=torch.float64, device=line.device)
    energy_kernel[triton.cdiv(last - first, HOPS), batch](
        sums, left, heard, taps, ringing, gram, weights, at, count, hops.rate_hz,
        CHANNELS=channels, PER_S=per_s, REACH=hops.reach, PARTS=PARTS, HOPS=HOPS,
    )  # fmt: skip
    left = torch.cat([left, sums[:, -hops.reach :, :, :2]], dim=1)[:, -hops.reach :].contiguous()
    if peak is not None:
        begin, end = hops.edges(at, at + count)[[0, -1]] - origin
        _raise(peak, line, int(begin), int(end), hops)
    return heard, left, peak


def peak_of(line, hops, peak):
    """Largest of peak [batch] and the line's magnitudes after its first `hops.context` samples."""
    peak = peak.clone()
    _raise(peak, line, hops.context, line.shape[1], hops)
    return peak


def fetched(energies, peak):
    """All energies in one array [batch, hops] and the peak [batch], waited for together."""
    columns = [*energies, peak[:, None].double()]
    found = torch.cat(columns, dim=1).cpu().numpy()
    return found[:, :-1], found[:, -1]


@lru_cache(maxsize=16)
def _tables(rate_hz, channels, device):
    hops = hops_of(rate_hz, channels, PARTS)
    tables = (np.array(hops.taps), hops.ringing, hops.gram, hops.weights)
    return tuple(torch.from_numpy(np.ascontiguousarray(table)).to(device) for table in tables)


def _raise(peak, line, first, last, hops):
    batch, samples, channels = line.shape
    peak_kernel[triton.cdiv((last - first) * channels, WIDTH), batch](
        line, peak.view(torch.int32), samples * channels, first * channels, last * channels,
        hops.loudest, CHANNELS=channels, WIDTH=WIDTH,
    )  # fmt: skip


@triton.jit
def between(x_at, CHANNELS: tl.constexpr, MENDED: tl.constexpr):
    """Largest magnitude at places of the line and between the samples that end there."""
    largest = tl.abs(finite(tl.load(x_at)))
    one, two, three = tl.zeros_like(largest), tl.zeros_like(largest), tl.zeros_like(largest)
    for t in tl.static_range(TAPS):
        x = tl.load(x_at - (TAPS - 1 - t) * CHANNELS)
        if MENDED:
            x = finite(x)
        one += x * PHASES[t][0]
        two += x * PHASES[t][1]
        three += x * PHASES[t][2]
    between = tl.maximum(tl.abs(one), tl.maximum(tl.abs(two), tl.abs(three)))
    return tl.max(tl.maximum(largest, between), axis=0)


@triton.jit(do_not_specialize=["length", "first", "last"])
def peak_kernel(
    line, known, length, first, last, loudest, CHANNELS: tl.constexpr, WIDTH: tl.constexpr
):
    """Raise the known peak (its bits) to the magnitudes that end at WIDTH places of the flat line.

    A block that cannot reach above it, by what its samples allow, is passed over.
    """
    b = tl.program_id(1).to(tl.int64)
    begin = first + tl.program_id(0).to(tl.int64) * WIDTH
    line += b * length
    at = tl.minimum(begin + tl.arange(0, WIDTH), last - 1)  # [width]
    top = tl.max(tl.load((line + at).to(tl.pointer_type(tl.int32))) & MAGNITUDE, axis=0)
    under: tl.constexpr = (TAPS - 1) * CHANNELS
    for back in tl.static_range(0, under, WIDTH):
        reach = tl.arange(0, WIDTH) + back < under
        before = line + begin - 1 - back - tl.arange(0, WIDTH)
        bits = tl.load(before.to(tl.pointer_type(tl.int32)), mask=reach, other=0)
        top = tl.maximum(top, tl.max(bits & MAGNITUDE, axis=0))
    # Past the nearest cache, which does not see what others have found.
    bar = tl.load(known + b, cache_modifier=".cg").to(tl.float32, bitcast=True)
    if top < ENDLESS:
        if top.to(tl.float32, bitcast=True) * loudest > bar:
            found = between(line + at, CHANNELS, False)
            tl.atomic_max(known + b, found.to(tl.int32, bitcast=True), mask=found > bar)
    else:
        found = between(line + at, CHANNELS, True)
        tl.atomic_max(known + b, found.to(tl.int32, bitcast=True), mask=found > bar)
