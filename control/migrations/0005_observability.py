from control.qa.models import FindingStatus, ReviewState, RunStatus, Severity
from json import dumps, loads
from tortoise import fields
from tortoise import migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from uuid import uuid4
import functools


class Migration(migrations.Migration):
    dependencies = [("models", "0004_compliance")]

    initial = False

    operations = [
        ops.CreateModel(
            name="MetricSeries",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=100)),
                (
                    "labels",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("labels_key", fields.CharField(max_length=2000)),
            ],
            options={
                "table": "metric_series",
                "app": "models",
                "unique_together": (("organization_id", "name", "labels_key"),),
                "pk_attr": "id",
                "table_description": "One name with one set of labels; `labels_key` is their canonical JSON.",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="MetricPoint",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "series",
                    fields.ForeignKeyField(
                        "models.MetricSeries",
                        source_field="series_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("value", fields.FloatField()),
            ],
            options={
                "table": "metric_points",
                "app": "models",
                "indexes": [Index(fields=["series_id", "at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="QaRun",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("suite", fields.CharField(max_length=200)),
                ("commit", fields.CharField(null=True, max_length=64)),
                ("build", fields.CharField(null=True, max_length=200)),
                ("author_id", fields.UUIDField()),
                ("author_may_approve", fields.BooleanField(default=True)),
                (
                    "locale_coverage",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "genre_coverage",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("frame_diff_count", fields.IntField(default=0)),
                (
                    "reference_artifact_ids",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "metadata",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        default=RunStatus.OPEN,
                        description="OPEN: open\nFINISHED: finished",
                        enum_type=RunStatus,
                        max_length=16,
                    ),
                ),
                ("verdict", fields.CharField(null=True, max_length=16)),
                (
                    "finished_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "qa_runs",
                "app": "models",
                "indexes": [Index(fields=["organization_id", "created_at", "id"])],
                "pk_attr": "id",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="QaFinding",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "run",
                    fields.ForeignKeyField(
                        "models.QaRun",
                        source_field="run_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("title", fields.CharField(max_length=300)),
                ("description", fields.TextField(default="", unique=False)),
                ("category", fields.CharField(max_length=64)),
                (
                    "severity",
                    fields.CharEnumField(
                        description="BLOCKER: blocker\nCRITICAL: critical\nMAJOR: major\nMINOR: minor\nINFO: info",
                        enum_type=Severity,
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        default=FindingStatus.OPEN,
                        description="OPEN: open\nTRIAGED: triaged\nIN_PROGRESS: in_progress\nFIXED: fixed\nVERIFIED: verified\nWONT_FIX: wont_fix\nFALSE_POSITIVE: false_positive",
                        enum_type=FindingStatus,
                        max_length=16,
                    ),
                ),
                ("locale", fields.CharField(null=True, max_length=35)),
                ("genre", fields.CharField(null=True, max_length=64)),
                ("start_s", fields.FloatField(null=True)),
                ("end_s", fields.FloatField(null=True)),
                ("frame", fields.IntField(null=True)),
                (
                    "bbox",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("overlay_url", fields.CharField(null=True, max_length=2048)),
                ("overlay_artifact_id", fields.UUIDField(null=True)),
                ("evidence_artifact_id", fields.UUIDField(null=True)),
                ("expected", fields.TextField(null=True, unique=False)),
                ("actual", fields.TextField(null=True, unique=False)),
                ("assignee_id", fields.UUIDField(null=True)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "metadata",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("fingerprint", fields.CharField(max_length=64)),
                ("first_seen_run_id", fields.UUIDField()),
                ("occurrences", fields.IntField(default=1)),
                ("regression", fields.BooleanField(default=False)),
                (
                    "history",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
            ],
            options={
                "table": "qa_findings",
                "app": "models",
                "indexes": [
                    Index(fields=["run_id", "created_at", "id"]),
                    Index(fields=["organization_id", "fingerprint", "created_at"]),
                ],
                "pk_attr": "id",
                "table_description": "`fingerprint` is the same for the same fault in every run; `history` holds each change.",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="QaReview",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "run",
                    fields.ForeignKeyField(
                        "models.QaRun",
                        source_field="run_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("reviewer_id", fields.UUIDField()),
                (
                    "state",
                    fields.CharEnumField(
                        default=ReviewState.PENDING,
                        description="PENDING: pending\nAPPROVED: approved\nCHANGES_REQUESTED: changes_requested",
                        enum_type=ReviewState,
                        max_length=20,
                    ),
                ),
                ("comment", fields.TextField(default="", unique=False)),
            ],
            options={
                "table": "qa_reviews",
                "app": "models",
                "unique_together": (("run_id", "reviewer_id"),),
                "pk_attr": "id",
            },
            bases=["TenantRecord"],
        ),
    ]
