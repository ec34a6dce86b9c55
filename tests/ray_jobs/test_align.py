"""Edited segments are timed anew; every other word stays where it was."""

from uuid import UUID

import pytest

from ray_jobs.align import align
from ray_jobs.contract import Align, AudioStream, MediaInfo, Segment, Source, Word
from ray_jobs.failures import Failure

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
def job(job_run, media):
    def make(**more):
        path = next((media / "speech").glob("jfk*"))
        stream = AudioStream(index=0, codec="flac", sample_rate_hz=16000, channels=1, layout="mono")
        info = MediaInfo(container="wav", duration_s=11.0, audio=[stream])
        nothing = {"key": "orgs/x/none", "sha256": "0" * 64, "size_bytes": 1, "content_type": "x/y"}
        base = {"transcript_id": ID, "revision": 1, "language": "en", "segments": transcript()}
        blank = Align(source=Source(video_id=ID, object=nothing, media=info), **base | more)
        ref = job_run(blank).adopt(path, "audio/flac")
        spec = Align(source=Source(video_id=ID, object=ref, media=info), **base | more)
        return job_run(spec), spec

    return make


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
