"""Once a day the head of every chain is signed, so that not even a whole new chain can pass.

Whoever can write to the database could change an entry and hash all that follow anew. The signing
key is not in the database: a checkpoint, above all one that was taken along, tells what the chain
was on its day (Ed25519, RFC 8032).
"""

import base64
import hashlib
from datetime import datetime
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tortoise.exceptions import IntegrityError

from control.audit.models import AuditCheckpoint, AuditLog
from control.database import default
from control.records import now
from control.settings import Settings

# Chains that have grown since their last checkpoint, where that is not of today.
DUE = """
SELECT o.id, head.seq, head.chain_hash FROM organizations o CROSS JOIN LATERAL (
    SELECT seq, chain_hash FROM audit_logs WHERE organization_id = o.id AND seq IS NOT NULL
     ORDER BY seq DESC LIMIT 1) head
 WHERE NOT EXISTS (SELECT 1 FROM audit_checkpoints c WHERE c.organization_id = o.id
                      AND (c.created_at >= date_trunc('day', now()) OR c.seq >= head.seq))
UNION ALL
SELECT NULL, head.seq, head.chain_hash FROM (
    SELECT seq, chain_hash FROM audit_logs WHERE organization_id IS NULL AND seq IS NOT NULL
     ORDER BY seq DESC LIMIT 1) head
 WHERE NOT EXISTS (SELECT 1 FROM audit_checkpoints c WHERE c.organization_id IS NULL
                      AND (c.created_at >= date_trunc('day', now()) OR c.seq >= head.seq))
"""


async def sign_due(settings: Settings) -> int:
    """Sign the heads that are due; returns how many. Safe to run anywhere, any time."""
    key = _keys(settings)[0]
    rows = await default().execute_query_dict(DUE)
    for row in rows:
        moment = now()
        text = _text(row["id"], row["seq"], row["chain_hash"], moment)
        try:
            await AuditCheckpoint.create(
                organization_id=row["id"], seq=row["seq"], chain_hash=row["chain_hash"],
                created_at=moment, public_key=_base64(key.public_key().public_bytes_raw()),
                signature=_base64(key.sign(text)),
            )  # fmt: skip
        except IntegrityError:
            continue  # another server was there first, or the organisation has gone
    return len(rows)


async def verify(settings: Settings, organization_id: UUID | None) -> tuple[int, int | None]:
    """How many checkpoints hold, and the first whose signature or whose entry is another."""
    ours = {_base64(key.public_key().public_bytes_raw()) for key in _keys(settings)}
    points = await AuditCheckpoint.filter(organization_id=organization_id).order_by("seq")
    entries = AuditLog.filter(
        organization_id=organization_id, seq__in=[point.seq for point in points]
    )
    hashes = dict(await entries.values_list("seq", "chain_hash"))
    for count, point in enumerate(points):
        known = point.public_key in ours and _is_signed(point)
        if not known or hashes.get(point.seq) != point.chain_hash:
            return count, point.seq
    return len(points), None


def _is_signed(point: AuditCheckpoint) -> bool:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(point.public_key))
    text = _text(point.organization_id, point.seq, point.chain_hash, point.created_at)
    try:
        key.verify(base64.b64decode(point.signature), text)
    except InvalidSignature:
        return False
    return True


def _text(organization_id: UUID | None, seq: int, chain_hash: str, moment: datetime) -> bytes:
    """What is signed: four lines, the time as the API writes it."""
    time = moment.isoformat().replace("+00:00", "Z")
    return f"{organization_id or 'instance'}\n{seq}\n{chain_hash}\n{time}".encode()


def _keys(settings: Settings) -> list[Ed25519PrivateKey]:
    """One for each of the server's secrets, the one that signs first."""
    seeds = (hashlib.sha256(b"audit:" + secret).digest() for secret in settings.signing_secrets)
    return [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
