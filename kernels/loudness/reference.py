"""The definition, in float64: BS.1770-5 annex 1 and EBU Tech 3342, a line for each sentence."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
RANGE_GATE_LU = -20.0
OFFSET_LUFS = -0.691


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
    weighted = [biquad(biquad(np.nan_to_num(c), shelf), high_pass) for c in samples.T.astype(float)]
    ends = [(k + 1) * rate_hz // 10 for k in range(len(samples) * 10 // rate_hz)]
    starts = [0, *ends[:-1]]
    gains = channel_weights(samples.shape[1])
    return np.array(
        [
            sum(g * np.mean(c[a:b] ** 2) for g, c in zip(gains, weighted, strict=True))
            for a, b in zip(starts, ends, strict=True)
        ]
    )


def loudness_of(energy: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(OFFSET_LUFS + 10 * np.log10(energy), dtype=np.float64)


def sliding_mean(energies: Array, width: int) -> Array:
    """Mean of the last `width` blocks, [n]; 0 where there are fewer."""
    sums = np.concatenate([[0.0], np.cumsum(energies)])
    means = np.zeros(len(energies))
    if len(energies) >= width:
        means[width - 1 :] = np.maximum(0.0, sums[width:] - sums[:-width]) / width
    return means


def integrated(energies: Array) -> float:
    """Gated loudness in LUFS of 100 ms energies: 400 ms blocks that overlap by 75 %."""
    blocks = sliding_mean(energies, 4)[3:]
    blocks = blocks[loudness_of(blocks) > ABSOLUTE_GATE_LUFS]
    if not len(blocks):
        return float("-inf")
    gate = loudness_of(np.array([blocks.mean()]))[0] + RELATIVE_GATE_LU
    return float(loudness_of(np.array([blocks[loudness_of(blocks) > gate].mean()]))[0])


def range_of(energies: Array) -> float:
    """Loudness range in LU (Tech 3342): 10th to 95th percentile of gated short-term loudness."""
    blocks = sliding_mean(energies, 30)[29:]
    blocks = blocks[loudness_of(blocks) > ABSOLUTE_GATE_LUFS]
    if not len(blocks):
        return 0.0
    gate = loudness_of(np.array([blocks.mean()]))[0] + RANGE_GATE_LU
    levels = loudness_of(blocks)
    low, high = np.percentile(levels[levels > gate], (10, 95))
    return float(high - low)


def true_peak(samples: NDArray[np.floating], factor: int = 16) -> float:
    """Largest magnitude of the band-limited signal, by zero-padding its spectrum."""
    if not len(samples):
        return 0.0
    padded = np.pad(np.nan_to_num(samples).astype(float), ((256, 256), (0, 0)))
    spectrum = np.fft.rfft(padded, axis=0)
    fine = np.fft.irfft(spectrum, n=len(padded) * factor, axis=0) * factor
    return float(np.abs(fine).max())
