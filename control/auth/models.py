"""Sign-in state: refresh tokens by family, API keys, failed attempts by who tried what."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from control.access import Role
from control.records import Record, TenantRecord

if TYPE_CHECKING:
    from control.users.models import User


class RefreshToken(Record):
    """One link of a chain; only its SHA-256 is kept. `used_at` set twice means a thief."""

    user: fields.ForeignKeyRelation["User"] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.CASCADE
    )
    user_id: UUID
    family = fields.UUIDField(db_index=True)
    digest = fields.CharField(max_length=64, unique=True)
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refresh_tokens"


class ApiKey(TenantRecord):
    """A script's access; `role` is the most it may do."""

    user: fields.ForeignKeyRelation["User"] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.CASCADE
    )
    user_id: UUID
    name = fields.CharField(max_length=200)
    prefix = fields.CharField(max_length=16)
    digest = fields.CharField(max_length=64, unique=True)
    role = fields.CharEnumField(Role, max_length=32)
    expires_at: datetime | None = fields.DatetimeField(null=True)
    last_used_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "api_keys"
        indexes = (("organization_id", "created_at", "id"),)


class StreamTicket(TenantRecord):
    """A WebSocket that may be opened once; only the ticket's SHA-256 is kept."""

    user: fields.ForeignKeyRelation["User"] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.CASCADE
    )
    user_id: UUID
    role = fields.CharEnumField(Role, max_length=32)
    digest = fields.CharField(max_length=64, unique=True)
    expires_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "stream_tickets"


class SignInAttempt(Model):
    """Failures in a row of one address from one place, known user or not."""

    key = fields.CharField(max_length=64, primary_key=True)
    failures = fields.IntField(default=0)
    blocked_until = fields.DatetimeField(null=True)
    last_at = fields.DatetimeField()

    class Meta:
        table = "sign_in_attempts"
