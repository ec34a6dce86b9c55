"""What the audit trail looks like from outside."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, JsonValue

from control.bodies import In, Moment, Out
from ray_jobs.contract import Like, Snake

Action = Annotated[
    str,
    Field(max_length=100),
    Like(
        r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$",
        "must be words of small letters, digits and _ with dots between, as in clip.published",
    ),
]


class WriteEntry(In):
    """What a trusted service notes; who, when and from where are the server's to say.

    A `detail` that is a text is kept as `{"note": detail}`.
    """

    action: Action
    resource_type: Snake
    resource_id: Annotated[str, Field(max_length=200)] | None = None
    before: dict[str, JsonValue] | None = None
    after: dict[str, JsonValue] | None = None
    detail: JsonValue = None


class EntryQuery(In):
    actor_id: UUID | None = None
    action: Annotated[str, Field(max_length=100)] | None = None
    resource_type: Annotated[str, Field(max_length=64)] | None = None
    resource_id: Annotated[str, Field(max_length=200)] | None = None
    since: Moment | None = None
    until: Moment | None = None


class EntryOut(Out):
    """`seq` and `chain_hash` are null for the seconds until the entry is chained."""

    id: UUID
    created_at: datetime
    actor_id: UUID | None
    actor_kind: str
    action: str
    resource_type: str
    resource_id: str | None
    before: JsonValue
    after: JsonValue
    detail: JsonValue
    request_id: str | None
    address: str | None
    seq: int | None
    chain_hash: str | None


class CheckpointOut(Out):
    """What the chain's last entry was on that day, and the server's signature under it."""

    id: UUID
    created_at: datetime
    seq: int
    chain_hash: str
    public_key: str
    signature: str


class Verified(Out):
    """`broken_at` is the first entry that is missing or was changed; null where all are whole.

    `disputed_at` is the first entry that is not the one its checkpoint signed, null where there is
    none: the chain was made anew.
    """

    entries: int
    broken_at: int | None
    checkpoints: int
    disputed_at: int | None
