"""Signing in and staying signed in: back-off for guessers, rotation with theft detection."""

import secrets
from datetime import timedelta
from uuid import UUID, uuid4

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from control import database
from control.audit import trail
from control.auth.keys import digest_of
from control.auth.models import RefreshToken, SignInAttempt, StreamTicket
from control.auth.passwords import matches
from control.auth.schemas import TokenOut
from control.auth.tokens import sign
from control.errors import RateLimited, Unauthorized
from control.records import now
from control.settings import Settings
from control.users.models import User
from control.users.schemas import email_key

FORGIVEN_AFTER = timedelta(days=1)

# One statement counts the attempt before the password is looked at, so that guesses sent at the
# same moment are counted too. It changes nothing, and returns nothing, while the caller must wait.
COUNT_ATTEMPT = """
INSERT INTO sign_in_attempts AS seen (key, failures, last_at, blocked_until)
VALUES ($1, 1, now(), NULL)
ON CONFLICT (key) DO UPDATE SET
  failures = CASE WHEN seen.last_at < now() - $4::interval THEN 1 ELSE seen.failures + 1 END,
  last_at = now(),
  blocked_until = CASE WHEN seen.last_at >= now() - $4::interval AND seen.failures + 1 >= $2::int
    THEN now() + least($3::int, power(2, least(seen.failures + 1 - $2::int, 30)))
      * interval '1 second' END
WHERE seen.blocked_until IS NULL OR seen.blocked_until <= now()
RETURNING failures
"""


async def sign_in(settings: Settings, email: str, password: str, *, address: str) -> TokenOut:
    """Tokens for a person who knows the password.

    Failures are counted per address of mail and of network, known or not, so that neither the
    answer nor its delay tells whether somebody has an account.

    Raises
    ------
    Unauthorized
        the same for an unknown person, a wrong password and a closed account.
    RateLimited
        after `signin_free_tries` failures; the wait doubles with each.
    """
    key = digest_of(f"{email_key(email)}|{address}")
    counted = await database.default().execute_query_dict(
        COUNT_ATTEMPT,
        [key, settings.signin_free_tries, settings.signin_max_wait_s, FORGIVEN_AFTER],
    )
    if not counted:
        row = await SignInAttempt.get_or_none(key=key)
        wait = (row.blocked_until - now()).total_seconds() if row and row.blocked_until else 0
        raise RateLimited("Too many failed attempts.", retry_after_s=max(1, int(wait) + 1))
    user = await User.get_or_none(email_key=email_key(email))
    if not await matches(user.password_hash if user else None, password) or not (
        user and user.is_active
    ):
        raise Unauthorized("The address or the password is wrong.", code="invalid_credentials")
    await SignInAttempt.filter(key=key).delete()
    async with in_transaction() as tx:
        return await _issue(tx, settings, user.id, family=uuid4())


async def refresh(settings: Settings, token: str) -> TokenOut:
    """New tokens for a refresh token that was never used.

    A used one that comes again was stolen, from us or from the thief: its whole family ends.

    Raises
    ------
    Unauthorized
        for every token that does not work, whatever the reason.
    """
    async with in_transaction() as tx:
        row = await (
            RefreshToken.filter(digest=digest_of(token))
            .using_db(tx)
            .select_for_update()
            .get_or_none()
        )
        if row and row.used_at:
            await RefreshToken.filter(family=row.family).using_db(tx).delete()
            await trail.record(tx, None, "auth.refresh_token_reused", ("user", row.user_id))
        elif row and row.expires_at > now():
            active = await User.filter(id=row.user_id, is_active=True).using_db(tx).exists()
            if active:
                await RefreshToken.filter(id=row.id).using_db(tx).update(used_at=now())
                return await _issue(tx, settings, row.user_id, family=row.family)
    raise Unauthorized("The refresh token is not valid.", code="invalid_grant")


async def end_all(using: BaseDBAsyncClient, user_id: UUID) -> None:
    """Make every refresh token of a person useless; access tokens run out by themselves."""
    await RefreshToken.filter(user_id=user_id).using_db(using).delete()


async def forget_expired() -> None:
    """Remove what no longer decides anything; for the sweep."""
    await RefreshToken.filter(expires_at__lt=now()).delete()
    await StreamTicket.filter(expires_at__lt=now()).delete()
    await SignInAttempt.filter(last_at__lt=now() - FORGIVEN_AFTER).delete()


async def _issue(
    tx: BaseDBAsyncClient, settings: Settings, user_id: UUID, *, family: UUID
) -> TokenOut:
    token = secrets.token_urlsafe(32)
    await RefreshToken.create(
        using_db=tx,
        user_id=user_id,
        family=family,
        digest=digest_of(token),
        expires_at=now() + timedelta(seconds=settings.refresh_token_s),
    )
    return TokenOut(
        access_token=sign(settings, user_id, life_s=settings.access_token_s),
        expires_in=settings.access_token_s,
        refresh_token=token,
        refresh_expires_in=settings.refresh_token_s,
    )
