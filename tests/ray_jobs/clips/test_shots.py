"""Shots of whole files, against what is known of them."""

import numpy as np
import pytest

from benchmarks.quality import films, shots


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return films.made(tmp_path_factory.mktemp("films"))


@pytest.mark.parametrize(
    "name",
    ["similar", "dissolves", "fades", "flashes", "pan", "slow_fades", "shaken", "passing",
     "explosion", "text"],
)  # fmt: skip
def test_every_boundary_of_a_made_film_is_found_and_no_other(made, name):
    ((path, spans),) = ((path, spans) for path, spans in made.items() if path.stem == name)
    assert shots.f1(shots.boundaries(path), shots.Truth(spans))[:2] == (1.0, 1.0)


def test_a_boundary_answers_for_one_label():
    truth = shots.Truth([(9, 11), (20, 22)])
    assert shots.f1([10, 11, 40], truth) == (1 / 3, 1 / 2, pytest.approx(0.4))
    assert shots.f1([], shots.Truth([])) == (1.0, 1.0, 1.0)
    assert shots.f1([5], shots.Truth([]))[0] == 0.0


def test_where_labels_leave_boundaries_out_only_those_known_to_be_wrong_count():
    truth = shots.Truth([(9, 11)], wrong=[(30, 30)])
    assert shots.f1([10, 20], truth) == (1.0, 1.0, 1.0)
    assert shots.f1([10, 30], truth)[0] == 1 / 2


def test_a_file_left_out_is_judged_by_what_is_best_on_the_others():
    table = np.array([[1.0, 0.0, 0.0], [0.2, 1.0, 1.0], [0.4, 1.0, 1.0]])
    assert shots.judged(table, 0) == pytest.approx(0.3)  # two draws tie on the others
    assert shots.judged(table, 1) == 1.0
