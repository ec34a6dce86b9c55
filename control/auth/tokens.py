"""Access tokens: JWTs signed with HS256 and nothing else, by keys that can rotate (RFC 8725)."""

import hashlib
import re
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import jwt

from control.errors import Unauthorized
from control.settings import Settings

ALGORITHM = "HS256"
ISSUER = "cutroom"
AUDIENCE = "cutroom-api"
INVITATION = "cutroom-invitation"
MAX_TOKEN_CHARS = 4096
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
UNTIMED: Any = {
    "require": ["exp", "iat", "sub", "aud", "iss"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


def key_id(key: bytes) -> str:
    """A name for a key that tells nothing about it."""
    return hashlib.sha256(b"kid:" + key).hexdigest()[:16]


def sign(
    settings: Settings, subject: UUID, *, life_s: float, audience: str = AUDIENCE, **claims: Any
) -> str:
    """A token for `subject` that dies in `life_s` seconds."""
    key = settings.signing_secrets[0]
    now = int(time.time())
    claims |= {
        "sub": str(subject), "aud": audience, "iss": ISSUER,
        "iat": now, "exp": now + int(life_s), "jti": str(uuid4()),
    }  # fmt: skip
    return jwt.encode(claims, key, ALGORITHM, headers={"kid": key_id(key)})


def verify(
    token: str,
    keys: Sequence[bytes],
    *,
    audience: str = AUDIENCE,
    issuer: str = ISSUER,
    now: float | None = None,
) -> dict[str, Any]:
    """The claims of a token that one of our keys signed and whose time it is.

    A token without `kid` is held against the first key. Times are checked here and not by PyJWT,
    whose clock cannot be given.

    Raises
    ------
    Unauthorized
        for every other text, always the same.
    """
    moment = time.time() if now is None else now
    try:
        claims = _claims(token, tuple(keys), audience, issuer)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError):
        raise _refused() from None
    if not isinstance(claims["sub"], str) or not _in_time(claims, moment):
        raise _refused()
    return dict(claims)


@lru_cache(maxsize=1024)
def _claims(token: str, keys: tuple[bytes, ...], audience: str, issuer: str) -> dict[str, Any]:
    """What a token that one of the keys signed says, whatever the time is."""
    key = _key_for(token, keys)
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=[ALGORITHM], audience=audience, issuer=issuer, options=UNTIMED
    )
    return claims


def _key_for(token: str, keys: Sequence[bytes]) -> bytes:
    # PyJWT also decodes the standard alphabet and padding, which RFC 7515 forbids.
    if len(token) > MAX_TOKEN_CHARS or not COMPACT.fullmatch(token):
        raise ValueError("not a compact JWS")
    header = jwt.get_unverified_header(token)
    if not header.keys().isdisjoint({"crit", "b64", "zip"}):
        raise ValueError("extensions are not understood")
    return keys[0] if "kid" not in header else {key_id(key): key for key in keys}[header["kid"]]


def _refused() -> Unauthorized:
    return Unauthorized("The token is not valid.", code="token_invalid")


def _in_time(claims: dict[str, Any], moment: float) -> bool:
    times = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
    if any(isinstance(time_, bool) or not isinstance(time_, int | float) for time_ in times):
        return False
    return bool(claims["exp"] > moment and claims.get("nbf", 0) <= moment)


def user_of(token: str, settings: Settings) -> UUID:
    """The user an access token was made for, or `Unauthorized`."""
    claims = verify(token, settings.signing_secrets)
    try:
        return UUID(claims["sub"])
    except ValueError:
        raise _refused() from None
