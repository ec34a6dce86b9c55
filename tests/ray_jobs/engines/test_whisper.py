"""faster-whisper, run for real on random weights: its plumbing, not its words, is tested."""

import shutil

import numpy as np
import pytest
from faster_whisper.transcribe import Segment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ray_jobs.engines import whisper
from ray_jobs.failures import Cancelled, Failure

SPEECH = [(0.0, 2.0), (3.2, 5.0)]


@pytest.fixture
def pcm(tmp_path):
    """Five seconds of noise in bursts; as good as speech to a model that knows nothing."""
    noise = np.random.default_rng(3).normal(0, 2000, 5 * 16000)
    noise[2 * 16000 : 3 * 16000] = 0
    path = tmp_path / "sound.pcm"
    noise.astype("<i2").tofile(path)
    return path


@pytest.fixture
def recognise(tiny_whisper, pcm):
    def run(name="whisper-random", tick=lambda _share: None, **options):
        given = {"language": "en", "hotwords": [], **options}
        return whisper.recognise(tiny_whisper / name, pcm, SPEECH, tick=tick, **given)

    return run


def test_words_have_times_in_order_within_the_speech(recognise):
    found = recognise()
    times = [time for word in found.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert {word.start_s < 3.2 for word in found.words} == {True, False}
    assert all(0 <= word.confidence <= 1 for word in found.words)
    assert found.device == "cpu int8" or found.device.startswith("cuda")


def test_the_same_sound_gives_the_same_words(recognise):
    assert recognise() == recognise()


def test_hot_words_reach_the_model(recognise):
    assert recognise(hotwords=["Cutroom"]).words != recognise().words


def test_a_prompt_reaches_the_model(recognise):
    assert recognise(prompt="River, city, stone.").words != recognise().words


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shift=st.integers(0, 100_000))
def test_later_sound_is_heard_later_and_not_otherwise(tiny_whisper, pcm, shift):
    def heard(by: int):
        path = pcm.with_name("later.pcm")
        path.write_bytes(bytes(2 * by) + pcm.read_bytes())
        return whisper.recognise(
            tiny_whisper / "whisper-random", path,
            [(start_s + by / 16000, end_s + by / 16000) for start_s, end_s in SPEECH],
            language="en", hotwords=[], tick=lambda _share: None,
        ).words  # fmt: skip

    at_once, found = heard(16_000), heard(16_000 + shift)
    assert [word.text for word in found] == [word.text for word in at_once]
    for one, other in zip(at_once, found, strict=True):
        assert other.confidence == one.confidence
        for before, after in zip(one[1:3], other[1:3], strict=True):
            assert round(after * 16000) == round(before * 16000) + shift


def test_the_language_is_detected_unless_it_is_given(recognise):
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert recognise(language=None).language in _LANGUAGE_CODES
    assert recognise(language="pt-BR").language == "pt"
    with pytest.raises(Failure, match="language_unavailable"):
        recognise(language="tlh")


def test_endless_repetition_is_dropped_and_told(recognise):
    found = recognise("whisper-endless")
    assert found.words == []
    assert "2 passages were dropped" in found.notes[0]


def test_a_passage_that_comes_again_and_again_is_dropped(tiny_whisper, tmp_path):
    burst = np.concatenate([np.zeros(16000), np.random.default_rng(3).normal(0, 2000, 16000)])
    (tmp_path / "again.pcm").write_bytes(np.tile(burst, 6).astype("<i2").tobytes())
    found = whisper.recognise(
        tiny_whisper / "whisper-random", tmp_path / "again.pcm",
        [(2.0 * n + 1, 2.0 * n + 2) for n in range(6)],
        language="en", hotwords=[], tick=lambda _share: None,
    )  # fmt: skip
    assert {(word.start_s - 0.7) // 2 for word in found.words} == {0, 1}
    assert "4 passages were dropped" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "invented"), [("a city by a river", False), ("water " * 30, True)]
)
def test_nobody_speaks_faster_than_the_quickest(text, invented):
    segment = Segment(
        id=1, seek=0, start=1.0, end=3.0, text=text, tokens=[], avg_logprob=-0.2,
        compression_ratio=1.2, no_speech_prob=0.1, words=[], temperature=0.0,
    )  # fmt: skip
    assert whisper._invented(segment) is invented


def test_cancel_is_heard_between_segments(recognise):
    def cancel(_share):
        raise Cancelled

    with pytest.raises(Cancelled):
        recognise(tick=cancel)


def test_damaged_weights_say_what_to_do(tiny_whisper, pcm, tmp_path):
    folder = tmp_path / "whisper-damaged"
    shutil.copytree(tiny_whisper / "whisper-random", folder)
    (folder / "model.bin").write_bytes(b"not a model")
    with pytest.raises(Failure, match=r"model_damaged.*models verify"):
        whisper.recognise(folder, pcm, SPEECH, language="en", hotwords=[], tick=lambda _share: None)
