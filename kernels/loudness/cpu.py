"""One fused pass over the samples: K-weighting, 100 ms energies and oversampled peak."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

TAPS = 32


def peak_filter(factor: int) -> NDArray[np.float32]:
    """Interpolation phases [factor - 1, TAPS]: Kaiser-windowed sinc (beta 7), passband to 0.9.

    BS.1770-5 annex 2 asks for at least four-fold oversampling; with 32 taps a phase the
    interpolated peak of a tone up to a quarter of the rate is within 0.02 dB of the true one.
    """
    centre = np.arange(TAPS) - (TAPS // 2 - 1)
    window_at = np.linspace(-1, 1, TAPS * factor + 1)
    window = np.kaiser(TAPS * factor + 1, 7.0)
    phases = []
    for phase in range(1, factor):
        offset = phase / factor - centre
        taps = np.sinc(offset) * np.interp(offset / (TAPS / 2), window_at, window)
        phases.append(taps / taps.sum())
    return np.array(phases, dtype=np.float32)


@njit(cache=True, nogil=True)
def measure_block(
    block, weights, sections, phases, state, history, partial, position, rate_hz
):  # fmt: skip
    """Energies of the 100 ms blocks that end here, the energy of the rest, the peak.

    `state` [channels, 2, 2] and `history` [channels, taps] are carried from block to block.
    """
    samples, channels = block.shape
    first = position * 10 // rate_hz
    count = (position + samples) * 10 // rate_hz - first
    energies = np.zeros(count + 1)
    energies[0] = partial
    peak = np.float32(0.0)
    for c in range(channels):
        b0, b1, b2, a1, a2 = sections[0]
        _, _, _, d1, d2 = sections[1]
        s1, s2, t1, t2 = state[c, 0, 0], state[c, 0, 1], state[c, 1, 0], state[c, 1, 1]
        index, end = 0, (first + 1) * rate_hz // 10 - position
        total = 0.0
        for i in range(samples):
            if i == end:
                energies[index] += weights[c] * total
                total = 0.0
                index += 1
                end = (first + index + 1) * rate_hz // 10 - position
            x = np.float64(block[i, c])
            if not np.isfinite(x):
                x = 0.0
            y = b0 * x + s1
            s1 = b1 * x - a1 * y + s2
            s2 = b2 * x - a2 * y
            z = y + t1
            t1 = -2.0 * y - d1 * z + t2
            t2 = y - d2 * z
            total += z * z
        if samples == end:
            energies[index] += weights[c] * total
            total = 0.0
            index += 1
        if index <= count:
            energies[index] += weights[c] * total
        state[c, 0, 0], state[c, 0, 1], state[c, 1, 0], state[c, 1, 1] = s1, s2, t1, t2
        peak = max(peak, _peak(block, c, phases, history))
    for k in range(count):
        start = (first + k) * rate_hz // 10
        energies[k] /= (first + k + 1) * rate_hz // 10 - start
    return energies[:count], energies[count], np.float64(peak)


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "arcp"})
def _peak(block, channel, phases, history):
    samples, taps = block.shape[0], phases.shape[1]
    line = np.empty(taps + samples, dtype=np.float32)
    line[:taps] = history[channel]
    peak = np.float32(0.0)
    for i in range(samples):
        x = block[i, channel]
        x = x if np.isfinite(x) else np.float32(0.0)
        line[taps + i] = x
        peak = max(peak, abs(x))
    for i in range(1, samples + 1):
        # A phase's taps sum to at most twice the largest sample, so quiet stretches are skipped.
        largest = np.float32(0.0)
        for t in range(taps):
            largest = max(largest, abs(line[i + t]))
        if largest * np.float32(2.0) <= peak:
            continue
        for p in range(phases.shape[0]):
            value = np.float32(0.0)
            for t in range(taps):
                value += phases[p, t] * line[i + t]
            peak = max(peak, abs(value))
    history[channel] = line[samples:]
    return peak


@njit(cache=True, nogil=True)
def tail_peak(tail, phases, history):
    """Peak of the interpolated signal while it rings out into silence."""
    peak = np.float32(0.0)
    for c in range(tail.shape[1]):
        peak = max(peak, _peak(tail, c, phases, history))
    return np.float64(peak)
