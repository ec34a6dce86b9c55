"""Endpoints and deliveries in the hands of people."""

import asyncio
from datetime import timedelta

import pytest

from control.access import Role
from control.records import now
from control.webhooks import delivery
from control.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.control.webhooks.owing import tell


class TestByHand:
    async def test_a_test_event_can_be_sent_and_seen(
        self, client, owner, endpoint, receiver, intranet
    ):
        path = f"/v1/webhooks/endpoints/{endpoint['id']}:test"
        made = await client.post(path, headers=owner.headers)
        assert made.status_code == 202
        await delivery.deliver_due(intranet)
        shown = await client.get(f"/v1/webhooks/deliveries/{made.json()['id']}",
                                 headers=owner.headers)  # fmt: skip
        assert shown.json()["status"] == "delivered"
        assert shown.json()["payload"]["type"] == "webhook.test"
        listed = await client.get(
            "/v1/webhooks/deliveries", headers=owner.headers, params={"status": "delivered"}
        )
        assert listed.json()["count"] == 1

    async def test_a_delivery_can_be_sent_again_or_given_up(
        self, client, owner, endpoint, receiver, intranet
    ):
        receiver.answers = [(500, {})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        path = f"/v1/webhooks/deliveries/{row.id}"
        done = await client.patch(path, headers=owner.headers, json={"action": "cancel"})
        assert done.json()["status"] == "cancelled"
        again = await client.patch(path, headers=owner.headers, json={"action": "cancel"})
        assert (again.status_code, again.json()["allowed"]) == (409, ["retry"])
        await client.patch(path, headers=owner.headers, json={"action": "retry"})
        assert await delivery.deliver_due(intranet) == 1
        assert (await WebhookDelivery.get()).status == "delivered"

    async def test_what_failed_in_an_outage_is_sent_again_in_bulk_and_once(
        self, client, owner, other_org, endpoint, receiver, intranet
    ):
        for _ in range(3):
            await tell(owner)
        await tell(owner, "export.completed")
        await WebhookDelivery.all().update(status="failed", attempt_count=10, next_attempt_at=None)
        old = await WebhookDelivery.all().order_by("created_at").first()
        hour_ago, day_ago = now() - timedelta(hours=1), now() - timedelta(days=1)
        await WebhookDelivery.filter(id=old.id).update(created_at=day_ago)
        path = "/v1/webhooks/deliveries:replay"
        asked = {"since": hour_ago.isoformat(), "types": ["video.ingested"]}
        strange = await client.post(path, headers=other_org.headers, json=asked)
        assert strange.json() == {"replayed": 0, "left": 0}
        first = await client.post(path, headers=owner.headers, json=asked | {"limit": 1})
        assert (first.status_code, first.json()) == (202, {"replayed": 1, "left": 1})
        answers = await asyncio.gather(
            *(client.post(path, headers=owner.headers, json=asked) for _ in range(3))
        )
        assert sum(answer.json()["replayed"] for answer in answers) == 1
        assert await delivery.deliver_due(intranet) == 2
        sent = {heard.headers["webhook-id"] for heard in receiver.heard}
        assert len(sent) == 2
        assert f"msg_{old.id.hex}" not in sent
        again = await client.post(path, headers=owner.headers, json=asked)
        assert again.json() == {"replayed": 0, "left": 0}

    async def test_a_replay_has_the_whole_schedule_before_it(
        self, client, owner, endpoint, receiver, intranet
    ):
        await tell(owner)
        await WebhookDelivery.all().update(status="failed", attempt_count=10, next_attempt_at=None)
        asked = {"since": (now() - timedelta(hours=1)).isoformat()}
        await client.post("/v1/webhooks/deliveries:replay", headers=owner.headers, json=asked)
        receiver.answers = [(500, {})]
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        assert (row.status, row.attempt_count) == ("pending", 1)
        assert (await WebhookEndpoint.get()).status == "enabled"

    async def test_a_disabled_endpoint_is_told_nothing_by_a_replay(self, client, owner, endpoint):
        await tell(owner)
        await WebhookDelivery.all().update(status="failed", next_attempt_at=None)
        await WebhookEndpoint.all().update(status="disabled")
        path = "/v1/webhooks/deliveries:replay"
        asked = {"since": (now() - timedelta(hours=1)).isoformat()}
        answer = await client.post(path, headers=owner.headers, json=asked)
        assert answer.json() == {"replayed": 0, "left": 0}
        asked["endpoint_id"] = endpoint["id"]
        answer = await client.post(path, headers=owner.headers, json=asked)
        assert (answer.status_code, answer.json()["code"]) == (409, "endpoint_disabled")

    @pytest.mark.parametrize(
        "wrong",
        [{}, {"since": 0}, {"limit": 1001}, {"limit": 0}, {"status": "pending"}, {"types": ["x"]}],
    )
    async def test_a_replay_is_bounded_and_of_what_has_ended(self, client, owner, wrong):
        asked = ({"since": now().isoformat()} | wrong) if wrong else {}
        path = "/v1/webhooks/deliveries:replay"
        assert (await client.post(path, headers=owner.headers, json=asked)).status_code == 422

    async def test_an_editor_may_look_and_not_touch(self, client, member_of, endpoint):
        editor = await member_of(Role.EDITOR)
        path = f"/v1/webhooks/endpoints/{endpoint['id']}"
        assert (await client.get(path, headers=editor.headers)).status_code == 200
        refused = await client.patch(path, headers=editor.headers, json={"status": "disabled"})
        assert refused.status_code == 403

    @pytest.mark.parametrize(
        "wrong",
        [
            {"events": ["video.exploded"]}, {"events": []}, {"url": "http://10.0.0.1/"},
            {"url": "nonsense"}, {"headers": {"Host": "x"}}, {"headers": {"webhook-id": "x"}},
            {"headers": {"A b": "x"}}, {"headers": {"A": "x\r\ny"}}, {"secret": "mine"},
        ],
    )  # fmt: skip
    async def test_what_cannot_be_meant_is_refused(self, client, owner, wrong):
        asked = {"url": "https://example.org/hook"} | wrong
        answer = await client.post("/v1/webhooks/endpoints", headers=owner.headers, json=asked)
        assert answer.status_code == 422, answer.text
