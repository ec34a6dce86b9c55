"""The gateways of payments: what Midtrans is asked, and how its word is signed."""

import asyncio
import base64
import json

import pytest

from control.billing import gateway
from control.billing.models import Payment
from tests.control.billing.settling import notification, shown, tell


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
