"""The vocabulary shared by the control plane and the workers: plain data, Pydantic only.

Every job kind has one spec and one result. A spec is complete: weights, presets, loudness targets
and object keys are resolved when the job is queued, so that a worker needs nothing but the order,
the object store and the order's token. Media times are seconds; frame rates are exact fractions.
"""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ObjectKey = Annotated[str, Field(min_length=1, max_length=900, pattern=r"^[A-Za-z0-9._/=-]+$")]
Rational = Annotated[str, Field(pattern=r"^[0-9]+/[1-9][0-9]*$")]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Colour = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?$")]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class Plain(BaseModel):
    """Frozen data that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class JobKind(StrEnum):
    INGEST = "ingest"
    TRANSCRIBE = "transcribe"
    FIND_CLIPS = "find_clips"
    STYLE_SUBTITLES = "style_subtitles"
    EXPORT = "export"


class ObjectRef(Plain):
    """An object that exists in the store; `sha256` is of its bytes."""

    key: ObjectKey
    sha256: Sha256
    size_bytes: int = Field(ge=0)
    content_type: str


class Artifact(Plain):
    """A registered output: what it is, where it lies, and what it belongs to."""

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    object: ObjectRef
    filename: str = Field(max_length=255)
    clip_id: UUID | None = None


# ---- media -------------------------------------------------------------------------------------


class AudioStream(Plain):
    index: int = Field(ge=0)
    codec: str
    sample_rate_hz: int = Field(gt=0)
    channels: int = Field(gt=0)
    layout: str
    language: str | None = None


class MediaInfo(Plain):
    """What a probe of the decoded file found; sizes are as displayed, after rotation."""

    container: str
    duration_s: Seconds
    frame_rate: Rational | None = None
    vfr: bool = False
    frames: int | None = Field(default=None, ge=0)
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    sample_aspect_ratio: Rational = "1/1"
    rotation_deg: int = 0
    video_codec: str | None = None
    pixel_format: str | None = None
    color_transfer: str | None = None
    interlaced: bool = False
    video_start_s: Finite = 0.0
    audio_start_s: Finite = 0.0
    audio: list[AudioStream] = Field(default_factory=list, max_length=64)
    warnings: list[str] = Field(default_factory=list, max_length=64)


class Source(Plain):
    """The recording a job works on: the original bytes and what ingest learned of them."""

    video_id: UUID
    object: ObjectRef
    media: MediaInfo


# ---- transcript --------------------------------------------------------------------------------


class Word(Plain):
    """One written token. `interpolated` says its times were estimated, not heard."""

    id: str
    text: str
    start_s: Seconds
    end_s: Seconds
    confidence: Share
    interpolated: bool = False


class Segment(Plain):
    """A sentence or phrase; words are in order and lie within it."""

    id: str
    start_s: Seconds
    end_s: Seconds
    text: str
    confidence: Share
    speaker: str | None = None
    words: list[Word] = Field(default_factory=list)


class GivenTranscript(Plain):
    """A transcript the user has: text in one of these forms, to be aligned to the sound."""

    format: Literal["srt", "vtt", "json", "text"]
    text: str = Field(max_length=4_000_000)


# ---- specs -------------------------------------------------------------------------------------


class IngestLimits(Plain):
    max_duration_s: float = 12 * 3600.0
    max_size_bytes: int = 64 * 2**30
    max_pixels: int = 8192 * 8192
    url_timeout_s: float = 3600.0
    allow_private_hosts: bool = False


class Ingest(Plain):
    """Bring a recording in: from an uploaded object (`key`) or from a `url`, exactly one."""

    kind: Literal["ingest"] = "ingest"
    video_id: UUID
    filename: str
    key: ObjectKey | None = None
    url: str | None = None
    expected_sha256: Sha256 | None = None
    limits: IngestLimits = IngestLimits()


class Transcribe(Plain):
    kind: Literal["transcribe"] = "transcribe"
    source: Source
    engine: Literal["auto", "faster_whisper", "pocketsphinx"] = "auto"
    model: str = "whisper-small"
    language: Language | None = None
    hotwords: list[str] = Field(default_factory=list, max_length=200)
    given: GivenTranscript | None = None


class ScoreWeights(Plain):
    """Weight of each named part; parts are 0..1, so the total is at most the sum of weights."""

    hook: float = Field(default=1.5, ge=0)
    meaning: float = Field(default=1.5, ge=0)
    completeness: float = Field(default=1.0, ge=0)
    topic: float = Field(default=0.75, ge=0)
    speech: float = Field(default=1.0, ge=0)
    energy: float = Field(default=0.75, ge=0)
    dynamics: float = Field(default=0.5, ge=0)
    motion: float = Field(default=0.5, ge=0)
    saliency: float = Field(default=0.25, ge=0)
    pacing: float = Field(default=0.5, ge=0)
    length: float = Field(default=0.5, ge=0)


class FindClips(Plain):
    kind: Literal["find_clips"] = "find_clips"
    source: Source
    segments: list[Segment] = Field(default_factory=list)
    language: Language | None = None
    transcript_id: UUID | None = None
    max_clips: int = Field(default=5, ge=1, le=100)
    min_duration_s: float = Field(default=12.0, gt=0)
    max_duration_s: float = Field(default=60.0, gt=0)
    range_start_s: Seconds = 0.0
    range_end_s: Seconds | None = None
    keywords: list[str] = Field(default_factory=list, max_length=50)
    weights: ScoreWeights = ScoreWeights()


class SubtitleStyle(Plain):
    """How subtitles look; sizes are shares of the picture height, so one style fits every size."""

    preset: str = "karaoke"
    animation: Literal["karaoke", "highlight", "pop", "none"] = "karaoke"
    font: str = "Roboto"
    bold: bool = True
    size: float = Field(default=0.045, gt=0, le=0.25)
    color: Colour = "#FFFFFF"
    active_color: Colour = "#FFD400"
    outline_color: Colour = "#000000"
    outline: float = Field(default=0.004, ge=0, le=0.05)
    box_color: Colour | None = None
    uppercase: bool = False
    max_chars_per_line: int = Field(default=26, ge=8, le=80)
    max_lines: int = Field(default=2, ge=1, le=4)
    position: Literal["bottom", "center", "top"] = "bottom"
    margin: float = Field(default=0.18, ge=0, le=0.5)


Aspect = Literal["9:16", "1:1", "4:5", "16:9", "source"]


class CropPoint(Plain):
    """Centre of the crop at a time of the source, as shares of the source picture."""

    time_s: Seconds
    x: Share
    y: Share
    cut: bool = False


class ClipCut(Plain):
    """A clip to render: its span of the source, its words (source time), how to frame it.

    `crop_track` holds the wanted subject centre over the span; the worker plans the smooth path.
    """

    clip_id: UUID
    rank: int = Field(ge=1)
    title: str
    start_s: Seconds
    end_s: Seconds
    words: list[Word] = Field(default_factory=list)
    crop_track: list[CropPoint] = Field(default_factory=list)
    style: SubtitleStyle | None = SubtitleStyle()


class StyleSubtitles(Plain):
    kind: Literal["style_subtitles"] = "style_subtitles"
    source: Source
    clip: ClipCut
    aspect: Aspect = "9:16"
    height: int = Field(default=1920, ge=64, le=4320)


class Loudness(Plain):
    """EBU R 128 delivery targets, measured on the decoded deliverable."""

    target_lufs: float = Field(default=-14.0, ge=-40, le=-5)
    tolerance_lu: float = Field(default=0.5, gt=0, le=3)
    max_true_peak_dbtp: float = Field(default=-1.0, ge=-20, le=0)


class Export(Plain):
    kind: Literal["export"] = "export"
    source: Source
    clips: list[ClipCut] = Field(min_length=1, max_length=100)
    aspect: Aspect = "9:16"
    height: int = Field(default=1920, ge=64, le=4320)
    burn_subtitles: bool = True
    loudness: Loudness = Loudness()
    encoder: Literal["auto", "nvenc", "x264"] = "auto"
    crf: int = Field(default=20, ge=0, le=51)
    speed: Literal["ultrafast", "veryfast", "fast", "medium", "slow"] = "veryfast"


Spec = Annotated[
    Ingest | Transcribe | FindClips | StyleSubtitles | Export, Field(discriminator="kind")
]

# ---- results -----------------------------------------------------------------------------------


class Ingested(Plain):
    """`object` is the original at its content-addressed key."""

    kind: Literal["ingest"] = "ingest"
    object: ObjectRef
    media: MediaInfo
    artifacts: list[Artifact]


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
    Ingested | Transcribed | ClipsFound | SubtitlesStyled | Exported, Field(discriminator="kind")
]

# ---- order and report --------------------------------------------------------------------------


class Order(Plain):
    """What the director hands to a worker. `report_url` takes PATCH with `X-Worker-Token`."""

    job_id: UUID
    organization_id: UUID
    attempt: int = Field(ge=1)
    lease_s: float = Field(gt=0)
    report_url: str
    worker_token: str
    spec: Spec


class Problem(Plain):
    """Why a job failed: a stable code, a sentence for people, whether another try may help."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    detail: str = Field(max_length=4000)
    retryable: bool = False


class StepReport(Plain):
    name: str
    state: Literal["running", "done", "failed"]
    cached: bool = False
    wall_s: Seconds = 0.0


class ReportState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class Report(Plain):
    """A worker's word on its attempt; `seq` grows by one, a repeated `seq` changes nothing.

    `effective` says what ran: engine, decoder, encoder, with the reason of any fallback.
    """

    attempt: int = Field(ge=1)
    seq: int = Field(ge=1)
    state: ReportState
    progress: Share = 0.0
    step: str | None = None
    steps: list[StepReport] = Field(default_factory=list, max_length=1000)
    effective: dict[str, str] = Field(default_factory=dict)
    cached: bool = False
    result: Result | None = None
    problem: Problem | None = None


class Directive(StrEnum):
    """Control's answer to a report."""

    CONTINUE = "continue"
    PAUSE = "pause"
    CANCEL = "cancel"


class ReportAnswer(Plain):
    directive: Directive


def object_key(organization_id: UUID, *parts: str) -> str:
    """Key of an object in an organisation's namespace: `orgs/<id>/<part>/…`."""
    return "/".join(("orgs", str(organization_id), *parts))


Json = dict[str, JsonValue]

SUBTITLE_PRESETS: dict[str, SubtitleStyle] = {
    "karaoke": SubtitleStyle(),
    "highlight": SubtitleStyle(
        preset="highlight",
        animation="highlight",
        size=0.05,
        active_color="#34E27A",
        uppercase=True,
        max_chars_per_line=20,
    ),
    "pop": SubtitleStyle(
        preset="pop",
        animation="pop",
        size=0.055,
        outline=0.005,
        uppercase=True,
        max_chars_per_line=18,
    ),
    "box": SubtitleStyle(
        preset="box",
        animation="highlight",
        size=0.04,
        outline=0.0,
        box_color="#101418D0",
        margin=0.14,
    ),
    "minimal": SubtitleStyle(
        preset="minimal",
        animation="none",
        bold=False,
        size=0.034,
        outline=0.002,
        max_chars_per_line=36,
        margin=0.08,
    ),
}
