from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("models", "0017_stream_tickets")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AuditCheckpoint",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
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
                ("seq", fields.BigIntField()),
                ("chain_hash", fields.CharField(max_length=64)),
                ("public_key", fields.CharField(max_length=64)),
                ("signature", fields.CharField(max_length=100)),
            ],
            options={
                "table": "audit_checkpoints",
                "app": "models",
                "unique_together": (("organization_id", "seq"),),
                "indexes": [Index(fields=["organization_id", "created_at", "id"])],
                "pk_attr": "id",
                "table_description": "The head of a chain on a day, signed; the trigger that keeps entries keeps these too.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_checkpoints "
            "FOR EACH ROW EXECUTE FUNCTION audit_append_only()",
            reverse_sql="DROP TRIGGER audit_append_only ON audit_checkpoints",
        ),
    ]
