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
from control.errors import Conflict, Unfit
from control.exports.schemas import Exporting, ExportPreset, ExportProject
from control.jobs.queue import enqueue
from control.jobs.schemas import COMPUTED, accepted
from control.openapi import spec
from control.paging import Page, listed
from control.projects.models import Project
from control.records import find
from control.settings import Settings
from control.videos.models import Video
from control.videos.source import source_of
from ray_jobs.contract import OPEN, PLATFORMS, Brand, Export, SafeArea, SubtitleStyle

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
    answer = Exporting(**jobs[0].model_dump(exclude=COMPUTED), jobs=jobs)
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
        raise Unfit.at("clip_ids", f"the project has no clip {names}")
    if not clips:
        raise Conflict("The project has no clips: generate some first.", code="no_clips")
    if len(clips) > MAX_CLIPS:
        raise Unfit.at("clip_ids", f"name at most {MAX_CLIPS} clips")
    return clips


async def _order(
    member: Member, settings: Settings, video: Video, clips: list[Clip], wanted: ExportProject,
    brand: Brand | None, brand_style: dict[str, Any],
) -> Export:  # fmt: skip
    words, min_confidence = await words_of(member, video, settings)
    form = _form(wanted, settings)
    same = None
    if wanted.subtitle_preset or wanted.subtitle_overrides:
        changes = brand_style | wanted.subtitle_overrides
        same = style_of(wanted.subtitle_preset, changes, settings)
    default = style_of(None, brand_style, settings)
    cuts = []
    for clip in clips:
        own = clip.subtitle_style and SubtitleStyle.model_validate(clip.subtitle_style)
        style = same or own or default
        if "margin" not in wanted.subtitle_overrides:
            style = _lifted(style, form["safe_area"])
        cuts.append(cut_of(clip, words, min_confidence, style))
    return Export(source=source_of(video), clips=cuts, brand=brand, **form)


def _form(wanted: ExportProject, settings: Settings) -> dict[str, Any]:
    """The order's own values before the platform's, the platform's before the defaults."""
    asked = wanted.model_dump(include=set(Export.model_fields))
    if wanted.preset is None:
        loudness = wanted.loudness or settings.loudness
        return asked | {"loudness": loudness, "safe_area": OPEN}
    given = {name: asked[name] for name in asked.keys() & wanted.model_fields_set}
    if wanted.loudness is None:
        given.pop("loudness", None)
    return asked | dict(PLATFORMS[wanted.preset]) | given


def _lifted(style: SubtitleStyle, safe: SafeArea) -> SubtitleStyle:
    """The style with a margin that clears what the platform covers, unless it is in the middle."""
    covered = {"bottom": safe.bottom, "top": safe.top, "center": 0.0}[style.position]
    if not covered:
        return style
    clear = round(covered + style.outline + (0.3 * style.size if style.box_color else 0.0), 4)
    return style.model_copy(update={"margin": min(0.5, max(style.margin, clear))})


@blueprint.get("/export-presets")
@spec(lists=ExportPreset)
async def list_export_presets(request: Request) -> HTTPResponse:
    """What each platform's preset decides."""
    page = Page.of(request)
    every = [ExportPreset(name=name, **dict(form)) for name, form in PLATFORMS.items()]
    return listed(every[page.offset : page.offset + page.limit], ExportPreset, page, len(every))
