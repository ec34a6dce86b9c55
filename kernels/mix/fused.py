"""The same on a GPU: distances by scans, sliding minima by doubling, boxes by running sums."""

import torch
import triton
import triton.language as tl

from kernels.mix.reference import BEFORE, UNIT

AT_ONCE = 2**22
"""Samples of a whole signal taken at a time: enough to fill the device, and few launches."""
WIDTH = 256
FAR = 2**40


def as_line(block, dtype=torch.float32):
    """Samples as the kernels take them, copied where they have to be."""
    return block.to(torch.bool if dtype is bool else dtype).contiguous()


def follow(line, block):
    """A line with a block after it, copied, 0 where the block is not finite."""
    block = torch.nan_to_num(block.to(torch.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return torch.cat([line, block])


def join(parts):
    """Lines after one another, copied."""
    return torch.cat(list(parts))


def silence(like, samples):
    """A line of zeros beside another."""
    shape = (samples, *like.shape[1:])
    return torch.zeros(shape, dtype=torch.float32, device=like.device)


def ducked(voice, bed, active, since, rise, fall, count):
    """The first `count` samples of voice + ducked bed, and the samples since the last active one.

    `voice` and `bed` float32 [n, channels], `active` bool [n]; `since` counts at sample 0.
    """
    out = torch.empty(count, bed.shape[1], dtype=torch.float32, device=bed.device)
    if not count:
        return out, since
    programs = triton.cdiv(len(active), WIDTH)
    edges = torch.empty(2, programs, dtype=torch.int64, device=bed.device)
    edge_kernel[(programs,)](active, edges, len(active), FAR=FAR, WIDTH=WIDTH)
    before = torch.tensor([-1 - since], device=bed.device)
    after = torch.tensor([FAR], device=bed.device)
    last = torch.cat([before, edges[0]]).cummax(0).values
    first = torch.cat([edges[1], after]).flip(0).cummin(0).values.flip(0)
    tables = (torch.from_numpy(table).to(bed.device) for table in (rise, fall))
    duck_kernel[(triton.cdiv(count, WIDTH),)](
        voice, bed, active, last, first, *tables, out, len(active), count, len(rise) - 1,
        len(fall) - 1, CHANNELS=bed.shape[1], FAR=FAR, WIDTH=WIDTH,
    )  # fmt: skip
    heard = torch.nonzero(active[:count])
    new = count - 1 - int(heard[-1]) if len(heard) else since + count
    return out, min(new, len(fall) - 1)


def limited(line, first, last, reach, ceiling, phases):
    """Samples first, .. last - 1 of a line [n, channels] under the ceiling.

    `line` goes on for `2 reach + MARGIN` or more on either side; `phases` is [taps, phases].
    """
    start, count = first - 2 * reach, last - first + 4 * reach
    peak = torch.empty(count + 1, dtype=torch.float32, device=line.device)
    weights = torch.from_numpy(phases).to(line.device)
    peak_kernel[(triton.cdiv(count + 1, WIDTH),)](
        line, weights, peak, start - 1, count + 1, CHANNELS=line.shape[1],
        TAPS=phases.shape[0], PHASES=phases.shape[1], BEFORE=BEFORE, WIDTH=WIDTH,
    )  # fmt: skip
    # The place behind a sample belongs to the next one as well.
    beside = torch.maximum(peak[:-1], peak[1:]).double().clamp_min(1e-30)
    needed = torch.floor(torch.clamp_max(ceiling / beside, 1.0) * UNIT).long()
    gain = _boxed(_boxed(_lowest(needed, 2 * reach + 1), reach + 1), reach + 1)
    shares = (gain.double() * (1 / (UNIT * (reach + 1) ** 2))).float()
    return line[first:last] * shares[:, None]


def _lowest(values, width):
    """Minima [n - width + 1] of `width` values each, by windows that double."""
    span = 1
    while 2 * span <= width:
        values = torch.minimum(values[:-span], values[span:])
        span *= 2
    rest = width - span
    return torch.minimum(values[: len(values) - rest], values[rest:])


def _boxed(values, width):
    """Sums [n - width + 1] of `width` values each, exact in integers."""
    sums = torch.cat([values.new_zeros(1), values.cumsum(0)])
    return sums[width:] - sums[:-width]


@triton.jit
def larger(a, b):
    return tl.maximum(a, b)


@triton.jit
def smaller(a, b):
    return tl.minimum(a, b)


@triton.jit
def edge_kernel(active, edges, length, FAR: tl.constexpr, WIDTH: tl.constexpr):
    """Last and first active place of each WIDTH samples, far away where there is none."""
    program = tl.program_id(0)
    at = program * WIDTH + tl.arange(0, WIDTH)  # [width]
    on = tl.load(active + at, mask=at < length, other=0) != 0
    place = at.to(tl.int64)
    tl.store(edges + program, tl.max(tl.where(on, place, -FAR), axis=0))
    tl.store(edges + tl.num_programs(0) + program, tl.min(tl.where(on, place, FAR), axis=0))


@triton.jit
def duck_kernel(
    voice, bed, active, last, first, rise, fall, out, length, count, near, far,
    CHANNELS: tl.constexpr, FAR: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Voice + bed * gain of WIDTH samples; `last` and `first` are the activity outside of them."""
    program = tl.program_id(0)
    at = program * WIDTH + tl.arange(0, WIDTH)  # [width]
    on = tl.load(active + at, mask=at < length, other=0) != 0
    place = at.to(tl.int64)
    since = tl.associative_scan(tl.where(on, place, -FAR), 0, larger)
    since = place - tl.maximum(since, tl.load(last + program))
    ahead = tl.associative_scan(tl.where(on, place, FAR), 0, smaller, reverse=True)
    ahead = tl.minimum(ahead, tl.load(first + program + 1)) - place
    real = at < count
    up = tl.load(rise + tl.minimum(ahead, near), mask=real, other=1.0)
    down = tl.load(fall + tl.minimum(since, far), mask=real, other=1.0)
    gain = tl.minimum(up, down)
    for c in tl.static_range(CHANNELS):
        x = tl.load(bed + place * CHANNELS + c, mask=real, other=0.0)
        y = tl.load(voice + place * CHANNELS + c, mask=real, other=0.0)
        tl.store(out + place * CHANNELS + c, y + x * gain, mask=real)


@triton.jit
def peak_kernel(
    line, phases, peak, start, count, CHANNELS: tl.constexpr, TAPS: tl.constexpr,
    PHASES: tl.constexpr, BEFORE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Largest magnitude of any channel at each of WIDTH samples and between it and the next."""
    at = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)  # [width]
    real = at < count
    place = (start + at).to(tl.int64)
    largest = tl.zeros([WIDTH], tl.float32)
    for c in tl.static_range(CHANNELS):
        x_at = line + place * CHANNELS + c
        largest = tl.maximum(largest, tl.abs(tl.load(x_at, mask=real, other=0.0)))
        for p in tl.static_range(PHASES):
            total = tl.zeros([WIDTH], tl.float32)
            for t in range(TAPS):
                x = tl.load(x_at + (t - BEFORE) * CHANNELS, mask=real, other=0.0)
                total += x * tl.load(phases + t * PHASES + p)
            largest = tl.maximum(largest, tl.abs(total))
    tl.store(peak + at, largest, mask=real)
