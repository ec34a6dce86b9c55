"""Artifacts of projects, videos and clips: list what was made, register what you made."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sanic import Blueprint, HTTPResponse, Request
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from control.artifacts.models import ArtifactRow
from control.artifacts.schemas import ArtifactOut, RegisterArtifact
from control.audit import trail
from control.bodies import In, body, query, reply
from control.clips.models import Clip
from control.dmca.blocks import ARTIFACT_BLOCKED
from control.errors import Unfit
from control.openapi import spec
from control.paging import Page, listed, total_of
from control.projects.models import Project
from control.records import find
from control.videos.models import Video
from control.webhooks.outbox import emit
from ray_jobs.contract import object_key

blueprint = Blueprint("artifacts")


class Wanted(In):
    kind: Annotated[str, Field(max_length=64)] | None = None


async def with_url(request: Request, row: ArtifactRow) -> ArtifactOut:
    shown = ArtifactOut.model_validate(row)
    shown.taken_down = getattr(row, "taken_down", False)
    if not shown.taken_down:
        shown.download_url = await request.app.ctx.store.presign_download(
            row.key,
            filename=row.filename,
            content_type=row.content_type,
            expires_s=request.app.ctx.settings.download_s,
        )
    return shown


async def _list(
    request: Request, rows: QuerySet[ArtifactRow], owner: tuple[QuerySet[Any], UUID]
) -> HTTPResponse:
    page, wanted = Page.of(request), query(request, Wanted)
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    shown = rows.annotate(taken_down=ARTIFACT_BLOCKED).order_by("-created_at", "id")
    found = await shown.limit(page.limit + 1).offset(page.offset)
    total = await total_of(rows, page, len(found))
    if not total:
        await find(*owner)
    items = [await with_url(request, row) for row in found[: page.limit]]
    return listed(items, ArtifactOut, page, total)


async def _register(request: Request, **owner: UUID | None) -> HTTPResponse:
    member, wanted = request.ctx.member, body(request, RegisterArtifact)
    if not wanted.key.startswith(object_key(member.organization_id) + "/"):
        raise Unfit.at("key", "must lie in the organisation's own part of the store")
    head = await request.app.ctx.store.head(wanted.key)
    if head is None:
        raise Unfit.at("key", "there is no such object")
    # What workers store under its hash was hashed by them.
    stored = object_key(member.organization_id, "objects", wanted.sha256)
    if wanted.key != stored and await request.app.ctx.store.sha256(wanted.key) != wanted.sha256:
        raise Unfit.at("sha256", "is not that of the object's bytes")
    async with in_transaction() as tx:
        row = await ArtifactRow.create(
            using_db=tx,
            organization_id=member.organization_id,
            size_bytes=head.size_bytes,
            **owner,
            **wanted.model_dump(),
        )
        await trail.record(tx, member, "artifact.registered", row, after=wanted)
        told = {"artifact_id": row.id, "kind": row.kind, **owner}
        await emit(tx, member.organization_id, "artifact.registered", told)
    return reply(await with_url(request, row), 201)


@blueprint.get("/artifacts/<artifact_id:uuid>")
@spec(returns=ArtifactOut)
async def get_artifact(request: Request, artifact_id: UUID) -> HTTPResponse:
    """One artifact, with a fresh link to its bytes."""
    rows = ArtifactRow.of(request.ctx.member).annotate(taken_down=ARTIFACT_BLOCKED)
    return reply(await with_url(request, await find(rows, artifact_id)))


@blueprint.get("/projects/<project_id:uuid>/artifacts")
@spec(query=Wanted, lists=ArtifactOut)
async def list_project_artifacts(request: Request, project_id: UUID) -> HTTPResponse:
    """Everything that was made in a project, newest first."""
    member = request.ctx.member
    rows = ArtifactRow.of(member).filter(project_id=project_id)
    return await _list(request, rows, (Project.of(member), project_id))


@blueprint.post("/projects/<project_id:uuid>/artifacts")
@spec(body=RegisterArtifact, returns=ArtifactOut, status=201)
async def register_project_artifact(request: Request, project_id: UUID) -> HTTPResponse:
    """Register an object as a project's."""
    project = await find(Project.of(request.ctx.member), project_id)
    return await _register(request, project_id=project.id)


@blueprint.get("/videos/<video_id:uuid>/artifacts")
@spec(query=Wanted, lists=ArtifactOut)
async def list_video_artifacts(request: Request, video_id: UUID) -> HTTPResponse:
    """Everything that was made of a video, newest first."""
    member = request.ctx.member
    rows = ArtifactRow.of(member).filter(video_id=video_id)
    return await _list(request, rows, (Video.of(member), video_id))


@blueprint.post("/videos/<video_id:uuid>/artifacts")
@spec(body=RegisterArtifact, returns=ArtifactOut, status=201)
async def register_video_artifact(request: Request, video_id: UUID) -> HTTPResponse:
    """Register an object as a video's."""
    video = await find(Video.of(request.ctx.member), video_id)
    return await _register(request, project_id=video.project_id, video_id=video.id)


@blueprint.get("/clips/<clip_id:uuid>/artifacts")
@spec(query=Wanted, lists=ArtifactOut)
async def list_clip_artifacts(request: Request, clip_id: UUID) -> HTTPResponse:
    """Everything that was made of a clip, newest first."""
    member = request.ctx.member
    rows = ArtifactRow.of(member).filter(clip_id=clip_id)
    return await _list(request, rows, (Clip.of(member), clip_id))


@blueprint.post("/clips/<clip_id:uuid>/artifacts")
@spec(body=RegisterArtifact, returns=ArtifactOut, status=201)
async def register_clip_artifact(request: Request, clip_id: UUID) -> HTTPResponse:
    """Register an object as a clip's."""
    clip = await find(Clip.of(request.ctx.member), clip_id)
    return await _register(
        request, project_id=clip.project_id, video_id=clip.video_id, clip_id=clip.id
    )
