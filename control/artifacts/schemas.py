"""What an artifact looks like from outside."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from control.bodies import In, Out
from ray_jobs.contract import MediaType, ObjectKey, Sha256, Snake


class RegisterArtifact(In):
    """An object that lies in the organisation's part of the store already; its hash is checked."""

    kind: Snake
    filename: Annotated[str, Field(min_length=1, max_length=255)]
    key: ObjectKey
    sha256: Sha256
    content_type: MediaType


class ArtifactOut(Out):
    """`download_url` is signed, answers Range and dies soon: ask again rather than keep it.

    What is taken down after a DMCA notice has none.
    """

    id: UUID
    project_id: UUID
    video_id: UUID | None
    clip_id: UUID | None
    job_id: UUID | None
    kind: str
    filename: str
    sha256: str
    size_bytes: int
    content_type: str
    created_at: datetime
    updated_at: datetime
    taken_down: bool = False
    download_url: str | None = None


class StaleArtifact(Out):
    id: UUID
    kind: str
    filename: str
