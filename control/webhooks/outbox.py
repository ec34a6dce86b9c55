"""Writing deliveries in the transaction of the change they tell of."""

from typing import Any
from uuid import UUID, uuid4

from pydantic_core import to_json
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


async def emit(
    using: BaseDBAsyncClient,
    organization_id: UUID,
    type: str,  # noqa: A002
    data: dict[str, Any],
) -> None:
    """Owe every enabled endpoint that listens to `type` this event, if `using` commits.

    The body is `{type, timestamp, data}` with the time of the event in UTC.
    """
    if type not in EVENTS:
        raise ValueError(f"{type} is in no catalogue")
    rows = WebhookEndpoint.filter(organization_id=organization_id, status=EndpointStatus.ENABLED)
    listening = [
        endpoint
        for endpoint in await rows.using_db(using)
        if type in endpoint.events or EVERYTHING in endpoint.events
    ]
    for endpoint in listening:
        await owe(using, endpoint, type, data)


async def owe(
    using: BaseDBAsyncClient,
    endpoint: WebhookEndpoint,
    type: str,  # noqa: A002
    data: dict[str, Any],
) -> WebhookDelivery:
    """One delivery to one endpoint, due at once."""
    moment = now()
    content = to_json({"type": type, "timestamp": moment, "data": data}).decode()
    delivery = await WebhookDelivery.create(
        using_db=using,
        id=uuid4(),
        organization_id=endpoint.organization_id,
        endpoint_id=endpoint.id,
        type=type,
        content=content,
        next_attempt_at=moment,
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
