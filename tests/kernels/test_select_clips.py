"""Selection is the exact optimum."""

import numpy as np
import pytest
import torch
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


@settings(deadline=None, max_examples=200)
@given(
    windows=st.lists(window, min_size=1, max_size=40), k=st.integers(1, 20), seed=st.integers(0, 9),
    unit=st.sampled_from([1, 0.04, 1e-3]), shift=st.sampled_from([0, 7, 10**9]),
)  # fmt: skip
def test_neither_order_nor_units_nor_origin_change_the_sum(windows, k, seed, unit, shift):
    starts, lengths, scores = np.array(windows, dtype=np.int64).T
    by_start = np.lexsort((lengths, starts))
    starts, ends, scores = starts[by_start], (starts + lengths)[by_start], scores[by_start]
    chosen = select(starts, ends, scores, k)
    assert apart(starts, ends, tuple(int(i) for i in chosen))
    assert len(chosen) <= k
    shuffled = np.random.default_rng(seed).permutation(len(starts))
    for a, b in ((starts + shift, ends + shift), (starts * unit, ends * unit)):
        for order in (np.arange(len(starts)), shuffled):
            again = order[select(a[order], b[order], scores[order], k)]
            assert scores[again].sum() == scores[chosen].sum()
            assert apart(starts, ends, tuple(int(i) for i in again))


def test_the_best_of_a_dense_grid_equal_those_of_its_windows_in_any_order():
    starts, lengths = (x.ravel() for x in np.mgrid[0:400:5, 30:90:5])
    scores = np.random.default_rng(0).normal(size=len(starts))
    chosen = select(starts, starts + lengths, scores, 6)
    shuffled = np.random.default_rng(1).permutation(len(starts))
    again = select(starts[shuffled] / 10, (starts + lengths)[shuffled] / 10, scores[shuffled], 6)
    np.testing.assert_array_equal(shuffled[again], chosen)
    assert scores[chosen].sum() > greedy(starts, starts + lengths, scores, 6)


def test_among_equal_sums_fewer_and_earlier_windows_are_chosen():
    assert select([0, 0, 5, 20], [10, 5, 10, 30], [2, 1, 1, 2], 2).tolist() == [0, 3]
    assert select([4, 0, 8], [8, 4, 12], [1, 1, 1], 1).tolist() == [1]
    assert select([0, 0], [4, 4], [1, 1], 1).tolist() == [0]


def test_tensors_are_read_too():
    times = torch.arange(4)
    assert select(times, times + 1, torch.ones(4), 2).tolist() == [0, 1]


def test_two_good_neighbours_beat_the_best_window():
    assert select([0, 4, 10], [6, 11, 15], [5, 8, 5], 2).tolist() == [0, 2]


def test_windows_may_touch_and_overlap_as_far_as_allowed():
    assert select([0, 10], [10, 20], [1, 1], 2).tolist() == [0, 1]
    assert select([0, 9], [10, 19], [1, 1], 2).tolist() in ([0], [1])
    assert select([0, 9], [10, 19], [1, 1], 2, max_overlap=0.1).tolist() == [0, 1]


def test_scores_that_are_no_gain_are_never_chosen():
    assert select([0, 2, 4], [1, 3, 5], [0, -1, np.nan], 3).tolist() == []


@pytest.mark.parametrize(
    "bad",
    [([0], [0], [1]), ([0, 1], [2], [1]), ([1], [0], [1]), ([0], [np.nan], [1])],
)
def test_windows_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match=r"window|length"):
        select(*bad, 1)
