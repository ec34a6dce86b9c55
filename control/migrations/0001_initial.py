from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from control.access import Role
from control.clips.models import ClipStatus
from control.jobs.models import JobState
from control.organizations.models import MemberStatus
from control.videos.models import VideoStatus
from json import dumps, loads
from ray_jobs.contract.vocabulary import JobKind
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "key",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("fingerprint", fields.CharField(max_length=64)),
                (
                    "expires_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
                ("status", fields.SmallIntField(null=True)),
                (
                    "headers",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("content", fields.BinaryField(null=True)),
            ],
            options={
                "table": "idempotency_keys",
                "app": "models",
                "pk_attr": "key",
                "table_description": "`status` is None while the first request is still at work.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Organization",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ("name", fields.CharField(max_length=200)),
            ],
            options={"table": "organizations", "app": "models", "pk_attr": "id"},
            bases=["Record"],
        ),
        ops.CreateModel(
            name="AuditLog",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("actor_id", fields.UUIDField(null=True)),
                ("actor_kind", fields.CharField(max_length=32)),
                ("action", fields.CharField(max_length=100)),
                ("resource_type", fields.CharField(max_length=64)),
                ("resource_id", fields.CharField(null=True, max_length=200)),
                (
                    "before",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "after",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "detail",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("request_id", fields.CharField(null=True, max_length=200)),
                ("address", fields.CharField(null=True, max_length=64)),
            ],
            options={
                "table": "audit_logs",
                "app": "models",
                "indexes": [
                    Index(fields=["organization_id", "created_at", "id"]),
                    Index(fields=["organization_id", "resource_type", "resource_id"]),
                ],
                "pk_attr": "id",
                "table_description": "`organization_id` is None for what concerns the instance; `actor_id` for the system.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Project",
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
                ("name", fields.CharField(max_length=200)),
                ("description", fields.TextField(default="", unique=False)),
            ],
            options={
                "table": "projects",
                "app": "models",
                "indexes": [Index(fields=["organization_id", "created_at", "id"])],
                "pk_attr": "id",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="ArtifactRow",
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
                    "project",
                    fields.ForeignKeyField(
                        "models.Project",
                        source_field="project_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("video_id", fields.UUIDField(null=True)),
                ("clip_id", fields.UUIDField(null=True)),
                ("job_id", fields.UUIDField(null=True)),
                ("kind", fields.CharField(max_length=64)),
                ("filename", fields.CharField(max_length=255)),
                ("key", fields.CharField(max_length=900)),
                ("sha256", fields.CharField(max_length=64)),
                ("size_bytes", fields.BigIntField()),
                ("content_type", fields.CharField(max_length=200)),
            ],
            options={
                "table": "artifacts",
                "app": "models",
                "indexes": [
                    Index(fields=["project_id", "created_at", "id"]),
                    Index(fields=["video_id", "created_at", "id"]),
                    Index(fields=["clip_id", "created_at", "id"]),
                ],
                "pk_attr": "id",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="Job",
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
                    "kind",
                    fields.CharEnumField(
                        description="module that does it",
                        enum_type=JobKind,
                        max_length=32,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        default=JobState.QUEUED,
                        description="QUEUED: queued\nRUNNING: running\nPAUSING: pausing\nPAUSED: paused\nCANCELLING: cancelling\nSUCCEEDED: succeeded\nFAILED: failed\nCANCELLED: cancelled",
                        enum_type=JobState,
                        max_length=32,
                    ),
                ),
                ("priority", fields.IntField(default=0)),
                (
                    "spec",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("spec_sha256", fields.CharField(max_length=64)),
                (
                    "project",
                    fields.ForeignKeyField(
                        "models.Project",
                        source_field="project_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("video_id", fields.UUIDField(null=True)),
                ("clip_id", fields.UUIDField(null=True)),
                ("created_by", fields.UUIDField(null=True)),
                ("attempt", fields.IntField(default=0)),
                ("max_attempts", fields.IntField(default=3)),
                (
                    "lease_until",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("report_seq", fields.IntField(default=0)),
                ("progress", fields.FloatField(default=0.0)),
                ("step", fields.CharField(null=True, max_length=200)),
                (
                    "steps",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "effective",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("cached", fields.BooleanField(default=False)),
                (
                    "result",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "problem",
                    fields.JSONField(
                        null=True,
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
                ("queued_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "finished_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "jobs",
                "app": "models",
                "indexes": [
                    Index(fields=["organization_id", "created_at", "id"]),
                    Index(fields=["project_id", "created_at", "id"]),
                    Index(fields=["organization_id", "kind", "spec_sha256"]),
                    Index(fields=["state", "kind", "priority", "queued_at"]),
                    Index(fields=["state", "lease_until"]),
                ],
                "pk_attr": "id",
                "table_description": "A piece of work; `attempt` fences its workers, `report_seq` their reports.",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="JobEvent",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "job",
                    fields.ForeignKeyField(
                        "models.Job",
                        source_field="job_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("type", fields.CharField(max_length=64)),
                (
                    "data",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={
                "table": "job_events",
                "app": "models",
                "indexes": [Index(fields=["job_id", "id"])],
                "pk_attr": "id",
                "table_description": "One entry of a job's log; `id` grows, and is the `seq` clients resume after.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SignInAttempt",
            fields=[
                (
                    "key",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("failures", fields.IntField(default=0)),
                (
                    "blocked_until",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("last_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sign_in_attempts",
                "app": "models",
                "pk_attr": "key",
                "table_description": "Failures in a row of one address from one place, known user or not.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ("email", fields.CharField(max_length=254)),
                ("email_key", fields.CharField(unique=True, max_length=254)),
                ("name", fields.CharField(max_length=200)),
                ("password_hash", fields.CharField(null=True, max_length=255)),
                ("is_admin", fields.BooleanField(default=False)),
                ("is_active", fields.BooleanField(default=True)),
            ],
            options={
                "table": "users",
                "app": "models",
                "indexes": [Index(fields=["created_at", "id"])],
                "pk_attr": "id",
                "table_description": "`email_key` is the case-folded address: two spellings of one address are one person.",
            },
            bases=["Record"],
        ),
        ops.CreateModel(
            name="ApiKey",
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
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=200)),
                ("prefix", fields.CharField(max_length=16)),
                ("digest", fields.CharField(unique=True, max_length=64)),
                (
                    "role",
                    fields.CharEnumField(
                        description="OWNER: owner\nADMIN: admin\nEDITOR: editor\nREVIEWER: reviewer\nVIEWER: viewer",
                        enum_type=Role,
                        max_length=32,
                    ),
                ),
                ("expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "last_used_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "api_keys",
                "app": "models",
                "indexes": [Index(fields=["organization_id", "created_at", "id"])],
                "pk_attr": "id",
                "table_description": "A script's access; `role` is the most it may do.",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="Membership",
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
                        related_name="memberships",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="memberships",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "role",
                    fields.CharEnumField(
                        description="OWNER: owner\nADMIN: admin\nEDITOR: editor\nREVIEWER: reviewer\nVIEWER: viewer",
                        enum_type=Role,
                        max_length=32,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        default=MemberStatus.ACTIVE,
                        description="INVITED: invited\nACTIVE: active\nSUSPENDED: suspended",
                        enum_type=MemberStatus,
                        max_length=32,
                    ),
                ),
            ],
            options={
                "table": "memberships",
                "app": "models",
                "unique_together": (("organization", "user"),),
                "indexes": [Index(fields=["user_id"])],
                "pk_attr": "id",
            },
            bases=["Record"],
        ),
        ops.CreateModel(
            name="RefreshToken",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("family", fields.UUIDField(db_index=True)),
                ("digest", fields.CharField(unique=True, max_length=64)),
                (
                    "expires_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "refresh_tokens",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One link of a chain; only its SHA-256 is kept. `used_at` set twice means a thief.",
            },
            bases=["Record"],
        ),
        ops.CreateModel(
            name="Video",
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
                    "project",
                    fields.ForeignKeyField(
                        "models.Project",
                        source_field="project_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("filename", fields.CharField(max_length=255)),
                ("source", fields.CharField(max_length=32)),
                ("url", fields.TextField(null=True, unique=False)),
                ("upload_key", fields.CharField(null=True, max_length=900)),
                ("expected_size_bytes", fields.BigIntField(null=True)),
                ("expected_sha256", fields.CharField(null=True, max_length=64)),
                (
                    "status",
                    fields.CharEnumField(
                        description="AWAITING_UPLOAD: awaiting_upload\nINGESTING: ingesting\nREADY: ready\nTRANSCRIBING: transcribing\nTRANSCRIBED: transcribed\nCLIPPING: clipping\nCLIPPED: clipped\nEXPORTING: exporting\nEXPORTED: exported\nFAILED: failed",
                        enum_type=VideoStatus,
                        max_length=32,
                    ),
                ),
                (
                    "stages",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "problem",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("ingest_job_id", fields.UUIDField(null=True)),
                (
                    "object",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "media",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("sha256", fields.CharField(null=True, max_length=64)),
                ("size_bytes", fields.BigIntField(null=True)),
                ("duration_s", fields.FloatField(null=True)),
                ("frame_rate", fields.CharField(null=True, max_length=32)),
                ("width", fields.IntField(null=True)),
                ("height", fields.IntField(null=True)),
                ("vfr", fields.BooleanField(null=True)),
            ],
            options={
                "table": "videos",
                "app": "models",
                "indexes": [
                    Index(fields=["project_id", "created_at", "id"]),
                    Index(fields=["organization_id", "sha256"]),
                ],
                "pk_attr": "id",
                "table_description": "`object` and `media` are set when ingest has succeeded, and not before.",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="Clip",
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
                    "project",
                    fields.ForeignKeyField(
                        "models.Project",
                        source_field="project_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "video",
                    fields.ForeignKeyField(
                        "models.Video",
                        source_field="video_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("job_id", fields.UUIDField(null=True)),
                ("rank", fields.IntField()),
                ("title", fields.CharField(max_length=300)),
                ("text", fields.TextField(default="", unique=False)),
                ("start_s", fields.FloatField()),
                ("end_s", fields.FloatField()),
                ("score", fields.FloatField()),
                (
                    "parts",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "segment_ids",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "crop_track",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "subtitle_style",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        default=ClipStatus.SUGGESTED,
                        description="SUGGESTED: suggested\nKEPT: kept\nREJECTED: rejected\nSUPERSEDED: superseded",
                        enum_type=ClipStatus,
                        max_length=32,
                    ),
                ),
                ("edited", fields.BooleanField(default=False)),
            ],
            options={
                "table": "clips",
                "app": "models",
                "indexes": [
                    Index(fields=["video_id", "rank", "id"]),
                    Index(fields=["project_id", "created_at", "id"]),
                ],
                "pk_attr": "id",
                "table_description": "`edited` clips survive a new search; `subtitle_style` None means the deployment's preset.",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="Transcript",
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
                    "video",
                    fields.ForeignKeyField(
                        "models.Video",
                        source_field="video_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("job_id", fields.UUIDField(null=True)),
                ("engine", fields.CharField(max_length=200)),
                ("language", fields.CharField(max_length=32)),
                ("given", fields.BooleanField(default=False)),
                ("rough", fields.BooleanField(default=False)),
                ("note", fields.TextField(null=True, unique=False)),
                (
                    "segments",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("revision", fields.IntField(default=1)),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={
                "table": "transcripts",
                "app": "models",
                "indexes": [Index(fields=["video_id", "made_at"])],
                "pk_attr": "id",
                "table_description": "`made_at` orders a video's transcripts: the one asked for last is the one that is used.",
            },
            bases=["TenantRecord"],
        ),
    ]
