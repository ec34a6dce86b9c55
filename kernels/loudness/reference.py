"""The definition, in float64: BS.1770-5 annexes 1 and 2, EBU Tech 3342, a line a sentence."""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
RANGE_GATE_LU = -20.0
OFFSET_LUFS = -0.691
SILENCE = float("-inf")
OVERSAMPLING = 4
TAPS = 32


class LoudnessResult(NamedTuple):
    """`-inf` stands for silence and for signals too short to be measured (below 400 ms)."""

    integrated_lufs: float
    range_lu: float
    true_peak_dbtp: float
    momentary_lufs: Array
    """[n] at 10 Hz; entry i covers the 400 ms that end at (i + 1) / 10 s, -inf before that."""
    short_term_lufs: Array
    """[n] at 10 Hz; entry i covers the 3 s that end at (i + 1) / 10 s, -inf before that."""


def measure(samples: NDArray[np.floating], rate_hz: int) -> LoudnessResult:
    """Measure a signal [samples, channels]; what is not finite counts as 0."""
    return result_of(block_energies(samples, rate_hz), true_peak(samples))


def result_of(energies: Array, peak: float) -> LoudnessResult:
    """All that follows from the energies of 100 ms [n] and the largest magnitude."""
    momentary, short_term = sliding_mean(energies, 4), sliding_mean(energies, 30)
    return LoudnessResult(
        integrated_lufs=integrated(momentary[3:]),
        range_lu=range_of(short_term[29:]),
        true_peak_dbtp=20.0 * math.log10(peak) if peak else SILENCE,
        momentary_lufs=loudness_of(momentary),
        short_term_lufs=loudness_of(short_term),
    )


def channel_weights(channels: int) -> Array:
    """G_i of BS.1770-5 table 3: surrounds +1.5 dB, LFE not counted."""
    layouts = {6: (1, 1, 1, 0, 1.41, 1.41), 8: (1, 1, 1, 0, 1.41, 1.41, 1, 1)}
    return np.array(layouts.get(channels, (1,) * channels), dtype=np.float64)


def k_weighting(rate_hz: int) -> Array:
    """The two biquads [2, 5] (b0 b1 b2 a1 a2) for any rate.

    BS.1770 gives coefficients for 48 kHz alone. These are the bilinear transforms of the analogue
    filters behind them: a high shelf (1681.97 Hz, +3.99984 dB, Q 0.7071752) and a high pass
    (38.1355 Hz, Q 0.5003270).
    """
    k = math.tan(math.pi * 1681.974450955533 / rate_hz)
    vh = 10 ** (3.999843853973347 / 20)
    vb, q = vh**0.4996667741545416, 0.7071752369554196
    a0 = 1 + k / q + k * k
    shelf = (
        (vh + vb * k / q + k * k) / a0,
        2 * (k * k - vh) / a0,
        (vh - vb * k / q + k * k) / a0,
        2 * (k * k - 1) / a0,
        (1 - k / q + k * k) / a0,
    )
    k, q = math.tan(math.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    a0 = 1 + k / q + k * k
    high_pass = (1.0, -2.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0)
    return np.array([shelf, high_pass])


def biquad(x: Array, section: Array) -> Array:
    """Direct form II transposed, sample by sample."""
    b0, b1, b2, a1, a2 = section
    y, s1, s2 = np.empty_like(x), 0.0, 0.0
    for i, value in enumerate(x):
        y[i] = b0 * value + s1
        s1 = b1 * value - a1 * y[i] + s2
        s2 = b2 * value - a2 * y[i]
    return y


def block_energies(samples: NDArray[np.floating], rate_hz: int) -> Array:
    """Weighted mean square of each full 100 ms, [n], of samples [samples, channels]."""
    shelf, high_pass = k_weighting(rate_hz)
    weighted = [biquad(biquad(c, shelf), high_pass) for c in _finite(samples).T]
    edges = [k * rate_hz // 10 for k in range(len(samples) * 10 // rate_hz + 1)]
    gains = channel_weights(samples.shape[1])
    return np.array(
        [
            sum(g * np.mean(c[a:b] ** 2) for g, c in zip(gains, weighted, strict=True))
            for a, b in pairwise(edges)
        ]
    )


def loudness_of(energy: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(OFFSET_LUFS + 10 * np.log10(energy), dtype=np.float64)


def sliding_mean(energies: Array, width: int) -> Array:
    """Mean of the last `width` blocks, [n]; 0 where there are fewer."""
    means = np.zeros(len(energies))
    if len(energies) >= width:
        windows = np.lib.stride_tricks.sliding_window_view(energies, width)
        means[width - 1 :] = windows.mean(axis=1)
    return means


def integrated(blocks: Array) -> float:
    """Gated loudness in LUFS of the energies of 400 ms blocks that overlap by 75 %."""
    blocks = blocks[loudness_of(blocks) > ABSOLUTE_GATE_LUFS]
    if not len(blocks):
        return SILENCE
    gate = loudness_of(np.array([blocks.mean()]))[0] + RELATIVE_GATE_LU
    return float(loudness_of(np.array([blocks[loudness_of(blocks) > gate].mean()]))[0])


def range_of(blocks: Array) -> float:
    """Loudness range in LU (Tech 3342): 10th to 95th percentile of gated blocks of 3 s."""
    blocks = blocks[loudness_of(blocks) > ABSOLUTE_GATE_LUFS]
    if not len(blocks):
        return 0.0
    gate = loudness_of(np.array([blocks.mean()]))[0] + RANGE_GATE_LU
    levels = loudness_of(blocks)
    low, high = np.percentile(levels[levels > gate], (10, 95))
    return float(high - low)


def peak_filter() -> NDArray[np.float32]:
    """Interpolation phases [OVERSAMPLING - 1, TAPS]: sinc in a Kaiser window (beta 7).

    BS.1770-5 annex 2 asks for at least four-fold oversampling; the passband is flat to 0.9 of
    half the rate, so what a peak reads too low is what lies between the grid's points: 0.17 dB
    for a tone at a quarter of the rate in the worst phase, within EBU Tech 3341's +0.2 / -0.4.
    """
    centre = np.arange(TAPS) - (TAPS // 2 - 1)
    window_at = np.linspace(-1, 1, TAPS * OVERSAMPLING + 1)
    window = np.kaiser(TAPS * OVERSAMPLING + 1, 7.0)
    phases = []
    for phase in range(1, OVERSAMPLING):
        offset = phase / OVERSAMPLING - centre
        taps = np.sinc(offset) * np.interp(offset / (TAPS / 2), window_at, window)
        phases.append(taps / taps.sum())
    return np.array(phases, dtype=np.float32)


def true_peak(samples: NDArray[np.floating]) -> float:
    """Largest magnitude of the samples [samples, channels] and of what lies between them."""
    peak = 0.0
    if not len(samples):
        return peak
    for channel in _finite(samples).T:
        between = [np.convolve(channel, phase[::-1].astype(float)) for phase in peak_filter()]
        peak = max(peak, *(float(np.abs(line).max(initial=0.0)) for line in (channel, *between)))
    return peak


def _finite(samples: NDArray[np.floating]) -> Array:
    return np.where(np.isfinite(samples), samples, 0.0).astype(np.float64)
