"""What packet timestamps say of a stream: its frame rate, its length, whether its clock jumps."""

from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ray_jobs.failures import Failure
from ray_jobs.media.container import MAX_JUMP_S

MAX_PACKETS = 10_000_000
STANDARD_RATES = tuple(
    Fraction(rate) for rate in ("24000/1001", "24", "25", "30000/1001", "30", "48", "50")
) + tuple(Fraction(rate) for rate in ("60000/1001", "60", "100", "120000/1001", "120", "240"))
Ticks = npt.NDArray[np.int64]


class PacketLog:
    """Timestamps of one stream's packets, in file order, in ticks of its time base."""

    def __init__(self) -> None:
        self.shown, self.decoded, self.lengths = array("q"), array("q"), array("q")

    def add(self, pts: int | None, dts: int | None, duration: int | None) -> None:
        """Note a packet; one without any timestamp tells nothing."""
        shown = dts if pts is None else pts
        if shown is None:
            return
        if len(self.shown) == MAX_PACKETS:
            raise Failure("too_long", "The recording has too many frames; split it.")
        self.shown.append(shown)
        self.decoded.append(shown if dts is None else dts)
        self.lengths.append(duration or 0)


class Timing(NamedTuple):
    """When a stream is shown: distinct times in ticks, growing, jumps closed; its end; jumps."""

    times: Ticks
    end: int
    jumps: int


def timing(log: PacketLog, time_base: Fraction, *, resets: bool) -> Timing | None:
    """Order the packets as shown; `resets` also closes forward jumps. None without packets."""
    if not log.shown:
        return None
    shown = np.frombuffer(log.shown, np.int64)
    steps = np.diff(np.frombuffer(log.decoded, np.int64))
    step = int(np.median(steps)) if len(steps) else 0
    seconds = np.asarray(steps * float(time_base), np.float64)
    jump = (seconds < -1.0) | (seconds > (MAX_JUMP_S if resets else np.inf))
    shift = np.concatenate(([0], np.cumsum(np.where(jump, step - steps, 0))))
    placed = shown + shift
    last = int(np.argmax(placed))
    times = np.unique(placed)
    length = log.lengths[last] or _typical_step(times)
    return Timing(times, int(times[-1]) + max(0, length), int(jump.sum()))


def _typical_step(times: Ticks) -> int:
    return int(np.median(np.diff(times))) if len(times) > 1 else 0


class FrameRate(NamedTuple):
    rate: Fraction
    vfr: bool


def frame_rate(
    times: Ticks, time_base: Fraction, claimed: Sequence[Fraction | None]
) -> FrameRate | None:
    """The constant rate that fits every time best, else the rate of the typical step and `vfr`.

    A rate fits when frames stay within a tenth of a frame, or one tick of a coarse clock, of their
    ideal places. Rates the file claims win among equals. None for fewer than two frames.
    """
    step = _typical_step(times)
    if step <= 0:
        return None
    mean = Fraction(len(times) - 1, int(times[-1] - times[0])) / time_base
    near = [rate for rate in STANDARD_RATES if abs(float(rate / mean) - 1) < 0.01]
    candidates = [*(rate for rate in claimed if rate), *near, mean]
    fits = [(_misfit_ticks(times, time_base, rate), rate) for rate in candidates]
    good = [fit for fit in fits if fit[0] <= max(1.0, float(0.1 / (fit[1] * time_base)))]
    if good:
        # A quarter tick: differences below it are the clock's rounding, not evidence.
        _, rate = min(good, key=lambda fit: round(fit[0] * 4))
        return FrameRate(rate.limit_denominator(1001) if rate == mean else rate, vfr=False)
    typical = 1 / (step * time_base)
    closest = min(STANDARD_RATES, key=lambda rate: abs(rate - typical))
    if abs(float(closest / typical) - 1) < max(0.01, min(0.05, 1.1 / step)):
        return FrameRate(closest, vfr=True)
    return FrameRate(typical.limit_denominator(1001), vfr=True)


def _misfit_ticks(times: Ticks, time_base: Fraction, rate: Fraction) -> float:
    """Half the spread of the distances between the times and an even grid of the rate."""
    step = 1 / (rate * time_base)
    ideal = np.arange(len(times)) * float(step)
    error = (times - times[0]) - ideal
    return float(error.max() - error.min()) / 2
