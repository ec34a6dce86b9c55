"""`/v1/videos/{id}/transcripts`: have speech written down, read it, mend it."""

from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request
from tortoise.transactions import in_transaction

from control.audit import trail
from control.bodies import body, reply
from control.errors import Conflict, Invalid
from control.jobs.queue import enqueue
from control.jobs.schemas import JobOut, accepted
from control.openapi import spec
from control.paging import Page, listing
from control.paths import verb
from control.records import check_if_match, find, now
from control.transcripts.edits import edited
from control.transcripts.models import Transcript
from control.transcripts.schemas import (
    AlignTranscript,
    MakeTranscript,
    TranscriptBrief,
    TranscriptOut,
    TranscriptPatch,
)
from control.videos.models import Video
from control.videos.source import source_of
from ray_jobs.contract import Align, Segment, Transcribe

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
        given=wanted.given,
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
    await find(Video.of(member), video_id)
    return await listing(
        Transcript.of(member).filter(video_id=video_id), TranscriptBrief, page,
        order=("-made_at", "id"),
    )  # fmt: skip


@blueprint.get("/<transcript_id:uuid>")
@spec(returns=TranscriptOut)
async def get_transcript(request: Request, video_id: UUID, transcript_id: UUID) -> HTTPResponse:
    """One transcript with its segments and words."""
    rows = Transcript.of(request.ctx.member).filter(video_id=video_id)
    return reply(TranscriptOut.model_validate(await find(rows, transcript_id)))


@blueprint.patch("/<transcript_id:uuid>")
@spec(body=TranscriptPatch, returns=TranscriptOut)
async def change_transcript(request: Request, video_id: UUID, transcript_id: UUID) -> HTTPResponse:
    """Mend words or name speakers, at once and without a job."""
    member, patch = request.ctx.member, body(request, TranscriptPatch)
    async with in_transaction() as tx:
        rows = Transcript.of(member).filter(video_id=video_id).using_db(tx).select_for_update()
        transcript = await find(rows, transcript_id)
        check_if_match(request, transcript)
        segments = edited([Segment.model_validate(s) for s in transcript.segments], patch.segments)
        transcript.segments = [segment.model_dump(mode="json") for segment in segments]
        transcript.revision += 1
        transcript.made_at = now()
        await transcript.save(using_db=tx)
        await trail.record(tx, member, "transcript.updated", transcript, after=patch)
    return reply(TranscriptOut.model_validate(transcript))


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
        raise Invalid.at("segment_ids", f"there is no segment {unknown[0]}")
    order = Align(
        source=source_of(video),
        transcript_id=transcript.id,
        revision=transcript.revision,
        language=transcript.language,
        segments=transcript.segments,
        segment_ids=wanted.segment_ids,
    )
    job, found = await enqueue(
        member, order, project_id=video.project_id, video_id=video.id, force=wanted.force,
        max_attempts=settings.job_attempts,
    )  # fmt: skip
    return reply(accepted(job, deduplicated=found), 202, {"Location": f"/v1/jobs/{job.id}"})
