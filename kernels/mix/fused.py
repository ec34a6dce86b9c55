"""The same on a GPU, in two walks each: where the voice sounds and the bed gives way to it, what
places need and the samples under the ceiling. Nothing is waited for.
"""

from functools import lru_cache

import torch
import triton
import triton.language as tl

from kernels.mix.limiting import finite, limit_kernel, need_kernel, smaller
from kernels.mix.reference import LOUDEST, UNIT, duck_tables

AT_ONCE = 2**25
"""Samples of a whole signal taken at a time: eleven minutes at 48 kHz, few launches."""
WIDTH = 1024
"""Samples of one program that ducks; values, of all channels, of one that looks for peaks."""
TILE = 4096
"""Places, at least, that one program of the limiter sees."""
ROWS = 16
"""Places of a column, in which those that a program sees are laid out."""
FAR = tl.constexpr(2**40)
NEVER = tl.constexpr(2**30)


def as_line(block, dtype=torch.float32):
    """Samples as the kernels take them, copied where they have to be."""
    return block.to(torch.bool if dtype is bool else dtype).contiguous()


def follow(line, block):
    """A line with a block after it, copied unless there is nothing before it.

    What is not finite stays: the kernels count it as 0.
    """
    block = as_line(block)
    return torch.cat([line, block]) if len(line) else block


def join(parts):
    """Lines after one another, copied."""
    return torch.cat(list(parts))


def silence(like, samples):
    """A line of zeros beside another."""
    return like.new_zeros((samples, *like.shape[1:]), dtype=torch.float32)


def ducked(voice, bed, active, since, rate_hz, shape, count):
    """The first `count` samples of voice + ducked bed, and the samples since the last active one.

    `voice` and `bed` float32 [n, channels], `active` bool [n]; `since` counts at sample 0, a number
    or what this gave before.
    """
    channels = bed.shape[1]
    out = torch.empty(count, channels, dtype=torch.float32, device=bed.device)
    if not count:
        return out, since
    rise, fall = _tables(rate_hz, shape, bed.device)
    near, far = len(rise) - 1, len(fall) - 1
    if not torch.is_tensor(since):
        since = torch.full((1,), since, dtype=torch.int32, device=bed.device)
    programs = triton.cdiv(len(active), WIDTH)
    edges = torch.empty(2, programs, dtype=torch.int64, device=bed.device)
    edge_kernel[(programs,)](active, edges, len(active), WIDTH=WIDTH)
    left = torch.empty_like(since)
    duck_kernel[(triton.cdiv(count, WIDTH),)](
        voice, bed, active, edges, since, rise, fall, out, left, len(active), count, programs,
        NEAR=near, FAR=far, BACK=_across(far), AHEAD=_across(near), CHANNELS=channels,
        BESIDE=min(2, channels), WIDTH=WIDTH,
    )  # fmt: skip
    return out, left


def limited(line, first, last, reach, ceiling):
    """Samples first, .. last - 1 of a line [n, channels] under the ceiling.

    `line` goes on for `2 reach + MARGIN` or more on either side.
    """
    channels, count = line.shape[1], last - first
    across = triton.next_power_of_2(channels)
    width = max(32, WIDTH // across)
    seen, window = max(TILE, triton.next_power_of_2(8 * reach + 2)), 2 * reach + 2
    made = (seen - 4 * reach - 1) // ROWS * ROWS
    programs = triton.cdiv(count, made)
    # From the place before the first sample that bears on a gain, and room for whole tiles.
    places = count + 4 * reach + 1
    needed = torch.empty((programs - 1) * made + seen, dtype=torch.int32, device=line.device)
    need_kernel[(triton.cdiv(places, width),)](
        line, needed, first - 2 * reach - 1, places, ceiling, LOUDEST, CHANNELS=channels,
        ACROSS=across, WIDTH=width,
    )  # fmt: skip
    out = torch.empty(count, channels, dtype=torch.float32, device=line.device)
    rows = min(ROWS, 1 << (window - 1).bit_length() - 1)
    limit_kernel[(programs,)](
        line, needed, out, first, count, SCALE=1 / (UNIT * (reach + 1) ** 2), CHANNELS=channels,
        BESIDE=min(2, channels), REACH=reach, MADE=made, ROWS=rows, COLUMNS=seen // rows,
        DOUBLINGS=max(1, (window - 1) // rows - 1).bit_length() - 1, num_warps=8,
    )  # fmt: skip
    return out


@lru_cache(maxsize=16)
def _tables(rate_hz, shape, device):
    return tuple(torch.from_numpy(table).to(device) for table in duck_tables(rate_hz, shape))


def _across(distance):
    """Programs, rounded up to a power of two, that a distance in samples can lead over."""
    return triton.next_power_of_2(triton.cdiv(distance, WIDTH))


@triton.jit
def larger(a, b):
    return tl.maximum(a, b)


@triton.jit(do_not_specialize=["length"])
def edge_kernel(active, edges, length, WIDTH: tl.constexpr):
    """Last and first active place of each WIDTH samples, far away where there is none."""
    program = tl.program_id(0)
    place = program.to(tl.int64) * WIDTH + tl.arange(0, WIDTH)  # [width]
    on = tl.load(active + place, mask=place < length, other=0) != 0
    tl.store(edges + program, tl.max(tl.where(on, place, -FAR), axis=0))
    tl.store(edges + tl.num_programs(0) + program, tl.min(tl.where(on, place, FAR), axis=0))


@triton.jit(do_not_specialize=["length", "count", "programs"])
def duck_kernel(
    voice, bed, active, edges, since, rise, fall, out, left, length, count, programs,
    NEAR: tl.constexpr, FAR: tl.constexpr, BACK: tl.constexpr, AHEAD: tl.constexpr,
    CHANNELS: tl.constexpr, BESIDE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Voice + bed * gain of WIDTH samples, BESIDE channels at once; and the new `since`.

    BACK programs before this one and AHEAD after it hold all the activity that bears on its gains.
    """
    program, lane = tl.program_id(0), tl.arange(0, WIDTH)
    begin = program.to(tl.int64) * WIDTH
    place = begin + lane
    on = tl.load(active + place, mask=place < length, other=0) != 0
    earlier, later = program - 1 - tl.arange(0, BACK), program + 1 + tl.arange(0, AHEAD)
    last = tl.load(edges + earlier, mask=earlier >= 0, other=-NEVER)
    last = tl.maximum(tl.max(last, axis=0), -1 - tl.load(since)) - begin
    first = tl.load(edges + programs + later, mask=later < programs, other=begin + NEVER)
    first = tl.min(first, axis=0) - begin
    behind = tl.associative_scan(tl.where(on, lane, -NEVER), 0, larger)
    behind = lane - tl.maximum(behind, tl.maximum(last, -NEVER).to(tl.int32))
    ahead = tl.associative_scan(tl.where(on, lane, NEVER), 0, smaller, reverse=True)
    ahead = tl.minimum(ahead, tl.minimum(first, NEVER).to(tl.int32)) - lane
    behind, real = tl.minimum(behind, FAR), place < count
    tl.store(left + lane * 0, behind, mask=place == count - 1)
    up = tl.load(rise + tl.minimum(ahead, NEAR), mask=real, other=1.0)
    gain = tl.minimum(up, tl.load(fall + behind, mask=real, other=1.0))
    for c in tl.static_range(0, CHANNELS, BESIDE):
        channel = c + tl.arange(0, BESIDE)[None, :]
        mask = real[:, None] & (channel < CHANNELS)
        at = place[:, None] * CHANNELS + channel
        x = finite(tl.load(bed + at, mask=mask, other=0.0))
        y = finite(tl.load(voice + at, mask=mask, other=0.0))
        tl.store(out + at, y + x * gain[:, None], mask=mask)
