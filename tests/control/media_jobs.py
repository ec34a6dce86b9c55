"""The part of a worker, played over HTTP: claim what is queued, report what a test wants."""

import hashlib
from uuid import UUID, uuid5

from control.jobs.lifecycle import worker_token
from control.jobs.queue import claim
from ray_jobs.contract import (
    Artifact,
    ClipsFound,
    Deliverable,
    Evidence,
    Exported,
    Finding,
    FoundClip,
    Ingested,
    JobKind,
    MediaInfo,
    ObjectRef,
    PassedOver,
    Report,
    ScorePart,
    Segment,
    SubtitlesStyled,
    SubtitleStyle,
    Transcribed,
    Word,
    object_key,
)

SHA = hashlib.sha256(b"recording").hexdigest()


class Hand:
    """Works on one claimed job."""

    def __init__(self, client, settings, job):
        self.client, self.settings, self.job, self.seq = client, settings, job, 0

    async def report(self, state="running", *, attempt=None, seq=None, token=None, **more):
        self.seq += 1
        report = Report(
            attempt=attempt or self.job.attempt, seq=seq or self.seq, state=state, **more
        )
        return await self.client.patch(
            f"/v1/jobs/{self.job.id}/worker-status",
            content=report.model_dump_json(),
            headers={"X-Worker-Token": token or worker_token(self.settings, self.job)},
        )


async def claimed(client, settings, kind: JobKind) -> Hand:
    jobs = await claim({kind: 1}, lease_s=60)
    assert len(jobs) == 1, f"no {kind} is queued"
    return Hand(client, settings, jobs[0])


def ref(organization_id, name: str) -> ObjectRef:
    return ObjectRef(
        key=object_key(organization_id, "objects", name),
        sha256=SHA,
        size_bytes=9,
        content_type="video/mp4",
    )


def ingested(job) -> Ingested:
    proxy = Artifact(kind="proxy", object=ref(job.organization_id, "proxy"), filename="proxy.mp4")
    media = MediaInfo(
        container="mp4", duration_s=30.0, frame_rate="25/1", width=640, height=360, frames=750
    )
    return Ingested(object=ref(job.organization_id, SHA), media=media, artifacts=[proxy])


def transcribed(_job) -> Transcribed:
    words = [
        Word(id=f"w{n}", text=text, start_s=n, end_s=n + 0.5, confidence=0.9)
        for n, text in enumerate(["rivers", "made", "the", "cities", "we", "live", "in"])
    ]
    segment = Segment(
        id="s1", start_s=0, end_s=6.5, text="rivers made the cities we live in",
        confidence=0.9, words=words,
    )  # fmt: skip
    return Transcribed(
        engine="test", language="en", given=False, rough=False, segments=[segment], artifacts=[]
    )


def clips_found(job, spans=((0.0, 6.5),)) -> ClipsFound:
    part = ScorePart(
        name="hook", value=1, normalised=1, weight=1, contribution=1,
        evidence=Evidence(start_s=0, end_s=1),
    )  # fmt: skip
    clips = [
        FoundClip(
            clip_id=uuid5(job.video_id, f"{start}-{end}"), rank=rank, start_s=start, end_s=end,
            score=1.0, parts=[part], title=f"Clip {rank}", text="rivers",
        )
        for rank, (start, end) in enumerate(spans, 1)
    ]  # fmt: skip
    passed_over = [
        PassedOver(start_s=1.0, end_s=5.0, score=0.9, reason="overlap"),
        PassedOver(start_s=0.0, end_s=2.0, score=0.1, reason="length"),
    ]
    return ClipsFound(clips=clips, candidates=3, shots=2, passed_over=passed_over, artifacts=[])


def styled(job) -> SubtitlesStyled:
    clip_id = UUID(job.spec["clip"]["clip_id"])
    srt = Artifact(
        kind="subtitles_srt", object=ref(job.organization_id, "srt"), filename="clip-01.srt",
        clip_id=clip_id,
    )  # fmt: skip
    return SubtitlesStyled(clip_id=clip_id, style=SubtitleStyle(), findings=[], artifacts=[srt])


def exported(job, *findings: Finding) -> Exported:
    """Every clip of the order, with these findings."""
    made = []
    for cut in job.spec["clips"]:
        clip_id = UUID(cut["clip_id"])
        video = Artifact(
            kind="export", object=ref(job.organization_id, "clip"), clip_id=clip_id,
            filename=f"clip-{cut['rank']:02d}.mp4",
        )  # fmt: skip
        made.append(
            Deliverable(
                clip_id=clip_id, rank=cut["rank"], video=video, subtitles=[], width=1080,
                height=1920, frame_rate="25/1", frames=163, duration_s=6.52, loudness_lufs=-14.0,
                true_peak_dbtp=-1.2, findings=list(findings),
            )
        )  # fmt: skip
    return Exported(deliverables=made)


def fault(job, code="black", severity="error", start_s=1.0) -> Finding:
    """A finding with its picture."""
    overlay = Artifact(
        kind="qa_overlay", object=ref(job.organization_id, "qa"), filename=f"{code}-{start_s}.jpg",
        clip_id=UUID(job.spec["clips"][0]["clip_id"]),
    )  # fmt: skip
    return Finding(
        severity=severity, code=code, message=f"It is {code}.", start_s=start_s,
        end_s=start_s + 1, box=(0.1, 0.2, 0.3, 0.4), overlay=overlay,
    )  # fmt: skip


class MediaPath:
    """Requests as one person, and the steps of a recording's path as verbs."""

    def __init__(self, client, person, settings):
        self.client, self.person, self.settings = client, person, settings

    async def call(self, method, path, status=200, /, **body):
        answer = await self.client.request(
            method, path, headers=self.person.headers, json=body or None
        )
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def work(self, kind, result, **more):
        hand = await claimed(self.client, self.settings, kind)
        answer = await hand.report("succeeded", progress=1.0, result=result(hand.job), **more)
        assert answer.status_code == 200, answer.text
        return await self.call("GET", f"/v1/jobs/{hand.job.id}")

    async def upload(self, data=b"recording", **more):
        project = await self.call("POST", "/v1/projects", 201, name="Rivers")
        answer = await self.call(
            "POST", "/v1/videos:ingest", 202, project_id=project["id"], source="upload",
            filename="a 'b'; [v]\n☃.mp4", size_bytes=len(data), **more,
        )  # fmt: skip
        sent = answer["upload"]
        form = {"data": sent.get("fields"), "files": {"file": data}}
        put = await self.client.request(
            sent["method"], sent["url"], headers=sent["headers"],
            **(form if sent.get("fields") else {"content": data}),
        )  # fmt: skip
        assert put.is_success, put.text
        return answer["video"]

    async def ready(self):
        video = await self.upload()
        await self.call("POST", f"/v1/videos/{video['id']}:complete-upload", 202)
        await self.work(JobKind.INGEST, ingested)
        return await self.call("GET", f"/v1/videos/{video['id']}")

    async def with_clips(self):
        video = await self.ready()
        await self.call("POST", f"/v1/videos/{video['id']}/transcripts", 202)
        await self.work(JobKind.TRANSCRIBE, transcribed)
        await self.call("POST", f"/v1/videos/{video['id']}/generate-clips", 202)
        await self.work(JobKind.FIND_CLIPS, clips_found)
        clips = await self.call("GET", f"/v1/videos/{video['id']}/clips")
        return video, clips["items"][0]
