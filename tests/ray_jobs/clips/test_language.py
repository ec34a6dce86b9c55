"""What the words are taken to say: hooks, whole thoughts, topics, titles."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.clips.candidates import Unit
from ray_jobs.clips.language import TITLE_CHARS, completeness, hook, title, topic_shifts
from ray_jobs.contract import Word


def unit(text: str, start_s: float = 0.0) -> Unit:
    words = tuple(
        Word(id=str(n), text=token, start_s=start_s, end_s=start_s + 1, confidence=1)
        for n, token in enumerate(text.split(" "))
        if token
    )
    return Unit(start_s, start_s + 1, words)


def whole_of(*units: Unit) -> tuple[float, str]:
    return completeness(units, 0, len(units) - 1)


@given(st.text(max_size=200))
def test_a_hook_is_a_share_whatever_is_said(text):
    value, found = hook(text)
    assert 0 <= value <= 1
    assert len(found) == len(set(found))


def test_a_hook_names_what_pulls():
    assert hook("Why did you never see the secret?")[1] == [
        "a question", "speaks to the listener", "a number", "a strong word",
    ]  # fmt: skip
    assert hook("") == (0.0, [])
    assert hook("The water flows.")[1] == []


@pytest.mark.parametrize(
    ("texts", "note"),
    [
        (["And so it ended up there, at last."], "begins in the middle of a thought"),
        (["The river bends", "where it slows down and"], "ends without a full stop"),
        (["Oh yes."], "a single short phrase"),
        (["The river bends where it slows down."], "begins and ends a thought"),
        (["", ""], "nobody speaks"),
    ],
)
def test_completeness_says_what_is_amiss(texts, note):
    value, said = whole_of(*(unit(text) for text in texts))
    assert said == note
    assert (value == 1.0) == (note == "begins and ends a thought")


def test_a_span_in_which_nobody_speaks_is_no_finished_thought():
    whole, _ = whole_of(unit("The river bends where it slows down."))
    silent, _ = whole_of(unit(""))
    broken, _ = whole_of(unit("and where it"), unit("never"))
    assert broken < silent < whole


@pytest.mark.parametrize(
    ("first", "last", "note"),
    [(0, 3, "begins and ends a thought"), (1, 3, "begins in the middle of a turn"),
     (0, 2, "ends in the middle of a turn"), (0, 1, "ends before the answer")],
)  # fmt: skip
def test_a_turn_is_not_to_be_broken_nor_a_question_parted_from_its_answer(first, last, note):
    said = ["Rivers bend.", "Why do they all bend?", "The water wears down a bank.", "It does."]
    units = [
        replace(unit(text, at), speaker=who)
        for at, (text, who) in enumerate(zip(said, "AABB", strict=True))
    ]
    assert completeness(units, first, last, conversation=True)[1] == note
    assert completeness(units, first, last)[1] == "begins and ends a thought"


# ---- titles --------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.text(max_size=120), st.floats(0, 1)), max_size=6))
def test_a_title_is_one_short_line(said):
    made = title([unit(text) for text, _ in said], [worth for _, worth in said])
    assert len(made) <= TITLE_CHARS
    assert made == made.strip()
    assert len(made.splitlines()) <= 1


def test_a_title_is_the_strongest_sentence_and_never_a_silent_one():
    units = [unit(""), unit("the river bends."), unit("roads do too.")]
    assert title(units, [0.0, 0.0, 0.0]) == "The river bends"
    assert title(units, [0.0, 0.2, 0.9]) == "Roads do too"
    assert title([unit("")], [0.0]) == ""
    assert title([], []) == ""


def test_a_long_title_ends_at_a_word():
    text = "the river bends " * 10
    made = title([unit(text.strip())], [1.0])
    assert made.endswith("…")
    assert all(word in {"The", "the", "river", "bends"} for word in made[:-1].split())
    assert title([unit("河" * 100)], [1.0]) == "河" * (TITLE_CHARS - 1) + "…"


# ---- topics --------------------------------------------------------------------------------------


def test_a_topic_shifts_where_the_sentences_turn():
    vectors = np.array([[1.0, 0.05]] * 6 + [[0.05, 1.0]] * 6)
    shifts = topic_shifts(vectors)
    assert shifts[0] == 1.0
    assert int(np.argmax(shifts[1:])) + 1 == 6
    assert shifts[6] == 1.0
    assert shifts[2:5].max() < 0.2


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_shifts_of_nothing_are_finite(n):
    shifts = topic_shifts(np.zeros((n, 4)))
    assert shifts.shape == (n,)
    assert np.isfinite(shifts).all()
