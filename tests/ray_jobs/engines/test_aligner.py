"""Given text finds its place in the sound; where it is not said, it keeps its cue and says so."""

import json

import numpy as np
import pytest

from ray_jobs.engines.activity import speech_spans
from ray_jobs.engines.aligner import align
from ray_jobs.engines.aligners import Choice
from ray_jobs.engines.given import Line
from ray_jobs.engines.text import tokens
from ray_jobs.engines.voice import speak
from ray_jobs.failures import Cancelled
from ray_jobs.media.audio import read_audio

EMBEDDED = Choice("pocketsphinx", "embedded")
NUMBERS = (
    "In 2016 it cost $43,000, and part EM3985771 was 50% off — visit www.example.com "
    "for 3.14 reasons, he said on the 21st at 10:30."
)


@pytest.fixture
def aligned(tmp_path):
    """`aligned(samples at 16 kHz, lines)` checks what always holds, and returns the words."""

    def run(samples, lines, language="en", tick=lambda _share: None):
        pcm = tmp_path / "sound.pcm"
        (np.clip(samples, -1, 1) * 32767).astype("<i2").tofile(pcm)
        duration_s = len(samples) / 16000
        speech = speech_spans(samples, min_silence_s=0.15)
        words = align(lines, pcm, speech, duration_s, choice=EMBEDDED, language=language, tick=tick)
        times = [time for word in words for time in (word.start_s, word.end_s)]
        assert [w.text for w in words] == [token for line in lines for token in line.tokens]
        assert times == sorted(times)
        assert not times or (times[0] >= 0 and times[-1] <= duration_s)
        return words

    return run


def spoken(text, **voice):
    """A synthetic voice at 16 kHz, and its true word times."""
    talk = speak(text, **voice)
    at = np.arange(int(talk.duration_s * 16000)) / 16000
    samples = np.interp(at, np.arange(len(talk.samples)) / talk.rate_hz, talk.samples)
    return samples.astype(np.float32), talk.words


def errors(words, truth):
    return [abs(word.start_s - true.start_s) for word, true in zip(words, truth, strict=True)]


def test_numerals_symbols_and_addresses_are_timed_like_words(aligned):
    samples, truth = spoken(NUMBERS)
    words = aligned(samples, [Line(tokens(NUMBERS))])
    assert np.median(errors(words, truth)) < 0.05
    by_text = dict(zip((word.text for word in words), errors(words, truth), strict=True))
    assert by_text["2016"] < 0.1
    assert by_text["EM3985771"] < 0.1
    assert by_text["www.example.com"] < 0.1
    assert [word.text for word in words if word.interpolated and word.text == "—"] == ["—"]


@pytest.mark.parametrize(
    ("language", "voice", "text"),
    [
        ("de", "de", "Jede große Stadt beginnt am Fluss. Zwölf Brücken führten über das Wasser."),
        ("es", "es", "Las ciudades nacen junto a los ríos. El niño llamaba al perro."),
    ],
)
def test_other_languages_are_aligned_by_their_sounds(aligned, language, voice, text):
    samples, truth = spoken(text, voice=voice)
    words = aligned(samples, [Line(tokens(text))], language=language)
    assert np.median(errors(words, truth)) < 0.06
    assert sum(word.interpolated for word in words) <= 2


def test_cues_that_nobody_says_keep_their_times(aligned):
    text = "Jede große Stadt beginnt am Fluss."
    samples, _ = spoken("Nothing of that kind was ever said in this recording, I am sure.")
    words = aligned(samples, [Line(tokens(text), 0.5, 2.5)])
    assert all(word.interpolated for word in words)
    assert all(0.5 <= word.start_s <= word.end_s <= 2.5 for word in words)


def test_a_thousand_cues_at_one_time_are_timed_at_once(aligned):
    samples, _ = spoken("Short.")
    words = aligned(samples, [Line(["word"], 0.1, 0.6)] * 1000)
    assert all(word.interpolated and 0 <= word.start_s <= 0.7 for word in words)


def test_text_without_sound_is_spread_over_the_recording(aligned):
    words = aligned(np.zeros(32000, np.float32), [Line(tokens("one two three four"))])
    assert words[0].start_s == 0
    assert words[-1].end_s == pytest.approx(2)


def test_an_empty_recording_times_everything_at_its_only_time(aligned):
    words = aligned(np.zeros(0, np.float32), [Line(tokens("one two"))])
    assert [(word.start_s, word.end_s) for word in words] == [(0, 0), (0, 0)]


def test_cancel_is_heard(aligned):
    samples, _ = spoken("Short.")

    def cancel(_share):
        raise Cancelled

    with pytest.raises(Cancelled):
        aligned(samples, [Line(["Short."])], tick=cancel)


@pytest.mark.media
@pytest.mark.parametrize("name", ["austen_0870", "austen_0880", "austen_0890"])
def test_read_sentences_agree_with_their_published_times(aligned, media, name):
    """Truth made by the aligner's own authors, with the same acoustic model."""
    truth = json.loads((media / "alignment" / f"{name}.json").read_text())["w"]
    true = [word["b"] for word in truth if not word["t"].startswith(("<", "["))]
    text = (media / "alignment" / f"{name}.txt").read_text()
    samples = read_audio(media / "alignment" / f"{name}.wav", rate_hz=16000)[:, 0]
    words = aligned(samples, [Line(tokens(text))])
    offsets = [abs(word.start_s - start) for word, start in zip(words, true, strict=True)]
    assert np.median(offsets) <= 0.02
    assert max(offsets) <= 0.3
    assert min(word.confidence for word in words) > 0.3


@pytest.mark.media
def test_a_minute_of_plain_verse_finds_its_lines(aligned, media):
    """Longer than one chunk: anchored by recognition first. Truth: hand-checked line times."""
    lines = json.loads((media / "alignment" / "sonnet001.json").read_text())["fragments"]
    text = " ".join(part for line in lines for part in line["lines"])
    samples = read_audio(media / "alignment" / "sonnet001.mp3", rate_hz=16000)[:, 0]
    words = aligned(samples, [Line(tokens(text))])
    at, late = 0, []
    for line in lines:
        late.append(abs(words[at].start_s - float(line["begin"])))
        at += len(tokens(" ".join(line["lines"])))
    assert np.median(late) < 0.1
    assert max(late) < 0.6
    assert not any(word.interpolated for word in words)
