"""Artifacts: the registered, immutable outputs of jobs."""

from uuid import UUID

from tortoise import fields

from control.projects.models import Project
from control.records import TenantRecord


class ArtifactRow(TenantRecord):
    project: fields.ForeignKeyRelation[Project] = fields.ForeignKeyField(
        "models.Project", related_name=False, on_delete=fields.CASCADE
    )
    project_id: UUID
    video_id: UUID | None = fields.UUIDField(null=True)
    clip_id: UUID | None = fields.UUIDField(null=True)
    job_id: UUID | None = fields.UUIDField(null=True)
    kind = fields.CharField(max_length=64)
    filename = fields.CharField(max_length=255)
    key = fields.CharField(max_length=900)
    sha256 = fields.CharField(max_length=64)
    size_bytes = fields.BigIntField()
    content_type = fields.CharField(max_length=200)

    class Meta:
        table = "artifacts"
        indexes = (
            ("project_id", "created_at", "id"),
            ("video_id", "created_at", "id"),
            ("clip_id", "created_at", "id"),
        )
