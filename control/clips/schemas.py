"""What a clip looks like from outside, and how clips are asked for."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, computed_field, model_validator

from control.artifacts.schemas import StaleArtifact
from control.bodies import In, Out, Patch
from control.clips.cuts import playing_s
from control.clips.models import ClipStatus
from ray_jobs.contract import (
    Aspect,
    ClipEdit,
    CropPoint,
    Layout,
    ScorePart,
    StyleChanges,
    SubtitlePreset,
    SubtitleStyle,
    Truth,
)

Tag = Annotated[str, Field(min_length=1, max_length=50)]
Tags = Annotated[list[Tag], Field(max_length=20), AfterValidator(lambda tags: sorted(set(tags)))]

WeightName = Literal[
    "hook", "meaning", "completeness", "topic", "speech", "energy", "dynamics", "motion",
    "saliency", "pacing", "length", "opinion",
]  # fmt: skip


class GenerateClips(In):
    """`weights` override the deployment's, part by part.

    Every clip comes with edits that would leave its filler words and long pauses out; `tighten`
    applies them. With `opinion` the deployment's language model reads the best candidates, and what
    it thinks is one more part of their scores.
    """

    max_clips: int = Field(default=5, ge=1, le=100)
    min_duration_s: float = Field(default=12.0, gt=0, le=3600)
    max_duration_s: float = Field(default=60.0, gt=0, le=3600)
    range_start_s: float = Field(default=0.0, ge=0)
    range_end_s: float | None = Field(default=None, gt=0)
    keywords: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)] = []
    weights: dict[WeightName, Annotated[float, Field(ge=0, le=100)]] = {}
    tighten: Truth = False
    opinion: Truth = False
    force: Truth = False

    @model_validator(mode="after")
    def spans(self) -> "GenerateClips":
        if self.max_duration_s < self.min_duration_s:
            raise ValueError("max_duration_s must not be less than min_duration_s")
        if self.range_end_s is not None and self.range_end_s <= self.range_start_s:
            raise ValueError("range_end_s must be greater than range_start_s")
        return self


class ClipPatch(Patch):
    """`snap` moves changed ends to the nearest word boundary, the default.

    `crop_track` says where the subject is, in seconds of the video and shares of its picture; the
    camera moves from point to point, and jumps to one with `cut`. An empty one is the middle.

    `edits` replace the clip's: stretches inside it, in seconds of the video; those that are
    `applied` are left out when it is rendered.

    `rank` moves the clip to that place among the video's clips; those between move up or down.
    """

    title: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    start_s: Annotated[float, Field(ge=0)] | None = None
    end_s: Annotated[float, Field(gt=0)] | None = None
    status: Literal["suggested", "kept", "rejected"] | None = None
    rank: Annotated[int, Field(ge=1, le=100_000)] | None = None
    tags: Tags | None = None
    crop_track: Annotated[list[CropPoint], Field(max_length=10_000)] | None = None
    edits: Annotated[list[ClipEdit], Field(max_length=1000)] | None = None
    snap: Literal["word", "none"] = "word"


class ClipQuery(In):
    """`rank` is the order in which they were chosen, `start` that of the recording."""

    status: Literal["suggested", "kept", "rejected"] | None = None
    tag: Tag | None = None
    sort: Literal["rank", "score", "start"] = "rank"


class StyleClip(In):
    """A preset's name, and what shall be different from it."""

    preset: SubtitlePreset | None = None
    overrides: StyleChanges = {}
    aspect: Aspect = "9:16"
    layout: Layout = "track"
    height: int = Field(default=1920, ge=64, le=4320)
    brand_kit_id: UUID | None = None
    brand_kit_version: int | None = Field(default=None, ge=1)
    force: Truth = False


class ClipOut(Out):
    id: UUID
    project_id: UUID
    video_id: UUID
    job_id: UUID | None
    rank: int
    title: str
    text: str
    start_s: float
    end_s: float
    score: float
    parts: list[ScorePart]
    segment_ids: list[str]
    tags: list[str]
    subtitle_style: SubtitleStyle | None
    status: ClipStatus
    edited: bool
    created_at: datetime
    updated_at: datetime


class CandidateOut(Out):
    """A span that was considered and not taken, and why."""

    start_s: float
    end_s: float
    score: float
    reason: str


class ClipWhole(ClipOut):
    """`crop_track`: where the subject is, for the camera to follow; `edits`: what the clip can do
    without, and how long it plays where those that are applied are left out.

    `preview_url` plays the clip's span of the recording as it is now, without a rendering; it is
    signed and dies soon.
    """

    crop_track: list[CropPoint]
    edits: list[ClipEdit]
    preview_url: str | None = None

    @computed_field
    def playing_s(self) -> float:
        """The clip's length without what is left out."""
        return round(playing_s(self.edits, self.start_s, self.end_s), 3)


class ClipChanged(ClipWhole):
    """`stale_artifacts` show the clip as it was: render them again to see the change."""

    stale_artifacts: list[StaleArtifact] = []
