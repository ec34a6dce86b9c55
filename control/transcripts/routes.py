"""`/v1/videos/{id}/transcripts`: have speech written down, read it, mend it."""

from pathlib import PurePath
from typing import Any
from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request, empty
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.expressions import Q, Subquery
from tortoise.transactions import in_transaction

from control.artifacts.models import ArtifactRow
from control.artifacts.schemas import StaleArtifact
from control.audit import trail
from control.bodies import body, query, reply
from control.clips.models import Clip
from control.dmca.blocks import refuse_held
from control.errors import Conflict, Unfit
from control.jobs.queue import enqueue
from control.jobs.schemas import JobOut, accepted
from control.openapi import spec
from control.paging import Page, listing
from control.paths import verb
from control.records import check_if_match, find, now
from control.storage import disposition
from control.transcripts.edits import diff, edited
from control.transcripts.files import WRITERS
from control.transcripts.models import Transcript, TranscriptRevision
from control.transcripts.schemas import (
    AlignTranscript,
    ExportQuery,
    MakeTranscript,
    RevisionOut,
    TranscriptBrief,
    TranscriptChanged,
    TranscriptOut,
    TranscriptPatch,
)
from control.videos.models import Video
from control.videos.source import source_of
from control.webhooks.outbox import emit
from ray_jobs.contract import Align, Segment, Transcribe

WITH_WORDS = ["export", "subtitles_ass", "subtitles_srt", "subtitles_vtt", "subtitle_preview"]

blueprint = Blueprint("transcripts", url_prefix="/videos/<video_id:uuid>/transcripts")


@blueprint.post("/")
@spec(body=MakeTranscript, returns=JobOut, status=202)
async def make_transcript(request: Request, video_id: UUID) -> HTTPResponse:
    """Write the speech down, word by word; or time the words of a transcript that is given."""
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, MakeTranscript)
    video = await find(Video.of(member), video_id)
    order = Transcribe(
        source=source_of(video),
        engine=wanted.engine or settings.speech_engine,
        model=settings.speech_model,
        language=wanted.language,
        hotwords=wanted.hotwords,
        prompt=wanted.prompt,
        given=wanted.given,
        diarize=wanted.diarize,
        speaker_model=settings.speaker_model,
        speakers=wanted.speakers,
    )
    job, found = await enqueue(
        member, order, project_id=video.project_id, video_id=video.id, force=wanted.force,
        max_attempts=settings.job_attempts,
    )  # fmt: skip
    return reply(accepted(job, deduplicated=found), 202, {"Location": f"/v1/jobs/{job.id}"})


@blueprint.get("/")
@spec(lists=TranscriptBrief)
async def list_transcripts(request: Request, video_id: UUID) -> HTTPResponse:
    """A video's transcripts, newest first, without their words."""
    member, page = request.ctx.member, Page.of(request)
    return await listing(
        Transcript.of(member).filter(video_id=video_id), TranscriptBrief, page,
        order=("-made_at", "id"), within=(Video.of(member), video_id),
    )  # fmt: skip


@blueprint.get("/<transcript_id:uuid>")
@spec(returns=TranscriptOut)
async def get_transcript(request: Request, video_id: UUID, transcript_id: UUID) -> HTTPResponse:
    """One transcript with its segments and words."""
    rows = Transcript.of(request.ctx.member).filter(video_id=video_id)
    return reply(TranscriptOut.model_validate(await find(rows, transcript_id)))


@blueprint.get("/" + verb("transcript_id", "export"))
@spec(query=ExportQuery)
async def export_transcript(request: Request, video_id: UUID, transcript_id: str) -> HTTPResponse:
    """The transcript as a file with every edit in it: SRT, WebVTT, plain text or JSON."""
    member, wanted = request.ctx.member, query(request, ExportQuery)
    video = await find(Video.of(member), video_id)
    row = await find(Transcript.of(member).filter(video_id=video_id), transcript_id)
    transcript = TranscriptOut.model_validate(row)
    if wanted.format == "json":
        text, content_type = transcript.model_dump_json(indent=1), "application/json"
    else:
        write, content_type = WRITERS[wanted.format]
        text = write(transcript.segments)
    name = f"{PurePath(video.filename).stem or 'transcript'}.{wanted.format}"
    headers = {"Content-Disposition": disposition(name).replace("inline", "attachment", 1)}
    return HTTPResponse(text, headers=headers, content_type=content_type)


@blueprint.patch("/<transcript_id:uuid>")
@spec(body=TranscriptPatch, returns=TranscriptChanged)
async def change_transcript(request: Request, video_id: UUID, transcript_id: UUID) -> HTTPResponse:
    """Mend words, name speakers, split and merge segments, at once and without a job."""
    member, patch = request.ctx.member, body(request, TranscriptPatch)
    async with in_transaction() as tx:
        rows = Transcript.of(member).filter(video_id=video_id).using_db(tx).select_for_update()
        transcript = await find(rows, transcript_id)
        check_if_match(request, transcript)
        before = [Segment.model_validate(s) for s in transcript.segments]
        after = edited(before, patch)
        changed = diff(before, after)
        if changed:
            transcript.segments = [segment.model_dump(mode="json") for segment in after]
            transcript.revision += 1
            transcript.made_at = now()
            await transcript.save(using_db=tx)
            await TranscriptRevision.create(
                using_db=tx, organization_id=member.organization_id, transcript_id=transcript.id,
                revision=transcript.revision, author_id=member.user_id, note=patch.note,
                diff=changed,
            )  # fmt: skip
            ids = {"transcript_id": transcript.id, "video_id": video_id}
            told = {**ids, "revision": transcript.revision}
            await trail.record(tx, member, "transcript.updated", transcript, after=patch)
            await emit(tx, member.organization_id, "transcript.updated", told)
        stale = await _stale(tx, transcript, changed)
    shown = TranscriptChanged.model_validate(transcript)
    return reply(shown.model_copy(update={"stale_artifacts": stale}))


async def _stale(
    tx: BaseDBAsyncClient, transcript: Transcript, changed: list[dict[str, Any]]
) -> list[StaleArtifact]:
    """What was made of the words that changed: the transcript's files, and clips that show them."""
    if not changed:
        return []
    sides = [side for one in changed for side in (one["before"], one["after"]) if side]
    start_s, end_s = min(s["start_s"] for s in sides), max(s["end_s"] for s in sides)
    clips = Clip.filter(video_id=transcript.video_id, start_s__lt=end_s, end_s__gt=start_s)
    of_words = Q(job_id=transcript.job_id, kind__startswith="transcript_") | Q(
        clip_id__in=Subquery(clips.values("id")),
        kind__in=WITH_WORDS,
    )
    rows = ArtifactRow.filter(of_words, organization_id=transcript.organization_id)
    found = await rows.using_db(tx).order_by("-created_at", "id")
    return [StaleArtifact.model_validate(row) for row in found]


@blueprint.get("/<transcript_id:uuid>/revisions")
@spec(lists=RevisionOut)
async def list_revisions(request: Request, video_id: UUID, transcript_id: UUID) -> HTTPResponse:
    """Every edit of a transcript with its author and what it changed, newest first."""
    member = request.ctx.member
    rows = TranscriptRevision.of(member).filter(
        transcript_id=transcript_id, transcript__video_id=video_id
    )
    whose = (Transcript.of(member).filter(video_id=video_id), transcript_id)
    return await listing(rows, RevisionOut, Page.of(request), order=("-revision",), within=whose)


@blueprint.delete("/<transcript_id:uuid>")
@spec(status=204)
async def delete_transcript(request: Request, video_id: UUID, transcript_id: UUID) -> HTTPResponse:
    """Remove a transcript and its revisions."""
    member = request.ctx.member
    async with in_transaction() as tx:
        rows = Transcript.of(member).filter(video_id=video_id).using_db(tx).select_for_update()
        transcript = await find(rows, transcript_id)
        check_if_match(request, transcript)
        await refuse_held(tx, member, video_id=video_id)
        await trail.record(
            tx, member, "transcript.deleted", transcript, before={"engine": transcript.engine}
        )
        await transcript.delete(using_db=tx)
    return empty()


@blueprint.post("/" + verb("transcript_id", "align"))
@spec(body=AlignTranscript, returns=JobOut, status=202)
async def align_transcript(request: Request, video_id: UUID, transcript_id: str) -> HTTPResponse:
    """Find the words in the sound again, of all segments or of those that were edited."""
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, AlignTranscript)
    video = await find(Video.of(member), video_id)
    transcript = await find(Transcript.of(member).filter(video_id=video_id), transcript_id)
    if not transcript.segments:
        raise Conflict(
            "The transcript is empty: there is nothing to align.", code="empty_transcript"
        )
    known = {segment["id"] for segment in transcript.segments}
    if unknown := [name for name in wanted.segment_ids or () if name not in known]:
        raise Unfit.at("segment_ids", f"there is no segment {unknown[0]}")
    order = Align(
        source=source_of(video),
        transcript_id=transcript.id,
        revision=transcript.revision,
        language=transcript.language,
        segments=transcript.segments,
        segment_ids=wanted.segment_ids,
        engine=wanted.engine,
        anew=wanted.anew,
    )
    job, found = await enqueue(
        member, order, project_id=video.project_id, video_id=video.id, force=wanted.force,
        max_attempts=settings.job_attempts,
    )  # fmt: skip
    return reply(accepted(job, deduplicated=found), 202, {"Location": f"/v1/jobs/{job.id}"})
