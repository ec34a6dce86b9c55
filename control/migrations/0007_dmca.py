from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from control.dmca.models import NoticeStatus
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("models", "0006_retell")]

    initial = False

    operations = [
        ops.CreateModel(
            name="DmcaNotice",
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
                    "status",
                    fields.CharEnumField(
                        description="INCOMPLETE: incomplete\nVALIDATED: validated\nCONTENT_DISABLED: content_disabled\nUPLOADER_NOTIFIED: uploader_notified\nCOUNTER_RECEIVED: counter_received\nFORWARDED: forwarded\nCOURT_HOLD: court_hold\nRESTORED: restored\nWITHDRAWN: withdrawn\nREJECTED: rejected",
                        enum_type=NoticeStatus,
                        max_length=32,
                    ),
                ),
                (
                    "claim",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                (
                    "missing",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "sha256s",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "counter_notice",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("legal_hold", fields.BooleanField(default=False)),
                ("strike", fields.IntField(null=True)),
                (
                    "disabled_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("restore_not_before", fields.DateField(null=True)),
                ("restore_not_after", fields.DateField(null=True)),
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
                "table": "dmca_notices",
                "app": "models",
                "indexes": [
                    Index(fields=["organization_id", "created_at", "id"]),
                    Index(fields=["status", "restore_not_after"]),
                ],
                "pk_attr": "id",
                "table_description": "`claim` and `counter_notice` are the parties' words, `sha256s` the bytes that are meant,",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="DmcaBlock",
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
                    "notice",
                    fields.ForeignKeyField(
                        "models.DmcaNotice",
                        source_field="notice_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("sha256", fields.CharField(max_length=64)),
            ],
            options={
                "table": "dmca_blocks",
                "app": "models",
                "unique_together": (("notice_id", "sha256"),),
                "indexes": [Index(fields=["organization_id", "sha256"])],
                "pk_attr": "id",
                "table_description": "Bytes that are taken down in an organisation, for as long as the row is there.",
            },
            bases=["TenantRecord"],
        ),
    ]
