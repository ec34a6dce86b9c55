"""Writing deliveries in the transaction of the change they tell of."""

from typing import Any
from uuid import UUID, uuid4

from pydantic_core import to_json, to_jsonable_python
from tortoise.backends.base.client import BaseDBAsyncClient

from control.access import Member
from control.jobs.models import Job
from control.records import now
from control.webhooks.catalogue import EVENTS, EVERYTHING, event_of
from control.webhooks.models import (
    DeliveryStatus,
    EndpointStatus,
    WebhookDelivery,
    WebhookEndpoint,
)
from control.webhooks.schemas import ReplayDeliveries

CHANNEL = "cutroom_webhooks"
# Standard Webhooks 1.0.0 asks for payloads below 20 kB; the rest of the body is small.
MAX_DATA_BYTES = 18_000
MAX_TEXT_CHARS = 500


async def emit(
    using: BaseDBAsyncClient,
    organization_id: UUID,
    type: str,  # noqa: A002
    data: dict[str, Any],
) -> None:
    """Owe every enabled endpoint that listens to `type` this event, if `using` commits.

    The body is `{type, timestamp, sequence, data}` with the time of the event in UTC. Deliveries
    may arrive in any order: of two events of one thing the later has the greater `sequence`.
    """
    if type not in EVENTS:
        raise ValueError(f"{type} is in no catalogue")
    rows = WebhookEndpoint.filter(organization_id=organization_id, status=EndpointStatus.ENABLED)
    listening = [
        endpoint
        for endpoint in await rows.using_db(using)
        if type in endpoint.events or EVERYTHING in endpoint.events
    ]
    if listening:
        content = await body_of(using, type, data)
        for endpoint in listening:
            await owe(using, endpoint, type, content)


async def body_of(using: BaseDBAsyncClient, type: str, data: dict[str, Any]) -> str:  # noqa: A002
    """The body, numbered while the transaction still holds what it tells of."""
    [row] = await using.execute_query_dict("SELECT nextval('webhook_sequence') AS number")
    told = {"type": type, "timestamp": now(), "sequence": row["number"], "data": _short(data)}
    return to_json(told).decode()


def _short(data: dict[str, Any]) -> dict[str, Any]:
    """The data, or of too much of it the plain values, with `shortened` to say so."""
    plain: dict[str, Any] = to_jsonable_python(data)
    if len(to_json(plain)) <= MAX_DATA_BYTES:
        return plain
    kept = {name: value for name, value in plain.items() if not isinstance(value, dict | list)}
    return {
        name: value[:MAX_TEXT_CHARS] if isinstance(value, str) else value
        for name, value in kept.items()
    } | {"shortened": True}


async def owe(
    using: BaseDBAsyncClient,
    endpoint: WebhookEndpoint,
    type: str,  # noqa: A002
    content: str,
) -> WebhookDelivery:
    """One delivery of a body to one endpoint, due at once."""
    delivery = await WebhookDelivery.create(
        using_db=using,
        id=uuid4(),
        organization_id=endpoint.organization_id,
        endpoint_id=endpoint.id,
        type=type,
        content=content,
        next_attempt_at=now(),
    )
    await using.execute_query("SELECT pg_notify($1, $2)", [CHANNEL, str(delivery.id)])
    return delivery


async def reopen(
    using: BaseDBAsyncClient, member: Member, wanted: ReplayDeliveries
) -> tuple[int, int]:
    """Owe ended deliveries again, oldest first; returns how many, and how many more there are."""
    rows = WebhookDelivery.of(member).using_db(using).filter(
        status=wanted.status, created_at__gte=wanted.since,
        endpoint__status=EndpointStatus.ENABLED,
    )  # fmt: skip
    if wanted.until:
        rows = rows.filter(created_at__lt=wanted.until)
    if wanted.endpoint_id:
        rows = rows.filter(endpoint_id=wanted.endpoint_id)
    if wanted.types and EVERYTHING not in wanted.types:
        rows = rows.filter(type__in=wanted.types)
    total = await rows.count()
    oldest = rows.order_by("created_at", "id").limit(wanted.limit)
    ids = await oldest.values_list("id", flat=True)
    moment = now()
    # Asked again with the status: of two requests at once, each row is one's alone.
    reopened = await (
        WebhookDelivery.filter(id__in=ids, status=wanted.status)
        .using_db(using)
        .update(
            status=DeliveryStatus.PENDING, next_attempt_at=moment, lease_until=None,
            attempt_count=0, updated_at=moment,
        )
    )  # fmt: skip
    if reopened:
        await using.execute_query("SELECT pg_notify($1, $2)", [CHANNEL, "replay"])
    return reopened, total - len(ids)


async def tell_end(using: BaseDBAsyncClient, job: Job) -> None:
    """Tell the end of a job, where it has ended."""
    if kind := event_of(job):
        await emit(
            using, job.organization_id, kind,
            {
                "job_id": job.id, "kind": job.kind, "state": job.state, "attempt": job.attempt,
                "project_id": job.project_id, "video_id": job.video_id, "clip_id": job.clip_id,
                "problem": job.problem,
            },
        )  # fmt: skip
