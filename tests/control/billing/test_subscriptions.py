"""Plans that hold, and change without surprises."""

from datetime import timedelta

import pytest

from control.access import Role
from control.billing.models import Subscription
from control.billing.subscriptions import PERIOD
from control.records import now
from ray_jobs.contract import JobKind
from tests.control.media_jobs import claimed


async def subscribe(client, owner, status=200, **wanted):
    answer = await client.put("/v1/billing/subscription", headers=owner.headers, json=wanted)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_subscription_is_not_changed_from_under_somebody(client, owner):
    path = "/v1/billing/subscription"
    former = (await client.get(path, headers=owner.headers)).headers["etag"]
    await subscribe(client, owner, plan="team", seats=3)
    wanted, headers = {"plan": "studio", "seats": 4}, {**owner.headers, "If-Match": former}
    late = await client.put(path, headers=headers, json=wanted)
    assert late.status_code == 412
    headers["If-Match"] = (await client.get(path, headers=owner.headers)).headers["etag"]
    assert (await client.put(path, headers=headers, json=wanted)).status_code == 200


class TestSubscription:
    async def test_starts_without_limits(self, client, owner):
        answer = await client.get("/v1/billing/subscription", headers=owner.headers)
        told = answer.json()
        assert (told["plan"], told["seats_used"]) == ("unlimited", 1)
        assert told["entitlements"] == {"max_seats": None, "processed_minutes": None}

    async def test_changed_in_mid_period_costs_the_rest_of_it(self, client, owner):
        await client.get("/v1/billing/subscription", headers=owner.headers)
        await Subscription.filter(organization_id=owner.organization_id).update(
            period_start=now() - PERIOD / 2
        )
        told = await subscribe(client, owner, plan="team", seats=4)
        assert told["proration_idr"] == pytest.approx(4 * 400_000 / 2, abs=100)
        cheaper = await subscribe(client, owner, plan="team", seats=2)
        assert cheaper["proration_idr"] == pytest.approx(-2 * 400_000 / 2, abs=100)

    async def test_may_change_when_the_period_ends(self, client, owner):
        await subscribe(client, owner, plan="team", seats=4)
        told = await subscribe(client, owner, plan="starter", seats=2, when="next_period")
        assert (told["plan"], told["next_plan"], told["proration_idr"]) == ("team", "starter", 0)
        assert told["next_from"] == told["period_end"]
        await Subscription.filter(organization_id=owner.organization_id).update(
            period_start=now() - PERIOD - timedelta(days=1)
        )
        later = await client.get("/v1/billing/subscription", headers=owner.headers)
        told = later.json()
        assert (told["plan"], told["seats"], told["next_plan"]) == ("starter", 2, None)

    async def test_needs_a_seat_for_each_member_and_a_plan_that_has_them(
        self, client, owner, member_of
    ):
        await member_of(Role.EDITOR)
        for wanted in ({"plan": "team", "seats": 1}, {"plan": "starter", "seats": 4}):
            refusal = await subscribe(client, owner, 409, **wanted)
            assert refusal["code"] == "seats_do_not_fit"
        await subscribe(client, owner, 422, plan="gold")

    async def test_beyond_the_plan_is_refused_until_a_hold_is_released(
        self, client, owner, app, ingest, use
    ):
        await subscribe(client, owner, plan="starter")
        await use(meter="processed_minutes", quantity=592, unit="min")
        await ingest()
        refusal = await ingest(403)
        assert refusal["code"] == "plan_limit_reached"
        assert refusal["reset_at"] > now().isoformat()
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        problem = {"code": "corrupt_media", "detail": "x", "retryable": False}
        await hand.report("failed", problem=problem)
        await ingest()
