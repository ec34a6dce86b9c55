"""Pronunciations: the dictionary first, rules for what it lacks, always the model's phones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.engines.pronounce import LETTERS, SOUNDS, arpabet, dictionary, from_letters
from ray_jobs.engines.pronounce import pronunciations as said


@pytest.fixture(scope="module")
def phones():
    """What the acoustic model knows."""
    return {p for ways in dictionary().values() for way in ways for p in way.split()}


def test_every_sound_and_letter_maps_to_phones_of_the_model(phones):
    assert len(phones) == 39
    used = {p for table in (SOUNDS, LETTERS) for way in table.values() for p in way.split()}
    assert used <= phones


def test_known_words_keep_all_their_pronunciations():
    assert said(["either"], "en")["either"] == dictionary()["either"]
    assert len(dictionary()["either"]) > 1


def test_possessives_are_made_from_their_word():
    assert said(["tchaikovsky's"], "en")["tchaikovsky's"][0].endswith("IY Z")


def test_unknown_words_are_said_by_rule(phones):
    found = said(["zyzzyva", "nvidia", "blorptastic"], "en-GB")
    assert set(found) == {"zyzzyva", "nvidia", "blorptastic"}
    assert all(set(way.split()) <= phones for ways in found.values() for way in ways)


def test_other_languages_are_said_with_english_sounds():
    assert said(["schön", "zwölf"], "de") == {"schön": ["SH ER N"], "zwölf": ["T S V ER L F"]}
    assert said(["niño"], "es-MX") == {"niño": ["N IY N Y OW"]}
    assert said(["привет"], "ru")["привет"][0].startswith("P R")


@pytest.mark.parametrize(
    ("language", "numeral", "word"),
    [("de", "12", "zwölf"), ("de", "21", "einundzwanzig"), ("es", "12", "doce"),
     ("es", "100", "cien")],
)  # fmt: skip
def test_a_numeral_is_said_as_its_language_says_it(language, numeral, word):
    found = said([numeral, word], language)
    assert found[numeral] == found[word]


def test_a_language_without_a_voice_is_read_by_its_letters():
    assert said(["hello"], "tlh") == {"hello": [from_letters("hello")]}


def test_signs_that_nobody_can_say_are_left_out():
    assert "日本" not in said(["日本"], "ja")


@given(st.text(max_size=60))
def test_any_transcription_gives_phones_or_nothing(text):
    assert set(arpabet(text).split()) <= {p for way in SOUNDS.values() for p in way.split()} | {"N"}
    from_letters(text)
