"""Stretches weighted on a GPU, and the energies of hops that follow from them: see `Hops`.

A warp reads sixteen frames of its stretches side by side in time and takes them apart through
shared memory, as a lane that read its own stretch alone would touch a line of cache each time.
"""

import triton
import triton.language as tl

STEPS = tl.constexpr(16)
"""Frames of a stretch read at once."""


@triton.jit
def finite(x):
    return tl.where(tl.abs(x) < float("inf"), x, 0.0)


@triton.jit
def edge(stretch, rate, PER_S: tl.constexpr):
    """Sample at which a stretch begins."""
    return stretch.to(tl.int64) * rate // PER_S


@triton.jit
def quarters(x):
    """The columns x [lanes, 4 n] whose numbers leave 0, 1, 2 and 3 when divided by four."""
    lanes: tl.constexpr = x.shape[0]
    n: tl.constexpr = x.shape[1] // 4
    even, odd = tl.split(tl.reshape(x, [lanes, n, 2, 2]))
    a, c = tl.split(even)
    b, d = tl.split(odd)
    return a, b, c, d


@triton.jit
def frames(tile):
    """The frames of a tile [16, stretches, channels], each [stretches * channels]."""
    lanes: tl.constexpr = tile.shape[1] * tile.shape[2]
    tile = finite(tl.reshape(tl.permute(tile, [1, 2, 0]), [lanes, tile.shape[0]]))
    a, b, c, d = quarters(tile)
    a0, a1, a2, a3 = quarters(a)
    b0, b1, b2, b3 = quarters(b)
    c0, c1, c2, c3 = quarters(c)
    d0, d1, d2, d3 = quarters(d)
    return (a0, b0, c0, d0, a1, b1, c1, d1, a2, b2, c2, d2, a3, b3, c3, d3)


@triton.jit
def listen(tile, taps, state, ringing, room, MASKED: tl.constexpr):
    """Both filters and the sums over a tile; with MASKED, no further than `room` frames."""
    b0, b1, b2, a1, a2, d1, d2 = taps
    s1, s2, t1, t2, own, first, second = state
    each = frames(tile)
    for n in tl.static_range(STEPS):
        x = tl.reshape(each[n], s1.shape).to(tl.float64)
        y = b0 * x + s1
        s1, s2 = a1 * y + (b1 * x + s2), b2 * x + a2 * y
        z = y + t1
        u1, u2 = d1 * z + (t2 - 2.0 * y), d2 * z + y
        if MASKED:
            inside = n < room
            z, u1, u2 = tl.where(inside, z, 0.0), tl.where(inside, u1, t1), tl.where(inside, u2, t2)
        t1, t2 = u1, u2
        own += z * z
        first += z * tl.load(ringing + 2 * n)
        second += z * tl.load(ringing + 2 * n + 1)
    return s1, s2, t1, t2, own, first, second


@triton.jit
def warmed(tile, taps, s1, s2):
    """The shelf's states after a tile."""
    b0, b1, b2, a1, a2, _, _ = taps
    each = frames(tile)
    for n in tl.static_range(STEPS):
        x = tl.reshape(each[n], s1.shape).to(tl.float64)
        y = b0 * x + s1
        s1, s2 = a1 * y + (b1 * x + s2), b2 * x + a2 * y
    return s1, s2


@triton.jit(do_not_specialize=["samples", "begin", "count", "origin"])
def weigh_kernel(
    line, sums, taps, ringing, samples, begin, count, origin, rate,
    CHANNELS: tl.constexpr, PER_S: tl.constexpr, WARM: tl.constexpr, SHORTEST: tl.constexpr,
    LONGEST: tl.constexpr, ACROSS: tl.constexpr, BESIDE: tl.constexpr,
):  # fmt: skip
    """State left, energy and products with the ringing of BESIDE stretches, as if after silence.

    ACROSS, a power of two, holds the channels; a lane is a stretch of one of them.
    """
    lanes: tl.constexpr = BESIDE * ACROSS
    early: tl.constexpr = (WARM + STEPS - 1) // STEPS * STEPS
    first = tl.program_id(0) * BESIDE
    b = tl.program_id(1).to(tl.int64)
    # [frames, stretches, channels]: this order lets a warp read frames side by side.
    stretch = begin + tl.minimum(first + tl.arange(0, BESIDE), count - 1)[None, :, None]
    step, channel = tl.arange(0, STEPS)[:, None, None], tl.arange(0, ACROSS)[None, None, :]
    start = edge(stretch, rate, PER_S)
    length = (edge(stretch + 1, rate, PER_S) - start).to(tl.int32)
    x_at = line + (b * samples + start - origin) * CHANNELS + step * CHANNELS + channel
    # Channels that only fill the power of two have no room.
    room = tl.where(channel < CHANNELS, length, -early)
    coefficients = (
        tl.load(taps), tl.load(taps + 1), tl.load(taps + 2), tl.load(taps + 3), tl.load(taps + 4),
        tl.load(taps + 5), tl.load(taps + 6),
    )  # fmt: skip
    zero = tl.zeros([lanes], tl.float64)
    s1, s2 = zero, zero
    # Run in by whole tiles: over zeros before the first sample the states stay zero.
    tile = tl.load(x_at - early * CHANNELS, mask=(room > 0) & (step >= early - WARM), other=0.0)
    for t in range(-early + STEPS, STEPS, STEPS):
        ahead = tl.load(x_at + t * CHANNELS, mask=step < room - t, other=0.0)
        s1, s2 = warmed(tile, coefficients, s1, s2)
        tile = ahead
    state = (s1, s2, zero, zero, zero, zero, zero)
    lane = tl.arange(0, lanes)
    last = tl.minimum(first + lane // ACROSS, count - 1) + begin
    size = (edge(last + 1, rate, PER_S) - edge(last, rate, PER_S)).to(tl.int32)
    whole: tl.constexpr = SHORTEST // STEPS * STEPS
    for t in range(0, whole, STEPS):
        ahead = tl.load(x_at + (t + STEPS) * CHANNELS, mask=step < room - t - STEPS, other=0.0)
        state = listen(tile, coefficients, state, ringing + 2 * t, size, False)
        tile = ahead
    if whole < LONGEST:
        state = listen(tile, coefficients, state, ringing + 2 * whole, size - whole, True)
    s1, s2, t1, t2, own, heard, second = state
    real = (first + lane // ACROSS < count) & (lane % ACROSS < CHANNELS)
    out = sums + ((b * count + first + lane // ACROSS) * CHANNELS + lane % ACROSS) * 5
    tl.store(out, t1, mask=real)
    tl.store(out + 1, t2, mask=real)
    tl.store(out + 2, own, mask=real)
    tl.store(out + 3, heard, mask=real)
    tl.store(out + 4, second, mask=real)


@triton.jit(do_not_specialize=["begin", "count"])
def energy_kernel(
    sums, left, heard, taps, ringing, gram, weights, begin, count, rate,
    CHANNELS: tl.constexpr, PER_S: tl.constexpr, REACH: tl.constexpr, PARTS: tl.constexpr,
    HOPS: tl.constexpr,
):  # fmt: skip
    """Mean squares of HOPS hops, channels weighted: `Hops.energies`."""
    hop = tl.program_id(0) * HOPS + tl.arange(0, HOPS)
    stretch = hop[:, None] * PARTS + tl.arange(0, PARTS)[None, :]  # [hops, parts]
    b = tl.program_id(1).to(tl.int64)
    real = stretch < count
    # A second later all lies as it does now, and nothing is below zero.
    place = begin + PER_S + stretch
    start = edge(place, rate, PER_S)
    length = edge(place + 1, rate, PER_S) - start
    turn = tl.load(taps + 5)
    g = gram + length * 3
    gg, gh, hh = tl.load(g), tl.load(g + 1), tl.load(g + 2)
    total = tl.zeros([HOPS, PARTS], tl.float64)
    for c in range(CHANNELS):
        s, t = tl.zeros([HOPS, PARTS], tl.float64), tl.zeros([HOPS, PARTS], tl.float64)
        for back in tl.static_range(REACH):
            ago = ringing + (start - edge(place - back, rate, PER_S)) * 2
            one, two = tl.load(ago), tl.load(ago + 1)
            one_later, two_later = tl.load(ago + 2), tl.load(ago + 3)
            was = stretch - 1 - back
            old = left + ((b * REACH + REACH + was) * CHANNELS + c) * 2
            new = sums + ((b * count + was) * CHANNELS + c) * 5
            here = real & (was >= 0)
            u = tl.load(old, mask=was < 0, other=0.0) + tl.load(new, mask=here, other=0.0)
            v = tl.load(old + 1, mask=was < 0, other=0.0) + tl.load(new + 1, mask=here, other=0.0)
            s += u * one + v * two
            t += u * (one_later - turn * one) + v * (two_later - turn * two)
        own = sums + ((b * count + stretch) * CHANNELS + c) * 5 + 2
        energy = tl.load(own, mask=real, other=0.0) + gg * s * s + 2.0 * gh * s * t + hh * t * t
        energy += 2.0 * s * tl.load(own + 1, mask=real, other=0.0)
        energy += 2.0 * t * tl.load(own + 2, mask=real, other=0.0)
        total += tl.load(weights + c) * tl.maximum(energy, 0.0)
    mean = tl.sum(total, axis=1) / tl.sum(length, axis=1)
    tl.store(heard + b * (count // PARTS) + hop, mean, mask=hop * PARTS < count)
