"""A ceiling over true peaks on a GPU: what each place needs, then gains and samples, tile by tile.

A gain follows from what is needed within twice the reach, so tiles overlap by as much and know
nothing of each other. Minima and sums are of integers: they do not depend on where tiles begin.
"""

import triton
import triton.language as tl

from kernels.mix import reference

PHASES = tl.constexpr(tuple(tuple(map(float, taps)) for taps in reference.peak_filter().T))
"""[taps][phases], written into the code: so no product waits for a load of its weight."""
TAPS = tl.constexpr(reference.TAPS)
BEFORE = tl.constexpr(reference.BEFORE)
UNIT = tl.constexpr(reference.UNIT)
MAGNITUDE = tl.constexpr(0x7FFFFFFF)
ENDLESS = tl.constexpr(0x7F800000)
"""Bits of infinity: magnitudes order like their bits, and what is not a number lies above."""


@triton.jit
def finite(x):
    return tl.where(tl.abs(x) < float("inf"), x, 0.0)


@triton.jit
def smaller(a, b):
    return tl.minimum(a, b)


@triton.jit
def top_of(line, place, last, CHANNELS: tl.constexpr, ACROSS: tl.constexpr):
    """Largest magnitude, as bits, of any channel at places up to `last`."""
    channel = tl.arange(0, ACROSS)[None, :]
    at = line + tl.minimum(place, last).to(tl.int64)[:, None] * CHANNELS + channel
    bits = tl.load(at.to(tl.pointer_type(tl.int32)), mask=channel < CHANNELS, other=0)
    return tl.max(tl.max(bits & MAGNITUDE, axis=1), axis=0)


@triton.jit
def between(x_at, there, CHANNELS: tl.constexpr, MENDED: tl.constexpr):
    """Largest magnitude of any channel at each place and between it and the next."""
    largest = tl.abs(finite(tl.load(x_at, mask=there, other=0.0)))  # [places, channels]
    a, b, c, d = (
        tl.zeros_like(largest), tl.zeros_like(largest), tl.zeros_like(largest),
        tl.zeros_like(largest),
    )  # fmt: skip
    e, f, g = tl.zeros_like(largest), tl.zeros_like(largest), tl.zeros_like(largest)
    for t in tl.static_range(TAPS):
        x = tl.load(x_at + (t - BEFORE) * CHANNELS, mask=there, other=0.0)
        if MENDED:
            x = finite(x)
        a += x * PHASES[t][0]
        b += x * PHASES[t][1]
        c += x * PHASES[t][2]
        d += x * PHASES[t][3]
        e += x * PHASES[t][4]
        f += x * PHASES[t][5]
        g += x * PHASES[t][6]
    largest = tl.maximum(tl.maximum(largest, tl.abs(a)), tl.maximum(tl.abs(b), tl.abs(c)))
    largest = tl.maximum(largest, tl.maximum(tl.abs(d), tl.abs(e)))
    return tl.max(tl.maximum(largest, tl.maximum(tl.abs(f), tl.abs(g))), axis=1)


@triton.jit
def share_of(peak, ceiling):
    """Gain in UNITs that brings a peak down to the ceiling."""
    return tl.where(peak > ceiling, ceiling / tl.maximum(peak, ceiling) * UNIT, UNIT).to(tl.int32)


@triton.jit(do_not_specialize=["start", "count"])
def need_kernel(
    line, needed, start, count, ceiling, loudest, CHANNELS: tl.constexpr, ACROSS: tl.constexpr,
    WIDTH: tl.constexpr,
):  # fmt: skip
    """Gains in UNITs that WIDTH places from `start` on need, each with what follows it.

    A block that cannot pass the ceiling, by what its samples allow, needs none.
    """
    begin = tl.program_id(0) * WIDTH
    at = begin + tl.arange(0, WIDTH)  # [places]
    end = start + count + TAPS - BEFORE - 2
    top = top_of(line, start + at - BEFORE, end, CHANNELS, ACROSS)
    rest = start + begin + WIDTH - BEFORE + tl.arange(0, TAPS)
    top = tl.maximum(top, top_of(line, rest, end, CHANNELS, ACROSS))
    place = (start + tl.minimum(at, count - 1)).to(tl.int64)[:, None]
    channel = tl.arange(0, ACROSS)[None, :]
    x_at, there = line + place * CHANNELS + channel, channel < CHANNELS
    share = tl.full([WIDTH], UNIT, tl.int32)
    if top >= ENDLESS:
        share = share_of(between(x_at, there, CHANNELS, True), ceiling)
    elif top.to(tl.float32, bitcast=True) * loudest > ceiling:
        share = share_of(between(x_at, there, CHANNELS, False), ceiling)
    tl.store(needed + at, share, mask=at < count)


@triton.jit
def in_line(x):
    """Columns [rows, columns] after one another."""
    return tl.reshape(tl.trans(x), [x.shape[0] * x.shape[1]])


@triton.jit
def beyond(x, by):
    """The value [n] `by` places on; past the end the last one, which nobody asks for."""
    return tl.gather(x, tl.minimum(tl.arange(0, x.shape[0]) + by, x.shape[0] - 1), 0)


@triton.jit
def shifted(x, by):
    """The same of a line in columns, [rows, columns]."""
    rows: tl.constexpr = x.shape[0]
    columns: tl.constexpr = x.shape[1]
    at = tl.arange(0, rows)[:, None] + tl.arange(0, columns)[None, :] * rows + by
    found = tl.gather(in_line(x), in_line(tl.minimum(at, rows * columns - 1)), 0)
    return tl.trans(tl.reshape(found, [columns, rows]))


@triton.jit
def lowest(x, WINDOW: tl.constexpr, DOUBLINGS: tl.constexpr, ROWS: tl.constexpr):
    """Minima of WINDOW values from each on: the rest of its column, whole ones, the last's start.

    DOUBLINGS is the logarithm of the columns that every window holds, below a power of two.
    """
    whole: tl.constexpr = (WINDOW - 1) // ROWS
    rest: tl.constexpr = (WINDOW - 1) % ROWS
    start = tl.associative_scan(x, 0, smaller)
    end = tl.associative_scan(x, 0, smaller, reverse=True)
    least = tl.min(x, axis=0)  # [columns]
    low = tl.minimum(end, shifted(start, WINDOW - 1))
    if whole > 1:
        full = least
        for n in tl.static_range(DOUBLINGS):
            full = tl.minimum(full, beyond(full, 1 << n))
        full = tl.minimum(full, beyond(full, whole - 1 - (1 << DOUBLINGS)))
        low = tl.minimum(low, beyond(full, 1)[None, :])
    one_more = tl.minimum(low, beyond(least, whole)[None, :])
    return tl.where(tl.arange(0, ROWS)[:, None] + rest >= ROWS, one_more, low)


@triton.jit
def boxed(x, REACH: tl.constexpr):
    """Sums of REACH + 1 values from each on."""
    columns = tl.sum(x, axis=0)
    sums = tl.cumsum(x, axis=0) + (tl.cumsum(columns, axis=0) - columns)[None, :]
    return shifted(sums, REACH) - (sums - x)


@triton.jit(do_not_specialize=["first", "count"])
def limit_kernel(
    line, needed, out, first, count, SCALE: tl.constexpr, CHANNELS: tl.constexpr,
    BESIDE: tl.constexpr, REACH: tl.constexpr, DOUBLINGS: tl.constexpr, MADE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """MADE samples under the ceiling, BESIDE channels at once.

    What they need lies in columns, one after another: few threads scan along each, and little is
    left to do across. The last columns may hold more than there is; no sample depends on it.
    """
    begin = tl.program_id(0) * MADE
    row, column = tl.arange(0, ROWS)[:, None], tl.arange(0, COLUMNS)[None, :]
    share = tl.load(needed + begin + column * ROWS + row)
    gain = tl.full([ROWS * COLUMNS], 1.0, tl.float32)
    if tl.min(tl.min(share, axis=1), axis=0) < UNIT:
        held = lowest(share, 2 * REACH + 2, DOUBLINGS, ROWS).to(tl.int64)
        summed = boxed(boxed(held, REACH), REACH)
        gain = in_line((summed.to(tl.float64) * SCALE).to(tl.float32))
    lane = tl.arange(0, ROWS * COLUMNS)
    real = (lane < MADE) & (begin + lane < count)
    for c in tl.static_range(0, CHANNELS, BESIDE):
        channel = c + tl.arange(0, BESIDE)[None, :]
        mask = real[:, None] & (channel < CHANNELS)
        at = (begin + lane).to(tl.int64)[:, None] * CHANNELS + channel
        x = tl.load(line + first.to(tl.int64) * CHANNELS + at, mask=mask, other=0.0)
        tl.store(out + at, finite(x) * gain[:, None], mask=mask)
