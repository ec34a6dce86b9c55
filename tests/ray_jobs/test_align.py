"""Edited segments are timed anew; every other word stays where it was."""

import wave
from uuid import UUID

import pytest

from ray_jobs.align import align
from ray_jobs.contract import Align, AudioStream, MediaInfo, Segment, Source, Word
from ray_jobs.failures import Failure
from tests.ray_jobs.letters import LETTER_S, toned

ID = UUID("22222222-2222-4222-8222-222222222222")
TEXT = (
    "And so, my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country."
)
HALVES = {"s0001": (0.2, 7.7), "s0002": (8.1, 10.6)}


def evenly(texts, start_s, end_s, first):
    share_s = (end_s - start_s) / len(texts)
    return [
        Word(
            id=f"w{first + n:05d}", text=text, start_s=start_s + n * share_s,
            end_s=start_s + (n + 1) * share_s, confidence=1, interpolated=True,
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip


def transcript():
    words = TEXT.split()
    at = words.index("you,") + 1
    segments = []
    for (name, (start_s, end_s)), texts in zip(
        HALVES.items(), (words[:at], words[at:]), strict=True
    ):
        segments.append(
            Segment(
                id=name, start_s=start_s, end_s=end_s, text=" ".join(texts), confidence=1,
                words=evenly(texts, start_s, end_s, len(segments) * 100),
            )
        )  # fmt: skip
    return segments


@pytest.fixture
def on(job_run):
    """`on(path, seconds, **spec)` gives a run and its spec."""

    def make(path, duration_s, **more):
        stream = AudioStream(index=0, codec="flac", sample_rate_hz=16000, channels=1, layout="mono")
        info = MediaInfo(container="wav", duration_s=duration_s, audio=[stream])
        nothing = {"key": "orgs/x/none", "sha256": "0" * 64, "size_bytes": 1, "content_type": "x/y"}
        base = {"transcript_id": ID, "revision": 1, "language": "en"} | more
        blank = Align(source=Source(video_id=ID, object=nothing, media=info), **base)
        ref = job_run(blank).adopt(path, "audio/flac")
        spec = Align(source=Source(video_id=ID, object=ref, media=info), **base)
        return job_run(spec), spec

    return make


@pytest.fixture
def job(on, media):
    return lambda **more: on(
        media / "speech" / "jfk.flac", 11.0, **{"segments": transcript(), **more}
    )


@pytest.fixture
def tonal(on, tones, tmp_path):
    """`tonal(segments, **spec)` on the sound of `SAID`, whose letters are tones."""
    samples, _ = toned(SAID)
    with wave.open(str(tmp_path / "tones.wav"), "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", ""))
        out.writeframes((samples * 32767).astype("<i2").tobytes())
    return lambda segments, **more: on(
        tmp_path / "tones.wav", len(samples) / 16000, segments=segments, **more
    )


SAID = "no tones at a stand in Boston did I rate as brio"


def halves(**changed):
    """`SAID` in two segments with every word at its true time but those that are `changed`, which
    were written anew and have only an estimate.
    """
    _, times = toned(SAID)
    words = [
        Word(
            id=f"w{n}", text=changed.get(f"w{n}", text), start_s=start_s + 0.0000625 * n,
            end_s=end_s, confidence=0.9, interpolated=f"w{n}" in changed,
        )
        for n, (text, (start_s, end_s)) in enumerate(zip(SAID.split(), times, strict=True))
    ]  # fmt: skip
    return [
        Segment(
            id=name, start_s=part[0].start_s, end_s=part[-1].end_s, confidence=0.9, words=part,
            text=" ".join(word.text for word in part),
        )
        for name, part in (("s0001", words[:6]), ("s0002", words[6:]))
    ]  # fmt: skip


class TestEdit:
    def test_only_the_words_that_were_edited_are_timed(self, tonal):
        segments = halves(w2="as", w9="Rate!")
        result = align(*tonal(segments, engine="wav2vec2"))
        before = {w.id: w for segment in segments for w in segment.words}
        after = {w.id: w for segment in result.segments for w in segment.words}
        assert list(after) == list(before)
        assert {name for name in after if after[name] != before[name]} == {"w2", "w9"}
        for name, low, high in (("w2", "w1", "w3"), ("w9", "w8", "w10")):
            assert before[low].end_s <= after[name].start_s < after[name].end_s
            assert after[name].end_s <= before[high].start_s
        assert result.engine.startswith("wav2vec2 aligner-tones, ")

    @pytest.mark.media
    def test_so_it_is_by_the_embedded_engine(self, job):
        segments = align(*job(engine="pocketsphinx")).segments
        words = segments[0].words
        at, told = next((n, w) for n, w in enumerate(words) if w.text == "country")
        early_s = words[at - 1].end_s
        edit = {"text": "Country", "start_s": early_s, "end_s": early_s + 0.01}
        words[at] = told.model_copy(update={**edit, "interpolated": True, "id": "w1e1"})
        result = align(*job(segments=segments, engine="pocketsphinx"))
        assert result.engine == "pocketsphinx"
        assert result.segments[1] == segments[1]
        fresh = result.segments[0].words[at]
        assert result.segments[0].words == [*words[:at], fresh, *words[at + 1 :]]
        assert fresh.start_s == pytest.approx(told.start_s, abs=0.05)
        assert not fresh.interpolated

    def test_they_are_found_where_they_are_said(self, tonal):
        segments = halves(w9="Rate!")
        moved = segments[1].words[3].model_copy(update={"start_s": 5.9, "end_s": 5.95})
        segments[1].words[3] = moved
        result = align(*tonal(segments))
        word = result.segments[1].words[3]
        assert word.start_s == pytest.approx(toned(SAID)[1][9][0], abs=0.06)
        assert not word.interpolated

    def test_other_segments_are_not_touched_by_name(self, tonal):
        segments = halves(w2="as", w9="Rate!")
        result = align(*tonal(segments, segment_ids=["s0002"]))
        assert result.segments[0] == segments[0]
        assert result.segments[1].words[3] != segments[1].words[3]

    def test_all_words_are_timed_anew_on_demand_and_where_none_was_edited(self, tonal):
        for segments, anew in ((halves(w2="as"), True), (halves(), False)):
            result = align(*tonal(segments, anew=anew))
            before = [w for segment in segments for w in segment.words]
            after = [w for segment in result.segments for w in segment.words]
            assert all(new != old for new, old in zip(after, before, strict=True))
            starts = [w.start_s for w in after]
            truth = [start_s for start_s, _ in toned(SAID)[1]]
            assert starts == pytest.approx(truth, abs=LETTER_S)

    def test_an_engine_that_is_not_there_is_a_failure(self, on, tmp_path, monkeypatch):
        monkeypatch.setenv("CUTROOM_MODELS", str(tmp_path / "empty"))
        (tmp_path / "sound").write_bytes(b"x")
        with pytest.raises(Failure, match=r"model_missing.*models fetch align-en"):
            align(*on(tmp_path / "sound", 9.0, segments=halves(), engine="wav2vec2"))


@pytest.mark.media
def test_all_words_are_found_in_the_sound(job):
    result = align(*job())
    words = {w.text: w for segment in result.segments for w in segment.words}
    assert sum(not w.interpolated for w in words.values()) > 0.8 * len(words)
    assert words["Americans,"].start_s == pytest.approx(1.6, abs=0.3)
    starts = [w.start_s for segment in result.segments for w in segment.words]
    assert starts == sorted(starts)


@pytest.mark.media
def test_other_segments_are_left_as_they_were(job):
    run, spec = job(segment_ids=["s0002"])
    result = align(run, spec)
    assert result.aligned == ["s0002"]
    assert result.segments[0] == spec.segments[0]
    again = result.segments[1]
    assert [w.text for w in again.words] == [w.text for w in spec.segments[1].words]
    assert again.words != spec.segments[1].words
    assert all(w.start_s >= spec.segments[0].end_s for w in again.words)


@pytest.mark.media
def test_a_segment_that_is_not_there_is_named(job):
    with pytest.raises(Failure, match=r"unknown_segment.*s0009"):
        align(*job(segment_ids=["s0009"]))
