"""Sure points between text and sound: only what is unique in both, ever later in both."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.engines.anchors import cuts, matched

words = st.lists(st.sampled_from("abcdefgh"), max_size=60)


@given(words, words)
def test_pairs_are_like_words_in_rising_order(text, heard):
    pairs = matched(text, heard)
    assert all(text[i] == heard[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))


@given(st.integers(3, 200))
def test_a_text_heard_whole_is_matched_whole(count):
    text = [f"w{n}" for n in range(count)]
    assert matched(text, text) == [(n, n) for n in range(count)]


def test_a_passage_that_was_not_said_leaves_a_gap():
    text = [f"w{n}" for n in range(30)]
    heard = text[:10] + ["noise"] * 5 + text[20:]
    found = dict(matched(text, heard))
    assert set(found) == {*range(10), *range(20, 30)}
    assert found[20] == 15


def test_a_refrain_is_matched_by_its_place_among_the_rest():
    song = ["la", "la", "la", "one", "la", "la", "la", "two", "la", "la", "la"]
    assert matched(song, song) == [(n, n) for n in range(len(song))]


def test_two_words_in_common_are_no_anchor():
    assert matched(list("abcd"), list("xabx")) == []


@given(st.lists(st.floats(0.05, 2), min_size=1, max_size=80), st.floats(0, 0.5))
def test_chunks_cover_all_words_and_all_time_without_overlap(lengths, pause):
    at, heard = 0.0, {}
    for index, length in enumerate(lengths):
        heard[index] = (at, at + length)
        at += length + pause
    found = list(cuts(heard, len(lengths), 0.0, at))
    assert (found[0][0], found[-1][1]) == (0, len(lengths))
    assert (found[0][2], found[-1][3]) == (0.0, at)
    assert all(a[1] == b[0] and a[3] == b[2] for a, b in pairwise(found))
