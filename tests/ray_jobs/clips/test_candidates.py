"""Candidates begin and end where a listener would let them, and nowhere else."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ray_jobs.clips.candidates import LEAD_S, TAIL_S, find, sentences
from tests.ray_jobs.clips.conftest import measured, spoken

LINES = st.lists(
    st.tuples(
        st.floats(0.05, 4.0),
        st.lists(st.sampled_from(["so", "rivers", "bend.", "why?", "and"]), min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=12,
)


def laid_out(lines):
    at_s, placed = 0.0, []
    for gap_s, words in lines:
        at_s = round(at_s + gap_s, 3)
        placed.append((at_s, " ".join(words)))
        at_s += 0.3 * len(words)
    return spoken(*placed), at_s + 2.0


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LINES)
def test_no_candidate_cuts_a_word_or_leaves_the_recording(order, lines):
    segments, duration_s = laid_out(lines)
    spec = order(duration_s, segments, min_duration_s=2, max_duration_s=12)
    found = find(spec, measured(duration_s))
    words = [word for segment in segments for word in segment.words]
    assert found.fits.any()
    for start_s, end_s in zip(found.start_s, found.end_s, strict=True):
        assert 0 <= start_s < end_s <= duration_s
        for edge_s in (start_s, end_s):
            assert not any(w.start_s + 1e-3 < edge_s < w.end_s - 1e-3 for w in words)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LINES)
def test_half_of_the_silence_around_belongs_to_the_neighbours(order, lines):
    segments, duration_s = laid_out(lines)
    spec = order(duration_s, segments, min_duration_s=2, max_duration_s=12)
    found = find(spec, measured(duration_s))
    for i in range(len(found.first)):
        first, last = int(found.first[i]), int(found.last[i])
        lead_s = found.units[first].start_s - found.start_s[i]
        tail_s = found.end_s[i] - found.units[last].end_s
        before_s = found.units[first - 1].end_s if first else 0.0
        after_s = found.units[last + 1].start_s if last + 1 < len(found.units) else duration_s
        assert lead_s <= min(LEAD_S, (found.units[first].start_s - before_s) / 2) + 1e-3
        assert tail_s <= min(TAIL_S, max(0, after_s - found.units[last].end_s) / 2) + 1e-3


def test_fitting_candidates_keep_the_wanted_durations(order):
    segments = spoken(*[(4.0 * n, "rivers bend where they slow down.") for n in range(15)])
    spec = order(60.0, segments, min_duration_s=10, max_duration_s=20)
    found = find(spec, measured(60.0))
    length_s = found.end_s - found.start_s
    assert ((length_s >= 10 - 1e-3) & (length_s <= 20 + 1e-3) == found.fits).all()
    assert (~found.fits).any(), "near misses are kept to be explained"
    assert found.relaxed is None


def test_a_short_recording_still_has_a_candidate_and_says_why(order):
    found = find(order(3.0, spoken((0.5, "too short."))), measured(3.0))
    assert len(found.first) == 1
    assert found.relaxed is None or "short" in found.relaxed


def test_sentences_end_at_stops_and_long_pauses():
    segments = spoken((0.0, "one two. three"), (5.0, "four"))
    assert [unit.text for unit in sentences(segments)] == ["one two.", "three", "four"]


def test_nobody_speaks_so_shots_make_the_units(order):
    features = measured(40.0, shots=(0.0, 9.0, 21.0, 30.0))
    features.tracks["speech"][:] = 0.0
    found = find(order(40.0, [], min_duration_s=8, max_duration_s=25), features)
    assert {unit.start_s for unit in found.units} == {0.0, 9.0, 21.0, 30.0}


def test_sentences_end_where_somebody_else_goes_on():
    first, second = spoken((0.0, "and so we"), (0.9, "measured it again."))
    people = [first.model_copy(update={"speaker": "A"}), second.model_copy(update={"speaker": "B"})]
    assert [unit.text for unit in sentences([first, second])] == ["and so we measured it again."]
    assert [(unit.text, unit.speaker) for unit in sentences(people)] == [
        ("and so we", "A"), ("measured it again.", "B"),
    ]  # fmt: skip


def test_shots_fill_long_silence_between_sentences(order):
    features = measured(60.0, shots=(0.0, 15.0, 30.0, 45.0))
    spec = order(60.0, spoken((1.0, "hello there."), (55.0, "good bye.")), min_duration_s=8)
    found = find(spec, features)
    assert any(not unit.words for unit in found.units)
    assert found.fits.sum() > 3


def test_the_range_is_honoured(order):
    segments = spoken(*[(4.0 * n, "rivers bend where they slow down.") for n in range(15)])
    spec = order(60.0, segments, min_duration_s=5, range_start_s=20.0, range_end_s=40.0)
    found = find(spec, measured(60.0))
    assert found.start_s.min() >= 20.0
    assert found.end_s.max() <= 40.0


@pytest.mark.parametrize("duration_s", [0.04, 0.5])
def test_next_to_nothing_is_one_candidate(order, duration_s):
    found = find(order(duration_s, []), measured(duration_s))
    assert len(found.first) == 1
    assert np.isclose(found.end_s[0], duration_s, atol=0.01)
