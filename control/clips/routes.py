"""Clips: have them found, look at them, trim them, style their subtitles."""

from typing import Any
from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request, empty
from tortoise.transactions import in_transaction

from control.artifacts.models import ArtifactRow
from control.artifacts.schemas import StaleArtifact
from control.audit import trail
from control.bodies import body, query, reply
from control.branding.kits import brand_for
from control.clips.cuts import cut_of, playing_s, segments_of, style_of, trimmed, words_of
from control.clips.models import Clip, ClipStatus
from control.clips.order import moved
from control.clips.previews import preview_url
from control.clips.schemas import (
    CandidateOut,
    ClipChanged,
    ClipOut,
    ClipPatch,
    ClipQuery,
    ClipWhole,
    GenerateClips,
    StyleClip,
)
from control.dmca.blocks import refuse_held
from control.errors import Unfit
from control.jobs.models import Job, JobState
from control.jobs.queue import enqueue, refuse_busy
from control.jobs.schemas import JobOut, accepted
from control.openapi import spec
from control.paging import Page, listed, listing
from control.paths import verb, word
from control.records import check_if_match, find
from control.transcripts.models import Transcript
from control.videos.models import Video
from control.videos.source import source_of
from control.webhooks.outbox import emit
from ray_jobs.contract import ClipEdit, FindClips, JobKind, Segment, StyleSubtitles

blueprint = Blueprint("clips")
ORDERS = {"rank": ("rank", "id"), "score": ("-score", "id"), "start": ("start_s", "id")}

MIN_PLAYING_S = 0.5
EDGE_S = 0.001


async def _generate(request: Request, video_id: UUID | str) -> HTTPResponse:
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, GenerateClips)
    video = await find(Video.of(member), video_id)
    source = source_of(video)
    if video.duration_s is not None and wanted.range_start_s >= video.duration_s:
        raise Unfit.at("range_start_s", f"the video ends at {video.duration_s} s")
    if wanted.opinion and settings.writer is None:
        raise Unfit.at("opinion", "the deployment has no language model: set CUTROOM_LLM_URL")
    transcript = (
        await Transcript.of(member).filter(video_id=video.id).order_by("-made_at", "id").first()
    )
    order = FindClips(
        source=source,
        segments=[Segment.model_validate(s) for s in transcript.segments] if transcript else [],
        rough=transcript.rough if transcript else False,
        language=transcript.language if transcript else None,
        transcript_id=transcript.id if transcript else None,
        weights=settings.weights.model_copy(update=dict(wanted.weights)),
        opinion=settings.writer if wanted.opinion else None,
        **wanted.model_dump(exclude={"weights", "opinion", "force"}),
    )
    job, found = await enqueue(
        member, order, project_id=video.project_id, video_id=video.id, force=wanted.force,
        max_attempts=settings.job_attempts,
    )  # fmt: skip
    return reply(accepted(job, deduplicated=found), 202, {"Location": f"/v1/jobs/{job.id}"})


@blueprint.post("/videos/<video_id:uuid>/generate-clips")
@spec(body=GenerateClips, returns=JobOut, status=202)
async def generate_clips(request: Request, video_id: UUID) -> HTTPResponse:
    """Find the spans worth showing, with the reasons why."""
    return await _generate(request, video_id)


@blueprint.post("/videos/" + verb("video_id", "generate-clips"))
@spec(body=GenerateClips, returns=JobOut, status=202)
async def generate_clips_verb(request: Request, video_id: str) -> HTTPResponse:
    """Find the spans worth showing, with the reasons why."""
    return await _generate(request, video_id)


@blueprint.get("/videos/<video_id:uuid>/clips")
@spec(query=ClipQuery, lists=ClipOut)
async def list_clips(request: Request, video_id: UUID) -> HTTPResponse:
    """A video's clips, best first; ones that a newer search replaced are left out."""
    member, page, wanted = request.ctx.member, Page.of(request), query(request, ClipQuery)
    rows = Clip.of(member).filter(video_id=video_id).exclude(status=ClipStatus.SUPERSEDED)
    if wanted.status:
        rows = rows.filter(status=wanted.status)
    if wanted.tag:
        rows = rows.filter(tags__contains=[wanted.tag])
    whose = (Video.of(member), video_id)
    return await listing(rows, ClipOut, page, order=ORDERS[wanted.sort], within=whose)


@blueprint.get("/clips/<clip_id:uuid>")
@spec(returns=ClipWhole)
async def get_clip(request: Request, clip_id: UUID) -> HTTPResponse:
    """One clip, with a link to look at it."""
    clip = await find(Clip.of(request.ctx.member), clip_id)
    shown = ClipWhole.model_validate(clip)
    return reply(shown.model_copy(update={"preview_url": await _preview(request, clip)}))


async def _preview(request: Request, clip: Clip) -> str | None:
    context = request.app.ctx
    return await preview_url(
        request.ctx.member, context.store, clip, expires_s=context.settings.download_s
    )


@blueprint.get("/videos/<video_id:uuid>/candidates")
@spec(lists=CandidateOut)
async def list_candidates(request: Request, video_id: UUID) -> HTTPResponse:
    """The best spans that the last search passed over, best first, and why.

    Every one of them, with what each part contributed, is in the artifact `candidates`.
    """
    member, page = request.ctx.member, Page.of(request)
    await find(Video.of(member), video_id)
    searches = Job.of(member).filter(
        video_id=video_id, kind=JobKind.FIND_CLIPS, state=JobState.SUCCEEDED
    )
    last = await searches.order_by("-finished_at", "id").first()
    rows = last.result.get("passed_over", []) if last else []
    shown = rows[page.offset : page.offset + page.limit]
    items = [CandidateOut.model_validate(row) for row in shown]
    return listed(items, CandidateOut, page, len(rows))


@blueprint.delete("/clips/<clip_id:uuid>")
@spec(status=204)
async def delete_clip(request: Request, clip_id: UUID) -> HTTPResponse:
    """Remove a clip and what was registered as its own."""
    member = request.ctx.member
    async with in_transaction() as tx:
        clip = await find(Clip.of(member).using_db(tx).select_for_update(), clip_id)
        check_if_match(request, clip)
        await refuse_busy(tx, clip_id=clip.id)
        await refuse_held(tx, member, video_id=clip.video_id)
        await trail.record(tx, member, "clip.deleted", clip, before={"title": clip.title})
        await ArtifactRow.filter(clip_id=clip.id).using_db(tx).delete()
        await clip.delete(using_db=tx)
    return empty()


@blueprint.patch("/clips/<clip_id:uuid>")
@spec(body=ClipPatch, returns=ClipChanged)
async def change_clip(request: Request, clip_id: UUID) -> HTTPResponse:
    """Rename, trim, edit, reframe, move, tag, keep or reject a clip, at once and without a job."""
    member, patch = request.ctx.member, body(request, ClipPatch)
    async with in_transaction() as tx:
        clip = await find(Clip.of(member).using_db(tx).select_for_update(), clip_id)
        check_if_match(request, clip)
        video = await find(Video.of(member).using_db(tx), clip.video_id)
        changes = patch.model_dump(exclude_unset=True, exclude={"snap", "rank"})
        if {"start_s", "end_s"} & set(changes):
            segments = await segments_of(member, video)
            changes |= trimmed(clip, changes, video, segments, snap=patch.snap == "word")
        if {"start_s", "end_s", "edits"} & set(changes):
            _check_length(clip, changes, patch)
        if patch.rank is not None:
            changes["rank"] = await moved(tx, clip, patch.rank)
        before = {name: getattr(clip, name) for name in changes}
        clip.update_from_dict({**changes, "edited": True})
        await clip.save(using_db=tx)
        await trail.record(tx, member, "clip.updated", clip, before=before, after=changes)
        told = {"clip_id": clip.id, "video_id": clip.video_id, "changed": sorted(changes)}
        await emit(tx, member.organization_id, "clip.updated", told)
        rendered = {"start_s", "end_s", "crop_track", "edits"} & set(changes)
        stale = await _stale(clip) if rendered else []
    also = {"stale_artifacts": stale, "preview_url": await _preview(request, clip)}
    return reply(ClipChanged.model_validate(clip).model_copy(update=also))


def _check_length(clip: Clip, changes: dict[str, Any], patch: ClipPatch) -> None:
    """Raise `Unfit` for edits outside the clip, and for a clip of which too little is left."""
    start_s, end_s = changes.get("start_s", clip.start_s), changes.get("end_s", clip.end_s)
    sent = patch.edits or []
    if any(edit.start_s < start_s - EDGE_S or edit.end_s > end_s + EDGE_S for edit in sent):
        raise Unfit.at("edits", "an edit must lie within the clip")
    edits = [ClipEdit.model_validate(edit) for edit in changes.get("edits", clip.edits)]
    if playing_s(edits, start_s, end_s) < MIN_PLAYING_S:
        at = "edits" if patch.edits is not None else "end_s"
        raise Unfit.at(at, f"at least {MIN_PLAYING_S} s of the clip must be left")


async def _stale(clip: Clip) -> list[StaleArtifact]:
    rows = await ArtifactRow.filter(clip_id=clip.id, organization_id=clip.organization_id).order_by(
        "-created_at", "id"
    )
    return [StaleArtifact.model_validate(row) for row in rows]


@blueprint.post("/clips/<clip_id:uuid>/" + word("subtitles:style"))
@spec(body=StyleClip, returns=JobOut, status=202)
async def style_clip(request: Request, clip_id: UUID, word: str) -> HTTPResponse:  # noqa: ARG001
    """Style a clip's subtitles and show what they will look like."""
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, StyleClip)
    clip = await find(Clip.of(member), clip_id)
    video = await find(Video.of(member), clip.video_id)
    brand, brand_style = await brand_for(
        member, settings, request.app.ctx.store, wanted.brand_kit_id,
        version=wanted.brand_kit_version, unasked="brand_kit_id" not in wanted.model_fields_set,
    )  # fmt: skip
    style = style_of(wanted.preset, brand_style | wanted.overrides, settings)
    order = StyleSubtitles(
        source=source_of(video),
        clip=cut_of(clip, *await words_of(member, video, settings), style),
        aspect=wanted.aspect,
        layout=wanted.layout,
        height=wanted.height,
        brand=brand,
    )
    job, found = await enqueue(
        member, order, project_id=clip.project_id, video_id=video.id, clip_id=clip.id,
        max_attempts=settings.job_attempts, force=wanted.force,
    )  # fmt: skip
    return reply(accepted(job, deduplicated=found), 202, {"Location": f"/v1/jobs/{job.id}"})
