"""The limiter keeps true peaks under the ceiling and leaves the rest alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.loudness import measure
from kernels.mix import limit


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 99), gain_db=st.floats(-20, 20), n=st.integers(0, 9000))
def test_true_peaks_never_exceed_the_ceiling(seed, gain_db, n):
    random = np.random.default_rng(seed)
    sound = (random.normal(0, 0.3, (n, 2)) * 10 ** (gain_db / 20)).astype(np.float32)
    limited = limit(sound, 48_000, -1.5)
    assert limited.shape == sound.shape
    assert measure(limited, 48_000).true_peak_dbtp <= -1.5 + 0.2


def test_what_is_below_the_ceiling_comes_back_untouched():
    sound = np.random.default_rng(0).normal(0, 0.05, (4800, 2)).astype(np.float32)
    assert np.array_equal(limit(sound, 48_000, -1.0), sound)


def test_a_peak_in_one_channel_turns_both_down_and_only_around_it():
    sound = np.full((48_000, 2), 0.1, np.float32)
    sound[24_000, 0] = 2.0
    limited = limit(sound, 48_000, -1.0)
    assert limited[24_000, 1] < 0.06
    assert (limited[:20_000] == sound[:20_000]).all()
    assert (limited[-20_000:] == sound[-20_000:]).all()


def test_a_vector_is_refused():
    with pytest.raises(ValueError, match="channels"):
        limit(np.zeros(10, np.float32), 48_000, -1.0)
