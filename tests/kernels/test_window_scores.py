"""Window statistics equal their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.window_scores import window_stats
from kernels.window_scores.reference import window_stats as reference


@settings(deadline=None, max_examples=60)
@given(
    frames=st.integers(1, 60), parts=st.integers(1, 3), seed=st.integers(0, 99),
    level=st.sampled_from([0.0, 1e4]), holes=st.floats(0, 1),
)  # fmt: skip
def test_equal_the_definition(frames, parts, seed, level, holes):
    random = np.random.default_rng(seed)
    tracks = random.normal(level, 1, (parts, frames))
    tracks[random.random((parts, frames)) < holes * 0.5] = np.nan
    starts = random.integers(0, frames, 20)
    ends = np.minimum(frames, starts + random.integers(1, frames + 1, 20))
    for got, wanted in zip(
        window_stats(tracks, starts, ends), reference(tracks, starts, ends), strict=True
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-6)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (-1, 2), (0, 99), (3, 2)])
def test_windows_outside_the_tracks_are_refused(start, end):
    with pytest.raises(ValueError, match="window"):
        window_stats(np.zeros((1, 10)), np.array([start]), np.array([end]))
