"""`Idempotency-Key` (IETF draft 07): a POST sent twice with one key is done once.

Hangs on a blueprint group as two middlewares and so covers every POST behind its door. A key
belongs to a user, an organisation and a route. Answers below 400 and of 500 are kept, as work had
begun; any other refusal frees its key, and so does an answer with a secret in it (`no-store`).
"""

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sanic import HTTPResponse, Request
from tortoise import fields
from tortoise.models import Model

from control import database
from control.errors import BadRequest, Conflict, Invalid
from control.records import now

# Bare, as most clients send it, or the draft's structured string.
KEY_PATTERN = r"""^([!#-~]{1,255}|"[!#-~]{1,255}")$"""
KEY_WORDS = "1 to 255 visible ASCII characters without quotes among them."
KEPT_HEADERS = ("location", "etag")
# A process that died in the middle of a request holds its key no longer than this.
IN_PROGRESS_S = 120

CLAIM = """
INSERT INTO idempotency_keys AS held (key, fingerprint, expires_at)
VALUES ($1, $2, now() + $3::interval)
ON CONFLICT (key) DO UPDATE
  SET fingerprint = excluded.fingerprint, expires_at = excluded.expires_at, status = NULL
  WHERE held.expires_at <= now()
RETURNING key
"""


class IdempotencyKey(Model):
    """`status` is None while the first request is still at work."""

    key = fields.CharField(max_length=64, primary_key=True)
    fingerprint = fields.CharField(max_length=64)
    expires_at: datetime = fields.DatetimeField(db_index=True)
    status = fields.SmallIntField(null=True)
    headers: Any = fields.JSONField(null=True)
    content = fields.BinaryField(null=True)

    class Meta:
        table = "idempotency_keys"


async def begin(request: Request) -> HTTPResponse | None:
    """Claim the key of a POST, or answer in its place.

    Raises
    ------
    BadRequest
        400 for a key that does not match `KEY_PATTERN`.
    Conflict
        409 while the first request is still at work.
    Invalid
        422 when the key came before with another request.
    """
    given = request.headers.get("idempotency-key")
    if given is None or request.method != "POST":
        return None
    if not re.fullmatch(KEY_PATTERN, given.strip()):
        raise BadRequest(f"Idempotency-Key is {KEY_WORDS}", code="idempotency_key_malformed")
    text = given.strip().strip('"')
    await request.receive_body()
    key, fingerprint = _scoped(request, text), _fingerprint(request)
    claimed = await database.default().execute_query_dict(
        CLAIM, [key, fingerprint, timedelta(seconds=IN_PROGRESS_S)]
    )
    if claimed:
        request.ctx.idempotency_key = key
        return None
    return _again(await IdempotencyKey.get_or_none(key=key), fingerprint)


async def finish(request: Request, response: HTTPResponse) -> None:
    """Keep the answer of a claimed key, or free the key."""
    key = getattr(request.ctx, "idempotency_key", None)
    if key is None:
        return
    row = IdempotencyKey.filter(key=key)
    secret = "no-store" in response.headers.get("cache-control", "")
    if not secret and (response.status < 400 or response.status == 500):
        settings = request.app.ctx.settings
        kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        await row.update(
            status=response.status,
            headers={**kept, "content-type": response.content_type},
            content=response.body or b"",
            expires_at=now() + timedelta(seconds=settings.idempotency_s),
        )
    else:
        await row.delete()


async def forget_expired() -> None:
    """Remove keys past their time; for the sweep."""
    await IdempotencyKey.filter(expires_at__lte=now()).delete()


def _again(row: IdempotencyKey | None, fingerprint: str) -> HTTPResponse:
    if row is not None and row.fingerprint != fingerprint:
        raise Invalid(
            "This Idempotency-Key came before with another request.", code="idempotency_key_reused"
        )
    if row is None or row.status is None:
        raise Conflict(
            "The first request with this key is still at work.", code="idempotency_in_progress"
        )
    headers = {name: value for name, value in row.headers.items() if name != "content-type"}
    return HTTPResponse(
        row.content,
        row.status,
        headers={**headers, "Idempotent-Replayed": "true"},
        content_type=row.headers["content-type"],
    )


def _scoped(request: Request, key: str) -> str:
    organization_id: UUID | None = getattr(
        getattr(request.ctx, "member", None), "organization_id", None
    )
    route = request.route.path if request.route else request.path
    parts = (str(request.ctx.user.user_id), str(organization_id), route, key)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _fingerprint(request: Request) -> str:
    digest = hashlib.sha256(f"{request.path}?{request.query_string}\0".encode())
    digest.update(request.body)
    return digest.hexdigest()
