"""The hash chain of the trail: each entry's hash covers the one before, so that none can vanish.

Entries are written in their own transactions, side by side; a sweep chains them afterwards, one
organisation at a time, in the order in which it finds them. From then on a trigger refuses every
change, and `verify` finds one that was made behind the database's back.
"""

import hashlib
import json
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from control.audit.models import AuditLog

START = "0" * 64
BATCH = 1000
LOCK = 0x6175646974  # "audit": one chainer at a time
HASHED = (
    "id", "created_at", "actor_id", "actor_kind", "action", "resource_type", "resource_id",
    "before", "after", "detail", "request_id", "address", "seq",
)  # fmt: skip
ORGANIZATIONS = "SELECT DISTINCT organization_id FROM audit_logs WHERE seq IS NULL LIMIT 100"


async def extend() -> int:
    """Chain the entries that are not yet; returns how many. Safe to run anywhere, any time."""
    done = 0
    async with in_transaction() as tx:
        (locked,) = await tx.execute_query_dict("SELECT pg_try_advisory_xact_lock($1) ok", [LOCK])
        if not locked["ok"]:
            return 0
        for row in await tx.execute_query_dict(ORGANIZATIONS):
            done += await _extend_one(tx, row["organization_id"])
    return done


async def _extend_one(tx: BaseDBAsyncClient, organization_id: UUID | None) -> int:
    ours = AuditLog.filter(organization_id=organization_id).using_db(tx)
    last = await ours.filter(seq__not_isnull=True).order_by("-seq").first()
    seq, before = (last.seq, last.chain_hash) if last else (0, START)
    fresh = await ours.filter(seq__isnull=True).order_by("created_at", "id").limit(BATCH)
    for entry in fresh:
        seq += 1
        entry.seq = seq
        before = entry.chain_hash = link(before or START, entry)
        await entry.save(using_db=tx, update_fields=["seq", "chain_hash"])
    return len(fresh)


def link(before: str, entry: AuditLog) -> str:
    """SHA-256 over the former hash and the entry as canonical JSON."""
    plain = {name: _plain(getattr(entry, name)) for name in HASHED}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


async def verify(organization_id: UUID | None) -> tuple[int, int | None]:
    """How many entries are chained, and the first `seq` that is missing or was changed."""
    count, before = 0, START
    while True:
        rows = AuditLog.filter(organization_id=organization_id, seq__gt=count)
        entries = await rows.order_by("seq").limit(BATCH)
        if not entries:
            return count, None
        for entry in entries:
            if entry.seq != count + 1 or entry.chain_hash != link(before, entry):
                return count, count + 1
            count, before = entry.seq, entry.chain_hash
