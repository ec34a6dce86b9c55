"""Deliveries are tried until they arrive, and not for ever."""

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.records import now
from control.webhooks import delivery
from control.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.control.webhooks.owing import due_now, tell


class TestAttempts:
    async def test_a_failure_is_tried_again_under_the_same_name(
        self, owner, endpoint, receiver, intranet
    ):
        receiver.answers = [(500, {}), (200, {})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        assert (row.status, row.attempt_count) == ("pending", 1)
        assert timedelta(0) < row.next_attempt_at - now() < timedelta(seconds=6)
        await due_now()
        await delivery.deliver_due(intranet)
        names = {heard.headers["webhook-id"] for heard in receiver.heard}
        assert len(names) == 1
        assert (await WebhookDelivery.get()).status == "delivered"

    @pytest.mark.parametrize("status", [301, 302, 400, 404, 429, 500])
    async def test_only_2xx_counts_and_nothing_is_followed(
        self, owner, endpoint, receiver, intranet, status
    ):
        receiver.answers = [(status, {"Location": receiver.url})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        assert (await WebhookDelivery.get()).status == "pending"
        assert len(receiver.heard) == 1

    async def test_retry_after_is_honoured(self, owner, endpoint, receiver, intranet):
        receiver.answers = [(503, {"Retry-After": "900"})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        assert row.next_attempt_at - now() > timedelta(seconds=890)

    @pytest.mark.parametrize("status", [429, 502, 504])
    async def test_a_receiver_that_is_overloaded_is_left_alone(
        self, client, owner, endpoint, receiver, intranet, status
    ):
        """Standard Webhooks 1.0.0: 429, 502 and 504 ask the sender to throttle."""
        receiver.answers = [(status, {"Retry-After": "600"})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        await tell(owner)
        assert await delivery.deliver_due(intranet) == 0
        shown = await client.get(f"/v1/webhooks/endpoints/{endpoint['id']}", headers=owner.headers)
        quiet_until = datetime.fromisoformat(shown.json()["quiet_until"])
        assert timedelta(minutes=9) < quiet_until - now() <= timedelta(minutes=10)
        await WebhookEndpoint.all().update(quiet_until=now())
        assert await delivery.deliver_due(intranet) == 1
        # Who presses the button is not made to wait.
        await WebhookEndpoint.all().update(quiet_until=now() + timedelta(minutes=5))
        first = await WebhookDelivery.all().order_by("created_at").first()
        path = f"/v1/webhooks/deliveries/{first.id}"
        await client.patch(path, headers=owner.headers, json={"action": "retry"})
        assert await delivery.deliver_due(intranet) == 1

    async def test_another_failure_holds_up_nobody_else(self, owner, endpoint, receiver, intranet):
        receiver.answers = [(500, {"Retry-After": "600"})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        await tell(owner)
        assert await delivery.deliver_due(intranet) == 1

    async def test_gone_switches_the_endpoint_off(
        self, client, owner, endpoint, receiver, intranet
    ):
        receiver.answers = [(410, {})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        shown = await client.get(f"/v1/webhooks/endpoints/{endpoint['id']}", headers=owner.headers)
        assert shown.json()["status"] == "auto_disabled"
        assert "410" in shown.json()["reason"]
        await tell(owner)
        assert await WebhookDelivery.all().count() == 1

    async def test_the_others_are_told_once_of_one_that_is_switched_off(
        self, client, owner, endpoint, receiver, intranet
    ):
        for _ in range(2):
            await tell(owner)
        watching = await client.post(
            "/v1/webhooks/endpoints", headers=owner.headers,
            json={"url": receiver.url, "events": ["webhook.disabled"]},
        )  # fmt: skip
        receiver.answers = [(410, {}), (410, {})]
        await delivery.deliver_due(intranet)
        (told,) = await WebhookDelivery.filter(endpoint_id=watching.json()["id"])
        data = json.loads(told.content)["data"]
        assert data["endpoint_id"] == endpoint["id"]
        assert "410" in data["reason"]
        logged = await client.get(
            "/v1/audit/logs", headers=owner.headers, params={"action": "webhook.auto_disabled"}
        )
        assert [one["resource_id"] for one in logged.json()["items"]] == [endpoint["id"]]

    async def test_after_the_last_attempt_it_has_failed_and_so_has_the_endpoint(
        self, owner, endpoint, receiver, intranet
    ):
        receiver.answers = [(500, {})] * 20
        await tell(owner)
        for _ in delivery.SCHEDULE_S:
            await due_now()
            assert await delivery.deliver_due(intranet) == 1
        row = await WebhookDelivery.get()
        assert (row.status, row.attempt_count) == ("failed", len(delivery.SCHEDULE_S))
        assert (await WebhookEndpoint.get()).status == "auto_disabled"

    async def test_nobody_there_is_an_attempt_too(
        self, client, owner, receiver, endpoint, intranet
    ):
        receiver.server.close()
        await receiver.server.wait_closed()
        await tell(owner)
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        assert row.attempts[0]["status"] is None
        assert "Connect" in row.attempts[0]["error"]

    async def test_a_sender_that_dies_loses_nothing(self, owner, endpoint, receiver, intranet):
        await tell(owner)
        await WebhookDelivery.all().update(lease_until=now() + timedelta(seconds=60))
        assert await delivery.deliver_due(intranet) == 0
        await WebhookDelivery.all().update(lease_until=now() - timedelta(seconds=1))
        assert await delivery.deliver_due(intranet) == 1
        assert len(receiver.heard) == 1

    @given(st.integers(0, 30), st.none() | st.floats(0, 1e9))
    def test_waits_grow_and_end(self, attempts, asked):
        wait_s = delivery.wait_after(attempts, asked)
        assert 0 <= wait_s <= 86400
        assert wait_s >= min(86400, (asked or 0))
