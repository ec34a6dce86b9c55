"""`POST /v1/projects/{id}/export`: cut, frame, subtitle, level and deliver a project's clips."""

from itertools import groupby
from typing import Any
from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request
from tortoise.transactions import in_transaction

from control.access import Member
from control.bodies import body, reply
from control.branding.kits import brand_for
from control.clips.cuts import cut_of, style_of, words_of
from control.clips.models import Clip, ClipStatus
from control.errors import Conflict, Invalid
from control.exports.schemas import Exporting, ExportProject
from control.jobs.queue import enqueue
from control.jobs.schemas import accepted
from control.openapi import spec
from control.projects.models import Project
from control.records import find
from control.settings import Settings
from control.videos.models import Video
from control.videos.source import source_of
from ray_jobs.contract import Brand, Export, SubtitleStyle

blueprint = Blueprint("exports")
MAX_CLIPS = 100


@blueprint.post("/projects/<project_id:uuid>/export")
@spec(body=ExportProject, returns=Exporting, status=202)
async def export_project(request: Request, project_id: UUID) -> HTTPResponse:
    """Render clips for delivery, one job for each video they are cut from."""
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, ExportProject)
    project = await find(Project.of(member), project_id)
    clips = await _clips(member, project, wanted)
    branded = await brand_for(
        member, settings, request.app.ctx.store, wanted.brand_kit_id,
        version=wanted.brand_kit_version, unasked="brand_kit_id" not in wanted.model_fields_set,
    )  # fmt: skip
    orders = []
    for video_id, group in groupby(clips, key=lambda clip: clip.video_id):
        video = await find(Video.of(member), video_id)
        orders.append((video, await _order(member, settings, video, list(group), wanted, *branded)))
    jobs = []
    async with in_transaction() as tx:
        for video, order in orders:
            job, found = await enqueue(
                member, order, project_id=project.id, video_id=video.id, tx=tx,
                priority=wanted.priority, max_attempts=settings.job_attempts, force=wanted.force,
            )  # fmt: skip
            jobs.append(accepted(job, deduplicated=found))
    answer = Exporting(**jobs[0].model_dump(exclude={"wait_s", "run_s"}), jobs=jobs)
    return reply(answer, 202, {"Location": f"/v1/jobs/{jobs[0].id}"})


async def _clips(member: Member, project: Project, wanted: ExportProject) -> list[Clip]:
    rows = Clip.of(member).filter(project_id=project.id)
    if wanted.clip_ids is not None:
        rows = rows.filter(id__in=wanted.clip_ids)
    else:
        rows = rows.filter(status__in=(ClipStatus.SUGGESTED, ClipStatus.KEPT))
    clips = await rows.order_by("video_id", "rank", "id").limit(MAX_CLIPS + 1)
    missing = set(wanted.clip_ids or ()) - {clip.id for clip in clips}
    if missing:
        names = ", ".join(str(clip_id) for clip_id in sorted(missing))
        raise Invalid.at("clip_ids", f"the project has no clip {names}")
    if not clips:
        raise Conflict("The project has no clips: generate some first.", code="no_clips")
    if len(clips) > MAX_CLIPS:
        raise Invalid.at("clip_ids", f"name at most {MAX_CLIPS} clips")
    return clips


async def _order(
    member: Member, settings: Settings, video: Video, clips: list[Clip], wanted: ExportProject,
    brand: Brand | None, brand_style: dict[str, Any],
) -> Export:  # fmt: skip
    words = await words_of(member, video)
    same = None
    if wanted.preset or wanted.overrides:
        same = style_of(wanted.preset, brand_style | wanted.overrides, settings)
    default = style_of(None, brand_style, settings)
    cuts = [
        cut_of(
            clip,
            words,
            same
            or (
                SubtitleStyle.model_validate(clip.subtitle_style)
                if clip.subtitle_style
                else default
            ),
        )
        for clip in clips
    ]
    return Export(
        source=source_of(video),
        clips=cuts,
        loudness=wanted.loudness or settings.loudness,
        brand=brand,
        **wanted.model_dump(include={"aspect", "height", "burn_subtitles", "encoder", "crf"}),
    )
