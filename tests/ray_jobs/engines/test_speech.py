"""Which engine speaks for a job on this node, and what it says of itself."""

import pytest

from ray_jobs.engines import speech
from ray_jobs.failures import Failure


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("CUTROOM_MODELS", str(tmp_path / "none"))


@pytest.fixture
def weights(monkeypatch, tiny_whisper):
    monkeypatch.setenv("CUTROOM_MODELS", str(tiny_whisper))


def test_the_embedded_engine_serves_where_no_weights_are_and_calls_itself_rough(no_weights):
    choice = speech.choose("auto", "whisper-small", None)
    assert (choice.engine, choice.rough) == ("pocketsphinx", True)
    assert "cutroom models fetch" in choice.notes[0]


def test_weights_are_preferred_to_the_embedded_engine(weights):
    choice = speech.choose("auto", "whisper-random", "de")
    assert (choice.engine, choice.model, choice.rough) == (
        "faster_whisper",
        "whisper-random",
        False,
    )


def test_other_weights_serve_where_the_wanted_are_missing_and_it_is_told(weights):
    choice = speech.choose("auto", "whisper-small", None)
    assert choice.engine == "faster_whisper"
    assert choice.notes[0].startswith("whisper-small is not on this node; whisper-")


def test_the_embedded_engine_can_be_asked_for(weights):
    assert speech.choose("pocketsphinx", "whisper-random", "en-GB").engine == "pocketsphinx"


@pytest.mark.parametrize(
    ("engine", "language", "code"),
    [
        ("faster_whisper", None, "model_missing"),
        ("auto", "de", "language_unavailable"),
        ("pocketsphinx", "pt-BR", "language_unavailable"),
    ],
)
def test_what_cannot_run_says_what_to_do(no_weights, engine, language, code):
    with pytest.raises(Failure, match="cutroom models fetch whisper-small") as failure:
        speech.choose(engine, "whisper-small", language)
    assert failure.value.code == code
