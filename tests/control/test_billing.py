"""Billing: a ledger that adds up, plans that hold, payments moved by the gateway's word alone."""

import asyncio
import base64
import json
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.access import Role
from control.billing import gateway
from control.billing.models import Payment, PaymentNotification, Subscription, UsageEvent
from control.billing.models import PaymentStatus as S
from control.billing.payments import MOVES
from control.billing.subscriptions import PERIOD
from control.jobs.models import Job
from control.records import now
from ray_jobs.contract import JobKind
from tests.control.media_jobs import claimed, ingested


@pytest.fixture
async def use(client, owner):
    """`await use(quantity=3)` writes a usage event and gives the answer."""

    async def write(status=201, **wanted):
        event = {"event_id": str(uuid4()), "meter": "gpu_seconds", "quantity": 1, "unit": "s"}
        answer = await client.post("/v1/billing/usage", headers=owner.headers, json=event | wanted)
        assert answer.status_code == status, answer.text
        return answer.json()

    return write


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


@pytest.fixture
def ingest(client, owner, configured):
    """`await ingest()` asks for a recording by address."""
    configured(allow_private_hosts=True)

    async def ask(status=202):
        project = (
            await client.post("/v1/projects", headers=owner.headers, json={"name": "P"})
        ).json()
        answer = await client.post(
            "/v1/videos:ingest",
            headers=owner.headers,
            json={"project_id": project["id"], "source": "url", "url": "http://127.0.0.1/a.mp4"},
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


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


class TestWork:
    @pytest.fixture(autouse=True)
    async def empty_queue(self, app):
        await Job.all().delete()

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

    async def test_that_failed_is_not(self, client, owner, app, ingest):
        await ingest()
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        problem = {"code": "corrupt_media", "detail": "x", "retryable": False}
        assert (await hand.report("failed", problem=problem)).status_code == 200
        assert await sums(client, owner) == []

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


@pytest.fixture
def pay(client, owner):
    """`await pay()` begins a payment."""

    async def begin(status=201, key=True, **wanted):
        headers = owner.headers | ({"Idempotency-Key": str(uuid4())} if key is True else {})
        headers |= {"Idempotency-Key": key} if isinstance(key, str) else {}
        answer = await client.post(
            "/v1/billing/payments", headers=headers, json={"amount_idr": 150_000} | wanted
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    return begin


def notification(app, payment, status="settlement", **changes):
    """What the gateway sends, signed by it after `changes`, save what begins with `then_`."""
    amount = payment["amount_idr"]
    told = json.loads(
        gateway.sandbox_notification(app.ctx.settings, payment["order_id"], amount, status)
    )
    after = {k.removeprefix("then_"): v for k, v in changes.items() if k.startswith("then_")}
    told |= {k: v for k, v in changes.items() if not k.startswith("then_")}
    told["signature_key"] = gateway.signature(
        told["order_id"], told["status_code"], told["gross_amount"],
        gateway.server_key(app.ctx.settings),
    )  # fmt: skip
    return told | after


async def tell(client, told, status=200):
    answer = await client.post("/v1/billing/payments/notifications", json=told)
    assert answer.status_code == status, answer.text
    return answer.json()


async def shown(client, owner, payment):
    answer = await client.get(f"/v1/billing/payments/{payment['order_id']}", headers=owner.headers)
    assert answer.status_code == 200
    return answer.json()


class TestPayments:
    async def test_begin_pending_with_an_order_id_the_gateway_takes(self, client, owner, pay):
        payment = await pay(description="Two seats")
        assert payment["status"] == "pending"
        assert payment["redirect_url"].startswith("http")
        assert len(payment["order_id"]) <= 50
        assert (await shown(client, owner, payment))["order_id"] == payment["order_id"]

    async def test_need_an_idempotency_key_and_begin_once(self, pay):
        assert (await pay(400, key=None))["code"] == "idempotency_key_missing"
        first, again = await pay(key="same"), await pay(key="same")
        assert first["order_id"] == again["order_id"]
        assert (await pay(422, key="same", amount_idr=7))["code"]

    @pytest.mark.parametrize("amount", [0, -1, 1.5, "much", 10**15])
    async def test_of_no_whole_amount_are_refused(self, pay, amount):
        await pay(422, amount_idr=amount)

    async def test_are_seen_by_their_organisation_alone(self, client, other_org, pay):
        payment = await pay()
        answer = await client.get(
            f"/v1/billing/payments/{payment['order_id']}", headers=other_org.headers
        )
        assert answer.status_code == 404
        listed = await client.get("/v1/billing/payments", headers=other_org.headers)
        assert listed.json()["items"] == []

    async def test_in_the_sandbox_move_as_they_are_told(self, client, owner, pay):
        payment = await pay()
        path = f"/v1/billing/payments/{payment['order_id']}:simulate"
        for status, verdict in (("settlement", "applied"), ("settlement", "duplicate"),
                                ("pending", "stale"), ("refund", "applied")):  # fmt: skip
            answer = await client.post(
                path, headers=owner.headers, json={"transaction_status": status}
            )
            assert answer.json() == {"status": verdict}
        told = await shown(client, owner, payment)
        assert [move["status"] for move in told["history"]] == ["pending", "settlement", "refund"]


class TestTheSandboxPage:
    @pytest.mark.parametrize(("press", "status"), [("pay", "settlement"), ("cancel", "cancel")])
    async def test_is_where_the_link_leads_and_settles_in_a_browser(
        self, client, owner, pay, press, status
    ):
        payment = await pay(description="<b>Two</b> seats")
        page = await client.get(payment["redirect_url"])
        assert page.headers["content-type"].startswith("text/html")
        assert "&lt;b&gt;Two&lt;/b&gt; seats" in page.text
        assert "Rp 150.000" in page.text
        assert (await shown(client, owner, payment))["status"] == "pending"
        page = await client.post(payment["redirect_url"], data={"press": press})
        assert f"<strong>{status}</strong>" in page.text
        assert "<button" not in page.text
        await client.post(payment["redirect_url"], data={"press": "pay"})
        assert (await shown(client, owner, payment))["status"] == status

    async def test_opens_with_its_own_link_alone(self, client, owner, pay, caplog):
        caplog.set_level("INFO", "cutroom.access")
        payment, other = await pay(), await pay()
        swapped = payment["redirect_url"].replace(payment["token"], other["token"])
        for method in ("GET", "POST"):
            answer = await client.request(method, swapped, data={"press": "pay"})
            assert answer.status_code == 404
        assert (await client.post(payment["redirect_url"], data={})).status_code == 422
        assert (await shown(client, owner, payment))["status"] == "pending"
        assert payment["token"] not in caplog.text

    async def test_is_the_sandboxs_alone(self, client, pay, configured):
        payment = await pay()
        configured(payment_gateway="midtrans", midtrans_server_key="SB-key")
        assert (await client.get(payment["redirect_url"])).status_code == 404


class TestNotifications:
    async def test_settle_a_payment(self, app, client, owner, pay):
        payment = await pay()
        assert (await tell(client, notification(app, payment)))["status"] == "applied"
        assert (await shown(client, owner, payment))["status"] == "settlement"

    async def test_forged_are_refused_recorded_and_without_effect(self, app, client, owner, pay):
        payment = await pay()
        told = notification(app, payment, then_gross_amount="1.00")
        assert (await tell(client, told, 400))["code"] == "forged_notification"
        for signature in ("", None, 5, "00" * 64, "\u00e9"):
            told = notification(app, payment, then_signature_key=signature)
            assert (await tell(client, told, 400))["code"] == "forged_notification"
        told = await shown(client, owner, payment)
        assert told["status"] == "pending"
        assert [one["verdict"] for one in told["notifications"]] == ["forged_notification"] * 6
        kept = await PaymentNotification.filter(order_id=payment["order_id"])
        assert [row.verdict for row in kept] == ["forged_notification"] * 6

    @pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{", b'{"order_id": "\\u0000"}',
                                     b"\xff\xfe", b'"' + b"x" * 70_000 + b'"'])  # fmt: skip
    async def test_that_are_none_are_refused(self, client, raw):
        answer = await client.post("/v1/billing/payments/notifications", content=raw)
        assert answer.status_code == 400
        assert answer.json()["code"] == "malformed_notification"

    async def test_of_unknown_orders_are_not_found(self, app, client, pay):
        told = notification(app, await pay(), order_id="cut-unknown")
        assert (await tell(client, told, 404))["code"] == "order_not_found"

    async def test_of_another_amount_or_currency_are_refused(self, app, client, owner, pay):
        payment = await pay()
        for wrong in ({"gross_amount": "149999.00"}, {"gross_amount": "NaN"}, {"currency": "USD"}):
            await tell(client, notification(app, payment, **wrong), 422)
        assert (await shown(client, owner, payment))["status"] == "pending"

    async def test_with_fields_unheard_of_are_taken(self, app, client, pay):
        told = notification(app, await pay(), new_field={"deep": [1]})
        assert (await tell(client, told))["status"] == "applied"

    async def test_of_money_held_by_fraud_checks_do_not_pay(self, app, client, owner, pay):
        payment = await pay()
        await tell(client, notification(app, payment, "capture", fraud_status="challenge"))
        assert (await shown(client, owner, payment))["status"] == "pending"
        await tell(client, notification(app, payment, "capture", fraud_status="deny"))
        assert (await shown(client, owner, payment))["status"] == "deny"

    async def test_take_a_settlement_back_only_by_its_own_transaction(
        self, app, client, owner, pay
    ):
        """Midtrans: a settlement is, rarely, reversed to deny within minutes."""
        payment = await pay()
        settled = notification(app, payment)
        await tell(client, settled)
        other = notification(app, payment, "deny")
        assert (await tell(client, other))["status"] == "stale"
        reversal = notification(app, payment, "deny", transaction_id=settled["transaction_id"])
        assert (await tell(client, reversal))["status"] == "applied"
        assert (await tell(client, settled))["status"] == "stale"
        told = await shown(client, owner, payment)
        assert told["status"] == "deny"
        assert [one["verdict"] for one in told["notifications"]] == [
            "stale", "applied", "stale", "applied",
        ]  # fmt: skip

    async def test_sent_at_once_are_applied_once(self, app, client, owner, pay):
        payment = await pay()
        told = notification(app, payment)
        answers = await asyncio.gather(*(tell(client, told) for _ in range(6)))
        verdicts = sorted(answer["status"] for answer in answers)
        assert verdicts == ["applied"] + ["duplicate"] * 5
        assert len((await shown(client, owner, payment))["history"]) == 2

    @settings(
        max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(order=st.lists(st.sampled_from(list(S)), min_size=1, max_size=8))
    async def test_in_any_order_walk_only_the_moves_there_are(self, app, client, owner, pay, order):
        payment = await pay()
        for status in order:
            await tell(client, notification(app, payment, status, status_code="200"))
        walked = [S(move["status"]) for move in (await shown(client, owner, payment))["history"]]
        assert walked[0] == S.PENDING
        for before, after in pairwise(walked):
            assert after in MOVES[before]


class TestMidtrans:
    @pytest.fixture
    async def snap(self, configured):
        """A loopback server that answers as Snap does, and keeps what it was asked."""
        asked = []

        async def serve(reader, writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.split(":")[1])
                for line in head.split("\r\n")
                if line.lower().startswith("content-length")
            )
            asked.append((head, json.loads(await reader.readexactly(length))))
            answer = b'{"token": "t-1", "redirect_url": "https://pay.example/t-1"}'
            status = (
                b"201 Created"
                if asked[-1][1]["transaction_details"]["gross_amount"] > 5
                else (b"401 Unauthorized")
            )
            writer.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (status, len(answer), answer)
            )
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        configured(
            payment_gateway="midtrans",
            midtrans_server_key="SB-key",
            midtrans_url=f"http://127.0.0.1:{port}",
        )
        yield asked
        server.close()

    async def test_is_asked_for_a_page_to_pay_on(self, snap, pay):
        payment = await pay()
        assert (payment["token"], payment["redirect_url"]) == ("t-1", "https://pay.example/t-1")
        head, asked = snap[0]
        assert head.startswith("POST /snap/v1/transactions ")
        credentials = base64.b64encode(b"SB-key:").decode()
        assert f"Basic {credentials}" in head
        assert asked["transaction_details"] == {
            "order_id": payment["order_id"], "gross_amount": 150_000,
        }  # fmt: skip

    async def test_refusing_leaves_no_payment(self, snap, pay, owner):
        refusal = await pay(503, amount_idr=5)
        assert refusal["code"] == "gateway_failed"
        assert not await Payment.filter(organization_id=owner.organization_id).exists()

    async def test_signs_with_its_server_key(self, snap, app, client, owner, pay):
        payment = await pay()
        await tell(client, notification(app, payment))
        assert (await shown(client, owner, payment))["status"] == "settlement"

    async def test_cannot_be_simulated(self, snap, client, owner, pay):
        payment = await pay()
        answer = await client.post(
            f"/v1/billing/payments/{payment['order_id']}:simulate",
            headers=owner.headers,
            json={"transaction_status": "settlement"},
        )
        assert answer.json()["code"] == "not_a_sandbox"


def test_the_signature_is_sha512_of_the_plain_concatenation():
    """Expected value from `printf cut-1200100000.00key | sha512sum`."""
    assert gateway.signature("cut-1", "200", "100000.00", "key") == (
        "6a307558c461752ac29f774f15c27cb601e109a312be95db2d97a22168ad71ff"
        "96d4c81f6666a90bcca378e62ff633722f53a16f4ee7c185914ebb28a02e2943"
    )
