"""A text spoken over a clip: what is asked of the worker, and what its answer leaves."""

from uuid import UUID, uuid4

import pytest

from control.clips.models import Clip
from control.projects.models import Project
from control.transcripts.models import Transcript
from control.videos.models import Video, VideoStatus
from ray_jobs.contract import Artifact, JobKind, Narrated, SlotFit, Stem
from tests.control.media_jobs import claimed, ingested, ref, transcribed


async def video_of(person, project=None):
    project = project or await Project.create(organization_id=person.organization_id, name="Rivers")
    found = ingested(project)
    return await Video.create(
        organization_id=person.organization_id, project_id=project.id, filename="a.mp4",
        source="upload", status=VideoStatus.READY, duration_s=30.0,
        object=found.object.model_dump(mode="json"), media=found.media.model_dump(mode="json"),
    )  # fmt: skip


async def transcript_of(video):
    said = transcribed(None)
    return await Transcript.create(
        organization_id=video.organization_id, video_id=video.id, engine="test", language="en",
        segments=[segment.model_dump(mode="json") for segment in said.segments],
    )  # fmt: skip


async def clip_of(video, **more):
    given = {"start_s": 1.0, "end_s": 6.6, "text": "", "rank": 1, "title": "Rivers", "score": 1}
    return await Clip.create(
        organization_id=video.organization_id, project_id=video.project_id, video_id=video.id,
        **(given | more),
    )  # fmt: skip


@pytest.fixture
async def clip(owner):
    return await clip_of(await video_of(owner))


@pytest.fixture
def ask(client, owner):
    async def post(clip_id, status=202, who=owner, **body):
        answer = await client.post(f"/v1/clips/{clip_id}/tts", json=body, headers=who.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    return post


@pytest.fixture
def work(client, app):
    """Claims the narration that is queued and gives the worker's hand."""
    return lambda: claimed(client, app.ctx.settings, JobKind.NARRATE)


def stem(job, kind):
    sound = Artifact(kind=kind, object=ref(job.organization_id, kind), filename=f"{kind}.m4a")
    return Stem(
        sound=sound, duration_s=5.6, loudness_lufs=-16.1, true_peak_dbtp=-2.0, loudness_passes=2,
        loudness_reached=True,
    )  # fmt: skip


def narrated(job):
    fit = SlotFit(
        slot_s=5.6, natural_s=5.0, duration_s=5.6, stretch=1.12, left_over_s=0, decision="stretched"
    )
    return Narrated(
        clip_id=UUID(job.spec["clip_id"]), engine="espeak-ng", voice="en-us", language="en",
        rate_wpm=150, text="Hello", spoken_text="Hello", normalised=[], words=[], fit=fit,
        duck_depth_db=12, narration_to_bed_lu=9.5, dry=stem(job, "narration_dry"),
        mix=stem(job, "narration_mix"),
    )  # fmt: skip


async def test_the_job_holds_all_a_worker_needs(ask, work, clip, configured):
    configured(tts_loudness_lufs=-20.0, duck_depth_db=15.0, tts_voice="en-us+f3")
    job = await ask(clip.id, text="Rivers, told anew.", speed=1.2)
    assert (job["kind"], job["state"], job["clip_id"]) == ("narrate", "queued", str(clip.id))
    spec = (await work()).job.spec
    assert (spec["text"], spec["speed"], spec["voice"]) == ("Rivers, told anew.", 1.2, "en-us+f3")
    assert (spec["start_s"], spec["end_s"]) == (1.0, 6.6)
    assert spec["loudness"]["target_lufs"] == -20.0
    assert spec["ducking"]["depth_db"] == 15.0


async def test_without_a_text_what_is_said_in_the_clip_is_spoken(ask, work, owner):
    video = await video_of(owner)
    await transcript_of(video)
    await ask((await clip_of(video)).id)
    spec = (await work()).job.spec
    assert (spec["text"], spec["language"]) == ("made the cities we live in", "en")


async def test_what_is_edited_out_of_the_clip_is_neither_spoken_nor_waited_for(ask, work, owner):
    video = await video_of(owner)
    words = (await transcript_of(video)).segments[0]["words"]
    clip = await clip_of(video)
    cities = next(word for word in words if word["text"] == "cities")
    gone = {"start_s": cities["start_s"] - 0.01, "end_s": cities["end_s"] + 0.01}
    clip.edits = [{**gone, "applied": True}, {**gone, "start_s": 1.0, "applied": False}]
    await clip.save()
    await ask(clip.id)
    spec = (await work()).job.spec
    assert spec["text"] == "made the we live in"
    assert [(edit["start_s"], edit["applied"]) for edit in spec["edits"]] == [
        (gone["start_s"], True), (1.0, False),
    ]  # fmt: skip


async def test_a_clip_of_which_nothing_is_known_needs_a_text(ask, clip):
    assert (await ask(clip.id, 409))["code"] == "transcript_needed"


async def test_both_stems_are_registered_for_the_clip(ask, work, clip, client, owner):
    job = await ask(clip.id, text="Hello")
    hand = await work()
    answer = await hand.report("succeeded", progress=1.0, result=narrated(hand.job))
    assert answer.status_code == 200, answer.text
    listed = await client.get(f"/v1/clips/{clip.id}/artifacts", headers=owner.headers)
    assert {item["kind"] for item in listed.json()["items"]} == {"narration_dry", "narration_mix"}
    done = (await client.get(f"/v1/jobs/{job['id']}", headers=owner.headers)).json()
    assert done["state"] == "succeeded"
    assert done["result"]["narration_to_bed_lu"] == 9.5


async def test_the_same_narration_is_one_job_unless_forced(ask, work, clip):
    first = await ask(clip.id, text="Once")
    again = await ask(clip.id, text="Once")
    assert (again["id"], again["deduplicated"]) == (first["id"], True)
    assert (await ask(clip.id, text="Once", force=True))["id"] != first["id"]
    for _ in range(2):
        await work()


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""}, {"text": "…—"}, {"text": "x" * 20_001}, {"speed": 9}, {"speed": "fast"},
        {"voice": "../../etc/passwd"}, {"voice": "a b"}, {"language": "english please"},
        {"fit": "video"}, {"max_stretch": 2}, {"loudness": {"target_lufs": 3}},
        {"ducking": {"depth_db": -1}}, {"surprise": 1}, {"text": "a\u0000b"},
    ],
)  # fmt: skip
async def test_what_cannot_be_meant_is_pointed_at(ask, clip, wrong):
    assert (await ask(clip.id, 422, **wrong))["errors"]


async def test_another_organisations_clip_is_not_found(ask, clip, other_org):
    await ask(clip.id, 404, other_org, text="Mine now")
    await ask(uuid4(), 404, text="Nobody's")


async def test_a_video_that_is_not_there_yet_is_refused(ask, owner):
    video = await video_of(owner)
    video.object = None
    await video.save()
    answer = await ask((await clip_of(video)).id, 409, text="Too early")
    assert answer["code"] == "video_not_ready"
