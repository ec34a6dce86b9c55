"""Shots that are there to be read are told from those with letters at their edge or in passing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.clips.lettering import card
from ray_jobs.engines.letters import Line

TITLE = Line(0.25, 0.4, 0.75, 0.5)
BELOW = Line(0.1, 0.85, 0.9, 0.9)


def test_a_title_is_as_wide_as_its_widest_line():
    assert card([[TITLE, Line(0.4, 0.5, 0.6, 0.6)]] * 3) == pytest.approx((0.5, 0.5))


def test_what_moves_or_changes_is_as_wide_as_it_ever_is():
    clock = [[Line(0.6, 0.5, 0.6 + width, 0.6)] for width in (0.2, 0.22, 0.3, 0.25)]
    assert card(clock) == pytest.approx((0.75, 0.3))


def test_a_title_for_a_part_of_a_shot_is_read_and_one_in_passing_is_not():
    assert card([[], [], [], [TITLE]])
    assert card([*[[]] * 9, [TITLE]]) is None


@pytest.mark.parametrize(
    "line", [BELOW, Line(0.1, 0.02, 0.9, 0.08), Line(0.45, 0.4, 0.55, 0.45)],
    ids=["watermark", "ticker", "number plate"],
)  # fmt: skip
def test_letters_that_are_not_there_to_be_read(line):
    assert card([[line]] * 5) is None


def test_what_stands_at_the_edge_does_not_widen_a_title():
    assert card([[TITLE, BELOW]]) == card([[TITLE]])


def test_no_looks_and_no_lines_are_no_card():
    assert card([]) is None
    assert card([[], []]) is None


share = st.floats(0, 1, width=32)
lines = st.lists(st.tuples(share, share, share, share), max_size=4).map(
    lambda rows: [Line(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in rows]
)


@given(st.lists(lines, max_size=6))
def test_a_card_lies_in_the_picture(looks):
    found = card(looks)
    if found:
        assert 0 < found.width <= 1
        assert -1e-9 <= found.x - found.width / 2 <= found.x + found.width / 2 <= 1 + 1e-9
