"""Endpoint secrets: made here, shown once, sealed in the database under the server's own."""

import base64
import hashlib
import secrets

from cryptography.fernet import Fernet, MultiFernet

from control.settings import Settings

SECRET_BYTES = 32


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64, as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def seal(settings: Settings, secret: str) -> str:
    return _box(settings).encrypt(secret.encode()).decode()


def unseal(settings: Settings, sealed: str) -> str:
    """The secret; every secret the server still verifies with opens it."""
    return _box(settings).decrypt(sealed.encode()).decode()


def _box(settings: Settings) -> MultiFernet:
    keys = (hashlib.sha256(b"webhooks:" + key).digest() for key in settings.signing_secrets)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
