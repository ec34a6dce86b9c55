"""Words found by their letters: a small wav2vec2, loaded and run like a real one."""

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ray_jobs import models
from ray_jobs.engines import aligners, wav2vec2
from ray_jobs.engines.aligner import align
from ray_jobs.engines.aligners import Choice
from ray_jobs.engines.given import Line
from ray_jobs.engines.text import tokens
from ray_jobs.failures import Cancelled, Failure
from tests.ray_jobs.letters import LETTER_S, toned

SAID = "no tones at a stand in Boston did I rate as brio"


@pytest.fixture
def aligned(tones, tmp_path):
    """`aligned(samples, text)` gives the words of the text; `shift` puts so many samples before."""

    def run(samples, text, *, shift=0, cue=None, weights=tones, tick=lambda _share: None):
        pcm = tmp_path / "sound.pcm"
        sound = np.concatenate([np.zeros(shift, np.float32), samples])
        (sound * 32767).astype("<i2").tofile(pcm)
        at_s, end_s = shift / 16000, len(sound) / 16000
        return align(
            [Line(tokens(text), *(cue or (None, None)))], pcm, [(at_s + 0.2, end_s - 0.1)], end_s,
            choice=Choice("wav2vec2", "tones", weights), language="en", tick=tick,
        )  # fmt: skip

    return run


def late(words, times):
    return [abs(word.start_s - start_s) for word, (start_s, _) in zip(words, times, strict=True)]


@pytest.mark.parametrize("cue", [None, (0.3, 8.0)], ids=["plain", "cued"])
def test_words_are_found_where_they_are_said(aligned, cue):
    samples, times = toned(SAID)
    words = aligned(samples, SAID, cue=cue)
    assert np.median(late(words, times)) <= 0.025
    assert max(late(words, times)) <= LETTER_S
    assert not any(word.interpolated for word in words)
    assert all(0 < word.confidence <= 1 for word in words)


def test_the_path_is_that_of_torchaudio(tones):
    import torch
    from torchaudio.functional import forced_align, merge_tokens

    model = wav2vec2.loaded(tones)
    sound = (toned(SAID)[0] * 32767).astype("<i2")
    heard = wav2vec2.emissions(model, sound, lambda _share: None)
    rows = [wav2vec2.spelled(model, word) for word in SAID.split()]
    ours = wav2vec2._path(model, heard, rows)
    row = wav2vec2.spelled(model, SAID)
    peer = merge_tokens(*(part[0] for part in forced_align(heard[None].cpu(), torch.tensor([row]))))
    at = 0
    for letters, place in zip(rows, ours, strict=True):
        assert place.frames == (peer[at].start, peer[at + len(letters) - 1].end)
        assert place.scores == pytest.approx(
            [span.score for span in peer[at : at + len(letters)]], abs=1e-3
        )
        at += len(letters) + 1  # the gap after the word


@pytest.mark.parametrize("said", ["nineties", "nineteen nineties"])
def test_a_number_is_read_as_it_is_said(aligned, said):
    samples, times = toned(f"as I rated {said} standard Boston")
    words = aligned(samples, "as I rated 90s standard Boston")
    assert words[3].start_s == pytest.approx(times[3][0], abs=0.06)
    assert words[4].start_s == pytest.approx(times[-2][0], abs=0.06)
    assert not words[3].interpolated


def test_what_the_alphabet_lacks_is_a_star_that_harms_no_neighbour():
    """On the emissions of a sure model, which peak once a letter and are blank between."""
    import torch

    model = wav2vec2.Model(None, "cpu", {"n": 1, "o": 2, "a": 3, "t": 4}, gap=5)
    peaks = {4: 1, 8: 2, 12: 5, 16: 3, 20: 2, 24: 4, 28: 5, 32: 3, 36: 4}
    classes = [peaks.get(frame, 0) for frame in range(40)]
    heard = torch.log_softmax(12.0 * torch.eye(6)[classes], -1)
    rows = [wav2vec2.spelled(model, word) for word in ("no", "ппп", "at")]
    assert rows[1] == [wav2vec2.STAR]
    before, star, after = wav2vec2._path(model, heard, rows)
    assert (before.frames, after.frames) == ((4, 9), (32, 37))
    assert 13 <= star.frames[0] < star.frames[1] <= 28
    assert star.scores == []


def test_a_word_of_no_letter_is_marked_as_an_estimate(aligned):
    samples, times = toned(SAID)
    words = aligned(samples, SAID.replace("brio", "ппп"))
    assert words[-1].interpolated
    assert not any(word.interpolated for word in words[:10])
    assert max(late(words[:10], times[:10])) <= LETTER_S
    assert words[-1].start_s >= words[-2].end_s


def test_letters_are_found_without_accents_and_in_latin(tones):
    model = wav2vec2.loaded(tones)
    plain = wav2vec2.spelled(model, "boston ne ss")
    assert wav2vec2.spelled(model, "BÖSTÓN né ß") == plain
    assert wav2vec2.spelled(model, "Бостон") == wav2vec2.spelled(model, "boston")
    assert wav2vec2.spelled(model, "4") == [wav2vec2.STAR]


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shift=st.integers(0, 40_000))
def test_later_sound_is_heard_later_and_not_otherwise(aligned, shift):
    samples, _ = toned(SAID)
    at_once, later = (aligned(samples, SAID, shift=8000 + n) for n in (0, shift))
    for one, other in zip(at_once, later, strict=True):
        assert round(other.start_s * 16000) == round(one.start_s * 16000) + shift
        assert round(other.end_s * 16000) == round(one.end_s * 16000) + shift
        assert other.confidence == one.confidence


def test_a_long_recording_is_heard_window_by_window(aligned, monkeypatch):
    monkeypatch.setattr(wav2vec2, "WINDOW", 60)
    monkeypatch.setattr(wav2vec2, "CONTEXT", 30)
    samples, times = toned(SAID)
    shares = []
    words = aligned(samples, SAID, tick=shares.append)
    assert max(late(words, times)) <= LETTER_S
    assert len(shares) > 4
    assert shares == sorted(shares)


def test_a_band_finds_the_same_path(aligned, monkeypatch):
    samples, _ = toned(SAID)
    exact = aligned(samples, SAID)
    monkeypatch.setattr(wav2vec2, "EXACT", 0)
    monkeypatch.setattr(wav2vec2, "BAND", 8)
    assert aligned(samples, SAID) == exact


def test_text_that_is_not_said_is_estimated(aligned, tiny_aligners):
    samples, _ = toned(SAID)
    other = "Dread is a bitter read; Tess ordered beer and a best sorbet."
    assert all(word.interpolated for word in aligned(samples, other))
    deaf = aligned(samples, SAID, weights=tiny_aligners / "aligner-random")
    assert all(word.interpolated for word in deaf)


def test_more_text_than_time_is_estimated(aligned):
    words = aligned(toned("no")[0], SAID * 3)
    assert all(word.interpolated for word in words)


def test_cancel_is_heard(aligned):
    def cancel(_share):
        raise Cancelled

    with pytest.raises(Cancelled):
        aligned(toned(SAID)[0], SAID, tick=cancel)


@pytest.mark.parametrize("damage", ["weights", "labels", "json"])
def test_a_damaged_model_says_what_to_do(tones, tmp_path, damage):
    folder = tmp_path / f"aligner-{damage}"
    shutil.copytree(tones, folder)
    config = (folder / "aligner.json").read_text()
    if damage == "weights":
        (folder / "model.pt").write_bytes(b"not a model")
    else:
        broken = "{}" if damage == "json" else config.replace('"A", ', "")
        (folder / "aligner.json").write_text(broken)
    with pytest.raises(Failure, match=r"model_damaged.*models verify"):
        wav2vec2.loaded(folder)


class TestChoice:
    def test_weights_of_the_language_are_preferred(self, tones):
        choice = aligners.choose("auto", "en-GB")
        assert choice.weights == tones
        assert choice.engine == f"wav2vec2 aligner-tones, {wav2vec2.device()}"
        assert aligners.choose("auto", "eo").weights.name == "aligner-random"

    def test_the_embedded_engine_serves_other_languages_and_whoever_asks(self, tones):
        assert aligners.choose("auto", "de") == Choice("pocketsphinx", "embedded")
        assert aligners.choose("pocketsphinx", "en").engine == "pocketsphinx"

    @pytest.mark.parametrize(
        ("language", "name"), [("en", "align-en"), ("de-AT", "align-de"), ("sw", "align-mms")]
    )
    def test_what_is_asked_for_and_is_not_there_is_named(
        self, tmp_path, monkeypatch, language, name
    ):
        monkeypatch.setenv("CUTROOM_MODELS", str(tmp_path / "empty"))
        with pytest.raises(Failure, match=f"model_missing.*models fetch {name}"):
            aligners.choose("wav2vec2", language)

    def test_other_weights_have_another_identity(self, tones):
        names = {aligners.choose("auto", language).identity for language in ("en", "eo", "de")}
        assert len(names) == 3


def test_the_manifest_names_bundles_and_the_files_they_are_made_of():
    from torchaudio import pipelines

    known = [model for model in models.manifest().values() if model.kind == "aligner"]
    assert len(known) == 6
    for model in known:
        bundle = getattr(pipelines, model.bundle)
        (file,) = model.files
        assert file.url.endswith(bundle._path)
        assert file.path == bundle._path.rpartition("/")[2]
        assert bundle.sample_rate == 16_000
