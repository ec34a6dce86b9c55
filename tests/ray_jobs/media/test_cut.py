"""Which frames a clip is made of, and where its words are once something is left out."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.contract import ClipEdit, MediaInfo
from ray_jobs.media.cut import Cut, after_edits, plan_cut
from tests.ray_jobs.films import clip, said

RATE = Fraction(25)
SOUND_ONLY = MediaInfo(container="wav", duration_s=100.0, frame_rate="25/1")


def cut(*edits: tuple[float, float], start_s=1.0, end_s=5.0, applied=True) -> Cut:
    wanted = [ClipEdit(start_s=a, end_s=b, applied=applied) for a, b in edits]
    return plan_cut("", SOUND_ONLY, start_s, end_s, edits=wanted)


spans = st.tuples(st.floats(0, 6), st.floats(0.001, 3)).map(lambda span: (span[0], sum(span)))


def test_nothing_is_left_out_that_is_not_applied():
    assert cut((2.0, 3.0), applied=False) == cut()


def test_a_frame_that_an_edit_covers_in_part_stays():
    shorter = cut((2.03, 2.99))
    assert shorter.left_out == ((26, 49),)
    assert (shorter.frames, shorter.kept) == (77, [(0, 26), (49, 100)])


def test_edits_at_the_ends_leave_one_stretch():
    shorter = cut((0.0, 2.0), (4.0, 9.0))
    assert (shorter.kept, shorter.frames) == ([(25, 75)], 50)
    assert shorter.times_s[0] == 2.0


def test_a_clip_is_never_edited_away():
    assert cut((0.0, 9.0)).frames == 1


@given(st.lists(spans, max_size=5))
def test_frames_grow_through_the_source_and_none_is_in_an_edit(edits):
    shorter = cut(*edits)
    times_s = shorter.times_s
    assert len(times_s) == shorter.frames > 0
    assert np.all(np.diff(times_s) > 0)
    if shorter.frames > 1:
        middles = times_s + 0.5 / 25
        assert not any(a + 0.04 < m < b - 0.04 for a, b in edits for m in middles)


@given(st.lists(spans, max_size=5))
def test_a_frames_time_without_what_is_gone_is_its_place(edits):
    shorter = cut(*edits)
    places = [t - shorter.start_s - shorter.gone_s(t) for t in shorter.times_s]
    np.testing.assert_allclose(places, np.arange(shorter.frames) / 25, atol=1e-9)


@given(st.lists(spans, max_size=5), st.data())
def test_a_part_has_the_frames_of_the_whole(edits, data):
    whole = cut(*edits)
    first = data.draw(st.integers(0, whole.frames - 1))
    count = data.draw(st.integers(1, whole.frames - first))
    part = whole.part(first, count)
    np.testing.assert_allclose(part.times_s, whole.times_s[first : first + count])
    np.testing.assert_allclose(whole.still(first).times_s, whole.times_s[first])


class TestWords:
    def test_words_after_an_edit_come_sooner_and_words_in_it_are_gone(self):
        words = said("one", "um", "two", start_s=2.0, each_s=0.5)
        edited = after_edits(clip(1.0, 5.0, words=words), cut((2.48, 3.0)))
        assert [word.text for word in edited.words] == ["one", "two"]
        assert edited.words[1].start_s == pytest.approx(2.48, abs=0.04)
        assert edited.end_s == pytest.approx(5.0 - 0.52, abs=0.04)

    @given(st.lists(spans, max_size=5))
    def test_their_order_stays(self, edits):
        words = said(*"abcdefgh", start_s=1.0, each_s=0.5)
        edited = after_edits(clip(1.0, 5.0, words=words), cut(*edits))
        starts = [word.start_s for word in edited.words]
        assert starts == sorted(starts)
        assert all(word.start_s < word.end_s <= edited.end_s + 1e-6 for word in edited.words)
