"""Endpoint secrets: made here, shown once, sealed in the database under the server's own.

Standard Webhooks 1.0.0 knows two signatures: `v1`, HMAC-SHA256 with a secret that the receiver
holds too, and `v1a`, Ed25519, which a receiver checks with a public key and cannot forge.
"""

import base64
import hashlib
import secrets
from datetime import datetime

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from control.settings import Settings

SECRET_BYTES = 32
PRIVATE, PUBLIC = "whsk_", "whpk_"


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64, as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_key_pair() -> tuple[str, str]:
    """`whsk_` and the 32 bytes of an Ed25519 seed in base64; `whpk_` and its public key."""
    key = Ed25519PrivateKey.generate()
    private, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    return _text(PRIVATE, private), _text(PUBLIC, public)


def _text(prefix: str, key: bytes) -> str:
    return prefix + base64.b64encode(key).decode()


def signature(secret: str, name: str, moment: datetime, content: str) -> str:
    """What `webhook-signature` says of a message, in the manner of its secret."""
    if not secret.startswith(PRIVATE):
        return str(Webhook(secret).sign(name, moment, content))
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.removeprefix(PRIVATE)))
    signed = key.sign(f"{name}.{int(moment.timestamp())}.{content}".encode())
    return f"v1a,{base64.b64encode(signed).decode()}"


def seal(settings: Settings, secret: str) -> str:
    return _box(settings).encrypt(secret.encode()).decode()


def unseal(settings: Settings, sealed: str) -> str:
    """The secret; every secret the server still verifies with opens it."""
    return _box(settings).decrypt(sealed.encode()).decode()


def _box(settings: Settings) -> MultiFernet:
    keys = (hashlib.sha256(b"webhooks:" + key).digest() for key in settings.signing_secrets)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
