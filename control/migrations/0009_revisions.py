from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("models", "0008_branding")]

    initial = False

    operations = [
        ops.CreateModel(
            name="TranscriptRevision",
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
                    "transcript",
                    fields.ForeignKeyField(
                        "models.Transcript",
                        source_field="transcript_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("revision", fields.IntField()),
                ("author_id", fields.UUIDField(null=True)),
                ("note", fields.CharField(null=True, max_length=500)),
                (
                    "diff",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
            ],
            options={
                "table": "transcript_revisions",
                "app": "models",
                "unique_together": (("transcript_id", "revision"),),
                "pk_attr": "id",
                "table_description": "One edit: `diff` holds each segment it touched as it was and as it became.",
            },
            bases=["TenantRecord"],
        ),
    ]
