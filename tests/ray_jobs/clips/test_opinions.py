"""A language model's opinion is one more part of a score, and touches no other."""

import numpy as np
import pytest

from ray_jobs.clips import candidates, scoring
from ray_jobs.clips.opinions import MOST_ASKED, Opinions, shortlist
from tests.ray_jobs.clips.conftest import measured, spoken

LINES = [(1.0 + 3.0 * n, f"Part {n} of the river bends here.") for n in range(8)]


@pytest.fixture
def scored(order):
    spec = order(25.0, spoken(*LINES), min_duration_s=3, max_duration_s=15)
    features = measured(25.0)
    found = candidates.find(spec, features)
    return lambda opinions=None: (found, scoring.score(spec, features, found, opinions))


def test_nobody_asked_is_no_part(scored):
    assert "opinion" not in scored()[1].parts


def test_it_adds_its_weighted_share_and_changes_no_other_part(scored):
    found, before = scored()
    text = found.text(3)
    _, after = scored(Opinions("tiny", {text: (8.0, "It is whole.")}))
    added = np.array([0.8 if found.text(i) == text else 0.0 for i in range(len(found.first))])
    np.testing.assert_allclose(after.total, before.total + added, atol=1e-9)
    for part in before.breakdown(3, found):
        assert part in after.breakdown(3, found)
    (said,) = (part for part in after.breakdown(3, found) if part.name == "opinion")
    assert (said.value, said.normalised, said.evidence.note) == (8, 0.8, "tiny: It is whole.")
    (other,) = (part for part in after.breakdown(0, found) if part.name == "opinion")
    assert (other.contribution, "not asked" in other.evidence.note) == (0, True)


def test_where_there_is_none_it_weighs_nothing_and_says_why(scored):
    found, before = scored()
    _, after = scored(Opinions("tiny", down="it answered 503"))
    np.testing.assert_array_equal(after.total, before.total)
    (part,) = (part for part in after.breakdown(0, found) if part.name == "opinion")
    assert (part.weight, part.evidence.note) == (0, "No opinions: it answered 503")


def test_the_shortlist_has_the_best_and_none_twice(scored):
    found, result = scored()
    listed = shortlist(found, result.total, 2)
    assert len(listed) == len(set(listed)) <= 6
    assert all(found.fits[i] for i in listed)
    rest = result.total[found.fits].max()
    assert result.total[listed].max() == rest
    assert len(shortlist(found, result.total, 100)) <= MOST_ASKED
