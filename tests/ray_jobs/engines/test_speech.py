"""Which engine speaks for a job on this node, and what it says of itself."""

import numpy as np
import pytest

from ray_jobs.engines import speech
from ray_jobs.engines.activity import speech_spans
from ray_jobs.failures import Failure
from ray_jobs.media.audio import read_audio


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


@pytest.fixture
def bursts(tmp_path):
    """Three seconds of noise as PCM, and where it is louder."""
    path = tmp_path / "sound.pcm"
    np.random.default_rng(5).normal(0, 2000, 3 * 16000).astype("<i2").tofile(path)
    return path, [(0.2, 1.2), (1.8, 2.8)]


def test_each_engine_names_itself_and_the_language(weights, bursts):
    pcm, spans = bursts
    options = {"language": None, "hotwords": [], "tick": lambda _share: None}
    whisper = speech.choose("auto", "whisper-random", None)
    heard = speech.recognise(whisper, pcm, spans, **{**options, "language": "fr"})
    assert heard.engine.startswith("faster-whisper (whisper-random, c")
    assert (heard.language, bool(heard.words)) == ("fr", True)
    embedded = speech.choose("pocketsphinx", "whisper-random", None)
    heard = speech.recognise(embedded, pcm, spans, **options)
    assert (heard.engine, heard.language) == ("pocketsphinx (en-us)", "en")
    assert heard.notes == [speech.ROUGH]


@pytest.mark.media
def test_pieces_are_recognised_alike_in_whatever_order(no_weights, media, tmp_path):
    """The division of work among children must not show in the words."""
    samples = read_audio(media / "speech" / "jfk.flac", rate_hz=16000)[:, 0]
    pcm = tmp_path / "sound.pcm"
    (samples * 32767).astype("<i2").tofile(pcm)
    choice = speech.choose("auto", "whisper-small", "en")

    def words(spans):
        heard = speech.recognise(
            choice, pcm, spans, language="en", hotwords=[], tick=lambda _share: None
        )
        return heard.words

    spans = [(3.3, 4.4), (5.4, 6.4), (8.2, 9.2)]
    together = words(spans)
    assert [word for word in together if word.start_s > 8] == words(spans[-1:])
    assert all(0 <= word.confidence <= 1 for word in together)


@pytest.mark.media
def test_a_long_cry_is_no_word(no_weights, media, tmp_path):
    """A cartoon rabbit yawns for two seconds."""
    samples = read_audio(media / "video" / "bigbuckbunny_5.1.mp4", rate_hz=16000).mean(axis=1)
    pcm = tmp_path / "sound.pcm"
    (samples * 32767).astype("<i2").tofile(pcm)
    heard = speech.recognise(
        speech.choose("auto", "whisper-small", "en"), pcm, speech_spans(samples), language="en",
        hotwords=[], tick=lambda _share: None,
    )  # fmt: skip
    assert all(word.end_s - word.start_s <= speech.LONGEST_S for word in heard.words)
