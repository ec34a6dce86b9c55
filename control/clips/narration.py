"""`POST /v1/clips/{id}/tts`: have a text spoken over a clip."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sanic import Blueprint, HTTPResponse, Request

from control.access import Member
from control.bodies import In, body, reply
from control.clips.models import Clip
from control.errors import Conflict
from control.jobs.queue import enqueue
from control.jobs.schemas import JobOut, accepted
from control.openapi import spec
from control.records import find
from control.settings import Settings
from control.transcripts.models import Transcript
from control.videos.models import Video
from control.videos.source import source_of
from ray_jobs.contract import (
    ClipEdit,
    Ducking,
    Language,
    Loudness,
    Narrate,
    Segment,
    Spoken,
    Truth,
    VoiceName,
    Word,
)

blueprint = Blueprint("narration")
SLACK_S = 0.01
MAX_TEXT = 20_000


class NarrateClip(In):
    """`text` left out is what is said in the clip; `fit` to the clip's length changes the pace by
    at most `max_stretch`; `speed` is a factor of the voice's natural pace.
    """

    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT), Spoken] | None = None
    language: Language | None = None
    voice: VoiceName | None = None
    speed: float = Field(default=1.0, ge=0.5, le=2)
    fit: Literal["clip", "none"] = "clip"
    max_stretch: float = Field(default=0.12, ge=0, le=0.5)
    loudness: Loudness | None = None
    ducking: Ducking | None = None
    priority: int = Field(default=0, ge=-100, le=100)
    force: Truth = False


@blueprint.post("/clips/<clip_id:uuid>/tts")
@spec(body=NarrateClip, returns=JobOut, status=202)
async def narrate_clip(request: Request, clip_id: UUID) -> HTTPResponse:
    """Speak a text over a clip: a dry stem, and a mix under which the clip's sound gives way."""
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, NarrateClip)
    clip = await find(Clip.of(member), clip_id)
    video = await find(Video.of(member), clip.video_id)
    order = await _order(member, settings, clip, video, wanted)
    job, found = await enqueue(
        member, order, project_id=clip.project_id, video_id=video.id, clip_id=clip.id,
        priority=wanted.priority, max_attempts=settings.job_attempts, force=wanted.force,
    )  # fmt: skip
    return reply(accepted(job, deduplicated=found), 202, {"Location": f"/v1/jobs/{job.id}"})


async def _order(
    member: Member, settings: Settings, clip: Clip, video: Video, wanted: NarrateClip
) -> Narrate:
    transcript = (
        await Transcript.of(member).filter(video_id=video.id).order_by("-made_at", "id").first()
    )
    text = wanted.text or (said_in(clip, transcript) if transcript else "") or clip.text
    if not any(character.isalnum() for character in text):
        raise Conflict(
            "Nothing is known to be said in the clip: send a text, or transcribe the video.",
            code="transcript_needed",
        )
    language = wanted.language or (transcript.language if transcript else "en")
    return Narrate(
        source=source_of(video),
        clip_id=clip.id,
        start_s=clip.start_s,
        end_s=clip.end_s,
        edits=[ClipEdit.model_validate(edit) for edit in clip.edits],
        text=text[:MAX_TEXT],
        language=language,
        voice=wanted.voice or settings.tts_voice or None,
        speaker=settings.speaker,
        loudness=wanted.loudness or settings.tts_loudness,
        ducking=wanted.ducking or settings.ducking,
        **wanted.model_dump(include={"speed", "fit", "max_stretch"}),
    )


def said_in(clip: Clip, transcript: Transcript) -> str:
    """The words of a transcript that are heard in a clip, as running text."""
    edits = [edit for edit in map(ClipEdit.model_validate, clip.edits) if edit.applied]

    def heard(word: Word) -> bool:
        middle_s = (word.start_s + word.end_s) / 2
        return not any(edit.start_s <= middle_s <= edit.end_s for edit in edits)

    words = [
        word.text
        for segment in map(Segment.model_validate, transcript.segments)
        for word in segment.words
        if word.start_s >= clip.start_s - SLACK_S
        and word.end_s <= clip.end_s + SLACK_S
        and heard(word)
    ]
    return " ".join(words)
