"""Webhooks: what happened, told to the URLs a tenant names (Standard Webhooks 1.0.0)."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from control.records import TenantRecord


class EndpointStatus(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"
    AUTO_DISABLED = "auto_disabled"


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WebhookEndpoint(TenantRecord):
    """`secret` and `former_secret` are sealed: only with the server's own secret can they sign.

    `public_key` is there where they are Ed25519 keys. Nothing is sent before `quiet_until`.
    """

    url = fields.CharField(max_length=2048)
    description = fields.CharField(max_length=500, default="")
    events: Any = fields.JSONField()
    headers: Any = fields.JSONField(default=dict)
    status = fields.CharEnumField(EndpointStatus, max_length=16, default=EndpointStatus.ENABLED)
    reason = fields.CharField(max_length=200, null=True)
    secret = fields.CharField(max_length=500)
    former_secret = fields.CharField(max_length=500, null=True)
    public_key = fields.CharField(max_length=100, null=True)
    quiet_until = fields.DatetimeField(null=True)
    former_until = fields.DatetimeField(null=True)

    class Meta:
        table = "webhook_endpoints"
        indexes = (("organization_id", "created_at", "id"),)


class WebhookDelivery(TenantRecord):
    """One event for one endpoint; `content` is the very body that is signed and sent."""

    endpoint: fields.ForeignKeyRelation[WebhookEndpoint] = fields.ForeignKeyField(
        "models.WebhookEndpoint", related_name=False, on_delete=fields.CASCADE
    )
    endpoint_id: UUID
    type = fields.CharField(max_length=64)
    content = fields.TextField()
    status = fields.CharEnumField(DeliveryStatus, max_length=16, default=DeliveryStatus.PENDING)
    attempt_count = fields.IntField(default=0)
    attempts: Any = fields.JSONField(default=list)
    next_attempt_at = fields.DatetimeField(null=True)
    lease_until = fields.DatetimeField(null=True)
    delivered_at = fields.DatetimeField(null=True)

    class Meta:
        table = "webhook_deliveries"
        indexes = (
            ("status", "next_attempt_at"),
            ("organization_id", "created_at", "id"),
            ("endpoint_id", "created_at", "id"),
        )
