"""The voice: every written token has its time, in order, where it is heard."""

import numpy as np
import pytest

from ray_jobs.engines.voice import phonemes, speak
from ray_jobs.failures import Failure

TEXT = "Hello — it costs $43,000 in 2016. Dr. Smith's e-mail is well-known; golf. Hotel."


def test_every_token_is_timed_in_order_within_the_sound():
    spoken = speak(TEXT)
    times = [time for word in spoken.words for time in (word.start_s, word.end_s)]
    assert [word.text for word in spoken.words] == TEXT.split()
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= spoken.duration_s
    assert spoken.samples.dtype == np.float32
    assert np.abs(spoken.samples).max() <= 1


def test_words_are_where_the_sound_is():
    """Words set apart by full stops: the sound's energy says where each begins and ends."""
    spoken = speak("Alpha. Bravo. Golf.")
    for word in spoken.words:
        start, end = (round(time * spoken.rate_hz) for time in (word.start_s, word.end_s))
        loud = np.flatnonzero(np.abs(spoken.samples[start : end + 2000]) > 0.02)
        assert loud[0] / spoken.rate_hz < 0.06
        assert loud[-1] / spoken.rate_hz == pytest.approx(word.end_s - word.start_s, abs=0.06)


def test_a_faster_voice_takes_less_time():
    assert speak(TEXT, rate_wpm=260).duration_s < 0.8 * speak(TEXT, rate_wpm=150).duration_s


def test_the_same_text_gives_the_same_samples():
    assert speak(TEXT).samples.tobytes() == speak(TEXT).samples.tobytes()


@pytest.mark.parametrize("text", ["", "—", "🙂"])
def test_text_that_cannot_be_said_is_timed_all_the_same(text):
    assert [word.text for word in speak(text).words] == text.split()


def test_a_voice_that_does_not_exist_is_a_failure():
    with pytest.raises(Failure, match="voice_unavailable"):
        speak("Hello", voice="klingon-nowhere")


def test_pronunciations_come_in_the_order_of_the_words():
    first, second = phonemes(["guten", "Tag"], "de")
    assert first.startswith("ɡˈuː")
    assert second.startswith("t")
    assert phonemes(["a"], "klingon-nowhere") is None
    assert phonemes([], "de") == []
