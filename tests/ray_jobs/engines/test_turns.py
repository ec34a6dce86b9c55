"""Whose voice is whose: over blocks, for words, and in files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.engines.text import TimedWord
from ray_jobs.engines.turns import Block, Turn, attributed, linked, rttm, speaker_at, voices_in

TURNS = [Turn(0.0, 2.0, "speaker 1", 0.9), Turn(1.5, 4.0, "speaker 2", 0.7)]


def word(start_s, end_s, speaker=None):
    return TimedWord("word", start_s, end_s, 1.0, speaker=speaker)


class TestWords:
    @pytest.mark.parametrize(
        ("start_s", "end_s", "expected"),
        [
            (0.2, 0.6, "speaker 1"),
            (1.6, 2.6, "speaker 2"),  # both speak; the second for longer
            (5.0, 5.3, "speaker 2"),  # nobody speaks; the second spoke last
        ],
    )
    def test_belong_to_who_speaks_most_of_them(self, start_s, end_s, expected):
        assert speaker_at(TURNS, start_s, end_s) == expected

    def test_have_no_speaker_where_no_turn_is_known(self):
        assert attributed([word(0, 1)], []) == [word(0, 1)]

    def test_keep_the_speaker_that_a_transcript_gives(self):
        found = attributed([word(0, 1, "Ann"), word(3, 4)], TURNS)
        assert [each.speaker for each in found] == ["Ann", "speaker 2"]


class TestBlocks:
    def block(self, *turns, prints):
        return Block([(*turn, 0.5) for turn in turns], np.array(prints, float))

    def test_know_a_voice_again_whatever_its_number(self):
        ann, bob = [1.0, 0.0], [0.0, 1.0]
        blocks = [
            self.block((0, 1, 0), (2, 3, 1), prints=[ann, bob]),
            self.block((10, 11, 0), (12, 13, 1), prints=[bob, ann]),
        ]
        names = [turn.speaker[-1] for turn in linked(blocks, None)]
        assert names == ["1", "2", "2", "1"]

    def test_meet_new_voices_until_there_are_enough(self):
        blocks = [
            self.block((0, 1, 0), prints=[[1.0, 0, 0]]),
            self.block((2, 3, 0), prints=[[0, 1.0, 0]]),
            self.block((4, 5, 0), prints=[[0, 0.4, 1.0]]),
        ]
        assert [turn.speaker[-1] for turn in linked(blocks, None)] == ["1", "2", "3"]
        assert [turn.speaker[-1] for turn in linked(blocks, 2)] == ["1", "2", "2"]

    def test_that_cut_a_turn_in_two_leave_it_whole(self):
        blocks = [
            self.block((5, 10, 0), prints=[[1.0, 0.0]]),
            self.block((10, 12, 0), prints=[[0.9, 0.1]]),
        ]
        assert linked(blocks, None) == [Turn(5, 12, "speaker 1", 0.5)]

    @given(
        st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9), st.integers(0, 3)), max_size=9)
    )
    def test_number_speakers_by_their_first_words(self, spans):
        turns = [(start, start + length, voice) for start, length, voice in spans]
        found = linked([self.block(*turns, prints=np.eye(4))], None)
        assert found == sorted(found, key=lambda turn: turn.start_s)
        names = list(dict.fromkeys(turn.speaker for turn in found))
        assert names == [f"speaker {number}" for number in range(1, len(names) + 1)]


def test_speakers_are_listed_with_what_they_said_and_how_sure_it_is():
    ann, bob = voices_in([*TURNS, Turn(6.0, 8.0, "speaker 1", 0.5)])
    assert (ann.name, ann.speech_s, ann.confidence) == ("speaker 1", 4.0, 0.7)
    assert (bob.name, bob.speech_s, bob.confidence) == ("speaker 2", 2.5, 0.7)


def test_rttm_can_be_read_by_the_field_s_own_library(tmp_path):
    from pyannote.database.util import load_rttm

    path = tmp_path / "speakers.rttm"
    path.write_text(rttm(TURNS, "recording"))
    (annotation,) = load_rttm(path).values()
    read = [
        (turn.start, turn.end, name) for turn, _, name in annotation.itertracks(yield_label=True)
    ]
    assert read == [(0.0, 2.0, "speaker_1"), (1.5, 4.0, "speaker_2")]
