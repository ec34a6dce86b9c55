"""What a transcript looks like from outside."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from control.bodies import In, Out, Patch
from ray_jobs.contract import GivenTranscript, Language, Segment


class MakeTranscript(In):
    """Recognise the speech, or align a transcript that is `given`."""

    language: Language | None = None
    engine: Literal["auto", "faster_whisper", "pocketsphinx"] | None = None
    hotwords: Annotated[list[str], Field(max_length=200)] = []
    given: GivenTranscript | None = None
    force: bool = False


class AlignTranscript(In):
    """Which segments to time anew; all of them where none is named."""

    segment_ids: Annotated[list[str], Field(min_length=1, max_length=10_000)] | None = None
    force: bool = False


class SegmentPatch(In):
    """New text or speaker of one segment; times of words that stay the same are untouched."""

    id: str
    text: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None
    speaker: Annotated[str, Field(max_length=100)] | None = None


class TranscriptPatch(Patch):
    segments: Annotated[list[SegmentPatch], Field(max_length=10_000)] = []


class TranscriptBrief(Out):
    id: UUID
    video_id: UUID
    job_id: UUID | None
    engine: str
    language: str
    given: bool
    rough: bool
    note: str | None
    revision: int
    created_at: datetime
    updated_at: datetime


class TranscriptOut(TranscriptBrief):
    segments: list[Segment]
