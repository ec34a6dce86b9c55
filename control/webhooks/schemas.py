"""What webhooks look like from outside."""

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue

from control.bodies import In, Moment, Out, Patch
from control.webhooks.catalogue import EVENTS, EVERYTHING
from control.webhooks.models import DeliveryStatus, EndpointStatus
from ray_jobs.contract import Like

OURS = ("host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent")


def _any_case(text: str) -> str:
    return "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in text)


# A token of RFC 9110, 5.6.2.
HEADER = (
    f"^(?!({'|'.join(map(_any_case, OURS))})$)(?!{_any_case('webhook-')})"
    "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"
)
HEADER_WORDS = (
    "The name of a header, at most 64 characters; none that begins with webhook-, and none of "
    f"{', '.join(OURS)}."
)


def known_event(name: str) -> str:
    if name != EVERYTHING and name not in EVENTS:
        raise ValueError(f"{name!r} is no event; GET /v1/webhooks/event-types lists them")
    return name


def free_header(name: str) -> str:
    if not re.fullmatch(HEADER, name):
        raise ValueError(f"the header {name[:64]!r} cannot be set")
    return name


def each_once(names: list[str]) -> list[str]:
    return sorted(set(names))


Url = Annotated[
    str,
    Field(max_length=2048),
    Like(r"^[Hh][Tt][Tt][Pp][Ss]?://[^\x00]*$", "must begin with https:// or http://"),
]
Event = Annotated[
    str, AfterValidator(known_event), Field(json_schema_extra={"enum": [EVERYTHING, *EVENTS]})
]
Events = Annotated[
    list[Event], Field(min_length=1, max_length=len(EVENTS) + 1), AfterValidator(each_once)
]
HeaderName = Annotated[
    str,
    AfterValidator(free_header),
    Field(description=HEADER_WORDS, json_schema_extra={"pattern": HEADER}),
]
HeaderValue = Annotated[
    str, Like("^[ -~]{0,1000}$", "must be at most 1000 printable ASCII characters")
]
Headers = Annotated[
    dict[HeaderName, HeaderValue],
    Field(max_length=20, json_schema_extra={"additionalProperties": False}),
]
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
            list[Event], Field(min_length=1, max_length=len(EVENTS)), AfterValidator(each_once)
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
