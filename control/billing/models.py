"""Billing: subscription, usage and payments."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from control.records import TenantRecord


class PaymentStatus(StrEnum):
    """Midtrans's names (docs.midtrans.com, transaction status cycle)."""

    PENDING = "pending"
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    SETTLEMENT = "settlement"
    DENY = "deny"
    CANCEL = "cancel"
    EXPIRE = "expire"
    FAILURE = "failure"
    REFUND = "refund"
    PARTIAL_REFUND = "partial_refund"
    CHARGEBACK = "chargeback"
    PARTIAL_CHARGEBACK = "partial_chargeback"


class Subscription(TenantRecord):
    """One row per organisation; `next_plan` takes over at `next_from`."""

    plan = fields.CharField(max_length=32)
    seats = fields.IntField(default=1)
    period_start = fields.DatetimeField()
    next_plan = fields.CharField(max_length=32, null=True)
    next_seats = fields.IntField(null=True)
    next_from = fields.DatetimeField(null=True)

    class Meta:
        table = "subscriptions"
        unique_together = (("organization_id",),)


class UsageEvent(TenantRecord):
    """A line of the ledger, never changed; a correction is another line that names it."""

    event_id = fields.CharField(max_length=200)
    meter = fields.CharField(max_length=64)
    quantity = fields.DecimalField(max_digits=20, decimal_places=6)
    unit = fields.CharField(max_length=16)
    occurred_at = fields.DatetimeField()
    project_id: UUID | None = fields.UUIDField(null=True)
    job_id: UUID | None = fields.UUIDField(null=True)
    corrects = fields.CharField(max_length=200, null=True)

    class Meta:
        table = "usage_events"
        unique_together = (("organization_id", "event_id"),)
        indexes = (("organization_id", "meter", "occurred_at"),)


class Payment(TenantRecord):
    """`amount_idr` is whole rupiah; `history` holds each move of the status."""

    order_id = fields.CharField(max_length=50, unique=True)
    amount_idr = fields.BigIntField()
    description = fields.CharField(max_length=255, default="")
    gateway = fields.CharField(max_length=16)
    status = fields.CharEnumField(PaymentStatus, max_length=20, default=PaymentStatus.PENDING)
    redirect_url = fields.CharField(max_length=2048, null=True)
    token = fields.CharField(max_length=200, null=True)
    expires_at = fields.DatetimeField()
    history: Any = fields.JSONField(default=list)

    class Meta:
        table = "payments"
        indexes = (("organization_id", "created_at", "id"),)


class PaymentNotification(Model):
    """What a gateway sent, word for word, before anything is made of it."""

    id = fields.BigIntField(primary_key=True)
    received_at = fields.DatetimeField(auto_now_add=True)
    order_id = fields.CharField(max_length=100, null=True)
    content = fields.TextField()
    verdict = fields.CharField(max_length=32, default="received")

    class Meta:
        table = "payment_notifications"
        indexes = (("order_id", "id"),)
