"""Payment gateways: how a payment begins, and whether a notification is really theirs.

`sandbox` is embedded and speaks Midtrans's own notification format, so that everything after the
first step is the same code; `midtrans` asks Snap over HTTPS.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from control.errors import Unavailable
from control.settings import Settings

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Begun:
    """Where the payer goes on."""

    token: str
    redirect_url: str


def server_key(settings: Settings) -> str:
    """The key notifications are signed with; the sandbox derives one from the server's secret."""
    if settings.payment_gateway == "midtrans":
        return settings.midtrans_server_key
    return hashlib.sha256(b"sandbox:" + settings.signing_secrets[0]).hexdigest()


def signature(order_id: str, status_code: str, gross_amount: str, key: str) -> str:
    """SHA-512 over the plain concatenation (docs.midtrans.com, handle notifications)."""
    return hashlib.sha512(f"{order_id}{status_code}{gross_amount}{key}".encode()).hexdigest()


def is_genuine(notification: Mapping[str, Any], key: str) -> bool:
    """Whether the signature is right for these very strings."""
    names = ("order_id", "status_code", "gross_amount", "signature_key")
    order_id, status_code, gross_amount, given = (notification.get(name) for name in names)
    if not key or not all(isinstance(v, str) for v in (order_id, status_code, gross_amount, given)):
        return False
    wanted = signature(str(order_id), str(status_code), str(gross_amount), key)
    return hmac.compare_digest(wanted.encode(), str(given).lower().encode())


def sandbox_notification(
    settings: Settings, order_id: str, amount_idr: int, transaction_status: str
) -> bytes:
    """What the sandbox sends when a payment moves: Midtrans's format, signed with its key."""
    status_code = {"pending": "201", "deny": "202", "expire": "202"}.get(transaction_status, "200")
    gross_amount = f"{amount_idr}.00"
    return json.dumps(
        {
            "transaction_id": str(uuid4()),
            "transaction_status": transaction_status,
            "fraud_status": "accept",
            "status_code": status_code,
            "order_id": order_id,
            "gross_amount": gross_amount,
            "currency": "IDR",
            "signature_key": signature(order_id, status_code, gross_amount, server_key(settings)),
        }
    ).encode()


def sandbox_token(settings: Settings, order_id: str) -> str:
    """What opens the sandbox's page of one order: nobody can make it without the server's key."""
    return hashlib.sha256(f"{order_id}:{server_key(settings)}".encode()).hexdigest()[:32]


async def begin(settings: Settings, order_id: str, amount_idr: int) -> Begun:
    """Ask the gateway for a page to pay on.

    Raises
    ------
    Unavailable
        where Midtrans does not answer or refuses.
    """
    if settings.payment_gateway == "sandbox":
        token = sandbox_token(settings, order_id)
        return Begun(token, f"{settings.base_url}/pay/{order_id}/{token}")
    body = {"transaction_details": {"order_id": order_id, "gross_amount": amount_idr}}
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            answer = await client.post(
                f"{settings.midtrans_url.rstrip('/')}/snap/v1/transactions",
                json=body,
                auth=(settings.midtrans_server_key, ""),
            )
            answer.raise_for_status()
            told = answer.json()
            return Begun(str(told["token"]), str(told["redirect_url"]))
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise Unavailable(
            "The payment gateway did not answer as it should; try again.", code="gateway_failed"
        ) from error
