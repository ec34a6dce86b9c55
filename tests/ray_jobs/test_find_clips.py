"""From a recording to ranked, explained clips, and a table of everything that was considered."""

import itertools
import json

import pytest

from ray_jobs.contract import FindClips, IngestLimits, ScoreWeights, Source
from ray_jobs.engines import faces, letters
from ray_jobs.find_clips import find_clips, when
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.probe import probe
from tests.ray_jobs.chat import Chat
from tests.ray_jobs.clips.conftest import OBJECT, VIDEO_ID, spoken

LINES = [(1.0 + 3.0 * n, f"Part {n} of the river bends here.") for n in range(8)]


@pytest.fixture
def film(tmp_path):
    """Twenty-five seconds, five scenes, a tone that comes and goes."""
    path = tmp_path / "film.mp4"
    scenes = [f"testsrc2=size=160x90:rate=25:duration=5,hue=h={70 * n}[v{n}]" for n in range(5)]
    graph = ";".join([*scenes, "".join(f"[v{n}]" for n in range(5)) + "concat=n=5[v]"])
    ffmpeg([
        "-f", "lavfi", "-i", "aevalsrc=0.2*sin(2*PI*220*t)*gt(sin(t)\\,0):d=25:s=48000",
        "-filter_complex", graph, "-map", "[v]", "-map", "0:a", "-c:v", "libx264",
        "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
    ])  # fmt: skip
    return path


@pytest.fixture
def find(job_run, film):
    """`find(**more)` looks for clips in the film; gives the run and the result."""
    media = probe(film, IngestLimits())

    def run(**more):
        wanted = {
            "segments": spoken(*LINES), "max_clips": 2, "min_duration_s": 5, "max_duration_s": 12,
        } | more  # fmt: skip
        blank = FindClips(source=Source(video_id=VIDEO_ID, object=OBJECT, media=media), **wanted)
        ref = job_run(blank).adopt(film, "video/mp4")
        spec = FindClips(source=Source(video_id=VIDEO_ID, object=ref, media=media), **wanted)
        job = job_run(spec)
        return job, find_clips(job, spec)

    return run


def table(job, result):
    ref = next(a.object for a in result.artifacts if a.kind == "candidates")
    return json.loads(job.fetch(ref).read_text())


def test_clips_are_ranked_apart_and_explained(find):
    _, result = find()
    assert [clip.rank for clip in result.clips] == [1, 2]
    scores = [clip.score for clip in result.clips]
    assert scores == sorted(scores, reverse=True)
    for one, other in itertools.combinations(result.clips, 2):
        assert one.end_s <= other.start_s or other.end_s <= one.start_s
    for clip in result.clips:
        assert 5 <= clip.end_s - clip.start_s <= 12
        assert clip.score == pytest.approx(sum(p.contribution for p in clip.parts), abs=1e-9)
        assert clip.title
        assert clip.text
        assert clip.preview
        assert all(clip.start_s <= point.time_s <= clip.end_s for point in clip.crop_track)


def test_no_clip_is_named_after_rough_words(find):
    _, trusted = find()
    _, rough = find(rough=True)
    first = rough.clips[0]
    assert first.title == when(first.start_s, first.end_s)
    assert first.text == trusted.clips[0].text
    assert when(59.7, 3725.2) == "1:00 to 62:05"


def test_every_candidate_is_kept_with_its_reason(find):
    job, result = find()
    rows = table(job, result)
    named = [dict(zip(rows["columns"], row, strict=True)) for row in rows["rows"]]
    assert sum(row["status"] == "kept" for row in named) == len(result.clips)
    assert {row["reason"] for row in named} >= {None, "overlap", "length"}
    for row in named:
        assert (row["reason"] is None) == (row["status"] == "kept")
        assert row["score"] == pytest.approx(sum(row["contributions"]), abs=1e-9)
    kept = [(row["start_s"], row["end_s"]) for row in named if row["status"] == "kept"]
    for row in named:
        if row["reason"] == "overlap":
            assert any(row["start_s"] < b and row["end_s"] > a for a, b in kept)
        if row["reason"] == "length":
            assert not 5 <= row["end_s"] - row["start_s"] <= 12


def test_the_table_and_the_clips_tell_the_same_score(find):
    job, result = find()
    rows = table(job, result)
    kept = {(row[0], row[1]): row for row in rows["rows"] if row[3] == "kept"}
    for clip in result.clips:
        row = kept[round(clip.start_s, 3), round(clip.end_s, 3)]
        assert row[2] == pytest.approx(clip.score, abs=1e-9)
        told = {part.name: part.contribution for part in clip.parts}
        assert dict(zip(rows["parts"], row[5], strict=True)) == pytest.approx(told, abs=1e-9)


def test_what_would_have_fitted_beside_the_chosen_fell_to_the_cap(find):
    job, result = find(max_clips=1)
    (clip,) = result.clips
    rows = table(job, result)["rows"]
    capped = [row for row in rows if row[4] == "cap"]
    assert capped
    for start_s, end_s, score, *_ in capped:
        assert end_s <= clip.start_s or start_s >= clip.end_s
        assert score <= clip.score + 1e-9


def test_when_nothing_counts_nothing_is_chosen_and_the_table_says_why(find):
    job, result = find(weights=dict.fromkeys(ScoreWeights.model_fields, 0.0))
    assert result.clips == []
    assert result.candidates > 0
    assert {row[4] for row in table(job, result)["rows"]} == {"score", "length"}


def test_the_chosen_set_is_the_best_there_is(find):
    job, result = find(max_clips=3)
    rows = table(job, result)
    spans = [row[:3] for row in rows["rows"] if row[4] != "length"]
    best = 0.0
    for chosen in itertools.combinations(spans, 3):
        ordered = sorted(chosen)
        if all(a[1] <= b[0] for a, b in itertools.pairwise(ordered)):
            best = max(best, sum(span[2] for span in chosen))
    for chosen in itertools.combinations(spans, 2):
        a, b = sorted(chosen)
        if a[1] <= b[0]:
            best = max(best, a[2] + b[2])
    assert sum(clip.score for clip in result.clips) == pytest.approx(best, abs=1e-4)


def test_another_weight_measures_nothing_again(find):
    _, first = find()
    job, second = find(weights={"hook": 0.0})
    steps = {step.name: step.cached for step in job.steps}
    assert steps["analyse"]
    assert not steps["choose"]
    assert first.clips != second.clips


def test_twice_is_the_same_to_the_last_digit(find):
    _, first = find()
    job, second = find()
    assert first == second
    assert all(step.cached for step in job.steps)


def test_without_a_word_there_are_still_clips(find):
    _, result = find(segments=[])
    assert result.clips
    parts = {part.name: part for part in result.clips[0].parts}
    assert parts["hook"].weight == 0
    assert parts["motion"].weight > 0


def test_the_job_says_which_decoder_ran(find):
    job, _ = find()
    assert job.effective["decoder"].startswith(("cpu (pyav h264, no", "dali nvdec h264"))


def test_the_job_says_what_looked_at_it_and_what_was_followed(find):
    job, result = find()
    assert job.effective["faces"] == faces.engine()
    assert job.effective["letters"] == letters.engine()
    assert {clip.subject for clip in result.clips} == {"text"}, "the test picture has a clock"


def test_another_clip_is_framed_anew_and_the_rest_is_not_measured_again(find):
    find()
    job, _ = find(max_clips=1)
    steps = {step.name: step.cached for step in job.steps}
    assert steps["analyse"]
    assert not steps["frame"]


class TestOpinion:
    def test_it_decides_between_clips_and_a_second_run_asks_nobody(self, find, chat):
        _, without = find()
        loved = without.clips[1].text

        def answer(asked):
            one = json.loads(asked["messages"][1]["content"])
            score = 10 if one["passage"] == loved else 0
            return 200, json.dumps({"id": one["id"], "score": score, "reason": "Because."})

        Chat.answers = answer
        _, result = find(opinion=chat, weights=ScoreWeights(opinion=5))
        assert result.clips[0].text == loved
        part = next(part for part in result.clips[0].parts if part.name == "opinion")
        assert (part.contribution, part.evidence.note) == (5, "tiny: Because.")
        assert result.clips[0].score == pytest.approx(
            sum(part.contribution for part in result.clips[0].parts), abs=1e-9
        )
        assert result.warnings == []
        count = len(Chat.seen)
        job, again = find(opinion=chat, weights=ScoreWeights(opinion=5))
        assert (again.clips, len(Chat.seen)) == (result.clips, count)
        assert all(step.cached for step in job.steps)

    def test_without_its_endpoint_the_clips_are_those_of_the_other_parts(self, find, chat):
        _, without = find()
        Chat.answers = lambda _: (500, "")
        _, result = find(opinion=chat)
        assert [clip.clip_id for clip in result.clips] == [clip.clip_id for clip in without.clips]
        assert [clip.score for clip in result.clips] == [clip.score for clip in without.clips]
        assert "answered 500" in result.warnings[0]
