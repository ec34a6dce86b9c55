"""What a transcript looks like from outside."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from control.artifacts.schemas import StaleArtifact
from control.bodies import In, Out, Patch
from ray_jobs.contract import AlignerName, GivenTranscript, Language, Segment, SpeakerCount, Truth

Speaker = Annotated[str, Field(min_length=1, max_length=100)]


class MakeTranscript(In):
    """Recognise the speech, or align a transcript that is `given`.

    With `diarize` each segment says who speaks, and ends where the speaker changes; `speakers`
    tells how many there are, where that is known. `prompt` shows the spelling and manner wanted.
    """

    language: Language | None = None
    engine: Literal["auto", "faster_whisper", "pocketsphinx"] | None = None
    hotwords: Annotated[list[str], Field(max_length=200)] = []
    prompt: Annotated[str, Field(max_length=1000)] | None = None
    given: GivenTranscript | None = None
    diarize: Truth = False
    speakers: SpeakerCount = SpeakerCount()
    force: Truth = False


class AlignTranscript(In):
    """Which segments to time; all of them where none is named.

    Words whose times are estimates, as after an edit, are found in the sound and no other word is
    touched; all words are timed where none is an estimate, or with `anew`.
    """

    segment_ids: Annotated[list[str], Field(min_length=1, max_length=10_000)] | None = None
    engine: AlignerName = "auto"
    anew: Truth = False
    force: Truth = False


class ExportQuery(In):
    """`srt` and `vtt` are cues to show, `txt` is to read, `json` is all that is known."""

    format: Literal["srt", "vtt", "txt", "json"] = "srt"


class SegmentPatch(In):
    """New text or speaker of one segment; times of words that stay the same are untouched."""

    id: str
    text: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None
    speaker: Speaker | None = None


class Split(In):
    """Cut a segment in two before one of its words."""

    segment_id: str
    before_word_id: str


class TranscriptPatch(Patch):
    """What to change, done in this order: texts, speakers' names, splits, merges.

    `speakers` renames everywhere; two names that become one merge the speakers. `merges` joins
    segments that follow one another into the first of them.
    """

    segments: Annotated[list[SegmentPatch], Field(max_length=10_000)] = []
    speakers: Annotated[dict[Speaker, Speaker], Field(max_length=100)] = {}
    splits: Annotated[list[Split], Field(max_length=1000)] = []
    merges: Annotated[
        list[Annotated[list[str], Field(min_length=2, max_length=1000)]], Field(max_length=1000)
    ] = []
    note: Annotated[str, Field(max_length=500)] | None = None


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


class TranscriptChanged(TranscriptOut):
    """`stale_artifacts` hold the words as they were: make them again to see the change."""

    stale_artifacts: list[StaleArtifact] = []


class SegmentDiff(Out):
    """A segment before and after an edit; null where it was not there."""

    segment_id: str
    before: Segment | None
    after: Segment | None


class RevisionOut(Out):
    revision: int
    author_id: UUID | None
    note: str | None
    diff: list[SegmentDiff]
    created_at: datetime
