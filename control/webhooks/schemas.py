"""What webhooks look like from outside."""

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue

from control.bodies import In, Moment, Out, Patch
from control.webhooks.catalogue import EVENTS, EVERYTHING
from control.webhooks.models import DeliveryStatus, EndpointStatus

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent"}


def known_events(names: list[str]) -> list[str]:
    for name in names:
        if name != EVERYTHING and name not in EVENTS:
            raise ValueError(f"{name!r} is no event; GET /v1/webhooks/event-types lists them")
    return sorted(set(names))


def plain_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not TOKEN.fullmatch(name) or name.lower() in OURS or name.lower().startswith("webhook-"):
            raise ValueError(f"the header {name[:64]!r} cannot be set")
        if not value.isascii() or not value.isprintable() or len(value) > 1000:
            raise ValueError(f"the value of {name} must be at most 1000 printable ASCII characters")
    return headers


Url = Annotated[str, Field(min_length=8, max_length=2048)]
Events = Annotated[
    list[str], Field(min_length=1, max_length=len(EVENTS) + 1), AfterValidator(known_events)
]
Headers = Annotated[dict[str, str], Field(max_length=20), AfterValidator(plain_headers)]
Description = Annotated[str, Field(max_length=500)]


class CreateEndpoint(In):
    """`signature` is `v1`, HMAC with a secret you keep, or `v1a`, Ed25519, which you check with the
    endpoint's `public_key` and need keep no secret for.
    """

    url: Url
    events: Events = [EVERYTHING]
    description: Description = ""
    headers: Headers = {}
    signature: Literal["v1", "v1a"] = "v1"


class EndpointPatch(Patch):
    """`enabled` starts a disabled endpoint again, with what it still owes."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    headers: Headers | None = None
    status: Literal["enabled", "disabled"] | None = None


class EndpointOut(Out):
    """`quiet_until` is there where the receiver has asked for less: nothing is sent before it."""

    id: UUID
    url: str
    description: str
    events: list[str]
    headers: dict[str, str]
    status: EndpointStatus
    reason: str | None
    public_key: str | None
    quiet_until: datetime | None
    former_until: datetime | None
    created_at: datetime
    updated_at: datetime


class EndpointWithSecret(EndpointOut):
    """`secret` is shown this once: keep it. Endpoints with a `public_key` have none to keep."""

    secret: str | None


class EventType(Out):
    type: str
    description: str


class Attempt(Out):
    at: datetime
    status: int | None
    latency_ms: float
    response: str
    error: str | None


class DeliveryOut(Out):
    id: UUID
    endpoint_id: UUID
    type: str
    status: DeliveryStatus
    attempt_count: int
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    attempts: list[Attempt]
    created_at: datetime
    updated_at: datetime


class DeliveryDetail(DeliveryOut):
    """`payload` is the body that was signed."""

    payload: JsonValue


class DeliveryPatch(Patch):
    action: Literal["retry", "cancel"]


class ReplayDeliveries(In):
    """Which deliveries to send once more: those that failed since a moment, oldest first.

    One request reopens `limit` at most; the answer says how many more there are. Receivers see
    each under the `webhook-id` it had.
    """

    since: Moment
    until: Moment | None = None
    endpoint_id: UUID | None = None
    status: Literal["failed", "cancelled", "delivered"] = "failed"
    types: (
        Annotated[
            list[str], Field(min_length=1, max_length=len(EVENTS)), AfterValidator(known_events)
        ]
        | None
    ) = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000


class Replayed(Out):
    """`left` are those that match and were not reopened by this request: ask again for them."""

    replayed: int
    left: int


class DeliveryQuery(In):
    endpoint_id: UUID | None = None
    status: DeliveryStatus | None = None
    type: Annotated[str, Field(max_length=64)] | None = None
