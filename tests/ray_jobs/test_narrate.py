"""A narration: spoken as shown, fitted to its clip, loud enough over what it covers."""

import io
import json
import threading
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import numpy as np
import pytest

from kernels.loudness import measure
from ray_jobs.contract import (
    ClipEdit,
    Ducking,
    IngestLimits,
    Loudness,
    MediaInfo,
    Narrate,
    Source,
    SpeechEndpoint,
)
from ray_jobs.engines.narrator import fitted, said, say_all
from ray_jobs.engines.voice import speak
from ray_jobs.failures import Failure
from ray_jobs.media.audio import read_audio
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.narration import mixed
from ray_jobs.media.probe import probe
from ray_jobs.media.sound import RATE_HZ
from ray_jobs.narrate import narrate

ID = UUID("22222222-2222-4222-8222-222222222222")
CLIP = UUID("33333333-3333-4333-8333-333333333333")
TEXT = "In 1984 the town paid $43,000 for its bridge, as Dr. Smith wrote."


@pytest.fixture
def source(job_run, tmp_path):
    """Eight seconds of loud pink noise on the left and a tone on the right."""
    path = tmp_path / "town.mka"
    ffmpeg([
        "-f", "lavfi", "-i", "anoisesrc=color=pink:duration=8:amplitude=0.5:seed=1:r=48000",
        "-f", "lavfi", "-i", "sine=frequency=220:duration=8:sample_rate=48000",
        "-filter_complex", "[0][1]amerge=inputs=2", "-c:a", "flac", str(path),
    ])  # fmt: skip
    media = probe(path, IngestLimits())
    nothing = {"key": "orgs/x/none", "sha256": "0" * 64, "size_bytes": 1, "content_type": "x/y"}
    blank = Source(video_id=ID, object=nothing, media=media)
    run = job_run(order_of(blank))
    return Source(video_id=ID, object=run.adopt(path, "audio/x-matroska"), media=media)


def order_of(source, **more):
    given = {"text": TEXT, "start_s": 1.0, "end_s": 7.0, "language": "en"}
    return Narrate(source=source, clip_id=CLIP, **(given | more))


def test_what_is_written_is_shown_as_it_is_said():
    spoken = {token.written: token.spoken for token in said(TEXT, "en")}
    assert spoken["1984"] == "nineteen eighty four"
    assert spoken["$43,000"] == "forty three thousand dollars"
    assert spoken["Dr."] == "doctor"
    assert spoken["bridge,"] == "bridge,"
    assert [token.spoken for token in said("1984 ist „gut“.", "de")] == ["1984", "ist", "„gut“."]


@pytest.mark.parametrize(
    ("token", "spoken"),
    [("(50%),", "fifty percent,"), ("—", "—"), ("“Stop!”", "“Stop!”"), ("well-known", "well-known"),
     ("3.5", "three point five"), ("example.org.", "example dot org."), ("100.", "one hundred.")],
)  # fmt: skip
def test_punctuation_stays_where_it_shapes_the_voice(token, spoken):
    assert said(token, "en")[0].spoken == spoken


def test_every_written_word_has_its_time_in_order():
    (speech,) = say_all([TEXT], language="en", voice="en-us", rate_wpm=165)
    assert [word.text for word in speech.words] == TEXT.split()
    edges = [edge for word in speech.words for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    number = next(word for word in speech.words if word.text == "$43,000")
    assert number.end_s - number.start_s > 0.8
    assert speech.words[-1].end_s <= speech.duration_s < speech.words[-1].end_s + 0.1


def fit_of(slot_s, **more):
    given = {"language": "en", "voice": "en-us", "speed": 1.0, "max_stretch": 0.12}
    return fitted(TEXT, slot_s=slot_s, **(given | more))


@pytest.fixture(scope="module")
def natural_s():
    return fit_of(None)[2].natural_s


class TestFit:
    @pytest.mark.parametrize("share", [0.92, 1.07])
    def test_speech_a_little_off_is_brought_into_its_slot(self, natural_s, share):
        speech, _, fit = fit_of(natural_s * share)
        assert fit.decision == "stretched"
        assert fit.left_over_s + 0.011 >= 0
        assert fit.left_over_s < 0.02 * natural_s
        assert fit.stretch == pytest.approx(share, abs=0.02)
        assert speech.duration_s == pytest.approx(fit.duration_s, abs=1e-3)

    def test_speech_much_too_long_says_by_how_much_it_runs_over(self, natural_s):
        _, _, fit = fit_of(natural_s * 0.5)
        assert fit.decision == "overruns"
        assert fit.stretch == pytest.approx(0.88, abs=0.02)
        assert fit.left_over_s == pytest.approx(natural_s * 0.5 - fit.duration_s, abs=0.002)

    def test_speech_much_too_short_stays_natural(self, natural_s):
        _, rate_wpm, fit = fit_of(natural_s * 2)
        assert (fit.decision, fit.stretch, rate_wpm) == ("too_short", 1.0, 165)
        assert fit.left_over_s == pytest.approx(natural_s, abs=0.01)

    def test_a_pace_is_kept_where_no_slot_is_given(self, natural_s):
        _, _, fit = fit_of(None, speed=1.5)
        assert fit.decision == "natural"
        assert fit.duration_s < 0.75 * natural_s


class TestMix:
    def test_the_voice_lies_over_even_a_loud_bed_and_the_bed_returns(self):
        random = np.random.default_rng(0)
        bed = random.normal(0, 0.4, (6 * RATE_HZ, 2)).astype(np.float32)
        voice = np.zeros_like(bed)
        voice[2 * RATE_HZ : 3 * RATE_HZ] = random.normal(0, 0.01, (RATE_HZ, 2))
        alone = mixed(np.zeros_like(bed), bed.copy(), [], Ducking(), -20.0)
        made = mixed(voice, bed.copy(), [(2.0, 3.0)], Ducking(depth_db=3), -20.0)
        assert made.narration_to_bed_lu >= 6.0
        assert made.depth_db == pytest.approx(6.3, abs=1.5)
        assert alone.narration_to_bed_lu is None
        heard = measure(made.sound[4 * RATE_HZ :], RATE_HZ).integrated_lufs
        assert heard == pytest.approx(-20.0, abs=0.5)

    def test_a_silent_bed_has_no_ratio(self):
        voice = np.random.default_rng(0).normal(0, 0.1, (RATE_HZ, 2)).astype(np.float32)
        made = mixed(voice, np.zeros_like(voice), [(0.0, 1.0)], Ducking(), -16.0)
        assert (made.depth_db, made.narration_to_bed_lu) == (0.0, None)


def test_a_narration_lies_over_the_clip_as_its_edits_leave_it(job_run, source):
    gone = [ClipEdit(start_s=3.0, end_s=5.0), ClipEdit(start_s=5.5, end_s=6.0, applied=False)]
    spec = order_of(source, edits=gone, text="Rivers made the cities.")
    run = job_run(spec)
    made = narrate(run, spec)
    assert made.fit.slot_s == pytest.approx(4.0, abs=1 / 30)
    for stem in (made.dry, made.mix):
        sound = read_audio(run.fetch(stem.sound.object), rate_hz=RATE_HZ, channels=2)
        assert len(sound) / RATE_HZ == pytest.approx(made.fit.slot_s, abs=0.03)
    whole = spec.model_copy(update={"edits": gone[1:]})
    assert narrate(job_run(whole), whole).fit.slot_s == 6.0


def test_dry_stem_and_mix_are_made_at_the_wanted_loudness(job_run, source, tmp_path):
    spec = order_of(source, loudness=Loudness(target_lufs=-18.0))
    run = job_run(spec)
    made = narrate(run, spec)
    for stem in (made.dry, made.mix):
        assert stem.loudness_reached
        sound = read_audio(run.fetch(stem.sound.object), rate_hz=RATE_HZ, channels=2)
        heard = measure(sound, RATE_HZ)
        assert heard.integrated_lufs == pytest.approx(-18.0, abs=0.5)
        assert heard.true_peak_dbtp <= -1.0
        assert len(sound) / RATE_HZ == pytest.approx(6.0, abs=0.03)
    assert made.narration_to_bed_lu >= 6.0
    assert made.fit.decision in {"stretched", "too_short"}
    assert {form.written for form in made.normalised} == {"1984", "$43,000", "Dr."}
    assert "forty three thousand dollars" in made.spoken_text
    assert made.words[-1].end_s <= 6.0
    assert run.effective["voice"] == "espeak-ng (en-us)"


def test_other_ducking_speaks_nothing_anew_and_the_same_order_works_not_at_all(job_run, source):
    spec = order_of(source)
    narrate(job_run(spec), spec)
    again = job_run(spec)
    narrate(again, spec)
    assert all(step.cached for step in again.steps)
    deeper = spec.model_copy(update={"ducking": Ducking(depth_db=30)})
    run = job_run(deeper)
    made = narrate(run, deeper)
    assert {step.name: step.cached for step in run.steps} == {
        "narration_voice": True, "narration_dry": True, "narration_mix": False,
    }  # fmt: skip
    assert made.duck_depth_db == 30.0


def test_a_narration_longer_than_its_clip_is_never_cut(job_run, source):
    spec = order_of(source, end_s=3.0)
    made = narrate(job_run(spec), spec)
    assert made.fit.decision == "overruns"
    assert made.mix.duration_s == pytest.approx(made.fit.duration_s, abs=0.01)


def test_a_recording_without_sound_gives_the_voice_alone(job_run, source):
    silent = MediaInfo(container="mp4", duration_s=8.0, width=320, height=180)
    spec = order_of(source.model_copy(update={"media": silent}))
    made = narrate(job_run(spec), spec)
    assert made.narration_to_bed_lu is None
    assert made.mix.loudness_reached


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"text": "— … —"}, "nothing_to_say"), ({"voice": "klingonese"}, "voice_unavailable"),
     ({"end_s": 1.0}, "clip_outside_source")],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_with_a_code(job_run, source, wrong, code):
    spec = order_of(source, **wrong)
    with pytest.raises(Failure, match=code):
        narrate(job_run(spec), spec)


class Talker(BaseHTTPRequestHandler):
    """An OpenAI-compatible speech endpoint that speaks after a second of silence."""

    seen: list = []
    broken: list = []

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.path, self.headers.get("authorization"), asked))
        status, content = self.broken.pop(0) if self.broken else (200, self.spoken(asked))
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @staticmethod
    def spoken(asked):
        speech = speak(asked["input"], rate_wpm=round(165 * asked["speed"]))
        sound = np.concatenate([np.zeros(speech.rate_hz), speech.samples])
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(speech.rate_hz)
            file.writeframes((sound * 32767).astype("<i2").tobytes())
        return out.getvalue()

    def log_message(self, *_):
        pass


@pytest.fixture
def talker():
    Talker.seen, Talker.broken = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Talker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SpeechEndpoint(url=f"http://127.0.0.1:{server.server_port}/v1/", model="tiny-tts")
    server.shutdown()
    server.server_close()


class TestEndpoint:
    def test_it_speaks_what_is_shown_and_its_words_are_found_in_its_sound(
        self, job_run, source, talker, monkeypatch
    ):
        monkeypatch.setenv("CUTROOM_TTS_KEY", "hush")
        spec = order_of(source, speaker=talker, fit="none")
        made = narrate(job_run(spec), spec)
        assert (made.engine, made.voice) == ("tiny-tts", "alloy")
        path, authorization, asked = Talker.seen[0]
        assert (path, authorization) == ("/v1/audio/speech", "Bearer hush")
        assert asked["input"] == made.spoken_text
        (own,) = say_all([TEXT], language="en", voice="en-us", rate_wpm=165)
        assert made.fit.natural_s == pytest.approx(own.duration_s, abs=0.25)
        assert [word.text for word in made.words] == TEXT.split()
        starts = [word.start_s for word in made.words]
        assert starts == sorted(starts)
        far = [abs(a.start_s - b.start_s) for a, b in zip(made.words, own.words, strict=True)]
        assert np.median(far) < 0.25
        assert made.narration_to_bed_lu >= 6.0

    @pytest.mark.parametrize(
        ("answer", "again"), [((500, b""), True), ((400, b"{}"), False), ((200, b"{}"), False)]
    )
    def test_one_that_does_not_speak_fails_the_job_with_a_code(
        self, job_run, source, talker, answer, again
    ):
        Talker.broken = [answer]
        spec = order_of(source, speaker=talker)
        with pytest.raises(Failure, match="voice_unavailable") as failed:
            narrate(job_run(spec), spec)
        assert failed.value.retryable == again
