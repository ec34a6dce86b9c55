"""The definition: a bed that gives way to a voice, their sum, and a ceiling over its true peaks.

Ducking follows from two distances alone: with d the samples to the next active one and s those
since the last, the share of the depth is the larger of ease(1 - d / attack) and
ease(1 - (s - hold) / release), ease being the smooth step 3x² - 2x³ on 0..1, applied in dB.
So the bed is at its depth when the first active sample comes.

The limiter holds the gain that each sample needs down for `reach` on either side and smooths it
with two boxes that together reach as far, so that the gain never rises above what is needed and
has no steps. Gains are counted in whole UNITs: their sums are exact, whatever the order, and where
nothing needs less than 1 the gain is 1 and samples come back as they were.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

REACH_S = 0.005
OVERSAMPLING = 8
TAPS = 32
BEFORE = TAPS // 2 - 1
"""Taps before the sample after which a phase interpolates."""
UNIT = 2**30
MARGIN = 4 * TAPS
"""Samples beyond the limiter's reach that have to be there for the interpolation's blocks."""
GUARD_DB = 0.15
"""Kept below the ceiling for what peaks between the oversampled points may rise above them.

Without it, sixteen-fold oversampling finds 0.07 dB above the ceiling in sound below 20 kHz, and
0.3 dB in white noise, whose last tenth of the band no short filter interpolates.
"""


class DuckShape(NamedTuple):
    """`depth_db` (0 or more) is how far the bed goes down; times in seconds."""

    depth_db: float
    attack_s: float
    hold_s: float
    release_s: float


def mix(
    voice: NDArray[np.floating],
    bed: NDArray[np.floating],
    active: NDArray[np.bool_],
    rate_hz: int,
    shape: DuckShape,
    ceiling_dbtp: float,
) -> NDArray[np.float64]:
    """The voice over the ducked bed, both [samples, channels], under a ceiling."""
    voice, bed = (np.where(np.isfinite(each), each, 0.0) for each in (voice, bed))
    summed = voice + bed * duck_gain(active, rate_hz, shape)[:, None]
    return np.asarray(summed * limit_gain(summed, rate_hz, ceiling_dbtp)[:, None])


@lru_cache(maxsize=16)
def duck_tables(rate_hz: int, shape: DuckShape) -> tuple[Floats, Floats]:
    """Gains by the samples to the next active one, and by those since the last; they end in 1."""
    attack, hold, release = (round(time_s * rate_hz) for time_s in shape[1:])
    ahead, since = np.arange(max(1, attack) + 1), np.arange(hold + max(1, release) + 1)
    shares = (1 - ahead / max(1, attack), 1 - np.maximum(0, since - hold) / max(1, release))
    eased = (np.clip(x, 0, 1) ** 2 * (3 - 2 * np.clip(x, 0, 1)) for x in shares)
    rise, fall = ((10 ** (-shape.depth_db * share / 20)).astype(np.float32) for share in eased)
    return rise, fall


def duck_gain(active: NDArray[np.bool_], rate_hz: int, shape: DuckShape) -> Floats:
    """Linear gain [n] of a bed below a voice that sounds where `active` [n] is true."""
    rise, fall = duck_tables(rate_hz, shape)
    at, far = np.arange(len(active)), len(active) + len(rise) + len(fall)
    ahead = np.minimum.accumulate(np.where(active, at, far)[::-1])[::-1] - at
    since = at - np.maximum.accumulate(np.where(active, at, -far))
    return np.minimum(
        rise[np.minimum(ahead, len(rise) - 1)], fall[np.minimum(since, len(fall) - 1)]
    )


def limit_gain(samples: NDArray[np.floating], rate_hz: int, ceiling_dbtp: float) -> Floats:
    """Linear gain [n] that holds the true peaks of samples [n, channels] under the ceiling."""
    if not len(samples):
        return np.empty(0, np.float32)
    reach = reach_of(rate_hz)
    # The filter rings into the silence before and after; that, too, stays under the ceiling.
    around = np.pad(samples, ((2 * reach, 2 * reach), (0, 0)))
    needed = needed_gain(around, ceiling_of(ceiling_dbtp))
    held = np.lib.stride_tricks.sliding_window_view(needed, 2 * reach + 1).min(axis=1)
    box = np.ones(reach + 1, np.int64)
    summed = np.convolve(np.convolve(held, box, "valid"), box, "valid")
    return np.asarray(summed * (1 / (UNIT * (reach + 1) ** 2)), np.float32)


def needed_gain(samples: NDArray[np.floating], ceiling: float) -> NDArray[np.int64]:
    """Gain [n] in UNITs that brings the peaks at and beside each sample down to the ceiling."""
    n = len(samples)
    peak = np.zeros(n + 1)  # before each sample, and after the last
    for channel in np.asarray(samples, np.float64).T:
        line = np.pad(channel, (BEFORE + 1, TAPS - BEFORE - 1))
        windows = np.lib.stride_tricks.sliding_window_view(line, TAPS)
        between = np.abs(windows @ peak_filter().T.astype(float)).max(axis=1, initial=0.0)
        peak = np.maximum(peak, np.maximum(between, np.abs(line[BEFORE : BEFORE + n + 1])))
    peak = np.maximum(peak[:-1], peak[1:])
    share = np.minimum(1.0, ceiling / np.maximum(peak, 1e-30))
    return np.asarray(np.floor(share * UNIT), np.int64)


def peak_filter() -> Floats:
    """Interpolation phases [OVERSAMPLING - 1, TAPS]: sinc in a Kaiser window (beta 5).

    Phase p stands p + 1 eighths behind tap BEFORE.
    """
    offset = np.arange(1, OVERSAMPLING)[:, None] / OVERSAMPLING - (np.arange(TAPS) - BEFORE)
    inside = np.sqrt(np.maximum(0.0, 1 - (offset / (TAPS / 2)) ** 2))
    taps = np.sinc(offset) * np.i0(5.0 * inside) / np.i0(5.0)
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), np.float32)


LOUDEST = float(np.abs(peak_filter()).sum(axis=1).max()) * 1.0001
"""No output of the phases exceeds this many times the largest sample under them."""


def reach_of(rate_hz: int) -> int:
    """Samples that the limiter looks ahead and back."""
    return max(1, round(REACH_S * rate_hz))


def ceiling_of(ceiling_dbtp: float) -> float:
    """Linear magnitude at which the limiter aims."""
    return float(10 ** ((ceiling_dbtp - GUARD_DB) / 20))
