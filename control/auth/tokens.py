"""Access tokens: JWTs signed with HS256 and nothing else, by keys that can rotate (RFC 8725)."""

import hashlib
import time
from collections.abc import Sequence
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
REQUIRED = ["exp", "iat", "sub", "aud", "iss"]


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
        if len(token) > MAX_TOKEN_CHARS:
            raise ValueError("too long")
        header = jwt.get_unverified_header(token)
        if set(header) & {"crit", "b64", "zip"}:
            raise ValueError("extensions are not understood")
        key = keys[0] if "kid" not in header else {key_id(k): k for k in keys}[header["kid"]]
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            options={
                "require": REQUIRED,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        if not _in_time(claims, moment) or not isinstance(claims["sub"], str):
            raise ValueError("not its time")
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError):
        raise Unauthorized("The token is not valid.", code="token_invalid") from None
    return claims


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
        raise Unauthorized("The token is not valid.", code="token_invalid") from None
