"""Shots of whole files, against what is known of them."""

import pytest

from benchmarks.quality import films, shots


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return films.made(tmp_path_factory.mktemp("films"))


@pytest.mark.parametrize("name", ["similar", "dissolves", "fades", "flashes", "pan"])
def test_every_boundary_of_a_made_film_is_found_and_no_other(made, name):
    (film,) = ({path: spans} for path, spans in made.items() if path.stem == name)
    (row,) = shots.rows(film, peers=False)
    assert (row.precision, row.recall) == (1.0, 1.0)


def test_a_boundary_answers_for_one_label():
    assert shots.f1([10, 11, 40], [(9, 11), (20, 22)]) == (1 / 3, 1 / 2, pytest.approx(0.4))
    assert shots.f1([], []) == (1.0, 1.0, 1.0)
    assert shots.f1([5], [])[0] == 0.0
