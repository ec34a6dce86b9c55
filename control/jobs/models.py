"""Jobs and what happened to them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from control.projects.models import Project
from control.records import TenantRecord
from ray_jobs.contract import JobKind


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(TenantRecord):
    """A piece of work; `attempt` fences its workers, `report_seq` their reports.

    `moved_at` is when this attempt last got any further.
    The queue's own index is written by hand in the migration 0010: Tortoise knows no descending
    columns, and a claim must not sort all that waits.
    """

    kind = fields.CharEnumField(JobKind, max_length=32, description="module that does it")
    state = fields.CharEnumField(JobState, max_length=32, default=JobState.QUEUED)
    priority = fields.IntField(default=0)
    spec: Any = fields.JSONField()
    spec_sha256 = fields.CharField(max_length=64)
    project: fields.ForeignKeyNullableRelation[Project] = fields.ForeignKeyField(
        "models.Project", related_name=False, on_delete=fields.CASCADE, null=True
    )
    project_id: UUID | None
    video_id: UUID | None = fields.UUIDField(null=True)
    clip_id: UUID | None = fields.UUIDField(null=True)
    created_by: UUID | None = fields.UUIDField(null=True)
    attempt = fields.IntField(default=0)
    max_attempts = fields.IntField(default=3)
    lease_until: datetime | None = fields.DatetimeField(null=True)
    report_seq = fields.IntField(default=0)
    progress = fields.FloatField(default=0.0)
    step = fields.CharField(max_length=200, null=True)
    steps: Any = fields.JSONField(default=list)
    effective: Any = fields.JSONField(default=dict)
    cached = fields.BooleanField(default=False)
    result: Any = fields.JSONField(null=True)
    problem: Any = fields.JSONField(null=True)
    metadata: Any = fields.JSONField(default=dict)
    queued_at = fields.DatetimeField(auto_now_add=True)
    started_at: datetime | None = fields.DatetimeField(null=True)
    moved_at: datetime | None = fields.DatetimeField(null=True)
    finished_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "jobs"
        indexes = (
            ("organization_id", "created_at", "id"),
            ("project_id", "created_at", "id"),
            ("organization_id", "kind", "spec_sha256"),
            ("organization_id", "finished_at"),
            ("video_id", "kind"),
            ("state", "lease_until"),
        )


class JobEvent(Model):
    """One entry of a job's log; `id` grows, and is the `seq` clients resume after."""

    id = fields.BigIntField(primary_key=True)
    job: fields.ForeignKeyRelation[Job] = fields.ForeignKeyField(
        "models.Job", related_name=False, on_delete=fields.CASCADE
    )
    job_id: UUID
    type = fields.CharField(max_length=64)
    data: Any = fields.JSONField(default=dict)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "job_events"
        indexes = (("job_id", "id"),)
