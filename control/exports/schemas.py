"""How an export is asked for."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from control.bodies import In
from control.jobs.schemas import JobOut
from ray_jobs.contract import Aspect, Loudness


class ExportProject(In):
    """`clip_ids` left out means every clip that was not rejected, best first.

    `preset` and `overrides` style all clips alike; left out, each clip's own style holds.
    `brand_kit_id` left out means the organisation's default kit, null means none.
    """

    clip_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None
    aspect: Aspect = "9:16"
    height: int = Field(default=1920, ge=64, le=4320)
    burn_subtitles: bool = True
    preset: Annotated[str, Field(max_length=64)] | None = None
    overrides: dict[str, Any] = {}
    loudness: Loudness | None = None
    brand_kit_id: UUID | None = None
    brand_kit_version: int | None = Field(default=None, ge=1)
    encoder: Literal["auto", "nvenc", "x264"] = "auto"
    crf: int = Field(default=20, ge=0, le=51)
    priority: int = Field(default=0, ge=-100, le=100)
    force: bool = False


class Exporting(JobOut):
    """The first job, and all of them: one for each video that has clips in the export."""

    jobs: list[JobOut] = []
