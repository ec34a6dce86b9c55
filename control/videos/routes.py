"""`/v1/videos`: bring recordings in and look at them."""

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

from sanic import Blueprint, HTTPResponse, Request, empty
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from control.access import Member
from control.artifacts.models import ArtifactRow
from control.audit import trail
from control.billing.subscriptions import reserve
from control.bodies import body, query, reply
from control.dmca.blocks import ARTIFACT_BLOCKED, is_blocked, refuse_held
from control.errors import Conflict, Invalid, LegalReasons, Unfit
from control.jobs.models import Job
from control.jobs.queue import enqueue, refuse_busy
from control.jobs.schemas import JobOut, accepted
from control.openapi import spec
from control.paging import Page, listing
from control.paths import verb, word
from control.projects.models import Project
from control.records import check_if_match, find
from control.settings import Settings
from control.storage import PartedUpload
from control.videos import uploads
from control.videos.models import Video, VideoStatus
from control.videos.schemas import (
    IngestArtifact,
    IngestUrl,
    IngestVideo,
    TranscodeVideo,
    VideoIngesting,
    VideoOut,
    VideoQuery,
)
from control.videos.source import source_of
from control.webhooks import addresses
from ray_jobs.contract import RENDITIONS, HlsLadder, Ingest, Transcode, object_key

blueprint = Blueprint("videos")
MAX_RENDITIONS = 8


@blueprint.post("/" + word("videos:ingest"))
@spec(body=IngestVideo, returns=VideoIngesting, status=202)
async def ingest_video(request: Request, word: str) -> HTTPResponse:  # noqa: ARG001
    """Bring a recording in: by direct upload, from a URL, or from what was made here."""
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, IngestVideo).root
    project = await find(Project.of(member), wanted.project_id)
    if isinstance(wanted, IngestUrl):
        return await _from_url(member, settings, project, wanted)
    if isinstance(wanted, IngestArtifact):
        return await _from_artifact(member, settings, project, wanted)
    if wanted.size_bytes > settings.max_upload_bytes:
        raise Unfit.at("size_bytes", f"must be at most {settings.max_upload_bytes}")
    video_id = uuid4()
    key = object_key(member.organization_id, "uploads", str(video_id))
    upload = await request.app.ctx.store.presign_upload(
        key,
        content_type=wanted.content_type,
        max_bytes=wanted.size_bytes,
        expires_s=wanted.expires_in_s or settings.upload_s,
    )
    async with in_transaction() as tx:
        video = await Video.create(
            using_db=tx, id=video_id, organization_id=member.organization_id, project=project,
            filename=wanted.filename, source="upload", upload_key=key,
            upload_until=upload.expires_at,
            upload_session=upload.session if isinstance(upload, PartedUpload) else None,
            expected_size_bytes=wanted.size_bytes, expected_sha256=wanted.sha256,
            status=VideoStatus.AWAITING_UPLOAD,
        )  # fmt: skip
        await trail.record(tx, member, "video.created", video, after=wanted)
    answer = VideoIngesting(video=VideoOut.model_validate(video), upload=upload)
    return reply(answer, 202, {"Location": f"/v1/videos/{video.id}"})


async def _from_url(
    member: Member, settings: Settings, project: Project, wanted: IngestUrl
) -> HTTPResponse:
    url = str(wanted.url)
    try:
        addresses.check_url(
            url, allow_private=settings.allow_private_hosts, schemes=("https", "http")
        )
    except addresses.ForbiddenAddress as error:
        raise Unfit.at("url", f"cannot be fetched: {error}") from None
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    async with in_transaction() as tx:
        video = await Video.create(
            using_db=tx, id=uuid4(), organization_id=member.organization_id, project=project,
            filename=(wanted.filename or name or "recording")[:255], source="url", url=url,
            expected_sha256=wanted.sha256, status=VideoStatus.INGESTING,
        )  # fmt: skip
        await trail.record(tx, member, "video.created", video, after=wanted)
        job = await _enqueue_ingest(tx, member, settings, video)
    answer = VideoIngesting(video=VideoOut.model_validate(video), job=accepted(job))
    return reply(answer, 202, {"Location": f"/v1/jobs/{job.id}"})


async def _from_artifact(
    member: Member, settings: Settings, project: Project, wanted: IngestArtifact
) -> HTTPResponse:
    rows = ArtifactRow.of(member).annotate(taken_down=ARTIFACT_BLOCKED)
    artifact = await rows.get_or_none(id=wanted.artifact_id)
    if artifact is None:
        raise Unfit.at("artifact_id", "the organisation has no such artifact")
    if getattr(artifact, "taken_down", False):
        raise LegalReasons
    async with in_transaction() as tx:
        video = await Video.create(
            using_db=tx, id=uuid4(), organization_id=member.organization_id, project=project,
            filename=wanted.filename or artifact.filename, source="artifact",
            expected_sha256=artifact.sha256, status=VideoStatus.INGESTING,
        )  # fmt: skip
        await trail.record(tx, member, "video.created", video, after=wanted)
        job = await _enqueue_ingest(tx, member, settings, video, key=artifact.key)
    answer = VideoIngesting(video=VideoOut.model_validate(video), job=accepted(job))
    return reply(answer, 202, _location(job))


async def _enqueue_ingest(
    tx: BaseDBAsyncClient, member: Member, settings: Settings, video: Video, *,
    key: str | None = None,
) -> Job:  # fmt: skip
    await reserve(tx, member.organization_id)
    if video.expected_sha256 and await is_blocked(
        tx, member.organization_id, video.expected_sha256
    ):
        raise LegalReasons
    order = Ingest(
        video_id=video.id,
        filename=video.filename,
        key=key or video.upload_key,
        url=video.url,
        expected_sha256=video.expected_sha256,
        limits=settings.ingest_limits,
    )
    job, _ = await enqueue(
        member, order, project_id=video.project_id, video_id=video.id,
        max_attempts=settings.job_attempts, tx=tx,
    )  # fmt: skip
    video.update_from_dict({"ingest_job_id": job.id, "status": VideoStatus.INGESTING})
    await video.save(using_db=tx, update_fields=["ingest_job_id", "status", "updated_at"])
    return job


@blueprint.post("/videos/" + verb("video_id", "complete-upload"))
@spec(returns=JobOut, status=202)
async def complete_upload(request: Request, video_id: str) -> HTTPResponse:
    """Say that the bytes have arrived; the recording is then probed and prepared."""
    member, settings = request.ctx.member, request.app.ctx.settings
    video = await find(Video.of(member), video_id)
    arrived_bytes = await uploads.arrived(request.app.ctx.store, video)
    async with in_transaction() as tx:
        video = await find(Video.of(member).using_db(tx).select_for_update(), video_id)
        if video.ingest_job_id:
            job = await Job.get(id=video.ingest_job_id, using_db=tx)
            return reply(accepted(job, deduplicated=True), 202, _location(job))
        if video.status is VideoStatus.FAILED:
            raise Conflict("This upload has ended: begin another one.", code="upload_ended")
        if arrived_bytes is None:
            raise Conflict("The bytes have not arrived: upload them first.", code="not_uploaded")
        if arrived_bytes != video.expected_size_bytes:
            raise Conflict(
                f"{arrived_bytes} bytes have arrived of {video.expected_size_bytes}: "
                "upload the file again.",
                code="size_mismatch",
            )
        job = await _enqueue_ingest(tx, member, settings, video)
    return reply(accepted(job), 202, _location(job))


@blueprint.post("/videos/" + verb("video_id", "cancel-upload"))
@spec(returns=VideoOut)
async def cancel_upload(request: Request, video_id: str) -> HTTPResponse:
    """Give up an upload before its bytes have been reported complete."""
    member = request.ctx.member
    video = await uploads.cancel(member, await find(Video.of(member), video_id))
    return reply(VideoOut.model_validate(video))


def _location(job: Job) -> dict[str, str]:
    return {"Location": f"/v1/jobs/{job.id}"}


@blueprint.post("/videos/" + verb("video_id", "transcode"))
@spec(body=TranscodeVideo, returns=JobOut, status=202)
async def transcode_video(request: Request, video_id: str) -> HTTPResponse:
    """Make other sizes of a recording; each becomes an artifact of the video.

    A rendition that the recording is already is not encoded: the result says `source_conforms`.
    """
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, TranscodeVideo)
    video = await find(Video.of(member), video_id)
    named = [RENDITIONS[name] for name in wanted.profiles if name != "hls"]
    renditions = named + wanted.renditions
    hls = wanted.hls or (HlsLadder() if "hls" in wanted.profiles else None)
    if len(renditions) > MAX_RENDITIONS:
        raise Invalid.at("profiles", f"name at most {MAX_RENDITIONS} profiles and renditions")
    if len({rendition.name for rendition in renditions}) < len(renditions):
        raise Invalid.at("renditions", "two renditions have the same name")
    job, found = await enqueue(
        member, Transcode(source=source_of(video), renditions=renditions, hls=hls),
        project_id=video.project_id, video_id=video.id, priority=wanted.priority,
        max_attempts=settings.job_attempts, force=wanted.force,
    )  # fmt: skip
    return reply(accepted(job, deduplicated=found), 202, _location(job))


@blueprint.get("/videos/<video_id:uuid>")
@spec(returns=VideoOut)
async def get_video(request: Request, video_id: UUID) -> HTTPResponse:
    """One video."""
    return reply(VideoOut.model_validate(await find(Video.of(request.ctx.member), video_id)))


@blueprint.delete("/videos/<video_id:uuid>")
@spec(status=204)
async def delete_video(request: Request, video_id: UUID) -> HTTPResponse:
    """Remove a video with its transcripts, clips, retellings and registered artifacts."""
    member = request.ctx.member
    async with in_transaction() as tx:
        video = await find(Video.of(member).using_db(tx).select_for_update(), video_id)
        check_if_match(request, video)
        await refuse_busy(tx, video_id=video.id)
        await refuse_held(tx, member, video_id=video.id)
        await trail.record(tx, member, "video.deleted", video, before={"filename": video.filename})
        await ArtifactRow.filter(video_id=video.id).using_db(tx).delete()
        await video.delete(using_db=tx)
    return empty()


@blueprint.get("/projects/<project_id:uuid>/videos")
@spec(query=VideoQuery, lists=VideoOut)
async def list_videos(request: Request, project_id: UUID) -> HTTPResponse:
    """A project's videos, newest first; uploads that have not arrived only by their status."""
    member, page = request.ctx.member, Page.of(request)
    wanted = query(request, VideoQuery)
    rows = Video.of(member).filter(project_id=project_id)
    rows = rows.filter(status=wanted.status) if wanted.status else rows.exclude(uploads.NOT_ARRIVED)
    return await listing(rows, VideoOut, page, within=(Project.of(member), project_id))
