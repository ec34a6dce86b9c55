"""What a finished job leaves behind: one function per result, run in the report's transaction.

Every row's id is derived from the job and its content, so keeping a result twice changes nothing.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import UUID, uuid5

from tortoise.backends.base.client import BaseDBAsyncClient

from control.artifacts.models import ArtifactRow
from control.branding import kits
from control.clips.models import Clip, ClipStatus
from control.dmca.blocks import is_blocked
from control.errors import LegalReasons
from control.jobs.models import Job, JobState
from control.qa import automatic
from control.records import now
from control.retell.models import RetellRow
from control.retell.schemas import RetellReport
from control.transcripts.edits import retimed
from control.transcripts.models import Transcript
from control.videos.models import Video, VideoStatus
from ray_jobs.contract import (
    Aligned,
    Artifact,
    AssetChecked,
    ClipsFound,
    Exported,
    Finding,
    Ingested,
    JobKind,
    Narrated,
    Problem,
    Result,
    Retold,
    Segment,
    SubtitlesStyled,
    Transcoded,
    Transcribed,
)

STAGES: dict[JobKind, tuple[VideoStatus, VideoStatus]] = {
    JobKind.INGEST: (VideoStatus.INGESTING, VideoStatus.READY),
    JobKind.TRANSCRIBE: (VideoStatus.TRANSCRIBING, VideoStatus.TRANSCRIBED),
    JobKind.FIND_CLIPS: (VideoStatus.CLIPPING, VideoStatus.CLIPPED),
    JobKind.EXPORT: (VideoStatus.EXPORTING, VideoStatus.EXPORTED),
}


async def keep(tx: BaseDBAsyncClient, job: Job, result: Result) -> Problem | None:
    """Store what the job made; gives the problem of a result that QA holds back."""
    return await KEEPERS[type(result)](tx, job, result)


async def follow(tx: BaseDBAsyncClient, job: Job) -> None:
    """Let what a job works on tell where it is: its video's pipeline, its brand asset."""
    if job.kind is JobKind.CHECK_ASSET:
        await kits.follow(tx, job)
    stage = STAGES.get(JobKind(job.kind))
    if stage is None or job.video_id is None:
        return
    video = await Video.filter(id=job.video_id).using_db(tx).select_for_update().get_or_none()
    if video is None:
        return
    working, done = stage
    stages = {**video.stages, job.kind: job.state}
    match job.state:
        case JobState.SUCCEEDED:
            status, problem = done, None
        case JobState.FAILED if job.kind is JobKind.INGEST:
            status, problem = VideoStatus.FAILED, job.problem
        case JobState.FAILED | JobState.CANCELLED:
            status, problem = furthest(stages), None
        case _:
            status, problem = working, None
    await (
        Video.filter(id=video.id)
        .using_db(tx)
        .update(status=status, stages=stages, problem=problem, updated_at=now())
    )


def furthest(stages: dict[str, str]) -> VideoStatus:
    """The last stage that is done."""
    done = [made for kind, (_, made) in STAGES.items() if stages.get(kind) == JobState.SUCCEEDED]
    return done[-1] if done else VideoStatus.AWAITING_UPLOAD


async def keep_video(tx: BaseDBAsyncClient, job: Job, result: Ingested) -> None:
    """Raise `LegalReasons` for bytes that are taken down in the organisation."""
    if await is_blocked(tx, job.organization_id, result.object.sha256):
        raise LegalReasons
    media = result.media
    await (
        Video.filter(id=job.video_id)
        .using_db(tx)
        .update(
            object=result.object.model_dump(mode="json"),
            media=media.model_dump(mode="json"),
            sha256=result.object.sha256,
            size_bytes=result.object.size_bytes,
            duration_s=media.duration_s,
            frame_rate=media.frame_rate,
            width=media.width,
            height=media.height,
            vfr=media.vfr,
            updated_at=now(),
        )
    )
    await register(tx, job, result.artifacts)


async def keep_transcript(tx: BaseDBAsyncClient, job: Job, result: Transcribed) -> None:
    await Transcript.update_or_create(
        using_db=tx,
        id=uuid5(job.id, "transcript"),
        defaults={
            "organization_id": job.organization_id,
            "video_id": job.video_id,
            "job_id": job.id,
            "engine": result.engine,
            "language": result.language,
            "given": result.given,
            "rough": result.rough,
            "note": result.note,
            "segments": [segment.model_dump(mode="json") for segment in result.segments],
            "made_at": now(),
        },
    )
    await register(tx, job, result.artifacts)


async def keep_aligned(tx: BaseDBAsyncClient, _job: Job, result: Aligned) -> None:
    """Give the words their new times; a word that was edited meanwhile keeps its own."""
    rows = Transcript.filter(id=result.transcript_id).using_db(tx).select_for_update()
    transcript = await rows.get_or_none()
    if transcript is None:
        return
    renewed = {segment.id: segment for segment in result.segments}
    segments = retimed([Segment.model_validate(s) for s in transcript.segments], renewed)
    transcript.segments = [segment.model_dump(mode="json") for segment in segments]
    transcript.revision += 1
    transcript.made_at = now()
    await transcript.save(using_db=tx)


async def keep_clips(tx: BaseDBAsyncClient, job: Job, result: ClipsFound) -> None:
    """Found clips replace the suggestions of earlier searches, never what a person has touched."""
    found = {clip.clip_id for clip in result.clips}
    await (
        Clip.filter(video_id=job.video_id, status=ClipStatus.SUGGESTED, edited=False)
        .exclude(id__in=found)
        .using_db(tx)
        .update(status=ClipStatus.SUPERSEDED, updated_at=now())
    )
    for found_clip in result.clips:
        plain = found_clip.model_dump(mode="json")
        row = {
            name: plain[name]
            for name in ("rank", "score", "parts", "segment_ids", "crop_track", "edits")
        } | {"job_id": job.id}  # fmt: skip
        clip = await Clip.filter(id=found_clip.clip_id).using_db(tx).get_or_none()
        if clip is None:
            await Clip.create(
                using_db=tx, id=found_clip.clip_id, organization_id=job.organization_id,
                video_id=job.video_id, project_id=job.project_id, title=found_clip.title,
                text=found_clip.text, start_s=found_clip.start_s, end_s=found_clip.end_s, **row,
            )  # fmt: skip
        elif not clip.edited:
            clip.update_from_dict({**row, "status": ClipStatus.SUGGESTED})
            await clip.save(using_db=tx)
    previews = [clip.preview for clip in result.clips if clip.preview]
    await register(tx, job, [*result.artifacts, *previews])


async def keep_subtitles(tx: BaseDBAsyncClient, job: Job, result: SubtitlesStyled) -> None:
    await (
        Clip.filter(id=result.clip_id)
        .using_db(tx)
        .update(subtitle_style=result.style.model_dump(mode="json"), updated_at=now())
    )
    await register(tx, job, result.artifacts)


async def keep_exports(tx: BaseDBAsyncClient, job: Job, result: Exported) -> Problem | None:
    """The files with their QA run; what QA holds back is kept as `export_held`, to be looked at."""
    made = result.deliverables
    overlays = [finding.overlay for one in made for finding in one.findings if finding.overlay]
    await register(tx, job, overlays)
    found = await automatic.record(
        tx, job,
        [_seen(job, finding, one.clip_id) for one in made for finding in one.findings],
        [artifact_id(job, one.video) for one in made],
    )  # fmt: skip
    problem = automatic.refusal(job, found)
    for one in made:
        papers = [*one.subtitles, *one.timelines, *([one.crop] if one.crop else [])]
        await register(
            tx, job, [file.model_copy(update={"clip_id": one.clip_id}) for file in papers]
        )
        video = one.video.model_copy(update={"clip_id": one.clip_id})
        await register(tx, job, [video], kind="export_held" if problem else None)
    return problem


def _seen(job: Job, finding: Finding, clip_id: UUID | None = None) -> automatic.Seen:
    overlay = artifact_id(job, finding.overlay) if finding.overlay else None
    return automatic.Seen(finding, clip_id, overlay)


async def keep_narration(tx: BaseDBAsyncClient, job: Job, result: Narrated) -> None:
    files = [result.dry.sound, result.mix.sound, *result.artifacts]
    await register(tx, job, [f.model_copy(update={"clip_id": result.clip_id}) for f in files])


async def keep_retelling(tx: BaseDBAsyncClient, job: Job, result: Retold) -> Problem | None:
    """The film's report; and the script, unless somebody has mended a newer one meanwhile.

    A film that QA holds back is kept as `retell_held`, and only its script is the retelling's.
    """
    overlays = [finding.overlay for finding in result.findings if finding.overlay]
    narration = [result.narration] if result.narration else []
    await register(tx, job, [*result.artifacts, *result.timelines, *narration, *overlays])
    seen = [_seen(job, finding) for finding in result.findings]
    found = await automatic.record(tx, job, seen, [artifact_id(job, result.video)])
    problem = automatic.refusal(job, found)
    await register(tx, job, [result.video], kind="retell_held" if problem else None)
    rows = RetellRow.filter(id=result.retell_id, organization_id=job.organization_id)
    row = await rows.using_db(tx).select_for_update().get_or_none()
    if row is None or result.version < (row.rendered_version or 0):
        return problem
    plain = result.model_dump(mode="json")
    if row.version == result.version:
        row.script = plain["script"]
    row.outline = plain["outline"]
    if not problem:
        row.rendered_version, row.report = result.version, _report(job, result, plain)
    await row.save(using_db=tx)
    return problem


def _report(job: Job, result: Retold, plain: dict[str, Any]) -> dict[str, Any]:
    """What of a result is shown with its retelling."""
    shown = {name: plain[name] for name in RetellReport.model_fields if name in plain}
    return shown | {"video_artifact_id": str(artifact_id(job, result.video))}


def artifact_id(job: Job, artifact: Artifact) -> UUID:
    return uuid5(job.id, f"{artifact.kind}:{artifact.clip_id}:{artifact.filename}")


async def register(
    tx: BaseDBAsyncClient, job: Job, artifacts: Iterable[Artifact], *, kind: str | None = None
) -> None:
    """Register files under their own kind, or under `kind`, which changes nothing of their ids."""
    for artifact in artifacts:
        made = artifact.object
        await ArtifactRow.update_or_create(
            using_db=tx,
            id=artifact_id(job, artifact),
            defaults={
                "organization_id": job.organization_id,
                "project_id": job.project_id,
                "video_id": job.video_id,
                "clip_id": artifact.clip_id,
                "job_id": job.id,
                "kind": kind or artifact.kind,
                "filename": artifact.filename,
                "key": made.key,
                "sha256": made.sha256,
                "size_bytes": made.size_bytes,
                "content_type": made.content_type,
            },
        )


async def keep_renditions(tx: BaseDBAsyncClient, job: Job, result: Transcoded) -> None:
    await register(tx, job, [made.video for made in result.renditions])
    if hls := result.hls:
        tracks = [*hls.rungs, *([hls.sound] if hls.sound else [])]
        files = [file for track in tracks for file in (track.media, track.playlist)]
        await register(tx, job, [hls.master, *files])


KEEPERS: dict[type, Callable[[BaseDBAsyncClient, Job, Any], Awaitable[Problem | None]]] = {
    Ingested: keep_video,
    Transcoded: keep_renditions,
    Transcribed: keep_transcript,
    Aligned: keep_aligned,
    ClipsFound: keep_clips,
    SubtitlesStyled: keep_subtitles,
    Exported: keep_exports,
    Narrated: keep_narration,
    Retold: keep_retelling,
    AssetChecked: kits.keep_asset,
}
