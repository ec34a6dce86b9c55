"""API keys: long-lived access of one person to one organisation, for scripts.

A key looks like `ck_<prefix>_<secret>`; only its SHA-256 is kept, which is enough as the secret is
256 random bits. It does no more than its role and than its owner's membership still allow, and it
cannot make keys.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from control.access import Member, Role
from control.audit import trail
from control.auth.models import ApiKey
from control.auth.schemas import CreateKey
from control.errors import Forbidden, Unauthorized
from control.records import find, now

MARK = "ck_"
NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class KeyHolder:
    """Whom a key stands for, where, and up to which role."""

    user_id: UUID
    organization_id: UUID
    role: Role


def digest_of(secret: str) -> str:
    """What is kept of a secret that is too long to be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def mint(member: Member, wanted: CreateKey) -> tuple[ApiKey, str]:
    """A new key and, this once, its text.

    Raises
    ------
    Forbidden
        for a role above the member's own, and where the caller is a key.
    """
    if member.by_key:
        raise Forbidden("A key cannot make keys: sign in.", code="key_not_enough")
    role = wanted.role or member.role
    member.must_be(role)
    prefix = secrets.token_hex(4)
    text = f"{MARK}{prefix}_{secrets.token_urlsafe(32)}"
    async with in_transaction() as tx:
        key = await ApiKey.create(
            using_db=tx,
            organization_id=member.organization_id,
            user_id=member.user_id,
            name=wanted.name,
            prefix=prefix,
            digest=digest_of(text),
            role=role,
            expires_at=wanted.expires_at,
        )
        after = {"name": key.name, "prefix": prefix, "role": role}
        await trail.record(tx, member, "key.created", key, after=after)
    return key, text


async def revoke(member: Member, key_id: UUID) -> None:
    """End a key of one's own, or anybody's for an administrator."""
    async with in_transaction() as tx:
        rows = ApiKey.of(member).using_db(tx)
        if not member.role.covers(Role.ADMIN):
            rows = rows.filter(user_id=member.user_id)
        key = await find(rows, key_id)
        await trail.record(tx, member, "key.revoked", key, before={"prefix": key.prefix})
        await key.delete(using_db=tx)


async def holder_of(text: str) -> KeyHolder:
    """Whom the key stands for, or `Unauthorized`; notes now and then that it was used."""
    row = await ApiKey.get_or_none(digest=digest_of(text))
    moment = now()
    if row is None or (row.expires_at and row.expires_at <= moment):
        raise Unauthorized("The token is not valid.", code="token_invalid")
    if row.last_used_at is None or row.last_used_at < moment - NOTED_EVERY:
        unnoted = Q(last_used_at__isnull=True) | Q(last_used_at__lt=moment - NOTED_EVERY)
        await ApiKey.filter(unnoted, id=row.id).update(last_used_at=moment)
    return KeyHolder(row.user_id, row.organization_id, row.role)
