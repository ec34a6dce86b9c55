"""Clips: spans of a video worth showing, with the reasons why."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault

from control.projects.models import Project
from control.records import TenantRecord
from control.videos.models import Video


class ClipStatus(StrEnum):
    SUGGESTED = "suggested"
    KEPT = "kept"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class Clip(TenantRecord):
    """`edited` clips survive a new search; `subtitle_style` None means the deployment's preset."""

    project: fields.ForeignKeyRelation[Project] = fields.ForeignKeyField(
        "models.Project", related_name=False, on_delete=fields.CASCADE
    )
    project_id: UUID
    video: fields.ForeignKeyRelation[Video] = fields.ForeignKeyField(
        "models.Video", related_name=False, on_delete=fields.CASCADE
    )
    video_id: UUID
    job_id: UUID | None = fields.UUIDField(null=True)
    rank = fields.IntField()
    title = fields.CharField(max_length=300)
    text = fields.TextField(default="")
    start_s = fields.FloatField()
    end_s = fields.FloatField()
    score = fields.FloatField()
    parts: Any = fields.JSONField(default=list)
    segment_ids: Any = fields.JSONField(default=list)
    crop_track: Any = fields.JSONField(default=list)
    edits: Any = fields.JSONField(default=list, db_default=SqlDefault("'[]'"))
    tags: Any = fields.JSONField(default=list, db_default=SqlDefault("'[]'"))
    subtitle_style: Any = fields.JSONField(null=True)
    status = fields.CharEnumField(ClipStatus, max_length=32, default=ClipStatus.SUGGESTED)
    edited = fields.BooleanField(default=False)

    class Meta:
        table = "clips"
        indexes = (("video_id", "rank", "id"), ("project_id", "created_at", "id"))
