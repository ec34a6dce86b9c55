"""Frame rate and length must follow from timestamps alone, whatever clock they were written in."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.failures import Failure
from ray_jobs.media import timing as module
from ray_jobs.media.timing import STANDARD_RATES, PacketLog, frame_rate, timing

rates = st.sampled_from(STANDARD_RATES)
clocks = st.sampled_from([Fraction(1, 1000), Fraction(1, 90000), Fraction(1, 12800)])


def ticks(rate: Fraction, clock: Fraction, frames: int, start: int = 0) -> np.ndarray:
    return start + np.array([round(n / rate / clock) for n in range(frames)], np.int64)


def log_of(times, lengths=None) -> PacketLog:
    log = PacketLog()
    for index, time in enumerate(times):
        log.add(int(time), int(time), lengths[index] if lengths is not None else None)
    return log


@given(rates, clocks, st.integers(50, 600), st.integers(-(10**9), 10**9))
def test_a_constant_rate_is_found_whatever_the_clock_rounds(rate, clock, frames, start):
    found = frame_rate(ticks(rate, clock, frames, start), clock, [])
    assert not found.vfr
    # The clock decides how well rates can be told apart over this many frames.
    assert abs(float(found.rate / rate) - 1) < 2 * float(clock * rate) / (frames - 1) + 1e-9


@given(rates, st.integers(60, 300))
def test_a_claim_wins_where_it_fits_as_well_as_any_other(rate, frames):
    claim = rate * Fraction(1_000_001, 1_000_000)
    assert frame_rate(ticks(rate, Fraction(1, 1000), frames), Fraction(1, 1000), [claim]).rate == (
        claim
    )


@given(rates, st.integers(60, 300), st.data())
def test_a_dropped_frame_makes_the_rate_variable(rate, frames, data):
    gone = data.draw(st.integers(5, frames - 5))
    clock = Fraction(1, 90000)
    found = frame_rate(np.delete(ticks(rate, clock, frames), gone), clock, [rate])
    assert found == (rate, True)


def test_one_frame_has_no_rate():
    assert frame_rate(np.array([7], np.int64), Fraction(1, 1000), [Fraction(25)]) is None


@given(st.permutations(range(12)), st.integers(-1000, 1000))
def test_times_come_out_in_the_order_shown_and_end_with_the_last_frame(order, start):
    times = [start + 40 * place for place in order]
    found = timing(log_of(times, [40] * 12), Fraction(1, 1000), resets=False)
    assert found.times.tolist() == sorted(times)
    assert found.end == start + 12 * 40


@given(st.integers(1, 98), st.integers(-(10**7), -2000))
def test_a_backward_jump_is_closed_by_one_step(at, jump):
    times = [40 * n + (jump if n >= at else 0) for n in range(100)]
    found = timing(log_of(times), Fraction(1, 1000), resets=False)
    assert found.jumps == 1
    assert found.times.tolist() == [40 * n for n in range(100)]


def test_a_long_pause_is_a_jump_only_where_clocks_may_be_reset():
    times = [0, 40, 80, 60_000, 60_040]
    pause = timing(log_of(times), Fraction(1, 1000), resets=False)
    reset = timing(log_of(times), Fraction(1, 1000), resets=True)
    assert (pause.jumps, pause.end) == (0, 60_080)
    assert (reset.jumps, reset.end) == (1, 200)


def test_packets_without_any_time_tell_nothing():
    log = PacketLog()
    log.add(None, None, 40)
    assert timing(log, Fraction(1, 1000), resets=False) is None


def test_endless_packets_end_in_a_failure(monkeypatch):
    monkeypatch.setattr(module, "MAX_PACKETS", 3)
    with pytest.raises(Failure, match="too_long"):
        log_of(range(4))
