"""Videos: recordings, where their bytes are, and how far their pipeline is."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from control.projects.models import Project
from control.records import TenantRecord


class VideoStatus(StrEnum):
    AWAITING_UPLOAD = "awaiting_upload"
    INGESTING = "ingesting"
    READY = "ready"
    TRANSCRIBING = "transcribing"
    TRANSCRIBED = "transcribed"
    CLIPPING = "clipping"
    CLIPPED = "clipped"
    EXPORTING = "exporting"
    EXPORTED = "exported"
    FAILED = "failed"


class Video(TenantRecord):
    """`object` and `media` are set when ingest has succeeded, and not before.

    `upload_until` is when the link of an upload ends; `upload_key` is where its bytes lie until
    they have been taken in, or given up, and `upload_session` names one in parts. An index of those
    that still have a key is written by hand in the migration 0013.
    """

    project: fields.ForeignKeyRelation[Project] = fields.ForeignKeyField(
        "models.Project", related_name=False, on_delete=fields.CASCADE
    )
    project_id: UUID
    filename = fields.CharField(max_length=255)
    source = fields.CharField(max_length=32)
    url = fields.TextField(null=True)
    upload_key = fields.CharField(max_length=900, null=True)
    upload_session = fields.CharField(max_length=1024, null=True)
    upload_until = fields.DatetimeField(null=True)
    expected_size_bytes = fields.BigIntField(null=True)
    expected_sha256 = fields.CharField(max_length=64, null=True)
    status = fields.CharEnumField(VideoStatus, max_length=32)
    stages: Any = fields.JSONField(default=dict)
    problem: Any = fields.JSONField(null=True)
    ingest_job_id: UUID | None = fields.UUIDField(null=True)
    object: Any = fields.JSONField(null=True)
    media: Any = fields.JSONField(null=True)
    sha256 = fields.CharField(max_length=64, null=True)
    size_bytes = fields.BigIntField(null=True)
    duration_s = fields.FloatField(null=True)
    frame_rate = fields.CharField(max_length=32, null=True)
    width = fields.IntField(null=True)
    height = fields.IntField(null=True)
    vfr = fields.BooleanField(null=True)

    class Meta:
        table = "videos"
        indexes = (
            ("project_id", "created_at", "id"),
            ("project_id", "status"),
            ("organization_id", "sha256"),
        )
