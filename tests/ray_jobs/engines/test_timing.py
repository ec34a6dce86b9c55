"""Times of words in order: nothing untimed, nothing before its neighbour."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.engines.timing import filled, mean_score, shared

second = st.floats(0, 100)
maybe = st.none() | st.tuples(second, second)


@given(st.lists(maybe, min_size=1, max_size=30), second, second)
def test_all_are_timed_in_order_within_the_bounds(times, one, other):
    low, high = sorted((one, other))
    spans = filled(times, [1.0] * len(times), low, high)
    edges = [edge for span in spans for edge in span]
    assert len(spans) == len(times)
    assert all(a <= b + 1e-9 for a, b in pairwise(edges))
    assert low - 1e-9 <= edges[0]
    assert edges[-1] <= high + 1e-9


def test_what_is_known_and_in_order_stays():
    times = [(1.0, 2.0), (2.5, 3.0)]
    assert filled(times, [1, 1], 0, 10) == times


def test_a_gap_is_shared_by_weight():
    found = filled([(0, 1), None, None, (5, 6)], [1, 1, 3, 1], 0, 10)
    assert found[1:3] == [(1, 2), (2, 5)]


def test_a_word_that_was_not_heard_does_not_fill_a_long_gap():
    found = filled([(0, 1), None, (60, 61)], [1, 2, 1], 0, 100, most_s=0.2)
    assert found[1] == (1, 1.4)
    assert filled([None, (60, 61)], [2, 1], 0, 100, most_s=0.2)[0] == (59.6, 60)


def test_weights_of_nothing_share_alike():
    assert shared([0, 0], 0, 2) == [(0, 1), (1, 2)]


def test_long_words_weigh_more_in_a_score():
    assert mean_score([[0, 3, -10], [3, 4, -50]]) == pytest.approx(-20)
