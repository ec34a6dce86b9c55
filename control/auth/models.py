"""Sign-in state: refresh tokens by family, failed attempts by who tried what."""

from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from control.records import Record

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


class SignInAttempt(Model):
    """Failures in a row of one address from one place, known user or not."""

    key = fields.CharField(max_length=64, primary_key=True)
    failures = fields.IntField(default=0)
    blocked_until = fields.DatetimeField(null=True)
    last_at = fields.DatetimeField()

    class Meta:
        table = "sign_in_attempts"
