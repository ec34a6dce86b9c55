"""Tokens, running text, and which language a text looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.engines.text import TimedWord, guess_language, joined, phrases, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The river's  bend —\n2016!", ["The", "river's", "bend", "—", "2016!"]),
        ("今日は、川です。", ["今", "日", "は、", "川", "で", "す。"]),
        ("Wi-Fi は 5GHz", ["Wi-Fi", "は", "5GHz"]),
        ("", []),
    ],
)
def test_tokens(text, expected):
    assert tokens(text) == expected


def test_text_without_spaces_is_joined_without_them():
    assert joined(tokens("今日は、川です。")) == "今日は、川です。"
    assert joined(["Hello", "there."]) == "Hello there."


@given(st.text(max_size=200))
def test_no_sign_is_lost(text):
    assert "".join(tokens(text)) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The river is where it all began.", "en"),
        ("Der Fluss ist nicht so breit wie das Meer.", "de"),
        ("Le fleuve est dans la ville et il ne brûle pas.", "fr"),
        ("El río está en la ciudad y no es muy ancho.", "es"),
        ("Река течёт через город", "ru"),
        ("川は町を流れます", "ja"),
        ("12345", "en"),
    ],
)
def test_languages_are_guessed(text, language):
    assert guess_language(text) == language


times = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.floats(0, 3)), max_size=60)


@given(times)
def test_phrases_keep_every_word_in_order(words):
    at, timed = 0.0, []
    for text, length in words:
        timed.append(TimedWord(text, at, at + length, 1.0))
        at += length
    groups = phrases(timed)
    assert [word for group in groups for word in group] == timed
    assert all(group for group in groups)


def test_a_phrase_ends_where_the_speaker_changes():
    words = [TimedWord("Hi", 0, 1, 1, speaker="A"), TimedWord("there", 1, 2, 1, speaker="B")]
    assert [len(group) for group in phrases(words)] == [1, 1]
