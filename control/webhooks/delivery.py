"""Sending what is owed: claimed with a lease, signed afresh, tried again on a schedule."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import perf_counter
from uuid import UUID

import httpx
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from control.audit import trail
from control.database import default
from control.events import listening
from control.records import now
from control.settings import Settings
from control.webhooks import addresses
from control.webhooks.models import (
    DeliveryStatus,
    EndpointStatus,
    WebhookDelivery,
    WebhookEndpoint,
)
from control.webhooks.outbox import CHANNEL, emit
from control.webhooks.secrets import signature, unseal

logger = logging.getLogger(__name__)

SCHEDULE_S = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
JITTER = 0.1
TIMEOUT_S = 15.0
LEASE_S = 60.0
POLL_S = 5.0
AT_ONCE = 16
KEPT_BYTES = 4096
LONGEST_WAIT_S = 86400.0
GONE = 410
OVERLOADED = (429, 502, 504)

CLAIM = """
WITH due AS MATERIALIZED (
    SELECT d.id FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
     WHERE d.status = 'pending' AND d.next_attempt_at <= now() AND e.status = 'enabled'
       AND (e.quiet_until IS NULL OR e.quiet_until <= now())
       AND (d.lease_until IS NULL OR d.lease_until < now())
     ORDER BY d.next_attempt_at, d.id LIMIT $1 FOR UPDATE OF d SKIP LOCKED)
UPDATE webhook_deliveries SET lease_until = now() + $2::interval, updated_at = now()
  FROM due WHERE webhook_deliveries.id = due.id
RETURNING webhook_deliveries.id
"""


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt; `status` is None where nobody answered."""

    status: int | None
    latency_ms: float
    response: str
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


async def run(settings: Settings) -> None:
    """Deliver until cancelled, woken by what is written and by the clock."""
    wake = asyncio.Event()
    listener = asyncio.create_task(
        listening(settings.database_url, lambda _: wake.set(), channel=CHANNEL)
    )
    try:
        while True:
            try:
                busy = await deliver_due(settings)
            except Exception:
                logger.exception("deliveries failed; they will be tried again")
                busy = 0
            if busy < AT_ONCE:
                wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), POLL_S if not busy else 0.05)
    finally:
        listener.cancel()


async def deliver_due(settings: Settings, *, limit: int = AT_ONCE) -> int:
    """Try what is due, at most `limit` at once; returns how many were tried."""
    rows = await default().execute_query_dict(CLAIM, [limit, timedelta(seconds=LEASE_S)])
    async with httpx.AsyncClient(
        timeout=TIMEOUT_S, follow_redirects=False, trust_env=False
    ) as client:
        await asyncio.gather(*(_deliver(settings, client, row["id"]) for row in rows))
    return len(rows)


async def _deliver(settings: Settings, client: httpx.AsyncClient, delivery_id: UUID) -> None:
    delivery = await WebhookDelivery.filter(id=delivery_id).prefetch_related("endpoint").get()
    outcome = await attempt(settings, client, delivery.endpoint, delivery)
    await settle(delivery_id, outcome)


async def attempt(
    settings: Settings,
    client: httpx.AsyncClient,
    endpoint: WebhookEndpoint,
    delivery: WebhookDelivery,
) -> Outcome:
    """Send once; every way in which it can fail is an outcome."""
    began = perf_counter()
    try:
        request = await _request(settings, client, endpoint, delivery)
        response = await client.send(request, stream=True)
        try:
            body = await _beginning(response)
        finally:
            await response.aclose()
    except (addresses.ForbiddenAddress, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        told = f"{type(error).__name__}: {error}"[:500]
        return Outcome(None, _ms(began), "", told)
    return Outcome(response.status_code, _ms(began), body, None, _retry_after_s(response.headers))


async def _request(
    settings: Settings,
    client: httpx.AsyncClient,
    endpoint: WebhookEndpoint,
    delivery: WebhookDelivery,
) -> httpx.Request:
    allow = settings.allow_private_hosts
    host, port = addresses.check_url(endpoint.url, allow_private=allow)
    address = (await addresses.addresses_of(host, port, allow_private=allow))[0]
    url = httpx.URL(endpoint.url)
    # The address that was checked is the one that is called: a second look-up could differ.
    return client.build_request(
        "POST",
        url.copy_with(host=address),
        content=delivery.content,
        headers={
            **endpoint.headers,
            **signed(settings, endpoint, delivery, now()),
            "Host": url.netloc.decode(),
            "Content-Type": "application/json",
            "User-Agent": "Cutroom-Webhooks/1",
        },
        extensions={"sni_hostname": host},
    )


def signed(
    settings: Settings, endpoint: WebhookEndpoint, delivery: WebhookDelivery, moment: datetime
) -> dict[str, str]:
    """The three headers of Standard Webhooks; two signatures while a former secret still counts."""
    name = f"msg_{delivery.id.hex}"
    sealed = [endpoint.secret]
    if endpoint.former_secret and endpoint.former_until and endpoint.former_until > moment:
        sealed.append(endpoint.former_secret)
    signatures = [
        signature(unseal(settings, one), name, moment, delivery.content) for one in sealed
    ]
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def settle(delivery_id: UUID, outcome: Outcome) -> None:
    """Write down an attempt and what follows from it."""
    async with in_transaction() as tx:
        rows = WebhookDelivery.filter(id=delivery_id).using_db(tx).select_for_update()
        delivery = await rows.get_or_none()
        if delivery is None:
            return
        delivery.attempt_count += 1
        delivery.lease_until = None
        delivery.attempts = [
            *delivery.attempts,
            {
                "at": now().isoformat(), "status": outcome.status,
                "latency_ms": outcome.latency_ms, "response": outcome.response,
                "error": outcome.error,
            },
        ]  # fmt: skip
        if delivery.status is not DeliveryStatus.PENDING:
            pass  # cancelled while it was under way
        elif outcome.delivered:
            delivery.status, delivery.delivered_at = DeliveryStatus.DELIVERED, now()
            delivery.next_attempt_at = None
        elif outcome.status == GONE or delivery.attempt_count >= len(SCHEDULE_S):
            delivery.status, delivery.next_attempt_at = DeliveryStatus.FAILED, None
            why = "it answered 410 Gone" if outcome.status == GONE else "every attempt failed"
            await _switch_off(tx, delivery.endpoint_id, why)
        else:
            wait_s = wait_after(delivery.attempt_count, outcome.retry_after_s)
            delivery.next_attempt_at = now() + timedelta(seconds=wait_s)
            if outcome.status in OVERLOADED:
                endpoint = WebhookEndpoint.filter(id=delivery.endpoint_id).using_db(tx)
                await endpoint.update(quiet_until=delivery.next_attempt_at, updated_at=now())
        await delivery.save(using_db=tx)


async def _switch_off(tx: BaseDBAsyncClient, endpoint_id: UUID, why: str) -> None:
    """Disable an endpoint that nothing reaches, and tell those of the organisation that listen."""
    rows = WebhookEndpoint.filter(id=endpoint_id, status=EndpointStatus.ENABLED).using_db(tx)
    endpoint = await rows.select_for_update().get_or_none()
    if endpoint is None:
        return
    endpoint.status, endpoint.reason = EndpointStatus.AUTO_DISABLED, why
    await endpoint.save(using_db=tx)
    told = {"endpoint_id": endpoint.id, "description": endpoint.description, "reason": why}
    await trail.record(
        tx, None, "webhook.auto_disabled", endpoint, after=told,
        organization_id=endpoint.organization_id,
    )  # fmt: skip
    await emit(tx, endpoint.organization_id, "webhook.disabled", told)


def wait_after(attempts: int, retry_after_s: float | None = None) -> float:
    """Seconds until the next attempt, the schedule's with jitter, or what the receiver asked."""
    planned = SCHEDULE_S[min(attempts, len(SCHEDULE_S) - 1)]
    jittered = planned * (1 + random.uniform(-JITTER, JITTER))  # noqa: S311 - spreads load
    return min(LONGEST_WAIT_S, max(jittered, retry_after_s or 0.0))


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """RFC 9110, section 10.2.3: seconds, or a date."""
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    with contextlib.suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(text)
        return max(0.0, (moment.astimezone(UTC) - now()).total_seconds())
    return None


async def _beginning(response: httpx.Response) -> str:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= KEPT_BYTES:
            break
    return body[:KEPT_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")


def _ms(began: float) -> float:
    return round((perf_counter() - began) * 1e3, 1)
