"""`/v1/projects/{id}/retell`: have a recording told again, mend the script, film it anew."""

from uuid import UUID, uuid4, uuid5

from sanic import Blueprint, HTTPResponse, Request, empty
from tortoise.transactions import in_transaction

from control.access import Member
from control.audit import trail
from control.bodies import body, reply
from control.clips.cuts import style_of
from control.dmca.blocks import refuse_held
from control.errors import Conflict, Unfit
from control.jobs.models import Job
from control.jobs.queue import enqueue
from control.jobs.schemas import COMPUTED, accepted
from control.jobs.states import TERMINAL
from control.openapi import spec
from control.paging import Page, listing
from control.paths import verb
from control.projects.models import Project
from control.records import check_if_match, find
from control.retell.models import RetellRow
from control.retell.orders import JOB_STATE, MANNER, NEEDED, add_status, order_of, render, shown
from control.retell.schemas import (
    RetellChanged,
    Retelling,
    RetellOut,
    RetellPatch,
    RetellProject,
)
from control.retell.script import mended
from control.settings import Settings
from control.transcripts.models import Transcript
from control.videos.models import Video
from ray_jobs.contract import Retell, ScriptSentence, spec_hash

blueprint = Blueprint("retell", url_prefix="/projects/<project_id:uuid>/retell")
DEFAULT_TARGET_S = 60.0
LONGEST_TARGET_S = 1800.0


@blueprint.post("/")
@spec(body=RetellProject, returns=Retelling, status=202)
async def retell_project(request: Request, project_id: UUID) -> HTTPResponse:
    """Tell a video again in a given time: outline, script, narration, film."""
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, RetellProject)
    project = await find(Project.of(member), project_id)
    video = await _video(member, project, wanted)
    rows = Transcript.of(member).filter(video_id=video.id).order_by("-made_at", "id")
    transcript = await rows.first()
    if transcript is None:
        raise Conflict(NEEDED, code="transcript_needed")
    row = RetellRow(
        id=uuid4(), organization_id=member.organization_id, project_id=project.id,
        video_id=video.id, transcript_id=transcript.id,
        title=wanted.title or f"{video.filename[:280]}, told again",
        target_s=_target_s(video, wanted), manner=_manner(settings, wanted, transcript),
    )  # fmt: skip
    order = order_of(row, video, transcript, script=None)
    if not wanted.force:
        # The same wish is the same retelling, so that asking twice does not make two.
        plain = order.model_copy(update={"retell_id": UUID(int=0)})
        row.id = uuid5(project.id, f"{transcript.id}:{row.title}:{spec_hash(plain)}")
        order = order.model_copy(update={"retell_id": row.id})
    async with in_transaction() as tx:
        job, found = await enqueue(
            member, order, project_id=project.id, video_id=video.id, priority=wanted.priority,
            max_attempts=settings.job_attempts, tx=tx,
        )  # fmt: skip
        known = await RetellRow.of(member).using_db(tx).select_for_update().get_or_none(id=row.id)
        if known is None:
            row.job_id = job.id
            await row.save(using_db=tx, force_create=True)
            await trail.record(tx, member, "retell.created", ("retell", row.id), after=wanted)
        elif known.version == order.version and known.job_id != job.id:
            known.job_id = job.id
            await known.save(using_db=tx, update_fields=["job_id", "updated_at"])
    answer = Retelling(
        **accepted(job, deduplicated=found).model_dump(exclude=COMPUTED),
        retell=await shown(known or row),
    )
    return reply(answer, 202, {"Location": f"/v1/jobs/{job.id}"})


@blueprint.get("/")
@spec(lists=RetellOut)
async def list_retellings(request: Request, project_id: UUID) -> HTTPResponse:
    """A project's retellings with their scripts, newest first."""
    member = request.ctx.member
    rows = RetellRow.of(member).filter(project_id=project_id).annotate(job_state=JOB_STATE)
    return await listing(
        rows, RetellOut, Page.of(request), complete=add_status,
        within=(Project.of(member), project_id),
    )  # fmt: skip


@blueprint.get("/<retell_id:uuid>")
@spec(returns=RetellOut)
async def get_retelling(request: Request, project_id: UUID, retell_id: UUID) -> HTTPResponse:
    """One retelling: its script, and what was measured on its film."""
    rows = RetellRow.of(request.ctx.member).filter(project_id=project_id)
    return reply(await shown(await find(rows, retell_id)))


@blueprint.patch("/<retell_id:uuid>")
@spec(body=RetellPatch, returns=RetellChanged)
async def change_retelling(request: Request, project_id: UUID, retell_id: UUID) -> HTTPResponse:
    """Mend the script at once; with `render`, film it, speaking only changed sentences anew."""
    member, settings = request.ctx.member, request.app.ctx.settings
    patch = body(request, RetellPatch)
    job = None
    async with in_transaction() as tx:
        rows = RetellRow.of(member).filter(project_id=project_id).using_db(tx).select_for_update()
        row = await find(rows, retell_id)
        check_if_match(request, row)
        before = {"version": row.version, "script": row.script, "title": row.title}
        await _mend(member, row, patch)
        await row.save(using_db=tx)
        await trail.record(
            tx, member, "retell.updated", ("retell", row.id), before=before, after=patch
        )
        if patch.render:
            job, found = await render(tx, member, settings, row)
    answer = RetellChanged(**(await shown(row)).model_dump())
    if job:
        answer = answer.model_copy(update={"job": accepted(job, deduplicated=found)})
    return reply(answer)


@blueprint.post("/" + verb("retell_id", "render"))
@spec(returns=Retelling, status=202)
async def render_retelling(request: Request, project_id: UUID, retell_id: str) -> HTTPResponse:
    """Film the script as it is now."""
    member, settings = request.ctx.member, request.app.ctx.settings
    async with in_transaction() as tx:
        rows = RetellRow.of(member).filter(project_id=project_id).using_db(tx).select_for_update()
        row = await find(rows, retell_id)
        job, found = await render(tx, member, settings, row)
    answer = Retelling(
        **accepted(job, deduplicated=found).model_dump(exclude=COMPUTED),
        retell=await shown(row),
    )
    return reply(answer, 202, {"Location": f"/v1/jobs/{job.id}"})


@blueprint.delete("/<retell_id:uuid>")
@spec(status=204)
async def delete_retelling(request: Request, project_id: UUID, retell_id: UUID) -> HTTPResponse:
    """Remove a retelling; the files that were made of it stay as artifacts."""
    member = request.ctx.member
    async with in_transaction() as tx:
        rows = RetellRow.of(member).filter(project_id=project_id).using_db(tx).select_for_update()
        row = await find(rows, retell_id)
        check_if_match(request, row)
        job = await Job.of(member).using_db(tx).get_or_none(id=row.job_id)
        if job and job.state not in TERMINAL:
            raise Conflict("A job is at work on it: cancel it first.", code="retell_busy")
        await refuse_held(tx, member, video_id=row.video_id)
        await trail.record(
            tx, member, "retell.deleted", ("retell", row.id), before={"title": row.title}
        )
        await row.delete(using_db=tx)
    return empty()


async def _video(member: Member, project: Project, wanted: RetellProject) -> Video:
    rows = Video.of(member).filter(project_id=project.id)
    if wanted.video_id is not None:
        video = await rows.get_or_none(id=wanted.video_id)
        if video is None:
            raise Unfit.at("video_id", "the project has no such video")
        return video
    videos = await rows.filter(object__isnull=False).order_by("created_at", "id").limit(2)
    if not videos:
        if await rows.exists():
            raise Conflict(
                "No recording of the project is ready: wait until its ingest job has succeeded.",
                code="video_not_ready",
            )
        raise Conflict("The project has no video yet.", code="no_videos")
    if len(videos) > 1:
        raise Unfit.at("video_id", "the project has several videos: name one")
    return videos[0]


def _target_s(video: Video, wanted: RetellProject) -> float:
    if wanted.target_s is not None:
        return wanted.target_s
    whole_s = video.duration_s or DEFAULT_TARGET_S
    target_s = wanted.ratio * whole_s if wanted.ratio else min(DEFAULT_TARGET_S, whole_s / 2)
    return round(min(LONGEST_TARGET_S, max(1.0, target_s)), 3)


def _manner(settings: Settings, wanted: RetellProject, transcript: Transcript) -> dict[str, object]:
    """What of the spec holds for every version, resolved to values, as JSON."""
    style = style_of(wanted.preset, wanted.overrides, settings) if wanted.burn_subtitles else None
    sent = wanted.model_dump(
        include={"keep_share", "speed", "aspect", "height", "encoder", "crf", "qa_gate"}
    )
    resolved = Retell.model_construct(
        **sent,
        style=style,
        writer=settings.writer,
        language=wanted.language or transcript.language,
        voice=wanted.voice or settings.tts_voice or None,
        speaker=settings.speaker,
        loudness=wanted.loudness or settings.loudness,
        ducking=wanted.ducking or settings.ducking,
    )
    return resolved.model_dump(mode="json", include=MANNER)


async def _mend(member: Member, row: RetellRow, patch: RetellPatch) -> None:
    """Apply a patch to a row; the version grows where the film would be another."""
    if patch.title is not None:
        row.title = patch.title
    if not (patch.sentences or patch.remove or patch.order is not None or patch.target_s):
        return
    if not row.script:
        raise Conflict("There is no script yet: wait for its job.", code="no_script")
    transcript = await Transcript.of(member).get_or_none(id=row.transcript_id)
    known = {segment["id"] for segment in transcript.segments} if transcript else set()
    script = mended([ScriptSentence.model_validate(one) for one in row.script], patch, known)
    plain = [sentence.model_dump(mode="json") for sentence in script]
    target_s = patch.target_s or row.target_s
    if plain != row.script or target_s != row.target_s:
        row.script, row.target_s, row.version = plain, target_s, row.version + 1
