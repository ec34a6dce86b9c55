"""A ledger that adds up: each event once, and the work that was done."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from control.access import Role
from control.billing.models import UsageEvent
from control.records import now
from ray_jobs.contract import JobKind
from tests.control.media_jobs import claimed, ingested


async def sums(client, owner, **query):
    answer = await client.get("/v1/billing/usage", headers=owner.headers, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


class TestUsage:
    async def test_is_counted_once_however_often_it_is_told(self, client, owner, use):
        await asyncio.gather(*(use(event_id="once", quantity="2.5") for _ in range(5)))
        (line,) = await sums(client, owner)
        assert (line["meter"], Decimal(line["quantity"]), line["events"]) == (
            "gpu_seconds", Decimal("2.5"), 1,
        )  # fmt: skip

    async def test_told_again_with_another_value_is_refused(self, use):
        await use(event_id="a", quantity=2)
        assert (await use(409, event_id="a", quantity=3))["code"] == "event_reused"

    async def test_of_another_organisation_with_the_same_event_id_is_another(
        self, client, owner, other_org, use
    ):
        await use(event_id="shared", quantity=2)
        answer = await client.post(
            "/v1/billing/usage",
            headers=other_org.headers,
            json={"event_id": "shared", "meter": "gpu_seconds", "quantity": 7, "unit": "s"},
        )
        assert answer.status_code == 201
        assert Decimal((await sums(client, owner))[0]["quantity"]) == 2

    @pytest.mark.parametrize("off", [timedelta(days=-36), timedelta(minutes=6)])
    async def test_too_old_or_from_the_future_is_refused(self, use, off):
        refusal = await use(422, occurred_at=(now() + off).isoformat())
        assert refusal["errors"][0]["at"] == "occurred_at"

    async def test_is_taken_back_only_by_naming_it_and_never_below_nothing(
        self, client, owner, use
    ):
        await use(event_id="wrong", quantity=10)
        await use(422, quantity=-1)
        await use(422, quantity=-1, corrects="unheard-of")
        await use(422, quantity=-1, corrects="wrong", meter="other")
        await use(event_id="back", quantity=-6, corrects="wrong")
        refusal = await use(422, quantity=-5, corrects="wrong")
        assert refusal["errors"][0]["at"] == "quantity"
        await use(quantity=-4, corrects="wrong")
        assert Decimal((await sums(client, owner))[0]["quantity"]) == 0

    async def test_sums_are_the_ledgers(self, client, owner, use):
        projects = [str(uuid4()), str(uuid4())]
        for n in range(12):
            await use(
                quantity=f"{n}.125", meter=["a", "b"][n % 2], project_id=projects[n % 3 // 2],
                occurred_at=(now() - timedelta(days=n % 4)).isoformat(),
            )  # fmt: skip
        ledger = await UsageEvent.filter(organization_id=owner.organization_id)
        since = (now() - timedelta(days=30)).isoformat()
        for group_by in ("meter", "project", "day"):
            rows = await sums(client, owner, group_by=group_by, since=since)
            for meter in ("a", "b"):
                told = sum(Decimal(row["quantity"]) for row in rows if row["meter"] == meter)
                assert told == sum(line.quantity for line in ledger if line.meter == meter)
        only = await sums(client, owner, meter="a", since=since)
        assert [row["meter"] for row in only] == ["a"]

    async def test_is_written_by_administrators_and_read_by_all(self, client, member_of):
        editor = await member_of(Role.EDITOR)
        event = {"event_id": "e", "meter": "m", "quantity": 1, "unit": "s"}
        answer = await client.post("/v1/billing/usage", headers=editor.headers, json=event)
        assert answer.status_code == 403
        assert (await client.get("/v1/billing/usage", headers=editor.headers)).status_code == 200


class TestWork:
    async def test_that_succeeded_is_on_the_ledger_once(self, client, owner, app, ingest):
        await ingest()
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        result = ingested(hand.job)
        first = await hand.report("succeeded", result=result)
        again = await hand.report("succeeded", result=result)
        assert (first.status_code, again.status_code) == (200, 409)
        rows = {row["meter"]: row for row in await sums(client, owner)}
        assert Decimal(rows["processed_minutes"]["quantity"]) == Decimal("0.5")
        assert {row["events"] for row in rows.values()} == {1}
        assert rows.keys() == {"processed_minutes", "ingest_seconds"}

    async def test_has_its_line_to_itself(self, client, owner, app, ingest, use):
        """Whoever wrote it before the job ended would decide how it ends, and what it costs."""
        await ingest()
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        refusal = await use(422, event_id=f"job:{hand.job.id}:ingest_seconds", quantity=0)
        assert refusal["errors"][0]["at"] == "event_id"
        answer = await hand.report("succeeded", result=ingested(hand.job))
        assert answer.status_code == 200

    async def test_that_failed_is_not(self, client, owner, app, ingest):
        await ingest()
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        problem = {"code": "corrupt_media", "detail": "x", "retryable": False}
        assert (await hand.report("failed", problem=problem)).status_code == 200
        assert await sums(client, owner) == []
