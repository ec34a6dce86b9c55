"""How a retelling is asked for, mended, and shown."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, model_validator

from control.bodies import In, Out, Patch
from control.jobs.schemas import JobOut
from ray_jobs.contract import (
    Aspect,
    Ducking,
    Finding,
    Language,
    Loudness,
    QaGate,
    RefusedSentence,
    RetoldPart,
    ScriptSentence,
    Share,
    Spoken,
    StyleChanges,
    SubtitlePreset,
    Truth,
    VoiceName,
    apart,
)

Target = Annotated[float, Field(ge=1, le=1800)]
SentenceId = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(min_length=1, max_length=2000), Spoken]
Citations = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=200)
]


class RetellProject(In):
    """How long it shall be: `target_s` seconds, or `ratio` of the recording; left out, a minute or
    half of the recording. `video_id` may be left out in a project of one video that can be told;
    recordings that failed, or have not arrived, do not count. `qa_gate` fails the job where QA
    finds something as grave as that: its film is kept as `retell_held`.
    """

    model_config = apart("target_s", "ratio")

    video_id: UUID | None = None
    title: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    target_s: Target | None = None
    ratio: Annotated[float, Field(gt=0, le=1)] | None = None
    keep_share: Share = 0.3
    language: Language | None = None
    voice: VoiceName | None = None
    speed: float = Field(default=1.0, ge=0.5, le=2)
    aspect: Aspect = "16:9"
    height: int = Field(default=1080, ge=64, le=4320)
    burn_subtitles: Truth = True
    preset: SubtitlePreset | None = None
    overrides: StyleChanges = {}
    loudness: Loudness | None = None
    ducking: Ducking | None = None
    encoder: Literal["auto", "nvenc", "x264"] = "auto"
    crf: int = Field(default=20, ge=1, le=51)
    qa_gate: QaGate = "off"
    priority: int = Field(default=0, ge=-100, le=100)
    force: Truth = False

    @model_validator(mode="after")
    def one_length(self) -> "RetellProject":
        if self.target_s is not None and self.ratio is not None:
            raise ValueError("send target_s or ratio, not both")
        return self


class SentencePatch(In):
    """What shall be different in one sentence; what is left out stays."""

    id: SentenceId
    text: Text | None = None
    mode: Literal["narrate", "keep"] | None = None
    segment_ids: Citations | None = None


class RetellPatch(Patch):
    """`order` names every sentence that stays; `render` makes the film of what is then there."""

    title: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    target_s: Target | None = None
    sentences: Annotated[list[SentencePatch], Field(max_length=2000)] = []
    remove: Annotated[list[SentenceId], Field(max_length=2000)] = []
    order: Annotated[list[SentenceId], Field(max_length=2000)] | None = None
    render: Truth = False


class RetellStatus(StrEnum):
    """`edited` has a script that is newer than its film."""

    QUEUED = "queued"
    RENDERING = "rendering"
    READY = "ready"
    EDITED = "edited"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RetellReport(Out):
    """What was measured on the film of `rendered_version`."""

    video_artifact_id: UUID
    spec_sha256: str | None = None
    writer: str
    target_s: float
    predicted_s: float
    duration_s: float
    length_error: float
    coverage: float
    stretch: float
    spoken_anew: int
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    narration_to_bed_lu: float | None
    duck_depth_db: float
    parts: list[RetoldPart]
    refused: list[RefusedSentence]
    findings: list[Finding]


class RetellOut(Out):
    """`status` follows from the newest job and from whether the script was mended since."""

    columns: ClassVar[dict[str, str]] = {"job_state": "job_state"}

    id: UUID
    project_id: UUID
    video_id: UUID
    transcript_id: UUID
    job_id: UUID | None
    title: str
    target_s: float
    status: RetellStatus
    version: int
    rendered_version: int | None
    outline: list[str]
    script: list[ScriptSentence]
    report: RetellReport | None
    created_at: datetime
    updated_at: datetime


class Retelling(JobOut):
    """The job that makes the film, and the retelling it is for."""

    retell: RetellOut


class RetellChanged(RetellOut):
    """`job` is the one that was queued because of `render`."""

    job: JobOut | None = None
