"""How an export is asked for."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from control.bodies import In, Out
from control.jobs.schemas import JobOut
from ray_jobs.contract import (
    Aspect,
    EncoderName,
    Layout,
    Loudness,
    Platform,
    PlatformName,
    QaGate,
    StyleChanges,
    SubtitlePreset,
    Truth,
)


class ExportProject(In):
    """`clip_ids` left out means every clip that was not rejected, best first.

    `preset` is a platform's: it decides what is left out here of the form (aspect, height, crf,
    caps, loudness), and where subtitles may lie. `subtitle_preset` and `subtitle_overrides` style
    all clips alike; left out, each clip's own style holds. `target_vmaf` searches the CRF.
    `qa_gate` fails the export where QA finds something as grave as that: its files are kept as
    `export_held`. `brand_kit_id` left out means the organisation's default kit, null means none.
    """

    clip_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None
    aspect: Aspect = "9:16"
    layout: Layout = "track"
    height: int = Field(default=1920, ge=64, le=4320)
    burn_subtitles: Truth = True
    preset: PlatformName | None = None
    subtitle_preset: SubtitlePreset | None = None
    subtitle_overrides: StyleChanges = {}
    loudness: Loudness | None = None
    brand_kit_id: UUID | None = None
    brand_kit_version: int | None = Field(default=None, ge=1)
    encoder: EncoderName = "auto"
    crf: int = Field(default=20, ge=1, le=51)
    target_vmaf: float | None = Field(default=None, ge=50, le=99)
    max_bitrate_bps: int | None = Field(default=None, ge=100_000)
    max_rate_hz: float | None = Field(default=None, ge=1)
    qa_gate: QaGate = "off"
    priority: int = Field(default=0, ge=-100, le=100)
    force: Truth = False


class ExportPreset(Platform, Out):
    """A platform by name, and all that its preset decides."""

    name: str


class Exporting(JobOut):
    """The first job, and all of them: one for each video that has clips in the export."""

    jobs: list[JobOut] = []
