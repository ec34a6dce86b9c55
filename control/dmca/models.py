"""DMCA notices: 17 U.S.C. 512(c)(3) and what follows from them."""

from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from control.records import TenantRecord

STRIKE_LIFE = timedelta(days=90)


class NoticeStatus(StrEnum):
    INCOMPLETE = "incomplete"
    VALIDATED = "validated"
    CONTENT_DISABLED = "content_disabled"
    UPLOADER_NOTIFIED = "uploader_notified"
    COUNTER_RECEIVED = "counter_received"
    FORWARDED = "forwarded"
    REPEAT_INFRINGER_ACTION = "repeat_infringer_action"
    COURT_HOLD = "court_hold"
    RESTORED = "restored"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"


class DmcaNotice(TenantRecord):
    """`claim` and `counter_notice` are the parties' words, `sha256s` the bytes that are meant,
    `history` every move of the status.

    `strike` counts the takedowns of the last 90 days, this one included, on the day it was done.
    """

    status = fields.CharEnumField(NoticeStatus, max_length=32)
    claim: Any = fields.JSONField()
    missing: Any = fields.JSONField(default=list)
    sha256s: Any = fields.JSONField(default=list)
    counter_notice: Any = fields.JSONField(null=True)
    legal_hold = fields.BooleanField(default=False)
    strike = fields.IntField(null=True)
    disabled_at = fields.DatetimeField(null=True)
    restore_not_before = fields.DateField(null=True)
    restore_not_after = fields.DateField(null=True)
    history: Any = fields.JSONField(default=list)

    class Meta:
        table = "dmca_notices"
        indexes = (("organization_id", "created_at", "id"), ("status", "restore_not_after"))


class DmcaBlock(TenantRecord):
    """Bytes that are taken down in an organisation, for as long as the row is there."""

    notice: fields.ForeignKeyRelation[DmcaNotice] = fields.ForeignKeyField(
        "models.DmcaNotice", related_name=False, on_delete=fields.CASCADE
    )
    notice_id: UUID
    sha256 = fields.CharField(max_length=64)

    class Meta:
        table = "dmca_blocks"
        unique_together = (("notice_id", "sha256"),)
        indexes = (("organization_id", "sha256"),)
