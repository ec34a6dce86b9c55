"""What a video looks like from outside, and how one is brought in."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, HttpUrl, RootModel, model_validator

from control.bodies import In, Out
from control.jobs.schemas import JobOut
from control.storage import Upload
from control.videos.models import VideoStatus
from ray_jobs.contract import HlsLadder, MediaInfo, MediaType, Problem, Rendition, Sha256, Truth

Filename = Annotated[str, Field(min_length=1, max_length=255)]


def _plain(url: Any) -> Any:
    """Refuse what a parser would quietly take out: two readers could then see two hosts."""
    if isinstance(url, str) and any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("must not hold white space or control characters")
    return url


class IngestUpload(In):
    """A recording that the client will upload itself.

    `expires_in_s` is how long the link works, from a minute to a week; an upload whose bytes have
    not arrived a day after that has failed. Until they have, the video is in no list but that of
    its status.
    """

    project_id: UUID
    source: Literal["upload"]
    filename: Filename
    size_bytes: int = Field(ge=0)
    content_type: MediaType = "application/octet-stream"
    sha256: Sha256 | None = None
    expires_in_s: Annotated[int, Field(ge=60, le=7 * 86400)] | None = None


class IngestUrl(In):
    """A recording that the workers fetch."""

    project_id: UUID
    source: Literal["url"]
    url: Annotated[
        HttpUrl,
        BeforeValidator(_plain),
        Field(
            description="Begins with https:// or http://, without white space.",
            json_schema_extra={"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[!-~]+$"},
        ),
    ]
    filename: Filename | None = None
    sha256: Sha256 | None = None


class IngestArtifact(In):
    """A file that lies here already: an export, a retelling, or what was registered."""

    project_id: UUID
    source: Literal["artifact"]
    artifact_id: UUID
    filename: Filename | None = None


class IngestVideo(
    RootModel[Annotated[IngestUpload | IngestUrl | IngestArtifact, Field(discriminator="source")]]
):
    """Any way of bringing a recording in."""


class VideoOut(Out):
    """`media` is what the probe found; `stages` says for each kind of job how it ended last."""

    id: UUID
    project_id: UUID
    filename: str
    source: str
    url: str | None
    status: VideoStatus
    stages: dict[str, str]
    problem: Problem | None
    ingest_job_id: UUID | None
    sha256: str | None
    size_bytes: int | None
    duration_s: float | None
    frame_rate: str | None
    width: int | None
    height: int | None
    vfr: bool | None
    media: MediaInfo | None
    created_at: datetime
    updated_at: datetime


class VideoIngesting(Out):
    """`upload` says where to send the bytes; `job` is there when none need to be sent."""

    video: VideoOut
    upload: Upload | None = None
    job: JobOut | None = None


class VideoQuery(In):
    status: VideoStatus | None = None


class TranscodeVideo(In):
    """Profiles by name, renditions or an HLS ladder of one's own, or all of them.

    The profile `hls` is the ladder with every default.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["profiles"], "properties": {"profiles": {"minItems": 1}}},
                {"required": ["renditions"], "properties": {"renditions": {"minItems": 1}}},
                {"required": ["hls"], "properties": {"hls": {"type": "object"}}},
            ]
        }
    )

    profiles: Annotated[
        list[Literal["proxy", "480p", "720p", "1080p", "mezzanine", "hls"]], Field(max_length=6)
    ] = []
    renditions: Annotated[list[Rendition], Field(max_length=8)] = []
    hls: HlsLadder | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    force: Truth = False

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if not (self.profiles or self.renditions or self.hls):
            raise ValueError("name a profile, a rendition or a ladder")
        return self
