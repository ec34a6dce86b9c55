"""The word of the payment gateway, and what it leads to."""

import json

from control.billing import gateway


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
