"""Payments, moved by the gateway's word alone."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.billing.models import PaymentNotification
from control.billing.models import PaymentStatus as S
from control.billing.payments import MOVES
from tests.control.billing.settling import notification, shown, tell


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
