"""The score is a sum that can be checked by hand."""

import numpy as np
import pytest

from ray_jobs.clips import candidates, scoring
from ray_jobs.contract import ScoreWeights
from tests.ray_jobs.clips.conftest import measured, spoken

TALK = [
    (0.5, "Why does every river bend?"),
    (3.0, "Nobody told you the secret reason."),
    (6.5, "The water carries stones from one bank to the other."),
    (12.0, "and then"),
    (14.0, "Cities were built where rivers slow down."),
    (18.5, "Remember that when you look for the oldest street."),
]


@pytest.fixture
def scored(order):
    def make(segments=None, features=None, **more):
        segments = spoken(*TALK) if segments is None else segments
        spec = order(25.0, segments, min_duration_s=3, max_duration_s=15, **more)
        features = features or measured(25.0)
        found = candidates.find(spec, features)
        return found, scoring.score(spec, features, found)

    return make


def test_contributions_sum_to_the_total_and_parts_are_whole(scored):
    found, result = scored()
    assert len(found.first) > 5
    for i in range(len(found.first)):
        parts = result.breakdown(i, found)
        assert {part.name for part in parts} == set(ScoreWeights.model_fields) - {"opinion"}
        assert sum(part.contribution for part in parts) == pytest.approx(result.total[i], abs=1e-9)
        for part in parts:
            assert 0 <= part.normalised <= 1
            assert part.contribution == pytest.approx(part.weight * part.normalised, abs=1e-9)
            assert part.evidence.note
            assert found.start_s[i] <= part.evidence.start_s < part.evidence.end_s


@pytest.mark.parametrize("name", sorted(set(ScoreWeights.model_fields) - {"opinion"}))
def test_a_weight_of_zero_takes_the_part_out(scored, name):
    found, before = scored()
    _, after = scored(weights=ScoreWeights(**{name: 0}))
    part = before.parts[name]
    taken = before.weights[name] * np.round(part.normalised, 6)
    np.testing.assert_allclose(after.total, before.total - taken, atol=1e-9)
    assert len(found.first) == len(after.total)


def test_a_question_pulls_more_than_a_dangling_and(scored):
    found, result = scored()
    first = {found.units[int(a)].text: result.parts["hook"].normalised[i]
             for i, a in enumerate(found.first)}  # fmt: skip
    assert first["Why does every river bend?"] > first["The water carries stones from one bank to "
                                                       "the other."]  # fmt: skip
    whole = {
        (int(a), int(b)): result.parts["completeness"].normalised[i]
        for i, (a, b) in enumerate(zip(found.first, found.last, strict=True))
    }
    assert whole[0, 1] > max(value for (a, _), value in whole.items() if a == 3)


def test_what_cannot_be_measured_weighs_nothing_and_says_so(scored):
    mute = measured(25.0)
    for name in ("loudness_lufs", "speech"):
        mute.tracks[name][:] = np.nan
    found, result = scored(segments=[], features=mute)
    parts = {part.name: part for part in result.breakdown(0, found)}
    for name in ("hook", "meaning", "completeness", "topic", "speech", "energy", "dynamics"):
        assert parts[name].weight == 0
        assert "there is no" in parts[name].evidence.note


def test_the_same_input_scores_the_same(scored):
    np.testing.assert_array_equal(scored()[1].total, scored()[1].total)


def test_a_hooks_evidence_is_its_own_words(scored):
    found, result = scored()
    for i in range(len(found.first)):
        hook = next(p for p in result.breakdown(i, found) if p.name == "hook")
        opening = found.units[int(found.first[i])]
        assert hook.evidence.words == [word.id for word in opening.words]
