"""Ducking by two walks over the activity, limiting only where a block could pass the ceiling."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads, njit

from kernels.lanes import LANES, crest, interpolation
from kernels.mix.reference import (
    BEFORE,
    LOUDEST,
    OVERSAMPLING,
    TAPS,
    UNIT,
    duck_tables,
    peak_filter,
)

between = interpolation(OVERSAMPLING - 1)
AT_ONCE = 2**15
"""Samples of a whole signal taken at a time: they stay in a core's cache."""
BLOCK = 2 * LANES
LEAST = 8_192
"""Samples below which a thread is not worth its start."""
PHASES = np.ascontiguousarray(peak_filter().T)  # [taps, phases]


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


def ducked(voice, bed, active, since, rate_hz, shape, count):
    """The first `count` samples of voice + ducked bed, and the samples since the last active one.

    `voice` and `bed` float32 [n, channels], `active` bool [n]; `since` counts at sample 0.
    """
    out = np.empty((count, bed.shape[1]), np.float32)
    rise, fall = duck_tables(rate_hz, shape)
    return out, _duck(voice, bed, active, since, rise, fall, out)


def limited(line, first, last, reach, ceiling):
    """Samples first, .. last - 1 of a line [n, channels] under the ceiling.

    `line` goes on for `2 reach + MARGIN` or more on either side.
    """
    out = np.empty((last - first, line.shape[1]), np.float32)
    samples = last - first + 4 * reach
    if _tops(line, first - 2 * reach, samples).max() * LOUDEST <= ceiling:
        # Most of speech, and waking a thread takes longer than looking.
        out[:] = line[first:last]
        return out
    threads = max(1, min(get_num_threads(), (last - first) // LEAST))
    shares = [first + (last - first) * n // threads for n in range(threads + 1)]

    def work(n):
        a, b = shares[n], shares[n + 1]
        _limit(line, a, b, reach, ceiling, PHASES, LOUDEST, out[a - first : b - first])

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
    gain, wide = np.empty(count, np.float32), np.empty(count * channels, np.float32)
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
            wide[i * channels + c] = low
    # Apart from the walk, which waits for itself, this fills the vector lanes.
    spoken, played, summed = voice.reshape(-1), bed.reshape(-1), out.reshape(-1)
    for k in range(len(summed)):
        summed[k] = spoken[k] + played[k] * wide[k]
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
def _spread(channels):
    """Blocks to either side that a peak in a block can come from."""
    return -(-TAPS * channels // BLOCK) + 1


@njit(cache=True, nogil=True)
def _tops(line, start, samples):
    """The largest magnitude of each block of `samples` from `start` on, and `_spread` around."""
    channels = line.shape[1]
    flat, spread = line.reshape(-1), _spread(line.shape[1])
    begin, end = (start - 1) * channels, (start + samples) * channels
    tops = np.empty(-(-(end - begin) // BLOCK) + 2 * spread, np.int32)
    for k in range(len(tops)):
        tops[k] = crest(flat, begin + (k - spread) * BLOCK)
    return tops.view(np.float32)


@njit(cache=True, nogil=True)
def _needed(line, start, ceiling, phases, loudest, needed):
    """Lower `needed`, whose first entry is for sample `start`; whether anything was lowered.

    Blocks that cannot reach the ceiling, by what their samples allow, are passed over.
    """
    channels = line.shape[1]
    flat, heights = line.reshape(-1), _tops(line, start, len(needed))
    spread, begin = _spread(channels), (start - 1) * channels
    blocks = len(heights) - 2 * spread
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
    """Minima [n - 2 reach] of 2 reach + 1 values each, from those of 1, 2, 4, .. values.

    More comparisons than a queue of candidates would need, but side by side in the vector lanes.
    """
    size, width = 2 * reach + 1, 1
    low, spare = values.copy(), np.empty_like(values)
    while 2 * width <= size:
        near, far = low[: len(low) - width], low[width:]
        wider = spare[: len(near)]
        for i in range(len(near)):
            wider[i] = min(near[i], far[i])
        low, spare = wider, low
        width *= 2
    out = np.empty(len(values) - 2 * reach, np.int64)
    near, far = low[: len(out)], low[size - width :]
    for i in range(len(out)):
        out[i] = min(near[i], far[i])
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
