from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from control.billing.models import PaymentStatus
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("models", "0002_webhooks")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Payment",
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
                ("order_id", fields.CharField(unique=True, max_length=50)),
                ("amount_idr", fields.BigIntField()),
                ("description", fields.CharField(default="", max_length=255)),
                ("gateway", fields.CharField(max_length=16)),
                (
                    "status",
                    fields.CharEnumField(
                        default=PaymentStatus.PENDING,
                        description="PENDING: pending\nAUTHORIZE: authorize\nCAPTURE: capture\nSETTLEMENT: settlement\nDENY: deny\nCANCEL: cancel\nEXPIRE: expire\nFAILURE: failure\nREFUND: refund\nPARTIAL_REFUND: partial_refund\nCHARGEBACK: chargeback\nPARTIAL_CHARGEBACK: partial_chargeback",
                        enum_type=PaymentStatus,
                        max_length=20,
                    ),
                ),
                ("redirect_url", fields.CharField(null=True, max_length=2048)),
                ("token", fields.CharField(null=True, max_length=200)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
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
                "table": "payments",
                "app": "models",
                "indexes": [Index(fields=["organization_id", "created_at", "id"])],
                "pk_attr": "id",
                "table_description": "`amount_idr` is whole rupiah; `history` holds each move of the status.",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="PaymentNotification",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("received_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("order_id", fields.CharField(null=True, max_length=100)),
                ("content", fields.TextField(unique=False)),
                ("verdict", fields.CharField(default="received", max_length=32)),
            ],
            options={
                "table": "payment_notifications",
                "app": "models",
                "indexes": [Index(fields=["order_id", "id"])],
                "pk_attr": "id",
                "table_description": "What a gateway sent, word for word, before anything is made of it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Subscription",
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
                ("plan", fields.CharField(max_length=32)),
                ("seats", fields.IntField(default=1)),
                ("period_start", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("next_plan", fields.CharField(null=True, max_length=32)),
                ("next_seats", fields.IntField(null=True)),
                ("next_from", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "subscriptions",
                "app": "models",
                "unique_together": (("organization_id",),),
                "pk_attr": "id",
                "table_description": "One row per organisation; `next_plan` takes over at `next_from`.",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="UsageEvent",
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
                ("event_id", fields.CharField(max_length=200)),
                ("meter", fields.CharField(max_length=64)),
                ("quantity", fields.DecimalField(max_digits=20, decimal_places=6)),
                ("unit", fields.CharField(max_length=16)),
                ("occurred_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("project_id", fields.UUIDField(null=True)),
                ("job_id", fields.UUIDField(null=True)),
                ("corrects", fields.CharField(null=True, max_length=200)),
            ],
            options={
                "table": "usage_events",
                "app": "models",
                "unique_together": (("organization_id", "event_id"),),
                "indexes": [Index(fields=["organization_id", "meter", "occurred_at"])],
                "pk_attr": "id",
                "table_description": "A line of the ledger, never changed; a correction is another line that names it.",
            },
            bases=["TenantRecord"],
        ),
    ]
