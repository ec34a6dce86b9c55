"""Words that specs, results and orders share: objects, media, transcripts."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import (
    bool_schema,
    chain_schema,
    custom_error_schema,
    json_or_python_schema,
    str_schema,
)


@dataclass(frozen=True)
class Like:
    """Text of a pattern. `words` say what is wanted, with an example, to whoever sent another: a
    regular expression tells most people nothing. Stands last among the conditions of a text.
    """

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        matched = custom_error_schema(
            str_schema(pattern=self.pattern),
            custom_error_type="pattern",
            custom_error_message=self.words,
        )
        return chain_schema([handler(kind), matched])

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        words = self.words[0].upper() + self.words[1:]
        before = handler(core["steps"][0])
        return {**before, "pattern": self.pattern, "description": f"{words}."}


class _TrueOrFalse:
    """Of JSON `true` and `false` alone; of Python whatever is one of them, as NumPy's are."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return json_or_python_schema(
            json_schema=bool_schema(strict=True), python_schema=handler(bool)
        )


Truth = Annotated[bool, _TrueOrFalse()]
Sha256 = Annotated[
    str, Like(r"^[0-9a-f]{64}$", "must be a SHA-256 of 64 hexadecimal digits, a to f small")
]
ObjectKey = Annotated[
    str,
    Field(min_length=1, max_length=900),
    Like(
        r"^[A-Za-z0-9._/=-]+$",
        "must be a key of letters, digits and . _ / = -, as an upload was given",
    ),
]
Rational = Annotated[str, Like(r"^[0-9]+/[1-9][0-9]*$", "must be a fraction, as in 30000/1001")]
Snake = Annotated[
    str,
    Field(max_length=64),
    Like(r"^[a-z][a-z0-9_]*$", "must be small letters, digits and _, as in processed_minutes"),
]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Colour = Annotated[
    str,
    Like(
        r"^#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?$",
        "must be a colour, as in #ff8800, or #ff880080 with its opacity",
    ),
]
Severity = Literal["info", "warning", "error"]
Box = tuple[Share, Share, Share, Share]
"""Left, top, width and height, as shares of the picture."""
Language = Annotated[
    str,
    Like(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "must be a language, as in en or pt-BR"),
]
MediaType = Annotated[
    str,
    Field(max_length=127),
    Like(r"^[\w.+-]+/[\w.+-]+(;[ -~]*)?$", "must be a media type, as in video/mp4"),
]
Spoken = Like(r"^[^\x00]*\w[^\x00]*$", "must hold a letter or a digit")
"""Of a text that is to be spoken."""


class Plain(BaseModel):
    """Frozen data that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def apart(name: str, *others: str) -> ConfigDict:
    """Of a model whose documents may have this field or the others: both only as nulls."""
    sides: list[JsonValue] = [
        {"properties": {one: {"type": "null"} for one in names}} for names in ((name,), others)
    ]
    return ConfigDict(json_schema_extra={"anyOf": sides})


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

    kind: Snake
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
    vfr: Truth = False
    frames: int | None = Field(default=None, ge=0)
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    active: Box | None = None
    sample_aspect_ratio: Rational = "1/1"
    rotation_deg: int = 0
    video_codec: str | None = None
    pixel_format: str | None = None
    color_transfer: str | None = None
    interlaced: Truth = False
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
    interpolated: Truth = False


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


class WriterEndpoint(Plain):
    """An OpenAI-compatible chat endpoint, up to and without `/chat/completions`; its key is
    `CUTROOM_LLM_KEY` in the environment of the workers, so that no job holds a secret.
    """

    url: str = Field(max_length=2000)
    model: str = Field(max_length=200)


class SpeechEndpoint(Plain):
    """An OpenAI-compatible speech endpoint, up to and without `/audio/speech`; its key is
    `CUTROOM_TTS_KEY` in the environment of the workers.
    """

    url: str = Field(max_length=2000)
    model: str = Field(max_length=200)


Json = dict[str, JsonValue]
