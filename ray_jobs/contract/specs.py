"""What each job kind is asked to do.

A spec is complete: weights, presets, loudness targets and object keys are resolved when the job is
queued, so that a worker needs nothing but its order and the object store.
"""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from ray_jobs.contract.vocabulary import (
    AssetKind,
    Brand,
    Colour,
    GivenTranscript,
    Language,
    Like,
    ObjectKey,
    Plain,
    Seconds,
    Segment,
    Sha256,
    Share,
    Source,
    SpeechEndpoint,
    Truth,
    Word,
    WriterEndpoint,
    apart,
)

Speed = Literal["ultrafast", "veryfast", "fast", "medium", "slow"]
AlignerName = Literal["auto", "wav2vec2", "pocketsphinx"]
EncoderName = Literal["auto", "nvenc", "x264", "svtav1"]


class IngestLimits(Plain):
    max_duration_s: float = 12 * 3600.0
    max_size_bytes: int = 64 * 2**30
    max_pixels: int = 8192 * 8192
    url_timeout_s: float = 3600.0
    allow_private_hosts: Truth = False


class Ingest(Plain):
    """Bring a recording in: from an uploaded object (`key`) or from a `url`, exactly one."""

    kind: Literal["ingest"] = "ingest"
    video_id: UUID
    filename: str
    key: ObjectKey | None = None
    url: str | None = None
    expected_sha256: Sha256 | None = None
    limits: IngestLimits = IngestLimits()


RenditionName = Annotated[
    str,
    Like(
        r"^[a-z0-9][a-z0-9_-]{0,31}$",
        "must be a name of at most 32 small letters, digits, _ and -, as in 720p",
    ),
]


class Rendition(Plain):
    """A whole recording as H.264 and AAC in MP4, with constant frame rate, never enlarged."""

    name: RenditionName
    height: int = Field(ge=16, le=4320, multiple_of=2)
    crf: int = Field(default=21, ge=1, le=51)
    speed: Speed = "veryfast"
    audio_bitrate_bps: int = Field(default=160_000, ge=32_000, le=512_000)


class Rung(Plain):
    """One size of an HLS ladder; `height` is the width where the picture stands upright.

    The picture is as good as `crf` makes it, up to `max_bitrate_bps`.
    """

    height: int = Field(ge=16, le=4320, multiple_of=2)
    max_bitrate_bps: int = Field(ge=50_000)
    crf: int = Field(default=22, ge=1, le=51)


# Between the rates for H.264 in Apple's HLS authoring specification for these heights.
LADDER = (
    Rung(height=1080, max_bitrate_bps=6_000_000),
    Rung(height=720, max_bitrate_bps=3_000_000),
    Rung(height=480, max_bitrate_bps=1_500_000),
    Rung(height=240, max_bitrate_bps=400_000),
)


class HlsLadder(Plain):
    """A recording in several sizes between which a player changes as its line allows (RFC 8216).

    Rungs larger than the picture are left out, save the smallest of them, which is made as large
    as the picture is. Sound alone makes a ladder of sound alone.
    """

    rungs: list[Rung] = Field(default=list(LADDER), min_length=1, max_length=8)
    segment_s: float = Field(default=4.0, ge=1, le=10)
    speed: Speed = "veryfast"
    audio_bitrate_bps: int = Field(default=128_000, ge=32_000, le=512_000)

    @model_validator(mode="after")
    def climbs(self) -> Self:
        if len({rung.height for rung in self.rungs}) < len(self.rungs):
            raise ValueError("two rungs have the same height")
        return self


class Transcode(Plain):
    """Make renditions, or an HLS ladder, or both."""

    kind: Literal["transcode"] = "transcode"
    source: Source
    renditions: list[Rendition] = Field(default_factory=list, max_length=8)
    hls: HlsLadder | None = None

    @model_validator(mode="after")
    def asks_for_something(self) -> Self:
        if not self.renditions and self.hls is None:
            raise ValueError("neither renditions nor hls are asked for")
        return self


class Align(Plain):
    """Time words of `segments` that are named in `segment_ids`, or of all of them.

    Words whose times are estimates, as after an edit, are found in the sound between the others,
    which stay untouched; all words are timed where none is an estimate, or with `anew`.
    """

    kind: Literal["align"] = "align"
    source: Source
    transcript_id: UUID
    revision: int = Field(ge=1)
    language: Language
    segments: list[Segment] = Field(min_length=1)
    segment_ids: list[str] | None = None
    engine: AlignerName = "auto"
    anew: Truth = False


People = Annotated[int, Field(ge=1, le=50)]


class SpeakerCount(Plain):
    """How many people speak, as far as it is known: `exactly`, or between two numbers."""

    model_config = apart("exactly", "at_least", "at_most")

    exactly: People | None = None
    at_least: People | None = None
    at_most: People | None = None

    @model_validator(mode="after")
    def agrees(self) -> Self:
        if self.exactly and (self.at_least or self.at_most):
            raise ValueError("exactly stands alone, without at_least and at_most")
        if self.at_least and self.at_most and self.at_least > self.at_most:
            raise ValueError("at_most must not be less than at_least")
        return self


class Transcribe(Plain):
    """Write the speech down; with `diarize` each segment also says who speaks.

    `prompt` shows the spelling and manner wanted, as if it had been said before.
    """

    kind: Literal["transcribe"] = "transcribe"
    source: Source
    engine: Literal["auto", "faster_whisper", "pocketsphinx"] = "auto"
    model: str = "whisper-small"
    language: Language | None = None
    hotwords: list[str] = Field(default_factory=list, max_length=200)
    prompt: str | None = Field(default=None, max_length=1000)
    given: GivenTranscript | None = None
    diarize: Truth = False
    speaker_model: str = "speaker-diarization-community-1"
    speakers: SpeakerCount = SpeakerCount()


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
    opinion: float = Field(default=1.0, ge=0)


class FindClips(Plain):
    """Find clips; with `tighten` what they can do without is left out of them from the start.

    With `opinion` that endpoint is asked what it thinks of the candidates that are best without
    it; what it says is one more part of their scores. `rough` words are not to be trusted: no clip
    is named after them.
    """

    kind: Literal["find_clips"] = "find_clips"
    source: Source
    segments: list[Segment] = Field(default_factory=list)
    rough: bool = False
    language: Language | None = None
    transcript_id: UUID | None = None
    max_clips: int = Field(default=5, ge=1, le=100)
    min_duration_s: float = Field(default=12.0, gt=0)
    max_duration_s: float = Field(default=60.0, gt=0)
    range_start_s: Seconds = 0.0
    range_end_s: Seconds | None = None
    keywords: list[str] = Field(default_factory=list, max_length=50)
    weights: ScoreWeights = ScoreWeights()
    tighten: Truth = False
    opinion: WriterEndpoint | None = None


class SubtitleStyle(Plain):
    """How subtitles look; sizes are shares of the picture height, so one style fits every size."""

    preset: str = "karaoke"
    animation: Literal["karaoke", "highlight", "pop", "none"] = "karaoke"
    font: str = "Roboto"
    bold: Truth = True
    size: float = Field(default=0.045, gt=0, le=0.25)
    color: Colour = "#FFFFFF"
    active_color: Colour = "#FFD400"
    outline_color: Colour = "#000000"
    outline: float = Field(default=0.004, ge=0, le=0.05)
    box_color: Colour | None = None
    uppercase: Truth = False
    max_chars_per_line: int = Field(default=26, ge=8, le=80)
    max_lines: int = Field(default=2, ge=1, le=4)
    position: Literal["bottom", "center", "top"] = "bottom"
    margin: float = Field(default=0.18, ge=0, le=0.5)


Aspect = Literal["9:16", "1:1", "4:5", "16:9", "source"]


class CropPoint(Plain):
    """Centre of the crop at a time of the source, as shares of the source picture.

    `width` is how much of the picture's width must be seen from then on, such as a line of text: a
    narrower crop gives way to the whole picture.
    """

    time_s: Seconds
    x: Share
    y: Share
    cut: Truth = False
    width: Share = 0.0


Layout = Literal["track", "fit", "split", "screen", "auto"]
"""How a picture comes into another shape: a crop that follows the subject; the whole of it over
its own blur; two windows, one above the other, on the two places where the subject is; the whole
of it raised on a plain ground, for slides and screens. `auto` chooses, and the result says why.
"""


class ClipEdit(Plain):
    """A stretch of the source that a clip can do without; it is left out where it is `applied`."""

    start_s: Seconds
    end_s: Seconds
    reason: Literal["filler", "pause", "manual"] = "manual"
    text: str = Field(default="", max_length=200)
    applied: Truth = True

    @model_validator(mode="after")
    def lasts(self) -> Self:
        if self.end_s <= self.start_s:
            raise ValueError("end_s must be greater than start_s")
        return self


class ClipCut(Plain):
    """A clip to render: its span of the source, its words (source time), how to frame it.

    `crop_track` holds the wanted subject centre over the span; the worker plans the smooth path.
    `edits` are stretches to leave out, in any order. Words that were heard less surely than
    `min_confidence` are not shown.
    """

    clip_id: UUID
    rank: int = Field(ge=1)
    title: str
    start_s: Seconds
    end_s: Seconds
    words: list[Word] = Field(default_factory=list)
    min_confidence: Share = 0.0
    crop_track: list[CropPoint] = Field(default_factory=list)
    edits: list[ClipEdit] = Field(default_factory=list, max_length=1000)
    style: SubtitleStyle | None = SubtitleStyle()


class StyleSubtitles(Plain):
    kind: Literal["style_subtitles"] = "style_subtitles"
    source: Source
    clip: ClipCut
    aspect: Aspect = "9:16"
    layout: Layout = "track"
    height: int = Field(default=1920, ge=64, le=4320)
    brand: Brand | None = None


class Loudness(Plain):
    """EBU R 128 delivery targets, measured on the decoded deliverable."""

    target_lufs: float = Field(default=-14.0, ge=-40, le=-5)
    tolerance_lu: float = Field(default=0.5, gt=0, le=3)
    max_true_peak_dbtp: float = Field(default=-1.0, ge=-20, le=0)


class SafeArea(Plain):
    """How much of the picture is covered by others' buttons and texts, as shares from its sides."""

    left: Share = 0.0
    top: Share = 0.0
    right: Share = 0.0
    bottom: Share = 0.0


OPEN = SafeArea()
"""Nothing is covered."""


class Platform(Plain):
    """What a platform takes: the form of an export, and what its own buttons cover."""

    aspect: Aspect
    height: int = Field(ge=64, le=4320)
    crf: int = Field(default=20, ge=1, le=51)
    max_bitrate_bps: int | None = Field(default=None, ge=100_000)
    max_rate_hz: float | None = Field(default=None, ge=1)
    max_duration_s: float | None = Field(default=None, gt=0)
    loudness: Loudness = Loudness()
    safe_area: SafeArea = OPEN


QaGate = Literal["off", "error", "warning"]
"""From which severity on an open finding of QA holds back what was made."""


class Export(Plain):
    """Render clips.

    `max_bitrate_bps` caps the picture, `max_rate_hz` its frames; `max_duration_s` is what the
    platform takes, and a longer clip is delivered with a warning. With `target_vmaf` each clip is
    encoded at the highest CRF whose samples reach it, and `crf` is not used.

    `qa_gate` fails the whole job where QA finds something as severe as that: what was made stays
    for inspection, and is no export. Off, everything is delivered with what was found.
    """

    kind: Literal["export"] = "export"
    source: Source
    clips: list[ClipCut] = Field(min_length=1, max_length=100)
    aspect: Aspect = "9:16"
    layout: Layout = "track"
    height: int = Field(default=1920, ge=64, le=4320)
    burn_subtitles: Truth = True
    loudness: Loudness = Loudness()
    encoder: EncoderName = "auto"
    crf: int = Field(default=20, ge=1, le=51)
    speed: Speed = "veryfast"
    brand: Brand | None = None
    target_vmaf: float | None = Field(default=None, ge=50, le=99)
    max_bitrate_bps: int | None = Field(default=None, ge=100_000)
    max_rate_hz: float | None = Field(default=None, ge=1)
    max_duration_s: float | None = Field(default=None, gt=0)
    safe_area: SafeArea = OPEN
    qa_gate: QaGate = "off"


VoiceName = Annotated[
    str,
    Like(
        r"^[A-Za-z0-9][A-Za-z0-9+_/-]{0,63}$", "must be the name of a voice, as in en-us or en+f3"
    ),
]


class Ducking(Plain):
    """How a bed gives way to a narration; it goes deeper than `depth_db` where `min_ratio_lu`, the
    loudness of the voice over the bed while it speaks, needs it.
    """

    depth_db: float = Field(default=12.0, ge=0, le=40)
    attack_s: float = Field(default=0.15, gt=0, le=2)
    hold_s: float = Field(default=0.4, ge=0, le=5)
    release_s: float = Field(default=0.5, gt=0, le=5)
    min_ratio_lu: float = Field(default=6.0, ge=0, le=30)


class Narrate(Plain):
    """Speak a text over a clip. `voice` None is the language's own; `fit` to the clip's length
    changes the pace by at most `max_stretch` (share of the natural length). `edits` are the clip's:
    its sound and its length are those without the ones that are applied.
    """

    kind: Literal["narrate"] = "narrate"
    source: Source
    clip_id: UUID
    start_s: Seconds
    end_s: Seconds
    edits: list[ClipEdit] = Field(default_factory=list, max_length=1000)
    text: str = Field(min_length=1, max_length=20_000)
    language: Language = "en"
    voice: VoiceName | None = None
    speaker: SpeechEndpoint | None = None
    speed: float = Field(default=1.0, ge=0.5, le=2)
    fit: Literal["clip", "none"] = "clip"
    max_stretch: float = Field(default=0.12, ge=0, le=0.5)
    loudness: Loudness = Loudness(target_lufs=-16.0)
    ducking: Ducking = Ducking()


class ScriptSentence(Plain):
    """One sentence of a retelling and the segments of the transcript it is drawn from.

    `keep` plays those segments with their own sound; `narrate` speaks `text` over their pictures.
    """

    id: str = Field(min_length=1, max_length=64)
    text: str = Field(min_length=1, max_length=2000)
    mode: Literal["narrate", "keep"] = "narrate"
    segment_ids: list[str] = Field(min_length=1, max_length=200)


class Retell(Plain):
    """Tell a recording again in `target_s` seconds; with a `script`, that one and no other.

    `qa_gate` is that of an export.
    """

    kind: Literal["retell"] = "retell"
    source: Source
    retell_id: UUID
    version: int = Field(ge=1)
    segments: list[Segment] = Field(default_factory=list)
    language: Language = "en"
    target_s: float = Field(ge=1, le=1800)
    keep_share: Share = 0.3
    script: list[ScriptSentence] | None = Field(default=None, max_length=2000)
    writer: WriterEndpoint | None = None
    voice: VoiceName | None = None
    speaker: SpeechEndpoint | None = None
    speed: float = Field(default=1.0, ge=0.5, le=2)
    max_stretch: float = Field(default=0.12, ge=0, le=0.5)
    loudness: Loudness = Loudness()
    ducking: Ducking = Ducking()
    style: SubtitleStyle | None = SubtitleStyle()
    aspect: Aspect = "16:9"
    height: int = Field(default=1080, ge=64, le=4320)
    encoder: EncoderName = "auto"
    crf: int = Field(default=20, ge=1, le=51)
    render_speed: Speed = "veryfast"
    qa_gate: QaGate = "off"


class CheckAsset(Plain):
    """Look into the bytes that were uploaded as a brand asset, and keep them if they are one."""

    kind: Literal["check_asset"] = "check_asset"
    asset_id: UUID
    asset_kind: AssetKind
    key: ObjectKey
    expected_sha256: Sha256 | None = None
    max_size_bytes: int = Field(gt=0)


Spec = Annotated[
    Ingest
    | Transcode
    | Transcribe
    | Align
    | FindClips
    | StyleSubtitles
    | Export
    | Narrate
    | Retell
    | CheckAsset,
    Field(discriminator="kind"),
]
