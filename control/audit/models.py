"""The audit trail: who did what to which thing, before and after; rows are never changed."""

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from tortoise import fields
from tortoise.models import Model

if TYPE_CHECKING:
    from control.organizations.models import Organization


class AuditLog(Model):
    """`organization_id` is None for what concerns the instance; `actor_id` for the system.

    `seq` and `chain_hash` are set by `control.audit.chain` within seconds, and then for good.
    """

    id = fields.UUIDField(primary_key=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    organization: fields.ForeignKeyNullableRelation["Organization"] = fields.ForeignKeyField(
        "models.Organization", related_name=False, null=True, on_delete=fields.CASCADE
    )
    organization_id: UUID | None
    actor_id = fields.UUIDField(null=True)
    actor_kind = fields.CharField(max_length=32)
    action = fields.CharField(max_length=100)
    resource_type = fields.CharField(max_length=64)
    resource_id = fields.CharField(max_length=200, null=True)
    before: Any = fields.JSONField(null=True)
    after: Any = fields.JSONField(null=True)
    detail: Any = fields.JSONField(null=True)
    request_id = fields.CharField(max_length=200, null=True)
    address = fields.CharField(max_length=64, null=True)
    seq = fields.BigIntField(null=True)
    chain_hash = fields.CharField(max_length=64, null=True)

    class Meta:
        table = "audit_logs"
        indexes = (
            ("organization_id", "created_at", "id"),
            ("organization_id", "resource_type", "resource_id"),
            ("organization_id", "seq"),
        )


class AuditCheckpoint(Model):
    """The head of a chain on a day, signed; the trigger that keeps entries keeps these too."""

    id = fields.UUIDField(primary_key=True, default=uuid4)
    created_at = fields.DatetimeField()
    organization: fields.ForeignKeyNullableRelation["Organization"] = fields.ForeignKeyField(
        "models.Organization", related_name=False, null=True, on_delete=fields.CASCADE
    )
    organization_id: UUID | None
    seq = fields.BigIntField()
    chain_hash = fields.CharField(max_length=64)
    public_key = fields.CharField(max_length=64)
    signature = fields.CharField(max_length=100)

    class Meta:
        table = "audit_checkpoints"
        unique_together = (("organization_id", "seq"),)
        indexes = (("organization_id", "created_at", "id"),)
