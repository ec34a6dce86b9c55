"""Retellings: a recording told again in a given time, and the script that people mend."""

from typing import Any
from uuid import UUID

from tortoise import fields

from control.projects.models import Project
from control.records import TenantRecord
from control.videos.models import Video


class RetellRow(TenantRecord):
    """`manner` is what of the job's spec holds for every version; `job_id` names the newest job.

    `script` is empty until the first job has written it; `report` is of `rendered_version`.
    """

    project: fields.ForeignKeyRelation[Project] = fields.ForeignKeyField(
        "models.Project", related_name=False, on_delete=fields.CASCADE
    )
    project_id: UUID
    video: fields.ForeignKeyRelation[Video] = fields.ForeignKeyField(
        "models.Video", related_name=False, on_delete=fields.CASCADE
    )
    video_id: UUID
    transcript_id: UUID = fields.UUIDField()
    job_id: UUID | None = fields.UUIDField(null=True)
    title = fields.CharField(max_length=300)
    target_s = fields.FloatField()
    manner: Any = fields.JSONField(default=dict)
    version = fields.IntField(default=1)
    rendered_version: int | None = fields.IntField(null=True)
    outline: Any = fields.JSONField(default=list)
    script: Any = fields.JSONField(default=list)
    report: Any = fields.JSONField(null=True)

    class Meta:
        table = "retells"
        indexes = (("project_id", "created_at", "id"),)
