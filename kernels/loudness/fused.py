"""The same walk on a GPU: a lane a stretch, 25 ms each, so that ten minutes fill the device.

One program filters LANES stretches of one channel; lanes read side by side in time from the
cache their neighbours filled. Peaks are plain interpolation, bounded by memory.
"""

import numpy as np
import torch
import triton
import triton.language as tl

PARTS = 4
LANES = 32
WIDTH = 512
"""Outputs, of all channels, of one program that looks for peaks."""


def as_line(block):
    """Samples as `analyse` takes them, copied where they have to be."""
    return block.to(torch.float32).contiguous()


def join(parts):
    """Lines [batch, samples, channels] after one another, copied."""
    return torch.cat(parts, dim=1)


def silence(like, samples):
    """A line of zeros beside another."""
    shape = (like.shape[0], samples, like.shape[2])
    return torch.zeros(shape, dtype=torch.float32, device=like.device)


def analyse(line, edges, hops, peak):
    """Sums [batch, stretches, channels, 5] of the stretches in a line, and its peak [batch].

    `line` float32 [batch, samples, channels] begins `hops.context` or more before `edges`, the
    places in it where stretches begin and the last ends. `peak` [batch] is what is
    known already, None where it is not wanted.
    """
    batch, samples, channels = line.shape
    count = len(edges) - 1
    sums = torch.zeros(batch, count, channels, 5, dtype=torch.float64, device=line.device)
    places = torch.from_numpy(edges).to(line.device)
    ringing = torch.from_numpy(hops.ringing).to(line.device)
    # A scalar argument would arrive as float32.
    taps = torch.tensor(hops.taps, dtype=torch.float64, device=line.device)
    longest = int(np.diff(edges).max())
    weigh_kernel[triton.cdiv(count, LANES), channels, batch](
        line, places, ringing, taps, sums, samples, channels, count,
        WARM=hops.warm, LONGEST=longest, LANES=LANES,
    )  # fmt: skip
    if peak is not None:
        peak = np.maximum(peak, _peaks(line, int(edges[0]), int(edges[-1]), hops))
    return sums.cpu().numpy(), peak


def peak_of(line, hops, peak):
    """Largest of peak [batch] and the line's magnitudes after its first `hops.context` samples."""
    return np.maximum(peak, _peaks(line, hops.context, line.shape[1], hops))


def _peaks(line, first, last, hops):
    batch, samples, channels = line.shape
    programs = triton.cdiv((last - first) * channels, WIDTH)
    found = torch.empty(batch, programs, dtype=torch.float32, device=line.device)
    phases = torch.from_numpy(hops.phases).to(line.device)
    peak_kernel[programs, batch](
        line, phases, found, samples * channels, first * channels, last * channels, channels,
        TAPS=phases.shape[0], WIDTH=WIDTH,
    )  # fmt: skip
    return found.amax(dim=1).cpu().numpy()


@triton.jit
def finite(x):
    return tl.where(tl.abs(x) < float("inf"), x, 0.0)


@triton.jit
def weigh_kernel(
    line, edges, ringing, taps, sums, samples, channels, count,
    WARM: tl.constexpr, LONGEST: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """State left, energy and products with the ringing of LANES stretches, as if after silence."""
    stretch = tl.program_id(0) * LANES + tl.arange(0, LANES)  # [lanes]
    channel, b = tl.program_id(1), tl.program_id(2).to(tl.int64)
    real = stretch < count
    start = tl.load(edges + stretch, mask=real, other=0)
    end = tl.load(edges + stretch + 1, mask=real, other=0)
    x_at = line + b * samples * channels + channel
    b0, b1, b2 = tl.load(taps), tl.load(taps + 1), tl.load(taps + 2)
    a1, a2, d1, d2 = tl.load(taps + 3), tl.load(taps + 4), tl.load(taps + 5), tl.load(taps + 6)
    zero = tl.zeros([LANES], tl.float64)
    s1, s2, t1, t2, own, first, second = zero, zero, zero, zero, zero, zero, zero
    for t in range(WARM):
        x = tl.load(x_at + (start - WARM + t) * channels, mask=real, other=0.0)
        x = finite(x).to(tl.float64)
        y = b0 * x + s1
        s1, s2 = b1 * x + a1 * y + s2, b2 * x + a2 * y
    for t in range(LONGEST):
        inside = start + t < end
        x = tl.load(x_at + (start + t) * channels, mask=inside, other=0.0)
        x = finite(x).to(tl.float64)
        y = b0 * x + s1
        s1, s2 = b1 * x + a1 * y + s2, b2 * x + a2 * y
        z = y + t1
        heard = tl.where(inside, z, 0.0)
        t1, t2 = (
            tl.where(inside, d1 * z - 2.0 * y + t2, t1),
            tl.where(inside, d2 * z + y, t2),
        )
        own += heard * heard
        first += heard * tl.load(ringing + 2 * t)
        second += heard * tl.load(ringing + 2 * t + 1)
    out = sums + ((b * count + stretch) * channels + channel) * 5
    tl.store(out, t1, mask=real)
    tl.store(out + 1, t2, mask=real)
    tl.store(out + 2, own, mask=real)
    tl.store(out + 3, first, mask=real)
    tl.store(out + 4, second, mask=real)


@triton.jit
def peak_kernel(
    line, phases, found, length, first, last, channels, TAPS: tl.constexpr, WIDTH: tl.constexpr
):
    """Largest magnitude at and between the samples that end at WIDTH places of the flat line."""
    b = tl.program_id(1).to(tl.int64)
    at = first + tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)  # [width]
    real = at < last
    x_at = line + b * length + at
    peak = tl.abs(finite(tl.load(x_at, mask=real, other=0.0)))
    one, two, three = (
        tl.zeros([WIDTH], tl.float32), tl.zeros([WIDTH], tl.float32), tl.zeros([WIDTH], tl.float32)
    )  # fmt: skip
    for t in range(TAPS):
        x = finite(tl.load(x_at - (TAPS - 1 - t) * channels, mask=real, other=0.0))
        one += x * tl.load(phases + 3 * t)
        two += x * tl.load(phases + 3 * t + 1)
        three += x * tl.load(phases + 3 * t + 2)
    peak = tl.maximum(peak, tl.maximum(tl.abs(one), tl.maximum(tl.abs(two), tl.abs(three))))
    tl.store(found + b * tl.num_programs(0) + tl.program_id(0), tl.max(peak, axis=0))
