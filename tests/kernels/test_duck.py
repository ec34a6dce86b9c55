"""The bed is down before the voice begins, stays down in short gaps, and comes back whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.mix.duck import Ducker, DuckShape, duck_gain

RATE_HZ = 1000
SHAPE = DuckShape(depth_db=12.0, attack_s=0.1, hold_s=0.2, release_s=0.3)
DOWN = 10 ** (-12 / 20)


def speaking(length, *spans):
    active = np.zeros(length, bool)
    for start, end in spans:
        active[start:end] = True
    return active


def test_the_bed_is_down_with_the_first_sample_of_the_voice_and_whole_before_the_attack():
    gain = duck_gain(speaking(2000, (800, 1000)), RATE_HZ, SHAPE)
    assert gain[800:1000] == pytest.approx(DOWN)
    assert (gain[:700] == 1).all()
    assert (np.diff(gain[700:800]) < 0).all()


def test_it_holds_then_returns_to_exactly_what_it_was():
    gain = duck_gain(speaking(2000, (800, 1000)), RATE_HZ, SHAPE)
    assert gain[1000:1199] == pytest.approx(DOWN)
    assert (np.diff(gain[1200:1498]) > 0).all()
    assert (gain[1500:] == 1).all()


def test_a_gap_shorter_than_the_hold_is_not_heard_and_a_long_one_is():
    short = duck_gain(speaking(2000, (500, 700), (880, 1000)), RATE_HZ, SHAPE)
    assert short[500:1000] == pytest.approx(DOWN)
    long = duck_gain(speaking(4000, (500, 700), (2500, 2700)), RATE_HZ, SHAPE)
    assert (long[1300:2300] == 1).all()


@settings(deadline=None, max_examples=60)
@given(data=st.data(), n=st.integers(0, 600), seed=st.integers(0, 999))
def test_blocks_have_the_gain_of_the_whole(data, n, seed):
    random = np.random.default_rng(seed)
    active = np.repeat(random.random(n // 7 + 1) < 0.3, 7)[:n]
    shape = DuckShape(*(data.draw(st.floats(0, 0.3)) for _ in range(4)))._replace(depth_db=9.0)
    whole = duck_gain(active, RATE_HZ, shape)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=6)))
    ducker, parts = Ducker(RATE_HZ, shape), []
    for first, last in zip([0, *cuts], [*cuts, n], strict=True):
        parts.append(ducker.push(active[first:last]))
    assert np.array_equal(np.concatenate([*parts, ducker.finish()]), whole)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 999), depth_db=st.floats(0, 40))
def test_it_never_leaves_its_bounds_and_is_down_wherever_somebody_speaks(seed, depth_db):
    active = np.repeat(np.random.default_rng(seed).random(40) < 0.2, 25)
    gain = duck_gain(active, RATE_HZ, SHAPE._replace(depth_db=depth_db))
    floor = 10 ** (-depth_db / 20)
    assert gain.shape == active.shape
    assert gain.min(initial=1) >= floor * (1 - 1e-6)
    assert gain.max(initial=0) <= 1
    assert gain[active] == pytest.approx(floor)


def test_silence_leaves_the_bed_alone():
    assert (duck_gain(np.zeros(500, bool), RATE_HZ, SHAPE) == 1).all()
    assert len(duck_gain(np.zeros(0, bool), RATE_HZ, SHAPE)) == 0


def test_a_shape_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="positive"):
        Ducker(RATE_HZ, SHAPE._replace(release_s=-1.0))
    with pytest.raises(ValueError, match="samples"):
        duck_gain(np.zeros((3, 2), bool), RATE_HZ, SHAPE)
