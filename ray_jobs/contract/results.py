"""What each job kind gives back."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from ray_jobs.contract.specs import ClipEdit, CropPoint, Layout, ScriptSentence, SubtitleStyle
from ray_jobs.contract.vocabulary import (
    Artifact,
    Box,
    Finite,
    Language,
    MediaInfo,
    ObjectRef,
    Plain,
    Rational,
    Seconds,
    Segment,
    Severity,
    Sha256,
    Share,
    Snake,
    Truth,
    Word,
)


def _kind_is_sent(schema: dict[str, Any]) -> None:
    schema["required"] = ["kind", *schema.get("required", ())]


class Outcome(Plain):
    """What a job gave back. `kind` tells which: only Python may leave it out."""

    model_config = ConfigDict(json_schema_extra=_kind_is_sent)


class Ingested(Outcome):
    """`object` is the original at its content-addressed key."""

    kind: Literal["ingest"] = "ingest"
    object: ObjectRef
    media: MediaInfo
    artifacts: list[Artifact]


class MadeRendition(Plain):
    """`source_conforms`: nothing was encoded, because the recording is such a file already."""

    name: str
    width: int
    height: int
    frame_rate: Rational
    duration_s: Seconds
    video: Artifact
    source_conforms: Truth = False


class MadeRung(Plain):
    """A picture or a sound of an HLS ladder: one fragmented MP4, and the playlist of its segments.

    `codecs` is RFC 6381's name of what the file holds; bit rates are measured on its segments.
    """

    name: str
    codecs: str
    width: int | None = None
    height: int | None = None
    frame_rate: Rational | None = None
    duration_s: Seconds
    segments: int = Field(ge=1)
    peak_bps: int = Field(ge=0)
    average_bps: int = Field(ge=0)
    media: Artifact
    playlist: Artifact


class MadeHls(Plain):
    """Files that play together from one folder; `GET /v1/videos/{id}/hls` plays them from here."""

    master: Artifact
    rungs: list[MadeRung]
    sound: MadeRung | None = None


class Transcoded(Outcome):
    kind: Literal["transcode"] = "transcode"
    renditions: list[MadeRendition]
    hls: MadeHls | None = None


class Aligned(Outcome):
    """All segments of a transcript; only the named ones differ from what was given."""

    kind: Literal["align"] = "align"
    transcript_id: UUID
    revision: int
    engine: str
    aligned: list[str]
    segments: list[Segment]
    note: str | None = None


class HeardSpeaker(Plain):
    """Somebody who speaks, for how long, and how sure it is that it is one and the same voice."""

    name: str
    speech_s: Seconds
    confidence: Share


class Transcribed(Outcome):
    """`rough` marks an engine whose words must not be trusted; `given` a user's own text.

    `speakers` are in the order they first speak; none where nobody asked, and `diarizer` is None.
    """

    kind: Literal["transcribe"] = "transcribe"
    engine: str
    language: Language
    given: Truth
    rough: Truth
    segments: list[Segment]
    diarizer: str | None = None
    speakers: list[HeardSpeaker] = Field(default_factory=list)
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
    """`subject` is what `crop_track` follows for most of the clip; None without a picture."""

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
    subject: Literal["face", "text", "motion"] | None = None
    edits: list[ClipEdit] = Field(default_factory=list)
    preview: Artifact | None = None


class PassedOver(Plain):
    """A candidate that was not taken: it overlaps a better one, has another length than wanted,
    came after as many as were wanted (`cap`), or adds less than the set without it (`score`).
    """

    start_s: Seconds
    end_s: Seconds
    score: Finite
    reason: Literal["overlap", "length", "cap", "score"]


class ClipsFound(Outcome):
    """Artifacts: `candidates` (JSON, every candidate and why it was passed over), `features`.

    `passed_over` has the best of those that were not taken, best first. `warnings` say what was
    asked for and could not be had.
    """

    kind: Literal["find_clips"] = "find_clips"
    clips: list[FoundClip]
    candidates: int = Field(ge=0)
    shots: int = Field(ge=0)
    passed_over: list[PassedOver] = Field(default_factory=list, max_length=200)
    warnings: list[str] = Field(default_factory=list, max_length=64)
    artifacts: list[Artifact]


class Finding(Plain):
    """What a viewer, a listener or a reader would object to, and what to do about it.

    Times count from the start of the file it was found in. `box` is where in the picture, and
    `overlay` that picture with the box drawn.
    """

    severity: Severity
    code: Snake
    message: str
    start_s: Seconds
    end_s: Seconds
    box: Box | None = None
    overlay: Artifact | None = None


class SubtitlesStyled(Outcome):
    """Artifacts of the clip: `subtitles_ass`, `subtitles_srt`, `subtitles_vtt`, `preview`."""

    kind: Literal["style_subtitles"] = "style_subtitles"
    clip_id: UUID
    style: SubtitleStyle
    findings: list[Finding]
    artifacts: list[Artifact]


class Deliverable(Plain):
    """One exported clip and what was measured on its decoded file.

    Loudness is None where there is no sound or only silence; the clip itself begins after
    `lead_s`, the length of the intro. `vmaf` is that of the samples on which `crf` was searched;
    None where it was given. `crop` is the camera's path as data (`crop.json`), and
    `layout_reason` says why another layout was taken than was asked for, or which `auto` took.
    """

    clip_id: UUID
    rank: int = Field(ge=1)
    video: Artifact
    subtitles: list[Artifact]
    timelines: list[Artifact] = Field(default_factory=list)
    width: int
    height: int
    frame_rate: Rational
    frames: int
    duration_s: Seconds
    loudness_lufs: Finite | None
    true_peak_dbtp: Finite | None
    loudness_passes: int = 0
    crf: int | None = None
    vmaf: Finite | None = None
    findings: list[Finding] = Field(default_factory=list)
    lead_s: Seconds = 0.0
    layout: Layout = "track"
    layout_reason: str | None = None
    crop: Artifact | None = None


class Exported(Outcome):
    """`spec_sha256` is of the order's every value: one build renders one spec to the same bytes."""

    kind: Literal["export"] = "export"
    spec_sha256: Sha256 | None = None
    deliverables: list[Deliverable]


class SpokenForm(Plain):
    """A written token and the words it was spoken as."""

    written: str
    spoken: str


class SlotFit(Plain):
    """How speech was brought to its slot: `stretch` is its length over the natural one.

    `left_over_s` is the silence left in the slot; negative where the speech runs over its end.
    """

    slot_s: Seconds | None
    natural_s: Seconds
    duration_s: Seconds
    stretch: float = Field(gt=0)
    left_over_s: Finite
    decision: Literal["natural", "stretched", "too_short", "overruns"]


class Stem(Plain):
    """A sound file and what was measured on its decoded samples; loudness None is silence."""

    sound: Artifact
    duration_s: Seconds
    loudness_lufs: Finite | None
    true_peak_dbtp: Finite | None
    loudness_passes: int
    loudness_reached: Truth


class Narrated(Outcome):
    """A narration of a clip; times of `words` count from the start of the clip as it is rendered.

    `narration_to_bed_lu` is the loudness of the voice over the clip's ducked sound in the phrase
    where it is least; None without a sound below it.
    """

    kind: Literal["narrate"] = "narrate"
    clip_id: UUID
    engine: str
    voice: str
    language: Language
    rate_wpm: int
    text: str
    spoken_text: str
    normalised: list[SpokenForm]
    words: list[Word]
    fit: SlotFit
    duck_depth_db: Finite
    narration_to_bed_lu: Finite | None
    dry: Stem
    mix: Stem
    artifacts: list[Artifact] = Field(default_factory=list)


class RefusedSentence(Plain):
    """A sentence that a writer proposed and that was not taken, and why."""

    text: str
    reason: str


class RetoldPart(Plain):
    """Where a sentence lies in the retelling (`at_s`, for `duration_s`) and what picture it has."""

    sentence_id: str
    at_s: Seconds
    duration_s: Seconds
    source_start_s: Seconds
    speech_s: Seconds
    speech_at_s: Seconds


class Retold(Outcome):
    """A retelling; `length_error` is its length over the target, less one.

    `predicted_s` is what the script was expected to last before any of it was spoken; `coverage`
    the share of the outline's topics that it touches; `spoken_anew` counts the sentences that were
    synthesised in this run. `spec_sha256` is that of an export, as far as its writer and its voice
    are no endpoints. `narration` is the voice alone, as long as the film and as loud as it was
    spoken; the timelines lay it under the recording's own picture and sound.
    """

    kind: Literal["retell"] = "retell"
    retell_id: UUID
    version: int
    writer: str
    outline: list[str]
    script: list[ScriptSentence]
    refused: list[RefusedSentence] = Field(default_factory=list)
    parts: list[RetoldPart]
    target_s: Seconds
    predicted_s: Seconds
    duration_s: Seconds
    length_error: Finite
    coverage: Share
    stretch: float = Field(gt=0)
    spoken_anew: int = Field(ge=0)
    spec_sha256: Sha256 | None = None
    video: Artifact
    narration: Artifact | None = None
    timelines: list[Artifact] = Field(default_factory=list)
    width: int
    height: int
    frame_rate: Rational
    frames: int
    loudness_lufs: Finite | None
    true_peak_dbtp: Finite | None
    loudness_passes: int
    duck_depth_db: Finite
    narration_to_bed_lu: Finite | None
    findings: list[Finding] = Field(default_factory=list)
    artifacts: list[Artifact] = Field(default_factory=list)


class AssetInfo(Plain):
    """What the bytes of an asset are; the fields that fit its kind are there."""

    width: int | None = None
    height: int | None = None
    transparent: Truth | None = None
    family: str | None = None
    bold: Truth | None = None
    italic: Truth | None = None
    duration_s: Seconds | None = None
    frame_rate: Rational | None = None
    has_sound: Truth | None = None


class AssetChecked(Outcome):
    """The asset at its content-addressed key."""

    kind: Literal["check_asset"] = "check_asset"
    asset_id: UUID
    object: ObjectRef
    info: AssetInfo


Result = Annotated[
    Ingested
    | Transcoded
    | Transcribed
    | Aligned
    | ClipsFound
    | SubtitlesStyled
    | Exported
    | Narrated
    | Retold
    | AssetChecked,
    Field(discriminator="kind"),
]
