"""Ducking by two walks over the activity, limiting only where a block could pass the ceiling."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads, njit

from kernels.lanes import LANES, crest, interpolation
from kernels.mix.reference import BEFORE, OVERSAMPLING, TAPS, UNIT

between = interpolation(OVERSAMPLING - 1)
BLOCK = 2 * LANES
LEAST = 8_192
"""Samples below which a thread is not worth its start."""


def as_line(block, dtype=np.float32):
    """Samples as the walks take them, copied where they have to be."""
    return np.ascontiguousarray(np.asarray(block), dtype=dtype)


def join(parts):
    """Lines after one another, copied."""
    return np.concatenate(parts)


def silence(like, samples):
    """A line of zeros beside another."""
    return np.zeros((samples, *like.shape[1:]), np.float32)


def follow(line, block):
    """A line with a block after it, copied, 0 where the block is not finite."""
    out = np.concatenate([line, as_line(block)])
    _mend(out[len(line) :].reshape(-1))
    return out


@njit(cache=True, nogil=True)
def _mend(flat):
    for i in range(len(flat)):
        flat[i] = flat[i] if abs(flat[i]) < np.inf else np.float32(0.0)


def ducked(voice, bed, active, since, rise, fall, count):
    """The first `count` samples of voice + ducked bed, and the samples since the last active one.

    `voice` and `bed` float32 [n, channels], `active` bool [n]; `since` counts at sample 0.
    """
    out = np.empty((count, bed.shape[1]), np.float32)
    return out, _duck(voice, bed, active, since, rise, fall, out)


def limited(line, first, last, reach, ceiling, phases):
    """Samples first, .. last - 1 of a line [n, channels] under the ceiling.

    `line` goes on for `2 reach + MARGIN` or more on either side; `phases` is [taps, phases].
    """
    out = np.empty((last - first, line.shape[1]), np.float32)
    loudest = float(np.abs(phases).sum(axis=0).max()) * 1.0001
    threads = max(1, min(get_num_threads(), (last - first) // LEAST))
    shares = [first + (last - first) * n // threads for n in range(threads + 1)]

    def work(n):
        a, b = shares[n], shares[n + 1]
        _limit(line, a, b, reach, ceiling, phases, loudest, out[a - first : b - first])

    if threads == 1:
        work(0)
    else:
        with ThreadPoolExecutor(threads - 1) as pool:
            others = pool.map(work, range(1, threads))
            work(0)
            list(others)
    return out


@njit(cache=True, nogil=True)
def _duck(voice, bed, active, since, rise, fall, out):
    count, channels = out.shape
    near, far = len(rise) - 1, len(fall) - 1
    gain = np.empty(count, np.float32)
    ahead = near
    for i in range(min(len(active), count + near) - 1, count - 1, -1):
        ahead = 0 if active[i] else min(ahead + 1, near)
    for i in range(count - 1, -1, -1):
        ahead = 0 if active[i] else min(ahead + 1, near)
        gain[i] = rise[ahead]
    for i in range(count):
        since = 0 if active[i] else min(since + 1, far)
        low = min(gain[i], fall[since])
        for c in range(channels):
            out[i, c] = voice[i, c] + bed[i, c] * low
    return since


@njit(cache=True, nogil=True)
def _limit(line, first, last, reach, ceiling, phases, loudest, out):
    needed = np.full(last - first + 4 * reach, UNIT, np.int64)
    if not _needed(line, first - 2 * reach, ceiling, phases, loudest, needed):
        out[:] = line[first:last]
        return
    held = _lowest(needed, reach)
    gain = _boxed(_boxed(held, reach + 1), reach + 1)
    scale = 1 / (UNIT * (reach + 1) ** 2)
    for i in range(last - first):
        for c in range(line.shape[1]):
            out[i, c] = line[first + i, c] * np.float32(gain[i] * scale)


@njit(cache=True, nogil=True)
def _needed(line, start, ceiling, phases, loudest, needed):
    """Lower `needed`, whose first entry is for sample `start`; whether anything was lowered.

    Blocks that cannot reach the ceiling, by what their samples allow, are passed over.
    """
    channels = line.shape[1]
    flat = line.reshape(-1)
    spread = -(-TAPS * channels // BLOCK) + 1
    begin, end = (start - 1) * channels, (start + len(needed)) * channels
    blocks = -(-(end - begin) // BLOCK)
    tops = np.empty(blocks + 2 * spread, np.int32)
    for k in range(len(tops)):
        tops[k] = crest(flat, begin + (k - spread) * BLOCK)
    heights = tops.view(np.float32)
    found, highest = np.empty(BLOCK, np.float32), np.empty(1, np.int32)
    # From the place between the sample before and the first on, and room for the last block.
    peaks = np.zeros(len(needed) + 1 + BLOCK, np.float32)
    lowered = False
    for k in range(blocks):
        height = np.float32(0.0)
        for j in range(k, k + 2 * spread + 1):
            height = max(height, heights[j])
        if height * loudest <= ceiling:
            continue
        at = begin + k * BLOCK
        between(flat, at + (TAPS - 1 - BEFORE) * channels, channels, phases, found)
        highest[0] = crest(found, 0)
        if max(highest.view(np.float32)[0], heights[k + spread]) <= ceiling:
            continue
        lowered = True
        i, channel = at // channels - start, at % channels
        for j in range(BLOCK):
            place = max(found[j], abs(flat[at + j]))
            # The place between a sample and the next belongs to both.
            peaks[i + 1] = max(peaks[i + 1], place)
            channel += 1
            if channel == channels:
                i, channel = i + 1, 0
    if lowered:
        for i in range(len(needed)):
            peak = max(peaks[i], peaks[i + 1])
            if peak > ceiling:
                needed[i] = np.int64(np.floor(ceiling / np.float64(peak) * UNIT))
    return lowered


@njit(cache=True, nogil=True)
def _lowest(values, reach):
    """Minima [n - 2 reach] of 2 reach + 1 values each, by a queue of candidates (Lemire, 2006)."""
    out = np.empty(len(values) - 2 * reach, np.int64)
    queue = np.empty(len(values), np.int64)
    head, tail = 0, 0
    for i in range(len(values)):
        while tail > head and values[queue[tail - 1]] >= values[i]:
            tail -= 1
        queue[tail] = i
        tail += 1
        if i >= 2 * reach:
            while queue[head] < i - 2 * reach:
                head += 1
            out[i - 2 * reach] = values[queue[head]]
    return out


@njit(cache=True, nogil=True)
def _boxed(values, width):
    """Sums [n - width + 1] of `width` values each."""
    out = np.empty(len(values) - width + 1, np.int64)
    total = np.int64(0)
    for i in range(len(values)):
        total += values[i]
        if i >= width:
            total -= values[i - width]
        if i >= width - 1:
            out[i - width + 1] = total
    return out
