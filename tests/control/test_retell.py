"""Retellings: asked for, written by a worker, mended by people, filmed again."""

from uuid import UUID, uuid4

import pytest

from control.artifacts.models import ArtifactRow
from control.jobs.models import Job, JobState
from control.projects.models import Project
from control.retell.models import RetellRow
from control.retell.orders import status_of
from control.transcripts.models import Transcript
from control.videos.models import Video, VideoStatus
from ray_jobs.contract import (
    Artifact,
    Finding,
    JobKind,
    Problem,
    Retold,
    RetoldPart,
    ScriptSentence,
)
from tests.control.media_jobs import claimed, ref
from tests.control.test_narration import transcript_of, video_of

SEGMENTS = ("s1", "s2", "s3")


@pytest.fixture
async def video(owner):
    video = await video_of(owner)
    transcript = await transcript_of(video)
    transcript.segments = [{**transcript.segments[0], "id": name} for name in SEGMENTS]
    await transcript.save()
    return video


@pytest.fixture
def api(client, owner, video):
    class Api:
        path = f"/v1/projects/{video.project_id}/retell"

        async def call(self, method, path="", status=200, headers=None, who=owner, **body):
            answer = await client.request(
                method, self.path + path, json=body or None,
                headers={**who.headers, **(headers or {})},
            )  # fmt: skip
            assert answer.status_code == status, answer.text
            return answer.json() if answer.content else None

        async def ask(self, status=202, **body):
            return await self.call("POST", "", status, **body)

        async def work(self, **more):
            hand = await claimed(client, self.settings, JobKind.RETELL)
            result = retold(hand.job, **more)
            answer = await hand.report("succeeded", progress=1.0, result=result)
            assert answer.status_code == 200, answer.text
            return hand.job

        async def ready(self, **body):
            retell = (await self.ask(**({"target_s": 10} | body)))["retell"]
            await self.work()
            return await self.call("GET", f"/{retell['id']}")

    return Api()


@pytest.fixture(autouse=True)
def _settings(api, app):
    api.settings = app.ctx.settings


def retold(job, **more):
    spec = job.spec
    script = [ScriptSentence.model_validate(one) for one in spec["script"] or []] or [
        ScriptSentence(id=f"r{n}", text=f"Sentence {n}.", segment_ids=[name])
        for n, name in enumerate(SEGMENTS, 1)
    ]
    film = ref(job.organization_id, f"film-{spec['version']}")
    given = {
        "retell_id": UUID(spec["retell_id"]), "version": spec["version"], "writer": "extractive",
        "outline": ["Rivers"], "script": script, "target_s": spec["target_s"], "predicted_s": 9.9,
        "duration_s": 10.0, "length_error": 0.0, "coverage": 1.0, "stretch": 1.0,
        "spoken_anew": len(script), "width": 320, "height": 180, "frame_rate": "25/1",
        "frames": 250, "loudness_lufs": -14.0, "true_peak_dbtp": -1.2, "loudness_passes": 2,
        "duck_depth_db": 12.0, "narration_to_bed_lu": 9.0,
        "parts": [
            RetoldPart(sentence_id=one.id, at_s=n, duration_s=1, source_start_s=0, speech_s=1,
                       speech_at_s=n)
            for n, one in enumerate(script)
        ],
        "video": Artifact(kind="retell_video", object=film, filename="retelling.mp4"),
    }  # fmt: skip
    return Retold.model_validate(given | more)


class TestAsking:
    async def test_the_job_holds_all_a_worker_needs(self, api, video, configured):
        configured(
            llm_url="http://llm.test/v1", llm_model="tiny", tts_voice="en-us+f3",
            tts_url="http://tts.test/v1", tts_model="small",
        )  # fmt: skip
        answer = await api.ask(ratio=0.5, speed=1.1, aspect="9:16", height=640)
        assert (answer["kind"], answer["state"]) == ("retell", "queued")
        retell = answer["retell"]
        assert (retell["status"], retell["version"], retell["script"]) == ("queued", 1, [])
        assert retell["target_s"] == 15.0
        spec = (await api.work()).spec
        assert spec["retell_id"] == retell["id"]
        assert [segment["id"] for segment in spec["segments"]] == list(SEGMENTS)
        assert (spec["aspect"], spec["height"], spec["speed"]) == ("9:16", 640, 1.1)
        assert spec["writer"] == {"url": "http://llm.test/v1", "model": "tiny"}
        assert spec["speaker"] == {"url": "http://tts.test/v1", "model": "small"}
        assert (spec["voice"], spec["language"], spec["script"]) == ("en-us+f3", "en", None)
        assert spec["style"]["preset"] == "karaoke"

    async def test_the_same_wish_is_the_same_retelling_unless_forced(self, api):
        first = await api.ask(target_s=12)
        again = await api.ask(target_s=12)
        assert (again["id"], again["deduplicated"]) == (first["id"], True)
        assert again["retell"]["id"] == first["retell"]["id"]
        other = await api.ask(target_s=12, force=True)
        assert other["retell"]["id"] != first["retell"]["id"]
        listed = await api.call("GET")
        assert [one["id"] for one in listed["items"]] == [
            other["retell"]["id"], first["retell"]["id"],
        ]  # fmt: skip
        await api.work()
        await api.work()

    async def test_asking_again_does_not_undo_what_was_mended(self, api):
        retell = await api.ready(target_s=13)
        path = f"/{retell['id']}"
        await api.call("PATCH", path, sentences=[{"id": "r1", "text": "Mended."}])
        again = (await api.ask(target_s=13))["retell"]
        assert again["id"] == retell["id"]
        assert again["script"][0]["text"] == "Mended."
        assert (await api.call("GET", path))["version"] == 2

    async def test_a_video_without_transcript_says_what_is_needed(self, api, owner, client):
        video = await video_of(owner)
        path = f"/v1/projects/{video.project_id}/retell"
        answer = await client.post(path, json={}, headers=owner.headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "transcript_needed")
        await transcript_of(video)
        await Transcript.filter(video_id=video.id).update(segments=[])
        answer = await client.post(path, json={}, headers=owner.headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "transcript_needed")

    async def test_one_of_several_videos_must_be_named(self, api, owner, video):
        project = await Project.get(id=video.project_id)
        second = await video_of(owner, project)
        assert (await api.ask(422))["errors"][0]["at"] == "video_id"
        await transcript_of(second)
        answer = await api.ask(video_id=str(second.id))
        assert answer["video_id"] == str(second.id)
        await api.work()
        elsewhere = await video_of(owner)
        assert (await api.ask(422, video_id=str(elsewhere.id)))["errors"][0]["at"] == "video_id"

    async def test_a_recording_that_failed_is_no_second_one(self, api, owner, video):
        project = await Project.get(id=video.project_id)
        for status in (VideoStatus.FAILED, VideoStatus.AWAITING_UPLOAD, VideoStatus.INGESTING):
            await Video.create(
                organization_id=owner.organization_id, project_id=project.id, filename="b.mp4",
                source="upload", status=status,
            )  # fmt: skip
        assert (await api.ask())["video_id"] == str(video.id)
        await api.work()
        await Video.filter(id=video.id).delete()
        assert (await api.ask(409))["code"] == "video_not_ready"

    async def test_a_project_without_videos_has_nothing_to_tell(self, client, owner):
        project = await Project.create(organization_id=owner.organization_id, name="Empty")
        path = f"/v1/projects/{project.id}/retell"
        answer = await client.post(path, json={}, headers=owner.headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "no_videos")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"target_s": 0}, {"target_s": 1e9}, {"ratio": 2}, {"target_s": 9, "ratio": 0.5},
            {"voice": "../x"}, {"preset": "gothic"}, {"keep_share": -1}, {"surprise": 1},
            {"height": 1}, {"title": ""}, {"overrides": {"size": 9}}, {"target_s": "soon"},
        ],
    )  # fmt: skip
    async def test_what_cannot_be_meant_is_pointed_at(self, api, wrong):
        assert (await api.ask(422, **wrong))["errors"]


class TestResult:
    async def test_a_finished_job_leaves_script_report_and_film(self, api, client, owner, video):
        retell = await api.ready()
        assert (retell["status"], retell["rendered_version"]) == ("ready", 1)
        assert [one["segment_ids"] for one in retell["script"]] == [[name] for name in SEGMENTS]
        assert retell["report"]["narration_to_bed_lu"] == 9.0
        made = await client.get(f"/v1/videos/{video.id}/artifacts", headers=owner.headers)
        film = next(one for one in made.json()["items"] if one["kind"] == "retell_video")
        assert film["id"] == retell["report"]["video_artifact_id"]

    async def test_a_failed_job_is_shown_and_can_be_asked_for_again(self, api, client):
        first = await api.ask(target_s=300)
        hand = await claimed(client, api.settings, JobKind.RETELL)
        problem = Problem(code="target_unreachable", detail="Choose less.")
        await hand.report("failed", problem=problem)
        path = f"/{first['retell']['id']}"
        assert (await api.call("GET", path))["status"] == "failed"
        again = await api.ask(target_s=300)
        assert again["id"] != first["id"]
        assert (await api.call("GET", path))["status"] == "queued"
        await api.work()
        assert (await api.call("GET", path))["status"] == "ready"

    async def test_a_late_film_of_an_older_version_changes_nothing(self, api, client):
        retell = await api.ready()
        path = f"/{retell['id']}"
        await api.call("PATCH", path, sentences=[{"id": "r1", "text": "Two"}], render=True)
        slow = await claimed(client, api.settings, JobKind.RETELL)
        await api.call("PATCH", path, sentences=[{"id": "r1", "text": "Three"}], render=True)
        await api.work()
        result = retold(slow.job, duration_s=99.0)
        assert (await slow.report("succeeded", progress=1.0, result=result)).status_code == 200
        now = await api.call("GET", path)
        assert (now["rendered_version"], now["status"]) == (3, "ready")
        assert now["script"][0]["text"] == "Three"
        assert now["report"]["duration_s"] == 10.0


class TestGate:
    """A film that QA holds back is no film of the retelling; its script is there to be mended."""

    @pytest.fixture
    def held(self, api, client):
        async def make(severity="error", **body):
            retell = (await api.ask(target_s=10, **body))["retell"]
            hand = await claimed(client, api.settings, JobKind.RETELL)
            black = Finding(severity=severity, code="black", message="It is black.", start_s=1,
                            end_s=2)  # fmt: skip
            files = [
                Artifact(kind=kind, object=ref(hand.job.organization_id, kind), filename=kind)
                for kind in ("timeline_otio", "retell_narration")
            ]
            result = retold(hand.job, findings=[black], timelines=files[:1], narration=files[1],
                            spec_sha256="a" * 64)  # fmt: skip
            answer = await hand.report("succeeded", progress=1.0, result=result)
            assert answer.status_code == 200, answer.text
            kinds = await ArtifactRow.filter(job_id=hand.job.id).values_list("kind", flat=True)
            return await api.call("GET", f"/{retell['id']}"), set(kinds), hand.job.id

        return make

    async def test_it_holds_back_a_film_at_fault_and_keeps_its_script(self, api, held):
        retell, kinds, job_id = await held(qa_gate="error")
        job = await Job.get(id=job_id)
        assert (job.state, job.problem["code"]) == (JobState.FAILED, "qa_gate")
        assert "this retell back. black at 1.0 s" in job.problem["detail"]
        shown = (retell["status"], retell["report"], retell["rendered_version"])
        assert shown == ("failed", None, None)
        assert kinds == {"retell_held", "timeline_otio", "retell_narration"}
        path = f"/{retell['id']}"
        await api.call("PATCH", path, sentences=[{"id": "r1", "text": "Mended."}], render=True)
        assert (await api.work()).spec["qa_gate"] == "error"
        assert (await api.call("GET", path))["status"] == "ready"

    @pytest.mark.parametrize(("gate", "severity"), [("off", "error"), ("error", "warning")])
    async def test_what_its_gate_lets_through_is_delivered_with_its_hash(
        self, held, gate, severity
    ):
        retell, kinds, _ = await held(severity, qa_gate=gate)
        assert (retell["status"], retell["report"]["spec_sha256"]) == ("ready", "a" * 64)
        assert kinds == {"retell_video", "timeline_otio", "retell_narration"}


class TestMending:
    async def test_text_mode_and_order_change_at_once_and_the_version_grows(self, api):
        retell = await api.ready()
        changed = await api.call(
            "PATCH", f"/{retell['id']}",
            sentences=[
                {"id": "r1", "text": "Better."}, {"id": "r3", "mode": "keep"},
                {"id": "r2", "segment_ids": ["s1", "s3"]},
            ],
            order=["r3", "r1", "r2"],
        )  # fmt: skip
        assert [one["id"] for one in changed["script"]] == ["r3", "r1", "r2"]
        assert changed["script"][1]["text"] == "Better."
        assert changed["script"][0]["mode"] == "keep"
        assert changed["script"][2]["segment_ids"] == ["s1", "s3"]
        assert (changed["version"], changed["status"], changed["job"]) == (2, "edited", None)

    async def test_what_changes_nothing_makes_no_version(self, api):
        retell = await api.ready()
        path = f"/{retell['id']}"
        same = retell["script"][0]
        changed = await api.call(
            "PATCH", path, title="Rivers, briefly",
            sentences=[{"id": same["id"], "text": same["text"]}],
        )  # fmt: skip
        assert (changed["version"], changed["status"]) == (1, "ready")
        assert changed["title"] == "Rivers, briefly"

    async def test_render_queues_the_mended_script_and_its_film_becomes_the_newest(self, api):
        retell = await api.ready()
        path = f"/{retell['id']}"
        changed = await api.call("PATCH", path, remove=["r2"], target_s=8, render=True)
        assert (changed["status"], changed["job"]["kind"]) == ("queued", "retell")
        spec = (await api.work()).spec
        assert [one["id"] for one in spec["script"]] == ["r1", "r3"]
        assert (spec["version"], spec["target_s"]) == (2, 8.0)
        now = await api.call("GET", path)
        assert (now["status"], now["rendered_version"]) == ("ready", 2)

    async def test_the_verb_renders_too_and_twice_is_once(self, api):
        retell = await api.ready()
        path = f"/{retell['id']}"
        await api.call("PATCH", path, sentences=[{"id": "r1", "text": "Again"}])
        first = await api.call("POST", path + ":render", 202)
        again = await api.call("POST", path + ":render", 202)
        assert (first["id"], again["deduplicated"]) == (again["id"], True)
        assert first["retell"]["version"] == 2
        await api.work()

    async def test_a_patch_against_an_old_version_is_refused(self, api, client, owner):
        retell = await api.ready()
        path = f"{api.path}/{retell['id']}"
        tag = (await client.get(path, headers=owner.headers)).headers["etag"]
        mine = {"If-Match": tag}
        await api.call("PATCH", f"/{retell['id']}", headers=mine, title="First")
        late = await api.call("PATCH", f"/{retell['id']}", 412, headers=mine, title="Second")
        assert late["code"] == "precondition_failed"

    @pytest.mark.parametrize(
        ("patch", "at"),
        [
            ({"sentences": [{"id": "r9", "text": "x"}]}, "sentences.0.id"),
            ({"sentences": [{"id": "r1", "text": "…"}]}, "sentences.0.text"),
            ({"sentences": [{"id": "r1", "segment_ids": []}]}, "sentences.0.segment_ids"),
            ({"sentences": [{"id": "r1", "segment_ids": ["s9"]}]}, "sentences.0.segment_ids"),
            ({"sentences": [{"id": "r1", "mode": "sing"}]}, "sentences.0.mode"),
            ({"order": ["r1", "r2"]}, "order"),
            ({"order": ["r1", "r2", "r2"]}, "order"),
            ({"remove": ["r1", "r2", "r3"]}, "remove"),
            ({"remove": ["r9"]}, "remove.0"),
            ({"version": 7}, "version"),
            ({"target_s": 0}, "target_s"),
        ],
    )
    async def test_a_script_never_loses_its_shape(self, api, patch, at):
        retell = await api.ready()
        answer = await api.call("PATCH", f"/{retell['id']}", 422, **patch)
        assert [error["at"] for error in answer["errors"]] == [at]
        assert (await api.call("GET", f"/{retell['id']}"))["version"] == 1

    async def test_before_there_is_a_script_there_is_nothing_to_mend(self, api):
        retell = (await api.ask(target_s=17))["retell"]
        path = f"/{retell['id']}"
        assert (await api.call("PATCH", path, 409, remove=["r1"]))["code"] == "no_script"
        assert (await api.call("PATCH", path, 409, render=True))["code"] == "no_script"
        assert (await api.call("POST", path + ":render", 409))["code"] == "no_script"
        await api.work()

    async def test_a_segment_that_was_lost_is_named_before_a_worker_fails(self, api):
        retell = await api.ready()
        row = await Transcript.get(id=retell["transcript_id"])
        row.segments = row.segments[:2]
        await row.save()
        answer = await api.call("POST", f"/{retell['id']}:render", 409)
        assert answer["code"] == "citation_missing"
        assert "s3" in answer["detail"]


class TestRows:
    async def test_a_deleted_retelling_is_gone_but_not_while_a_job_is_at_work(self, api):
        retell = (await api.ask(target_s=18))["retell"]
        path = f"/{retell['id']}"
        assert (await api.call("DELETE", path, 409))["code"] == "retell_busy"
        await api.work()
        await api.call("DELETE", path, 204)
        await api.call("GET", path, 404)

    async def test_a_film_whose_retelling_was_deleted_does_no_harm(self, api):
        retell = (await api.ask(target_s=19))["retell"]
        await RetellRow.filter(id=retell["id"]).delete()
        job = await api.work()
        assert (await Job.get(id=job.id)).state is JobState.SUCCEEDED

    async def test_others_do_not_find_it_nor_does_another_project(
        self, api, client, owner, other_org
    ):
        retell = await api.ready()
        path = f"/{retell['id']}"
        for method in ("GET", "PATCH", "DELETE"):
            await api.call(method, path, 404, who=other_org)
        await api.call("POST", path + ":render", 404, who=other_org)
        await api.call("GET", "", 404, who=other_org)
        await api.call("GET", f"/{uuid4()}", 404)
        elsewhere = await Project.create(organization_id=owner.organization_id, name="Elsewhere")
        there = f"/v1/projects/{elsewhere.id}/retell{path}"
        assert (await client.get(there, headers=owner.headers)).status_code == 404

    async def test_a_video_takes_its_retellings_with_it(self, api, video):
        retell = await api.ready()
        await Video.filter(id=video.id).delete()
        assert not await RetellRow.filter(id=retell["id"]).exists()


@pytest.mark.parametrize(
    ("state", "version", "rendered", "status"),
    [
        (JobState.QUEUED, 1, None, "queued"), (JobState.RUNNING, 2, 1, "rendering"),
        (JobState.SUCCEEDED, 2, 2, "ready"), (JobState.SUCCEEDED, 3, 2, "edited"),
        (JobState.FAILED, 1, None, "failed"), (JobState.FAILED, 3, 2, "failed"),
        (JobState.CANCELLED, 1, None, "cancelled"), (None, 1, 1, "ready"),
        (None, 1, None, "failed"),
    ],
)  # fmt: skip
def test_the_status_is_what_its_newest_job_and_its_versions_say(state, version, rendered, status):
    assert status_of(state, version, rendered) == status
