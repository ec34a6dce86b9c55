"""Words that specs, results and orders share: objects, media, transcripts."""

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
Severity = Literal["info", "warning", "error"]
Box = tuple[Share, Share, Share, Share]
"""Left, top, width and height, as shares of the picture."""
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class Plain(BaseModel):
    """Frozen data that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class JobKind(StrEnum):
    INGEST = "ingest"
    TRANSCODE = "transcode"
    TRANSCRIBE = "transcribe"
    ALIGN = "align"
    FIND_CLIPS = "find_clips"
    STYLE_SUBTITLES = "style_subtitles"
    EXPORT = "export"
    NARRATE = "narrate"
    RETELL = "retell"
    CHECK_ASSET = "check_asset"


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


class AudioStream(Plain):
    index: int = Field(ge=0)
    codec: str
    sample_rate_hz: int = Field(gt=0)
    channels: int = Field(gt=0)
    layout: str
    language: str | None = None


class MediaInfo(Plain):
    """What a probe of the decoded file found; sizes are as displayed, after rotation.

    `active` is the part of the picture inside of constant black bars; None where it is all of it.
    """

    container: str
    duration_s: Seconds
    frame_rate: Rational | None = None
    vfr: bool = False
    frames: int | None = Field(default=None, ge=0)
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    active: Box | None = None
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
    filename: str = Field(default="", max_length=255)


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
    text: str = Field(min_length=1, max_length=4_000_000)


AssetKind = Literal["watermark", "logo", "font", "intro", "outro"]
Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right", "center"]


class Placement(Plain):
    """Where a watermark lies; `width` and `margin` are shares of the picture's shorter side."""

    corner: Corner = "top_right"
    width: float = Field(default=0.18, ge=0.01, le=1)
    margin: float = Field(default=0.04, ge=0, le=0.45)
    opacity: float = Field(default=0.85, gt=0, le=1)


class Brand(Plain):
    """What a brand kit lays on a rendering; its objects are pinned by their hashes, so that a
    rendering can be repeated after the kit has changed.
    """

    kit_id: UUID | None = None
    version: int = Field(default=1, ge=1)
    watermark: ObjectRef | None = None
    placement: Placement = Placement()
    fonts: list[ObjectRef] = Field(default_factory=list, max_length=32)
    intro: ObjectRef | None = None
    outro: ObjectRef | None = None


Json = dict[str, JsonValue]
