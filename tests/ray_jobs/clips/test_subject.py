"""Whom the camera shows: faces that last, calmly, and another one only when it is their turn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.clips.subject import HOLD_S, LEAST_HOLD_S, Phrase, follow, phrases_in
from ray_jobs.contract import Segment
from ray_jobs.engines.faces import Face

STEP_S, WINDOW = 0.2, 0.3
LEFT, RIGHT = 0.2, 0.8


def times(seconds: float) -> np.ndarray:
    return np.arange(round(seconds / STEP_S)) * STEP_S


def face(x: float, mouth: np.ndarray | None = None, *, size=0.1, score=0.9) -> Face:
    return Face(x, 0.4, size, 1.5 * size, score, mouth)


def mouths(times_s: np.ndarray, spans, seed: int) -> list[np.ndarray]:
    """A mouth that is another one in every sample of the spans, and still outside of them."""
    random = np.random.default_rng(seed)
    still = random.standard_normal((8, 12)).astype(np.float32)
    return [
        random.standard_normal((8, 12)).astype(np.float32)
        if any(a <= t < b for a, b in spans)
        else still + 0.05 * random.standard_normal((8, 12)).astype(np.float32)
        for t in times_s
    ]


def two(seconds: float, left, right, phrases, *, size=0.1, apart=(LEFT, RIGHT)):
    """Two people who speak in the given spans."""
    times_s = times(seconds)
    talk = [mouths(times_s, left, 1), mouths(times_s, right, 2)]
    faces = [
        [face(x, m, size=size) for x, m in zip(apart, pair, strict=True)]
        for pair in zip(*talk, strict=True)
    ]
    places, jumps = follow(times_s, faces, [], phrases, WINDOW)
    return times_s, places[:, 0], jumps


class TestOne:
    def test_who_is_there_is_followed(self):
        times_s = times(4)
        walk = 0.3 + 0.1 * times_s
        places, jumps = follow(times_s, [[face(x)] for x in walk], [], [], WINDOW)
        np.testing.assert_allclose(places[:, 0], walk)
        assert not jumps.any()

    def test_gaps_are_bridged(self):
        times_s = times(4)
        faces = [[face(0.3)] if n % 3 else [] for n in range(len(times_s))]
        places, _ = follow(times_s, faces, [], [], WINDOW)
        np.testing.assert_allclose(places[:, 0], 0.3)

    def test_who_has_turned_away_is_waited_for_and_then_left(self):
        times_s = times(10)
        faces = [[face(0.3)] if t < 3 else [] for t in times_s]
        places, _ = follow(times_s, faces, [], [], WINDOW)
        gone = np.isnan(places[:, 0])
        assert gone[-1]
        assert times_s[np.argmax(gone)] == pytest.approx(3 + HOLD_S, abs=2 * STEP_S)

    @pytest.mark.parametrize("faces", [
        [[face(0.3)] if n in {4, 9} else [] for n in range(20)],
        [[face(0.3, score=0.62)] for _ in range(20)],
        [[face(0.1 + 0.8 * (n % 2))] if n % 3 else [] for n in range(4)],
    ], ids=["seldom", "unsure", "never twice"])  # fmt: skip
    def test_what_does_not_last_is_no_face(self, faces):
        places, jumps = follow(times(len(faces) * STEP_S), faces, [], [], WINDOW)
        assert np.isnan(places).all()
        assert not jumps.any()

    def test_no_face_reaches_over_a_cut(self):
        times_s = times(4)
        faces = [[face(0.3)] if t < 2 else [] for t in times_s]
        places, _ = follow(times_s, faces, [10], [], WINDOW)
        assert np.isfinite(places[:10]).all()
        assert np.isnan(places[10:]).all()


class TestTwo:
    def test_who_speaks_is_shown_and_the_camera_jumps_at_the_turn(self):
        phrases = [Phrase(0, 3), Phrase(3.4, 7)]
        times_s, x, jumps = two(7, [(0, 3)], [(3.4, 7)], phrases)
        assert set(x[times_s < 3.3]) == {LEFT}
        assert set(x[times_s > 3.5]) == {RIGHT}
        assert times_s[jumps] == pytest.approx([3.4], abs=STEP_S)

    def test_nobody_takes_over_within_a_phrase(self):
        _, x, jumps = two(7, [(0, 4)], [(4, 7)], [Phrase(0, 7)])
        assert len(set(x)) == 1
        assert not jumps.any()

    def test_a_known_turn_needs_no_pause(self):
        _, x, jumps = two(7, [(0, 4)], [(4, 7)], [Phrase(0, 4, "A"), Phrase(4, 7, "B")])
        assert jumps.sum() == 1
        assert (x[0], x[-1]) == (LEFT, RIGHT)

    def test_a_known_speaker_is_told_by_all_that_they_say(self):
        """B's second phrase, spoken with a hand before the mouth, is still B's."""
        phrases = [Phrase(0, 2, "A"), Phrase(2, 6, "B"), Phrase(6, 9, "A"), Phrase(9, 11, "B")]
        _, x, _ = two(11, [(0, 2), (6, 9)], [(2, 6)], phrases)
        assert x[-1] == RIGHT

    def test_a_short_answer_is_not_worth_a_cut(self):
        phrases = [Phrase(0, 3), Phrase(3.3, 3.7), Phrase(4, 7)]
        _, x, jumps = two(7, [(0, 3), (4, 7)], [(3.3, 3.7)], phrases)
        assert set(x) == {LEFT}
        assert not jumps.any()

    def test_whoever_speaks_out_of_sight_moves_no_camera(self):
        _, x, jumps = two(8, [], [], [Phrase(0, 3), Phrase(3.5, 8)])
        assert len(set(x)) == 1
        assert not jumps.any()

    def test_those_who_fit_are_shown_together(self):
        phrases = [Phrase(0, 3), Phrase(3.4, 7)]
        _, x, jumps = two(7, [(0, 3)], [(3.4, 7)], phrases, size=0.08, apart=(0.45, 0.6))
        np.testing.assert_allclose(x, 0.525)
        assert not jumps.any()

    def test_the_audience_is_not_of_the_scene(self):
        times_s = times(4)
        faces = [[face(0.3, size=0.2), face(0.9, size=0.05)] for _ in times_s]
        places, _ = follow(times_s, faces, [], [], WINDOW)
        np.testing.assert_allclose(places[:, 0], 0.3)

    @given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=1, max_size=12))
    def test_the_camera_never_flutters(self, turns):
        """However they talk, it holds for a while and jumps only where a phrase begins."""
        phrases, spans, at_s = [], ([], []), 0.0
        for who, steps in turns:
            end_s = at_s + steps * STEP_S
            phrases.append(Phrase(at_s, end_s))
            spans[who].append((at_s, end_s))
            at_s = end_s + 2 * STEP_S
        times_s, x, jumps = two(at_s, *spans, phrases)
        assert np.isfinite(x).all()
        at = times_s[jumps]
        assert set(np.flatnonzero(np.diff(x)) + 1) == set(np.flatnonzero(jumps))
        assert (np.diff(at) >= LEAST_HOLD_S - 1e-6).all()
        for time_s in at:
            assert min(abs(time_s - phrase.start_s) for phrase in phrases) <= STEP_S


class TestPhrases:
    def test_are_cut_at_pauses_and_turns_but_not_at_breaths(self):
        speech = np.zeros(100)
        speech[5:30] = speech[32:50] = speech[60:90] = 0.9
        said = [
            Segment(id=str(n), start_s=s, end_s=e, text="-", confidence=1, speaker=who)
            for n, (s, e, who) in enumerate(
                [(0.5, 3, "A"), (3.2, 5, "A"), (6, 7, "A"), (7, 9, "B")]
            )
        ]
        assert phrases_in(speech, 10.0, said) == [
            Phrase(0.5, 5.0, "A"), Phrase(6.0, 7.0, "A"), Phrase(7.0, 9.0, "B"),
        ]  # fmt: skip
        assert phrases_in(speech, 10.0, []) == [Phrase(0.5, 5.0), Phrase(6.0, 9.0)]

    def test_of_silence_are_none(self):
        assert phrases_in(np.full(10, np.nan), 10.0, []) == []
