"""Programme loudness and true peak: ITU-R BS.1770-5, EBU R 128, EBU Tech 3341 and 3342."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.loudness import cpu
from kernels.loudness.reference import (
    channel_weights,
    integrated,
    k_weighting,
    loudness_of,
    range_of,
    sliding_mean,
)

SILENCE = float("-inf")


class LoudnessResult(NamedTuple):
    """`-inf` stands for silence and for signals too short to be measured (below 400 ms)."""

    integrated_lufs: float
    range_lu: float
    true_peak_dbtp: float
    momentary_lufs: NDArray[np.float64]
    """[n] at 10 Hz; entry i covers the 400 ms that end at (i + 1) / 10 s, -inf before that."""
    short_term_lufs: NDArray[np.float64]
    """[n] at 10 Hz; entry i covers the 3 s that end at (i + 1) / 10 s, -inf before that."""


class Meter:
    """A streaming meter: memory grows by 8 bytes per 100 ms, whatever the length.

    Parameters
    ----------
    rate_hz : samples per second, 8,000 to 384,000.
    channels : 1 to 64; six are taken as L R C LFE Ls Rs, eight likewise with a back pair, and any
        other number as fronts of weight one (BS.1770-5 table 4).
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        if not 8_000 <= rate_hz <= 384_000:
            raise ValueError(f"rate_hz must be 8000 to 384000, not {rate_hz}")
        if not 1 <= channels <= 64:
            raise ValueError(f"channels must be 1 to 64, not {channels}")
        self.rate_hz, self.channels = rate_hz, channels
        self.weights = channel_weights(channels)
        self.sections = k_weighting(rate_hz)
        self.phases = cpu.peak_filter(4)
        self.filter_state = np.zeros((channels, 2, 2))
        self.history = np.zeros((channels, self.phases.shape[1]))
        self.partial_energy = 0.0
        self.samples = 0
        self.peak = 0.0
        self.energies: list[NDArray[np.float64]] = []

    def push(self, block: NDArray[np.float32]) -> None:
        """Measure the next samples, [samples, channels] float; what is not finite counts as 0."""
        block = np.ascontiguousarray(block, dtype=np.float32)
        if block.ndim == 1:
            block = block[:, None]
        if block.ndim != 2 or block.shape[1] != self.channels:
            raise ValueError(f"block must be [samples, {self.channels}], not {block.shape}")
        if not len(block):
            return
        energies, self.partial_energy, peak = cpu.measure_block(
            block,
            self.weights,
            self.sections,
            self.phases,
            self.filter_state,
            self.history,
            self.partial_energy,
            self.samples,
            self.rate_hz,
        )
        self.samples += len(block)
        self.peak = max(self.peak, peak)
        self.energies.append(energies)

    def result(self) -> LoudnessResult:
        """What was measured so far; the meter may go on."""
        energies = np.concatenate([np.empty(0), *self.energies])
        # Half a filter of silence after the end lets the last samples' peak be seen.
        tail = np.zeros((self.phases.shape[1] // 2, self.channels), dtype=np.float32)
        peak = max(self.peak, cpu.tail_peak(tail, self.phases, self.history.copy()))
        return LoudnessResult(
            integrated_lufs=integrated(energies),
            range_lu=range_of(energies),
            true_peak_dbtp=20.0 * float(np.log10(peak)) if peak > 0 else SILENCE,
            momentary_lufs=loudness_of(sliding_mean(energies, 4)),
            short_term_lufs=loudness_of(sliding_mean(energies, 30)),
        )


def measure(samples: NDArray[np.float32], rate_hz: int) -> LoudnessResult:
    """Measure a whole signal, [samples] or [samples, channels]."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    meter = Meter(rate_hz, samples.shape[1])
    meter.push(samples)
    return meter.result()
