"""A retelling: as long as asked, drawn from what was said, mended sentence by sentence."""

import json
from itertools import pairwise
from uuid import UUID

import av
import numpy as np
import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_jobs.contract import (
    Directive,
    IngestLimits,
    MediaInfo,
    Retell,
    ScriptSentence,
    Segment,
    Source,
    spec_hash,
)
from ray_jobs.engines.budget import NEAR_ENOUGH, ROOM, Pace, chosen, laid_out, pace_of
from ray_jobs.engines.narrator import say_all
from ray_jobs.engines.outline import outline
from ray_jobs.engines.writer import extracted, grounded, polished, solved
from ray_jobs.failures import Cancelled, Failure
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.narration import read_speech
from ray_jobs.media.probe import probe
from ray_jobs.media.sound import RATE_HZ
from ray_jobs.media.verify import starts_fast
from ray_jobs.retell import retell
from tests.ray_jobs.chat import Chat

ID = UUID("22222222-2222-4222-8222-222222222222")
SAID = (
    "Rivers made the cities we live in today.",
    "Every great town grew beside running water.",
    "Boats carried grain and timber long before any road.",
    "Why did the merchants never leave the harbour?",
    "Because the river brought them 300 ships a year.",
    "Then the railways came and changed everything.",
    "Trains carried coal faster than any boat could.",
    "The old docks fell silent within twenty years.",
    "Today those docks are parks and theatres.",
    "People walk where the sailors used to shout.",
)
STEP_S = 2.4


def transcript():
    return [
        Segment(id=f"s{n:04d}", start_s=n * STEP_S, end_s=n * STEP_S + 2.1, text=text, confidence=1)
        for n, text in enumerate(SAID)
    ]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("rivers") / "rivers.mp4"
    ffmpeg([
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=24",
        "-f", "lavfi", "-i", "anoisesrc=color=pink:duration=24:amplitude=0.2:seed=3:r=48000",
        "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(path),
    ])  # fmt: skip
    return path


@pytest.fixture
def wanted(job_run, recording):
    def make(media=None, **more):
        media = media or probe(recording, IngestLimits())
        nothing = {"key": "orgs/x/none", "sha256": "0" * 64, "size_bytes": 1, "content_type": "x/y"}
        given = {
            "retell_id": ID, "version": 1, "segments": transcript(), "target_s": 9.0,
            "height": 180, "render_speed": "ultrafast", "encoder": "x264",
        }  # fmt: skip
        source = Source(video_id=ID, object=nothing, media=media)
        blank = Retell(source=source, **(given | more))
        ref = job_run(blank).adopt(recording, "video/mp4")
        return blank.model_copy(update={"source": source.model_copy(update={"object": ref})})

    return make


def steps(run, name):
    return [step.cached for step in run.steps if step.name == name]


class TestFilm:
    def test_it_lasts_what_was_asked_cites_its_sources_and_is_whole(self, job_run, wanted):
        spec = wanted()
        run = job_run(spec)
        told = retell(run, spec)
        assert abs(told.length_error) <= 0.03
        assert abs(told.predicted_s / spec.target_s - 1) <= 0.03
        known = {segment.id for segment in spec.segments}
        assert all(one.segment_ids and set(one.segment_ids) <= known for one in told.script)
        assert told.script[0].mode == "narrate"
        assert (told.width, told.height, told.frame_rate) == (320, 180, "25/1")
        assert told.loudness_lufs == pytest.approx(-14.0, abs=0.5)
        assert told.true_peak_dbtp <= -1.0
        assert told.narration_to_bed_lu >= 6.0
        path = run.fetch(told.video.object)
        assert starts_fast(path)
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            times = [frame.pts * video.time_base for frame in container.decode(video)]
        assert times == [index / video.average_rate for index in range(told.frames)]
        kinds = {artifact.kind for artifact in told.artifacts}
        assert kinds == {"retell_script", "retell_srt", "retell_vtt"}
        script = json.loads(run.fetch(told.artifacts[0].object).read_text())
        assert [one["text"] for one in script["sentences"]] == [one.text for one in told.script]

    def test_it_can_be_finished_by_hand(self, job_run, wanted):
        spec = wanted()
        run = job_run(spec)
        told = retell(run, spec)
        assert told.spec_sha256 == spec_hash(spec)
        files = {one.kind: run.fetch(one.object) for one in told.timelines}
        assert set(files) == {"timeline_otio", "timeline_edl", "timeline_fcpxml"}
        timeline = otio.adapters.read_from_string(files["timeline_otio"].read_text(), "otio_json")
        picture, _, voice = timeline.tracks
        frames = [one.source_range.duration.value for one in picture]
        assert frames == [round(part.duration_s * 25) for part in told.parts]
        starts = [one.source_range.start_time.value / 25 for one in picture]
        shown = [part.source_start_s for part in told.parts]
        assert starts == pytest.approx(shown, abs=0.5 / 25 + 1e-4)
        assert voice[0].name == told.narration.filename
        said = read_speech(run.fetch(told.narration.object))
        assert len(said) == round(told.frames / 25 * RATE_HZ)
        for part in told.parts:
            first, last = (round(s * RATE_HZ) for s in (part.at_s, part.at_s + part.duration_s))
            assert bool(said[first:last].any()) == (part.speech_s > 0)

    def test_narration_shows_what_it_cites_and_never_outlasts_its_picture(self, job_run, wanted):
        spec = wanted()
        told = retell(job_run(spec), spec)
        begins = {segment.id: segment.start_s for segment in spec.segments}
        ends = [0.0]
        for part, one in zip(told.parts, told.script, strict=True):
            assert part.sentence_id == one.id
            assert part.at_s == pytest.approx(ends[-1], abs=1e-3)
            ends.append(part.at_s + part.duration_s)
            late = spec.source.media.duration_s - part.duration_s
            start_s = min(begins[one.segment_ids[0]], late)
            assert part.source_start_s == pytest.approx(start_s, abs=0.15)
            if one.mode == "narrate":
                assert part.speech_at_s >= part.at_s
                assert part.speech_at_s + part.speech_s <= ends[-1]
        assert ends[-1] == pytest.approx(told.duration_s, abs=1e-3)

    def test_a_changed_sentence_is_the_only_one_spoken_anew(self, job_run, wanted):
        spec = wanted()
        told = retell(job_run(spec), spec)
        narrated = [one for one in told.script if one.mode == "narrate"]
        assert told.spoken_anew == len(narrated) > 1
        script = [
            one.model_copy(update={"text": "Rivers made all our cities, one by one."})
            if one.id == narrated[0].id
            else one
            for one in told.script
        ]
        edited = spec.model_copy(update={"script": script, "version": 2})
        run = job_run(edited)
        again = retell(run, edited)
        assert steps(run, "retell_voice").count(False) == again.spoken_anew == 1
        assert not steps(run, "retell_script")
        assert (again.version, again.writer) == (2, "given")
        assert again.script == script
        assert again.video.object.sha256 != told.video.object.sha256
        same = job_run(edited)
        assert retell(same, edited).spoken_anew == 0
        assert all(step.cached for step in same.steps)

    def test_another_order_speaks_nothing_anew(self, job_run, wanted):
        spec = wanted()
        told = retell(job_run(spec), spec)
        turned = spec.model_copy(update={"script": told.script[::-1], "version": 2})
        again = retell(job_run(turned), turned)
        assert again.spoken_anew == 0
        assert [part.sentence_id for part in again.parts] == [one.id for one in told.script[::-1]]

    def test_a_kept_part_sounds_as_it_did(self, job_run, wanted):
        script = [
            ScriptSentence(id="a", text="It begins.", segment_ids=["s0000"]),
            ScriptSentence(id="b", text=SAID[3], mode="keep", segment_ids=["s0003"]),
        ]
        spec = wanted(script=script, target_s=4.0, style=None)
        told = retell(job_run(spec), spec)
        kept = told.parts[1]
        assert kept.speech_s == 0
        assert kept.duration_s == pytest.approx(2.1 + 0.08 + 0.15, abs=0.05)
        assert told.spoken_anew == 1

    def test_sound_alone_is_told_over_its_wave(self, job_run, wanted, recording):
        media = MediaInfo(
            container="mp4", duration_s=24.0, audio=probe(recording, IngestLimits()).audio
        )
        spec = wanted(media=media, target_s=6.0)
        told = retell(job_run(spec), spec)
        assert abs(told.length_error) <= 0.03
        assert told.frame_rate == "30/1"


class TestRefusals:
    @pytest.mark.parametrize("said", [[], [""], ["  "]])
    def test_nothing_said_needs_a_transcript(self, job_run, wanted, said):
        segments = [
            Segment(id=f"s{n}", start_s=0, end_s=1, text=text, confidence=1)
            for n, text in enumerate(said)
        ]
        spec = wanted(segments=segments)
        with pytest.raises(Failure, match="transcript_needed"):
            retell(job_run(spec), spec)

    @pytest.mark.parametrize("target_s", [1.0, 600.0])
    def test_a_target_out_of_reach_says_which_would_be_in_it(self, job_run, wanted, target_s):
        spec = wanted(target_s=target_s)
        with pytest.raises(Failure, match=r"target_unreachable.*nearest to it is \d+ s"):
            retell(job_run(spec), spec)

    def test_a_script_that_cites_what_is_not_there_is_refused(self, job_run, wanted):
        script = [ScriptSentence(id="a", text="Who said so?", segment_ids=["s0001", "s9999"])]
        spec = wanted(script=script)
        with pytest.raises(Failure, match=r"citation_missing.*s9999"):
            retell(job_run(spec), spec)

    def test_cancelling_stops_it(self, job_run, wanted, notebook):
        spec = wanted()
        run = job_run(spec)
        notebook.directive = run.reporter.directive = Directive.CANCEL
        with pytest.raises(Cancelled):
            retell(run, spec)

    def test_an_edited_script_that_misses_the_target_is_told_and_says_so(self, job_run, wanted):
        script = [ScriptSentence(id="a", text="Rivers made cities.", segment_ids=["s0000"])]
        spec = wanted(script=script, target_s=20.0)
        told = retell(job_run(spec), spec)
        assert told.length_error < -0.5
        assert "length_missed" in {finding.code for finding in told.findings}


def sentence(text, *names, mode="narrate"):
    return {"text": text, "segment_ids": list(names), "mode": mode}


class TestEndpoint:
    def test_what_it_writes_is_told_where_its_sources_bear_it_out(
        self, job_run, wanted, chat, monkeypatch
    ):
        monkeypatch.setenv("CUTROOM_LLM_KEY", "hush")
        good = "Our cities were made by rivers, and great towns grew beside the water"
        wrong = [
            sentence("The moon is made of green cheese.", "s0002"),
            sentence("The river brought 9000 ships a year.", "s0004"),
            sentence("Rivers made the cities.", "s7777"),
            sentence("Rivers made the cities."),
        ]
        answer = {"sentences": [sentence(good, "s0000", "s0001"), *wrong, "no sentence"]}
        Chat.answers = [(200, "```json\n" + json.dumps(answer) + "\n```")]
        spec = wanted(writer=chat, keep_share=0.0, target_s=13.0)
        told = retell(job_run(spec), spec)
        assert told.writer == "tiny"
        assert told.script[0].text == good + "."
        assert told.script[0].segment_ids == ["s0000", "s0001"]
        assert len(told.refused) == 5
        assert abs(told.length_error) <= 0.03
        path, authorization, asked = Chat.seen[0]
        assert (path, authorization) == ("/v1/chat/completions", "Bearer hush")
        assert "[s0003]" in asked["messages"][1]["content"]
        run = job_run(spec)
        assert retell(run, spec).script == told.script
        assert len(Chat.seen) == 1

    @pytest.mark.parametrize(
        ("answer", "code", "again"),
        [((503, ""), "writer_unavailable", True), ((401, ""), "writer_unavailable", False),
         ((200, "I would rather not."), "writer_answer_unusable", False),
         ((200, '{"sentences": 3}'), "writer_answer_unusable", False)],
    )  # fmt: skip
    def test_an_endpoint_that_fails_fails_the_job_with_a_code(
        self, job_run, wanted, chat, answer, code, again
    ):
        Chat.answers = [answer]
        spec = wanted(writer=chat)
        with pytest.raises(Failure, match=code) as failed:
            retell(job_run(spec), spec)
        assert failed.value.retryable == again


class TestBudget:
    def test_the_pace_is_learnt_from_what_the_voice_did(self):
        spoken = say_all(SAID, language="en", voice="en-us", rate_wpm=165)
        seconds = [speech.duration_s for speech in spoken]
        pace = pace_of(SAID[::2], seconds[::2], "en")
        guessed = [pace.seconds(text, "en") for text in SAID[1::2]]
        assert sum(guessed) == pytest.approx(sum(seconds[1::2]), rel=0.05)

    @settings(deadline=None, max_examples=40)
    @given(
        seconds=st.lists(st.floats(0.5, 9), min_size=1, max_size=9),
        seed=st.integers(0, 99),
        target_s=st.floats(2, 25),
    )
    def test_no_other_choice_near_the_target_is_worth_more(self, seconds, seed, target_s):
        values = np.random.default_rng(seed).random(len(seconds)) + 0.01
        picked, length_s = chosen(list(values), seconds, target_s)
        assert length_s == pytest.approx(sum(seconds[at] for at in picked))
        slack = 0.025 * len(seconds) / target_s
        for mask in range(1 << len(seconds)):
            other = [at for at in range(len(seconds)) if mask >> at & 1]
            error = abs(sum(seconds[at] for at in other) / target_s - 1)
            if error < ROOM - slack:
                assert sum(values[picked]) >= sum(values[other]) - 1e-9
                assert abs(length_s / target_s - 1) <= ROOM + slack

    @settings(deadline=None, max_examples=100)
    @given(
        speech=st.lists(st.one_of(st.none(), st.floats(0.5, 9)), min_size=1, max_size=12),
        target_s=st.floats(2, 60),
    )
    def test_a_layout_reaches_its_target_wherever_the_limits_let_it(self, speech, target_s):
        kept = [3.0] * len(speech)
        plan = laid_out(speech, kept, target_s, 0.12)
        spoken = [one for one in speech if one is not None]
        rest_s = 3.0 * (len(speech) - len(spoken))
        assert 0.88 <= plan.stretch <= 1.12
        assert 0.15 <= plan.pause_s <= 0.9
        least_s = rest_s + sum(spoken) * 0.88 + 0.15 * len(spoken)
        most_s = rest_s + sum(spoken) * 1.12 + 0.9 * len(spoken)
        if spoken and least_s <= target_s <= most_s:
            assert sum(plan.lengths_s) == pytest.approx(target_s, rel=NEAR_ENOUGH + 1e-3)


class TestWriter:
    def test_false_starts_go_and_sentences_are_closed(self):
        assert polished("and so,  my fellow um Americans", "en") == "My fellow Americans."
        assert polished("Like father, like son!", "en") == "Like father, like son!"
        assert polished("und dann,", "de") == "Und dann."

    def test_topics_part_where_the_talk_turns(self):
        found = outline(transcript(), "en")
        assert len(found.units) == len(SAID)
        assert len(found.topics) >= 2
        assert [unit.topic for unit in found.units] == sorted(u.topic for u in found.units)

    def test_sentences_over_several_segments_are_one_and_cite_all(self):
        parts = [("s1", 0, 1, "Rivers made"), ("s2", 1, 2, "the cities."), ("s3", 2, 3, "Boats.")]
        segments = [
            Segment(id=i, start_s=a, end_s=b, text=text, confidence=1) for i, a, b, text in parts
        ]
        units = outline(segments, "en").units
        assert [unit.segment_ids for unit in units] == [("s1", "s2"), ("s3",)]

    def test_what_is_said_twice_is_told_once(self):
        twice = [*transcript(), Segment(
            id="s0099", start_s=30, end_s=32, text=SAID[0], confidence=1)]  # fmt: skip
        assert len(extracted(outline(twice, "en"), "en")) == len(SAID)

    @settings(deadline=None, max_examples=20)
    @given(target_s=st.floats(6, 22), keep=st.floats(0, 1))
    def test_the_narrator_begins_and_two_parts_are_never_kept_in_a_row(self, target_s, keep):
        found = outline(transcript(), "en")
        picked, _ = solved(extracted(found, "en"), target_s, keep, Pace(0.2, 0.06, 0.1), "en")
        modes = [one.mode for one in picked]
        assert modes[:1] in ([], ["narrate"])
        assert ("keep", "keep") not in set(pairwise(modes))
        kept_s = sum(one.kept_s for one in picked if one.mode == "keep")
        assert kept_s <= keep * target_s
        assert [one.start_s for one in picked] == sorted(one.start_s for one in picked)

    @pytest.mark.parametrize(
        "raw", [None, 3, "text", [], {"text": None}, {"text": ""}, {"text": "x", "mode": "sing"},
                {"text": "…", "segment_ids": ["s0000"]}, {"text": "x", "segment_ids": "s0000"}],
    )  # fmt: skip
    def test_no_answer_of_an_endpoint_is_trusted(self, raw):
        taken, refused = grounded([raw], outline(transcript(), "en"), "en")
        assert (taken, len(refused)) == ([], 1)

    def test_other_languages_are_told_too(self):
        texts = ("Der Fluss machte die Stadt groß.", "Schiffe brachten Korn.", "Dann kam die Bahn.")
        segments = [
            Segment(id=f"s{n}", start_s=n, end_s=n + 0.9, text=text, confidence=1)
            for n, text in enumerate(texts)
        ]
        found = outline(segments, "de")
        assert [unit.text for unit in found.units] == list(texts)
        taken, _ = grounded([sentence("Schiffe brachten das Korn", "s1")], found, "de")
        assert taken
        _, refused = grounded([sentence("Der Mond besteht aus Käse", "s1")], found, "de")
        assert refused
