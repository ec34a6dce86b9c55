"""Keeping a mix below its ceiling: a look-ahead limiter that works on true peaks."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.loudness.cpu import peak_filter

__all__ = ["limit"]

LOOK_AHEAD_S = 0.005
OVERSAMPLING = 4


def limit(samples: NDArray[np.float32], rate_hz: int, ceiling_dbtp: float) -> NDArray[np.float32]:
    """The signal [samples, channels] with its true peaks under a ceiling, all channels alike.

    The gain each sample needs is held down over LOOK_AHEAD_S on either side and then smoothed by a
    window of that length, so that it never rises above what is needed and has no steps. A signal
    below the ceiling comes back as it was. What is left above it, by the smoothing of the gain
    between samples, is below 0.1 dB.
    """
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if samples.ndim != 2:
        raise ValueError(f"samples must be [samples, channels], not {samples.shape}")
    ceiling = 10 ** (ceiling_dbtp / 20)
    peaks = _peaks(samples, peak_filter(OVERSAMPLING))
    if not len(samples) or peaks.max() <= ceiling:
        return samples
    needed = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    reach = max(1, round(LOOK_AHEAD_S * rate_hz))
    window = np.hanning(2 * reach + 3)[1:-1]
    held = _lowest(np.pad(needed, 2 * reach, constant_values=1.0), reach)
    gain = np.convolve(held, window / window.sum(), mode="same")[2 * reach : -2 * reach]
    return np.asarray(samples * np.minimum(gain, 1.0)[:, None], dtype=np.float32)


@njit(cache=True, nogil=True)
def _peaks(samples, phases):
    """Largest magnitude near each sample, between it and the next one included, [samples]."""
    n, channels = samples.shape
    taps = phases.shape[1]
    left = taps // 2 - 1
    out = np.zeros(n)
    for c in range(channels):
        line = np.zeros(n + taps, dtype=np.float32)
        line[left : left + n] = samples[:, c]
        for i in range(n):
            peak = abs(samples[i, c])
            for p in range(phases.shape[0]):
                value = np.float32(0.0)
                for t in range(taps):
                    value += phases[p, t] * line[i + t]
                peak = max(peak, abs(value))
            out[i] = max(out[i], peak)
            if i + 1 < n:
                out[i + 1] = max(out[i + 1], peak)
    return out


@njit(cache=True, nogil=True)
def _lowest(values, reach):
    """Minimum over [i - reach, i + reach], by a queue of candidates (Lemire, 2006)."""
    n = len(values)
    out = np.empty(n)
    queue = np.empty(n, dtype=np.int64)
    head, tail = 0, 0
    for i in range(n + reach):
        if i < n:
            while tail > head and values[queue[tail - 1]] >= values[i]:
                tail -= 1
            queue[tail] = i
            tail += 1
        at = i - reach
        if at >= 0:
            while queue[head] < at - reach:
                head += 1
            out[at] = values[queue[head]]
    return out
