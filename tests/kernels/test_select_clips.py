"""Selection is the exact optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.select_clips import select
from kernels.select_clips.reference import apart, brute_force, greedy

window = st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(-3, 20))


@settings(deadline=None, max_examples=200)
@given(windows=st.lists(window, max_size=9), k=st.integers(0, 5))
def test_equals_brute_force_and_is_never_below_greedy(windows, k):
    starts = np.array([w[0] for w in windows], float)
    ends = starts + np.array([w[1] for w in windows], float)
    scores = np.array([w[2] for w in windows], float)
    chosen = select(starts, ends, scores, k)
    assert len(chosen) <= k
    assert apart(starts, ends, tuple(int(i) for i in chosen))
    assert scores[chosen].sum() == pytest.approx(brute_force(starts, ends, scores, k))
    assert scores[chosen].sum() >= greedy(starts, ends, scores, k) - 1e-9
    assert list(starts[chosen]) == sorted(starts[chosen])


def test_two_good_neighbours_beat_the_best_window():
    assert select([0, 4, 10], [6, 11, 15], [5, 8, 5], 2).tolist() == [0, 2]


def test_windows_may_touch_and_overlap_as_far_as_allowed():
    assert select([0, 10], [10, 20], [1, 1], 2).tolist() == [0, 1]
    assert select([0, 9], [10, 19], [1, 1], 2).tolist() in ([0], [1])
    assert select([0, 9], [10, 19], [1, 1], 2, max_overlap=0.1).tolist() == [0, 1]


def test_scores_that_are_no_gain_are_never_chosen():
    assert select([0, 2, 4], [1, 3, 5], [0, -1, np.nan], 3).tolist() == []


@pytest.mark.parametrize("bad", [([0], [0], [1]), ([0, 1], [2], [1]), ([1], [0], [1])])
def test_windows_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match=r"window|length"):
        select(*bad, 1)
