"""What a project looks like from outside."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from control.bodies import In, Out, Patch

Name = Annotated[str, Field(min_length=1, max_length=200)]
Description = Annotated[str, Field(max_length=10_000)]


class CreateProject(In):
    name: Name
    description: Description = ""


class ProjectPatch(Patch):
    name: Name | None = None
    description: Description | None = None


class ProjectOut(Out):
    """`status` follows from the videos: that of the one least far, `empty` without any."""

    columns: ClassVar[dict[str, str]] = {"videos": "videos"}

    id: UUID
    organization_id: UUID
    name: str
    description: str
    status: str
    videos: dict[str, int]
    created_at: datetime
    updated_at: datetime
