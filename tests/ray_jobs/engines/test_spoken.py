"""How written tokens are said: numbers, years, money, times, addresses, codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.engines.spoken import cardinal, ordinal, readings, year


def first(token):
    """The likeliest reading of a token, as running words."""
    return " ".join(word for part in readings(token) for word in part[0])


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("Hello,", "hello"),
        ("don’t", "don't"),
        ("well-known", "well known"),
        ("$43,000", "forty three thousand dollars"),
        ("$4.5M", "four point five million dollars"),
        ("€1", "one euros"),
        ("2016", "twenty sixteen"),
        ("1905", "nineteen oh five"),
        ("1900", "nineteen hundred"),
        ("2005", "two thousand five"),
        ("1990s", "nineteen nineties"),
        ("'90s", "nineties"),
        ("42", "forty two"),
        ("1,250.5", "one thousand two hundred fifty point five"),
        ("007", "zero zero seven"),
        ("EM3985771", "em three nine eight five seven seven one"),
        ("21st", "twenty first"),
        ("50%", "fifty percent"),
        ("10:30", "ten thirty"),
        ("12:05pm", "twelve oh five p m"),
        ("½", "one half"),
        ("5km", "five kilometers"),
        ("Dr.", "doctor"),
        ("U.S.", "u s"),
        ("AT&T", "at and t"),
        ("C++", "c plus plus"),
        ("24/7", "twenty four seven"),
        ("https://www.example.com/a-b", "w w w dot example dot com slash a dash b"),
        ("bob@mail.com", "bob at mail dot com"),
        ("#winning", "hashtag winning"),
    ],
)
def test_a_token_is_said_as_people_say_it(token, said):
    assert first(token) == said


@pytest.mark.parametrize("token", ["—", "🙂", "♪", "...", "", "“”", "|"])
def test_what_is_not_said_has_no_part(token):
    assert readings(token) == []


def test_other_readings_are_kept_as_choices():
    (choices,) = readings("2016")
    assert ("two", "thousand", "sixteen") in choices
    assert ("n", "a", "s", "a") in readings("NASA")[0]


def test_numbers():
    assert cardinal(0) == "zero"
    assert cardinal(1_000_000) == "one million"
    assert cardinal(999_999_999_999_999).startswith("nine hundred ninety nine trillion")
    assert [ordinal(n) for n in (1, 12, 20, 21, 103)] == [
        "first",
        "twelfth",
        "twentieth",
        "twenty first",
        "one hundred third",
    ]
    assert year(2024) == "twenty twenty four"


@given(st.text(max_size=40))
def test_any_token_has_readings_of_plain_words(token):
    for part in readings(token):
        assert part
        for reading in part:
            assert reading
            assert all(word and not word.isspace() for word in reading)


@given(st.integers(0, 10**15 - 1))
def test_cardinals_differ_only_where_numbers_do(number):
    assert cardinal(number).split()
    assert cardinal(number) != cardinal((number + 1) % 10**15)
