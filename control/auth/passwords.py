"""Passwords: Argon2id (RFC 9106), off the event loop because it is slow on purpose."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
# Somebody unknown costs as much time as somebody known: a hash of a password nobody has.
_nobody = _hasher.hash("nobody has this password: 6f1d8e0c")


async def hashed(password: str) -> str:
    return await asyncio.to_thread(_hasher.hash, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether this is the password; takes as long where there is no hash at all."""

    def check() -> bool:
        try:
            return _hasher.verify(password_hash or _nobody, password) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False

    return await asyncio.to_thread(check)
