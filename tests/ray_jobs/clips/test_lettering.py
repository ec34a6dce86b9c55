"""Shots that are there to be read are told from those with letters at their edge or in passing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.clips.lettering import card, to_be_read
from ray_jobs.engines.letters import Line
from tests.ray_jobs.engines.test_letters import SIZE, written

TITLE = Line(0.25, 0.4, 0.75, 0.5)


def scene() -> np.ndarray:
    """Walls, windows, faces: areas of all lights."""
    areas = np.random.default_rng(0).integers(0, 200, (18, 32, 1)).astype(np.uint8)
    return areas.repeat(20, axis=0).repeat(20, axis=1).repeat(3, axis=2)


def with_line(picture: np.ndarray, top: int) -> np.ndarray:
    return np.maximum(picture, written("01:00:12:16", 200, top, 48))


@pytest.mark.parametrize("top", [8, 300])
def test_a_line_at_the_edge_is_read_where_there_is_nothing_else_to_see(top):
    plain = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    assert len(to_be_read(with_line(plain, top))) == 1
    assert to_be_read(with_line(scene(), top)) == []


def test_a_line_in_the_middle_is_read_over_a_scene_too():
    picture = scene()
    picture[140:220] = 20
    assert len(to_be_read(with_line(picture, 150))) == 1


def test_a_title_is_as_wide_as_its_widest_line():
    assert card([[TITLE, Line(0.4, 0.5, 0.6, 0.6)]] * 3) == pytest.approx((0.5, 0.5))


def test_what_moves_or_changes_is_as_wide_as_it_ever_is():
    clock = [[Line(0.6, 0.5, 0.6 + width, 0.6)] for width in (0.2, 0.22, 0.3, 0.25)]
    assert card(clock) == pytest.approx((0.75, 0.3))


def test_a_title_for_a_part_of_a_shot_is_read_and_one_in_passing_is_not():
    assert card([[], [], [], [TITLE]])
    assert card([*[[]] * 9, [TITLE]]) is None


def test_a_number_plate_is_not_there_to_be_read():
    assert card([[Line(0.45, 0.4, 0.55, 0.45)]] * 5) is None


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
