"""A payment's life: begun here, moved by notifications that may come twice, late and forged."""

import secrets
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from pydantic_core import from_json
from tortoise.transactions import in_transaction

from control.audit import trail
from control.billing import gateway
from control.billing.models import Payment, PaymentNotification
from control.billing.models import PaymentStatus as S
from control.errors import BadRequest, Invalid, NotFound
from control.records import now
from control.settings import Settings
from control.webhooks.outbox import emit

MOVES: dict[S, frozenset[S]] = {
    S.PENDING: frozenset(set(S) - {S.PENDING}),
    S.AUTHORIZE: frozenset({S.CAPTURE, S.CANCEL, S.EXPIRE, S.DENY, S.SETTLEMENT}),
    S.CAPTURE: frozenset(
        {S.SETTLEMENT, S.CANCEL, S.REFUND, S.PARTIAL_REFUND, S.CHARGEBACK, S.PARTIAL_CHARGEBACK}
    ),
    S.SETTLEMENT: frozenset({S.REFUND, S.PARTIAL_REFUND, S.CHARGEBACK, S.PARTIAL_CHARGEBACK}),
    S.PARTIAL_REFUND: frozenset({S.REFUND, S.CHARGEBACK}),
    S.PARTIAL_CHARGEBACK: frozenset({S.CHARGEBACK}),
}
PAID = (S.CAPTURE, S.SETTLEMENT)
MAX_BYTES = 64_000


def new_order_id() -> str:
    """Unique, at most 50 characters, in the set every gateway takes."""
    return f"cut-{now():%Y%m%d}-{secrets.token_hex(12)}"


Verdict = Literal["applied", "duplicate", "stale"]


async def take(settings: Settings, raw: bytes) -> Verdict:
    """Keep a notification, then act on it where it is genuine, right and news.

    Returns `applied`, `duplicate` or `stale`.

    Raises
    ------
    BadRequest
        for what is no notification (`malformed_notification`) or not signed by the gateway
        (`forged_notification`): recorded, without any effect.
    NotFound
        for an order that is not ours.
    Invalid
        for another amount or currency than the order's.
    """
    if len(raw) > MAX_BYTES:
        raise BadRequest("The notification is too long.", code="malformed_notification")
    told = _parsed(raw)
    order_id = str(told.get("order_id"))[:100] if told else None
    kept = await PaymentNotification.create(
        content=raw.decode("utf-8", "replace").replace("\0", "\ufffd"), order_id=order_id
    )
    try:
        verdict = await _act(settings, told)
    except (BadRequest, NotFound, Invalid) as refusal:
        kept.verdict = refusal.code[:32]
        await kept.save()
        raise
    kept.verdict = verdict
    await kept.save()
    return verdict


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        told = from_json(raw, allow_inf_nan=False)
    except ValueError:
        return None
    return told if isinstance(told, dict) and "\\u0000" not in repr(raw) else None


async def _act(settings: Settings, told: dict[str, Any] | None) -> Verdict:
    if told is None:
        raise BadRequest("This is no notification.", code="malformed_notification")
    if not gateway.is_genuine(told, gateway.server_key(settings)):
        raise BadRequest("The signature is not the gateway's.", code="forged_notification")
    async with in_transaction() as tx:
        rows = Payment.filter(order_id=told["order_id"]).using_db(tx).select_for_update()
        payment = await rows.get_or_none()
        if payment is None:
            raise NotFound("There is no such order.", code="order_not_found")
        if _amount(told["gross_amount"]) != payment.amount_idr or (
            told.get("currency", "IDR") != "IDR"
        ):
            raise Invalid.at("gross_amount", "is not the order's")
        wanted = status_of(told)
        if wanted == payment.status:
            return "duplicate"
        allowed = MOVES.get(payment.status, frozenset())
        if wanted is None or not (wanted in allowed or _reverses(payment, told, wanted)):
            return "stale"
        before = payment.status
        payment.status = wanted
        note = str(told.get("transaction_id") or "")[:100] or None
        payment.history = [
            *payment.history, {"at": now().isoformat(), "status": wanted, "note": note},
        ]  # fmt: skip
        await payment.save(using_db=tx)
        await trail.record(
            tx, None, "payment.updated", payment, before={"status": before},
            after={"status": wanted}, organization_id=payment.organization_id,
        )  # fmt: skip
        await emit(
            tx, payment.organization_id, "billing.payment.updated",
            {"order_id": payment.order_id, "status": wanted, "amount_idr": payment.amount_idr},
        )  # fmt: skip
    return "applied"


def _reverses(payment: Payment, told: dict[str, Any], wanted: S) -> bool:
    """Whether the bank takes back a settlement: the same transaction, denied minutes later.

    An order may be tried several times; a late word of a transaction that was denied before
    another one settled changes nothing.
    """
    settled = payment.history[-1]
    same = settled["note"] is not None and settled["note"] == told.get("transaction_id")
    return payment.status is S.SETTLEMENT and wanted is S.DENY and same


def status_of(told: dict[str, Any]) -> S | None:
    """The status a notification speaks of; a capture that fraud checks hold is still pending.

    Paid only with status code 200 and fraud status accept (or none, for methods without it).
    """
    try:
        status = S(str(told.get("transaction_status")))
    except ValueError:
        return None
    fraud = told.get("fraud_status", "accept")
    if status in PAID and fraud == "challenge":
        return S.PENDING
    if status in PAID and (fraud == "deny" or told["status_code"] != "200"):
        return S.DENY
    return status


def _amount(text: str) -> int | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return int(amount) if amount == amount.to_integral_value() else None
