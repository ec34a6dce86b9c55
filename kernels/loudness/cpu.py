"""One walk over the samples, sixteen stretches at a time: K-weighting, energies and true peak."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads, njit

from kernels.lanes import LANES, crest, interpolation, transpose, weigh
from kernels.loudness.reference import OVERSAMPLING

PARTS = 1
TILE = 64
BLOCK = 2 * LANES
"""Outputs of one `between`."""
between = interpolation(OVERSAMPLING - 1)
LARGEST = np.int32(0x7F7FFFFF)
"""The bits of the largest finite float32: magnitudes order like their bits."""


def as_line(block):
    """Samples as `analyse` takes them, copied where they have to be."""
    return np.ascontiguousarray(np.asarray(block), dtype=np.float32)


def join(parts):
    """Lines [batch, samples, channels] after one another, copied."""
    return np.concatenate(parts, axis=1)


def silence(like, samples):
    """A line of zeros beside another."""
    return np.zeros((like.shape[0], samples, like.shape[2]), np.float32)


def nothing(like, hops):
    """States left [batch, reach, channels, 2] and peak [batch] before the first sample."""
    batch, _, channels = like.shape
    return np.zeros((batch, hops.reach, channels, 2)), np.zeros(batch, np.float32)


def analyse(line, origin, first, last, hops, left, peak):
    """Energies [batch, hops] of hops first, .. last - 1, what they leave, and the peak [batch].

    `line` float32 [batch, samples, channels] begins at sample `origin`, `hops.context` or more
    before the first hop. `left` is what the stretches before have left; `peak` is what is known
    already, None where it is not wanted.
    """
    edges = hops.edges(first * PARTS, last * PARTS) - origin
    sums, peak = _walked(line, edges, hops, peak)
    heard = hops.energies(sums, left, first * PARTS)
    return heard, np.concatenate([left, sums[..., :2]], axis=1)[:, -hops.reach :], peak


def peak_of(line, hops, peak):
    """Largest of peak [batch] and the line's magnitudes after its first `hops.context` samples."""
    return _peaks(line, hops.context, hops.phases, hops.loudest, peak)


def fetched(energies, peak):
    """All energies in one array [batch, hops], and the peak [batch]."""
    return np.concatenate([np.zeros((len(peak), 0)), *energies], axis=1), peak


def _walked(line, edges, hops, peak):
    """Sums [batch, stretches, channels, 5] of the stretches in a line, and its peak [batch].

    `edges` are the places in the line where stretches begin and the last ends.
    Threads (numba's number) take whole groups of stretches: results do not depend on them.
    """
    batch, _, channels = line.shape
    count = len(edges) - 1
    groups = -(-count // LANES)
    sums = np.zeros((batch, count, channels, 5))
    peaks = np.zeros((batch, groups), np.float32)
    known = np.zeros(batch, np.float32) if peak is None else peak
    threads = max(1, min(get_num_threads(), batch * groups))
    shares = np.linspace(0, batch * groups, threads + 1).astype(np.int64)

    def work(n):
        _groups(
            line, edges, shares[n], shares[n + 1], hops.context, hops.warm, hops.weights,
            hops.taps, hops.ringing, hops.phases, hops.loudest, known, sums, peaks,
            peak is not None,
        )  # fmt: skip

    if threads == 1:
        work(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
    return sums, None if peak is None else np.maximum(known, peaks.max(axis=1, initial=0.0))


@njit(cache=True, nogil=True)
def _peaks(line, context, phases, loudest, peak):
    out = peak.copy()
    _, samples, channels = line.shape
    for b in range(line.shape[0]):
        flat, _ = _finite(line[b].reshape(-1), 0, samples, channels)
        out[b] = _peak(
            flat, context * channels, samples * channels, channels, phases, loudest, out[b]
        )
    return out


@njit(cache=True, nogil=True)
def _groups(
    line, edges, first, last, context, warm, weights, taps, ringing, phases, loudest, known, sums,
    peaks, wanted,
):  # fmt: skip
    channels, groups = line.shape[2], peaks.shape[1]
    tile = np.zeros((-(-TILE * channels // LANES) * LANES, LANES), np.float32)
    peak = np.float32(0.0)
    for r in range(first, last):
        b, g = r // groups, r % groups
        if r == first or g == 0:
            peak = known[b]
        k0, k1 = g * LANES, min(len(edges) - 1, (g + 1) * LANES)
        flat, at = _finite(line[b].reshape(-1), edges[k0] - context, edges[k1], channels)
        if wanted:
            begins, ends = (edges[k0] - at) * channels, (edges[k1] - at) * channels
            peak = _peak(flat, begins, ends, channels, phases, loudest, peak)
            peaks[b, g] = peak
        state = _weighted(flat, edges[k0 : k1 + 1] - at, warm, weights, taps, ringing, tile)
        for k in range(k0, k1):
            for c in range(channels):
                for n in range(5):
                    sums[b, k, c, n] = state[c, 2 + n, k - k0]


@njit(cache=True, nogil=True)
def _finite(flat, start, end, channels):
    """The line and 0, or a mended copy of samples start, .. end - 1 and start."""
    worst, last = np.int32(0), end * channels - BLOCK
    for i in range(start * channels, last, BLOCK):
        worst = max(worst, crest(flat, i))
    if max(worst, crest(flat, last)) <= LARGEST:
        return flat, 0
    copy = flat[start * channels : end * channels].copy()
    for i in range(len(copy)):
        if not np.isfinite(copy[i]):
            copy[i] = np.float32(0.0)
    return copy, start


@njit(cache=True, nogil=True)
def _weighted(flat, edges, warm, weights, taps, ringing, tile):
    """[channels, 7, LANES] of the filters' states and the sums, a lane a stretch."""
    channels, count = len(weights), len(edges) - 1
    starts = np.empty(LANES, np.int64)
    shortest, longest = edges[1] - edges[0], edges[1] - edges[0]
    for h in range(LANES):
        k = min(h, count - 1)
        starts[h] = (edges[k] - warm) * channels
        shortest = min(shortest, edges[k + 1] - edges[k])
        longest = max(longest, edges[k + 1] - edges[k])
    state = np.zeros((channels, 7, LANES))
    _run(flat, starts, 0, warm, weights, taps, ringing, tile, state)
    state[:, 2:] = 0.0
    _run(flat, starts, warm, warm + shortest, weights, taps, ringing, tile, state)
    if longest > shortest:
        one_more = state.copy()
        for h in range(count):
            for c in range(channels):
                tile[c, h] = flat[min(edges[h] + shortest, edges[count] - 1) * channels + c]
        for c in range(channels):
            weigh(tile, c, channels, 1, ringing[shortest:], taps, one_more[c])
        for h in range(count):
            if edges[h + 1] - edges[h] > shortest:
                state[:, :, h] = one_more[:, :, h]
    return state


@njit(cache=True, nogil=True)
def _run(flat, starts, first, last, weights, taps, ringing, tile, state):
    channels = len(weights)
    for t in range(first, last, TILE):
        n = min(TILE, last - t)
        whole = n * channels // LANES * LANES
        for j in range(0, whole, LANES):
            transpose(flat, starts, t * channels + j, tile, j)
        for h in range(LANES):
            for j in range(whole, n * channels):
                tile[j, h] = flat[starts[h] + t * channels + j]
        for c in range(channels):
            if weights[c] > 0.0:
                weigh(tile, c, channels, n, ringing[t - first :], taps, state[c])


@njit(cache=True, nogil=True)
def _peak(flat, first, last, channels, phases, loudest, peak):
    """Largest of `peak` and the magnitudes at and between samples that end at first, .. last - 1.

    Blocks that cannot reach above the peak, by what their samples allow, are passed over.
    """
    under = (len(phases) - 1) * channels
    spread = -(-under // BLOCK)
    begin = last - -(-(last - first) // BLOCK) * BLOCK
    blocks = (last - begin) // BLOCK
    tops = np.empty(spread + blocks, np.int32)
    for k in range(spread + blocks):
        tops[k] = crest(flat, max(0, begin + (k - spread) * BLOCK))
    heights = tops.view(np.float32)
    found, highest = np.empty(BLOCK, np.float32), np.empty(1, np.int32)
    for k in range(blocks):
        largest = np.float32(0.0)
        for j in range(k, k + spread + 1):
            largest = max(largest, heights[j])
        peak = max(peak, heights[k + spread])
        if largest * loudest > peak:
            between(flat, begin + k * BLOCK, channels, phases, found)
            highest[0] = crest(found, 0)
            peak = max(peak, highest.view(np.float32)[0])
    return peak
