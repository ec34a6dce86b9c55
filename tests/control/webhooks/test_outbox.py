"""Deliveries are owed in the transaction of what they tell of."""

import json

import pytest
from standardwebhooks import Webhook
from tortoise.transactions import in_transaction

from control.webhooks import delivery
from control.webhooks.catalogue import ENDED, EVENTS
from control.webhooks.models import WebhookDelivery
from control.webhooks.outbox import emit
from ray_jobs.contract import JobKind
from tests.control.webhooks.owing import tell


class TestOutbox:
    async def test_an_event_arrives_signed_as_the_standard_says(
        self, owner, endpoint, receiver, intranet
    ):
        await tell(owner, video_id="v1", name="Grüße ☃")
        assert await delivery.deliver_due(intranet) == 1
        (heard,) = receiver.heard
        told = Webhook(endpoint["secret"]).verify(heard.body, heard.headers)
        assert told["type"] == "video.ingested"
        assert told["data"] == {"video_id": "v1", "name": "Grüße ☃"}
        assert told["timestamp"].endswith("Z")
        assert isinstance(told["sequence"], int)
        row = await WebhookDelivery.get()
        assert (row.status, row.attempts[0]["status"]) == ("delivered", 200)
        assert await delivery.deliver_due(intranet) == 0

    async def test_later_events_have_greater_numbers_and_all_endpoints_the_same(
        self, client, owner, endpoint, receiver
    ):
        await client.post(
            "/v1/webhooks/endpoints", headers=owner.headers, json={"url": receiver.url}
        )
        for name in ("a", "b"):
            await tell(owner, name=name)
        rows = [json.loads(row.content) for row in await WebhookDelivery.all()]
        numbers = {
            name: {r["sequence"] for r in rows if r["data"]["name"] == name} for name in "ab"
        }
        assert [len(found) for found in numbers.values()] == [1, 1]
        assert max(numbers["a"]) < min(numbers["b"])

    async def test_a_body_stays_below_twenty_kilobytes(self, owner, endpoint):
        await tell(owner, finding_id="f1", title="ü" * 9000, before={"text": "x" * 19_000})
        row = await WebhookDelivery.get()
        assert len(row.content.encode()) < 20_000
        told = json.loads(row.content)["data"]
        assert (told["finding_id"], told["shortened"]) == ("f1", True)
        assert told["title"] == "ü" * 500

    async def test_what_is_rolled_back_is_owed_to_nobody(self, owner, endpoint):
        async with in_transaction() as tx:
            await emit(tx, owner.organization_id, "video.ingested", {})
            await tx.rollback()
        assert not await WebhookDelivery.exists()

    async def test_only_what_was_asked_for_and_only_ones_own(
        self, client, owner, other_org, receiver, intranet
    ):
        for person in (owner, other_org):
            await client.post(
                "/v1/webhooks/endpoints", headers=person.headers,
                json={"url": receiver.url, "events": ["export.completed"]},
            )  # fmt: skip
        await tell(owner, "video.ingested")
        await tell(owner, "export.completed")
        rows = await WebhookDelivery.all()
        assert [(row.type, row.organization_id) for row in rows] == [
            ("export.completed", owner.organization_id)
        ]

    async def test_a_type_that_is_in_no_catalogue_is_a_mistake_of_ours(self, owner):
        with pytest.raises(ValueError, match="catalogue"):
            await tell(owner, "video.exploded")

    def test_every_kind_of_job_has_an_event(self):
        assert set(ENDED) == set(JobKind)
        assert set(ENDED.values()) <= set(EVENTS)
