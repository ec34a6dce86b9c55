from tortoise import migrations
from tortoise.migrations import operations as ops
from control.access import Role
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("models", "0016_job_moves")]

    initial = False

    operations = [
        ops.CreateModel(
            name="StreamTicket",
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
                (
                    "role",
                    fields.CharEnumField(
                        description="OWNER: owner\nADMIN: admin\nEDITOR: editor\nREVIEWER: reviewer\nVIEWER: viewer",
                        enum_type=Role,
                        max_length=32,
                    ),
                ),
                ("digest", fields.CharField(unique=True, max_length=64)),
                (
                    "expires_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "stream_tickets",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A WebSocket that may be opened once; only the ticket's SHA-256 is kept.",
            },
            bases=["TenantRecord"],
        ),
    ]
