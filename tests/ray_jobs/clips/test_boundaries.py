"""No clip begins or ends inside a word, whatever the transcript, the range or the durations."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ray_jobs.clips.candidates import LEAD_S, MAX_CANDIDATES, SLIP_S, TAIL_S, find, units_of
from ray_jobs.contract import Segment, Word
from tests.ray_jobs.clips.conftest import measured, spoken

TOKENS = st.sampled_from(
    ["so", "rivers", "bend.", "why?", "and", "…", "日本。", "1,5", "\n", "Yes!"]
)
GAPS = st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0.5, 9))
LENGTHS = st.one_of(st.just(0.0), st.floats(0.02, 0.9), st.floats(1, 6))
LINES = st.lists(st.tuples(GAPS, LENGTHS, TOKENS), min_size=1, max_size=25)
SPEAKERS = st.lists(LINES, max_size=3)
PATIENT = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def talk(speakers) -> list[Segment]:
    """One segment a speaker, each on a time line of its own: they talk over each other."""
    segments = []
    for number, words in enumerate(speakers):
        at_s, written = 0.0, []
        for place, (gap_s, length_s, text) in enumerate(words):
            start_s = round(at_s + gap_s, 3)
            at_s = round(start_s + length_s, 3)
            written.append(
                Word(id=f"{number}.{place}", text=text, start_s=start_s, end_s=at_s, confidence=1)
            )
        segments.append(
            Segment(
                id=f"s{number}", start_s=written[0].start_s, end_s=at_s, text="", confidence=1,
                words=written,
            )
        )  # fmt: skip
    return segments


def cuts_a_word(edge_s: float, words: list[Word], slack_s: float) -> bool:
    return any(w.start_s + slack_s < edge_s < w.end_s - slack_s for w in words)


@PATIENT
@given(SPEAKERS, st.floats(0.5, 30), st.floats(0.5, 60), st.integers(0, 3))
def test_no_edge_lies_within_a_word(order, speakers, shortest_s, longest_s, more_s):
    segments = talk(speakers)
    duration_s = max((s.end_s for s in segments), default=20.0) + more_s
    if duration_s == 0:
        return
    spec = order(duration_s, segments, min_duration_s=shortest_s, max_duration_s=longest_s)
    found = find(spec, measured(duration_s, shots=(0.0, duration_s / 3)))
    words = [word for segment in segments for word in segment.words]
    assert (found.end_s > found.start_s).all()
    assert (found.start_s >= 0).all()
    assert (found.end_s <= duration_s).all()
    assert found.fits.any()
    for edge_s in {*found.start_s, *found.end_s}:
        assert not cuts_a_word(edge_s, words, SLIP_S / 2 + 1e-3)


@PATIENT
@given(st.lists(LINES, max_size=1), st.floats(2, 20), st.data())
def test_a_range_cuts_no_word_of_the_sentences_it_leaves_out(order, speakers, longest_s, data):
    segments = talk(speakers)
    words = [word for segment in segments for word in segment.words]
    duration_s = max((w.end_s for w in words), default=20.0) + 1
    low_s, high_s = sorted(data.draw(st.tuples(*[st.floats(0, duration_s)] * 2)))
    spec = order(
        duration_s, segments, min_duration_s=1, max_duration_s=longest_s,
        range_start_s=low_s, range_end_s=high_s,
    )  # fmt: skip
    found = find(spec, measured(duration_s))
    assert (found.start_s >= low_s).all()
    assert (found.end_s <= high_s).all()
    inside = [w for w in words if low_s <= w.start_s < w.end_s <= high_s]
    for edge_s in {*found.start_s, *found.end_s} if inside else ():
        assert not cuts_a_word(edge_s, words, SLIP_S / 2 + 1e-3)


def test_a_range_that_begins_within_a_sentence_does_not_take_its_last_word(order):
    segments = spoken((4.0, "rivers bend where they slow down."), (6.1, "so do roads and cities."))
    spec = order(12.0, segments, min_duration_s=1, range_start_s=5.4)
    found = find(spec, measured(12.0))
    assert found.start_s.min() >= segments[0].end_s


@pytest.mark.parametrize("speech", ["words without pauses", "no words", "no sound", "no pictures"])
@pytest.mark.parametrize("longest_s", [5.0, 20.0, 60.0])
def test_an_hour_without_a_pause_still_gives_clips_of_the_wanted_length(order, speech, longest_s):
    """A text given without times has words end to end; a talk may be one shot."""
    duration_s = 3600.0
    features = measured(duration_s)
    segments = []
    if speech == "words without pauses":
        times = np.linspace(0, duration_s, 7201)
        words = [
            Word(id=str(n), text="river", start_s=a, end_s=b, confidence=1, interpolated=True)
            for n, (a, b) in enumerate(pairwise(times))
        ]
        segments = [
            Segment(id="s", start_s=0, end_s=duration_s, text="", confidence=1, words=words)
        ]
    if speech == "no words":
        features.tracks["speech"][:] = 1.0
    if speech == "no sound":
        features.tracks["speech"][:] = features.tracks["loudness_lufs"][:] = np.nan
    if speech == "no pictures":
        features.tracks["speech"][:] = 0.0
        features.shots.clear()
    spec = order(duration_s, segments, min_duration_s=longest_s / 2, max_duration_s=longest_s)
    found = find(spec, features)
    length_s = (found.end_s - found.start_s)[found.fits]
    assert found.relaxed is None
    assert len(length_s) > duration_s / longest_s
    assert (length_s >= longest_s / 2 - 1e-6).all()
    assert (length_s <= longest_s + 1e-6).all()
    assert found.start_s.min() < 2 * longest_s
    assert found.end_s.max() > duration_s - 2 * longest_s


def test_a_wordless_span_is_parted_where_it_is_calm(order):
    features = measured(300.0)
    features.tracks["speech"][:] = 1.0
    features.tracks["loudness_lufs"][:] = -20.0
    calm = np.arange(50, 3000, 50)
    features.tracks["loudness_lufs"][calm] = -60.0
    units = units_of(order(300.0, [], max_duration_s=60.0), features)
    edges = np.array([unit.start_s for unit in units[1:]])
    assert len(edges) > 20
    assert np.isin(np.round((edges - 0.05) * 10).astype(int), calm).all()


def test_a_recording_of_half_a_day_is_considered_to_its_end(order):
    segments = spoken(*[(2.0 * n, "so it goes.") for n in range(21_600)])
    duration_s = 43_200.0
    found = find(order(duration_s, segments), measured(duration_s))
    assert 0 < len(found.first) <= MAX_CANDIDATES
    assert found.fits.all(), "near misses give way first"
    assert found.start_s.min() < 5
    assert found.end_s.max() > duration_s - 60
    assert np.histogram(found.start_s, 12)[0].min() > 1000, "every hour has its candidates"
    assert "so long" in found.relaxed


def test_the_last_sentence_counts_though_its_end_was_heard_too_late(order):
    segments = spoken((1.0, "rivers bend."), (8.0, "so do roads."))
    found = find(order(8.7, segments, min_duration_s=0.5), measured(8.7))
    assert found.units[-1].text == "so do roads."
    assert found.end_s.max() == 8.7


def test_words_beyond_the_recording_are_no_candidates(order):
    segments = spoken((1.0, "rivers bend."), (80.0, "so do roads."))
    found = find(order(10.0, segments, min_duration_s=0.5), measured(10.0))
    assert "so do roads." not in {unit.text for unit in found.units}


def test_sentences_spoken_over_each_other_are_one(order):
    over = [*spoken((1.0, "one two three four.")), *spoken((1.7, "five six."))]
    units = units_of(order(20.0, over, max_duration_s=10.0), measured(20.0))
    assert units[0].text == "one two three four. five six."
    assert units[0].end_s == pytest.approx(max(s.end_s for s in over))


def test_all_the_silence_around_a_clip_is_shared_with_its_neighbour(order):
    """Two clips that meet in a pause touch there at most, and each keeps its lead and tail."""
    near = spoken((1.0, "rivers bend."), (2.0, "so do roads."))
    found = find(order(12.0, near, min_duration_s=0.1), measured(12.0))
    gap_s = near[1].start_s - near[0].end_s
    by_span = dict(zip(zip(found.first, found.last, strict=True), range(99), strict=False))
    assert found.end_s[by_span[0, 0]] == pytest.approx(near[0].end_s + gap_s / 2, abs=1e-3)
    assert found.start_s[by_span[1, 1]] == pytest.approx(near[1].start_s - gap_s / 2, abs=1e-3)
    far = spoken((3.0, "rivers bend."), (8.0, "so do roads."))
    found = find(order(20.0, far, min_duration_s=0.1), measured(20.0))
    assert found.start_s[0] == pytest.approx(3.0 - LEAD_S)
    assert found.end_s[0] == pytest.approx(far[0].end_s + TAIL_S)


@pytest.mark.parametrize(
    ("range_s", "duration_s"), [((50.0, None), 20.0), ((8.0, 8.0), 20.0), ((0.0, None), 0.0)]
)
def test_an_empty_range_has_no_candidates(order, range_s, duration_s):
    spec = order(duration_s, [], range_start_s=range_s[0], range_end_s=range_s[1])
    assert len(find(spec, measured(duration_s)).first) == 0


def test_wishes_that_contradict_each_other_are_met_as_well_as_can_be(order):
    segments = spoken(*[(4.0 * n, "rivers bend where they slow down.") for n in range(15)])
    spec = order(60.0, segments, min_duration_s=30, max_duration_s=10)
    found = find(spec, measured(60.0))
    assert found.relaxed
    assert ((found.end_s - found.start_s)[found.fits] <= 10 + 1e-6).all()
