"""QA runs, findings and reviews: what was looked at, what was found, who said it may go out."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from control.records import TenantRecord


class RunStatus(StrEnum):
    OPEN = "open"
    FINISHED = "finished"


class Severity(StrEnum):
    """From the worst to the least; a run fails with an open one of the first three."""

    BLOCKER = "blocker"
    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class FindingStatus(StrEnum):
    OPEN = "open"
    TRIAGED = "triaged"
    IN_PROGRESS = "in_progress"
    FIXED = "fixed"
    VERIFIED = "verified"
    WONT_FIX = "wont_fix"
    FALSE_POSITIVE = "false_positive"


class ReviewState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"


class QaRun(TenantRecord):
    suite = fields.CharField(max_length=200)
    commit = fields.CharField(max_length=64, null=True)
    build = fields.CharField(max_length=200, null=True)
    author_id: UUID = fields.UUIDField()
    author_may_approve = fields.BooleanField(default=True)
    locale_coverage: Any = fields.JSONField(default=dict)
    genre_coverage: Any = fields.JSONField(default=dict)
    frame_diff_count = fields.IntField(default=0)
    reference_artifact_ids: Any = fields.JSONField(default=list)
    metadata: Any = fields.JSONField(default=dict)
    status = fields.CharEnumField(RunStatus, max_length=16, default=RunStatus.OPEN)
    verdict = fields.CharField(max_length=16, null=True)
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "qa_runs"
        indexes = (("organization_id", "created_at", "id"),)


class QaFinding(TenantRecord):
    """`fingerprint` is the same for the same fault in every run; `history` holds each change."""

    run: fields.ForeignKeyRelation[QaRun] = fields.ForeignKeyField(
        "models.QaRun", related_name=False, on_delete=fields.CASCADE
    )
    run_id: UUID
    title = fields.CharField(max_length=300)
    description = fields.TextField(default="")
    category = fields.CharField(max_length=64)
    severity = fields.CharEnumField(Severity, max_length=16)
    status = fields.CharEnumField(FindingStatus, max_length=16, default=FindingStatus.OPEN)
    locale = fields.CharField(max_length=35, null=True)
    genre = fields.CharField(max_length=64, null=True)
    start_s = fields.FloatField(null=True)
    end_s = fields.FloatField(null=True)
    frame = fields.IntField(null=True)
    bbox: Any = fields.JSONField(null=True)
    overlay_url = fields.CharField(max_length=2048, null=True)
    overlay_artifact_id = fields.UUIDField(null=True)
    evidence_artifact_id = fields.UUIDField(null=True)
    expected = fields.TextField(null=True)
    actual = fields.TextField(null=True)
    assignee_id = fields.UUIDField(null=True)
    due_at = fields.DatetimeField(null=True)
    metadata: Any = fields.JSONField(default=dict)
    fingerprint = fields.CharField(max_length=64)
    first_seen_run_id = fields.UUIDField()
    occurrences = fields.IntField(default=1)
    regression = fields.BooleanField(default=False)
    history: Any = fields.JSONField(default=list)

    class Meta:
        table = "qa_findings"
        indexes = (
            ("run_id", "created_at", "id"),
            ("organization_id", "fingerprint", "created_at"),
        )


class QaReview(TenantRecord):
    run: fields.ForeignKeyRelation[QaRun] = fields.ForeignKeyField(
        "models.QaRun", related_name=False, on_delete=fields.CASCADE
    )
    run_id: UUID
    reviewer_id: UUID = fields.UUIDField()
    state = fields.CharEnumField(ReviewState, max_length=20, default=ReviewState.PENDING)
    comment = fields.TextField(default="")

    class Meta:
        table = "qa_reviews"
        unique_together = (("run_id", "reviewer_id"),)
