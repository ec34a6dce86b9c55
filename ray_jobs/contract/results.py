"""What each job kind gives back."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from ray_jobs.contract.specs import CropPoint, SubtitleStyle
from ray_jobs.contract.vocabulary import (
    Artifact,
    Finite,
    Language,
    MediaInfo,
    ObjectRef,
    Plain,
    Rational,
    Seconds,
    Segment,
    Share,
)


class Ingested(Plain):
    """`object` is the original at its content-addressed key."""

    kind: Literal["ingest"] = "ingest"
    object: ObjectRef
    media: MediaInfo
    artifacts: list[Artifact]


class MadeRendition(Plain):
    name: str
    width: int
    height: int
    frame_rate: Rational
    duration_s: Seconds
    video: Artifact


class Transcoded(Plain):
    kind: Literal["transcode"] = "transcode"
    renditions: list[MadeRendition]


class Aligned(Plain):
    """All segments of a transcript; only the named ones differ from what was given."""

    kind: Literal["align"] = "align"
    transcript_id: UUID
    revision: int
    engine: str
    aligned: list[str]
    segments: list[Segment]
    note: str | None = None


class Transcribed(Plain):
    """`rough` marks an engine whose words must not be trusted; `given` a user's own text."""

    kind: Literal["transcribe"] = "transcribe"
    engine: str
    language: Language
    given: bool
    rough: bool
    segments: list[Segment]
    artifacts: list[Artifact]
    note: str | None = None


class Evidence(Plain):
    """Where a part's value comes from: a span, and the words or frames that decided it."""

    start_s: Seconds
    end_s: Seconds
    words: list[str] = Field(default_factory=list, max_length=50)
    frames: list[int] = Field(default_factory=list, max_length=50)
    note: str | None = None


class ScorePart(Plain):
    """One named part of a score: contribution = weight x normalised; the total is their sum."""

    name: str
    value: Finite
    normalised: Share
    weight: float = Field(ge=0)
    contribution: Finite
    evidence: Evidence


class FoundClip(Plain):
    clip_id: UUID
    rank: int = Field(ge=1)
    start_s: Seconds
    end_s: Seconds
    score: Finite
    parts: list[ScorePart]
    title: str
    text: str
    segment_ids: list[str] = Field(default_factory=list)
    crop_track: list[CropPoint] = Field(default_factory=list)
    preview: Artifact | None = None


class ClipsFound(Plain):
    """Artifacts: `candidates` (JSON, every candidate and why it was passed over), `features`."""

    kind: Literal["find_clips"] = "find_clips"
    clips: list[FoundClip]
    candidates: int = Field(ge=0)
    shots: int = Field(ge=0)
    artifacts: list[Artifact]


class SubtitleFinding(Plain):
    severity: Literal["info", "warning", "error"]
    code: str
    message: str
    start_s: Seconds
    end_s: Seconds


class SubtitlesStyled(Plain):
    """Artifacts of the clip: `subtitles_ass`, `subtitles_srt`, `subtitles_vtt`, `preview`."""

    kind: Literal["style_subtitles"] = "style_subtitles"
    clip_id: UUID
    style: SubtitleStyle
    findings: list[SubtitleFinding]
    artifacts: list[Artifact]


class Deliverable(Plain):
    """One exported clip and what was measured on its decoded file.

    Loudness is None where the source has no sound or only silence.
    """

    clip_id: UUID
    rank: int = Field(ge=1)
    video: Artifact
    subtitles: list[Artifact]
    width: int
    height: int
    frame_rate: Rational
    frames: int
    duration_s: Seconds
    loudness_lufs: Finite | None
    true_peak_dbtp: Finite | None
    loudness_passes: int = 0
    findings: list[SubtitleFinding] = Field(default_factory=list)


class Exported(Plain):
    kind: Literal["export"] = "export"
    deliverables: list[Deliverable]


Result = Annotated[
    Ingested | Transcoded | Transcribed | Aligned | ClipsFound | SubtitlesStyled | Exported,
    Field(discriminator="kind"),
]
