"""`/pay`: the page of the embedded sandbox gateway, where a person pays or cancels in a browser.

It stands for the gateway's own page: whoever has the link of a payment may open it, and what is
pressed comes back as a notification, signed and taken like any other.
"""

import hmac
from html import escape

from sanic import Blueprint, HTTPResponse, Request, html
from sanic.request import RequestParameters

from control.billing import gateway, payments
from control.billing.models import Payment, PaymentStatus
from control.errors import Invalid, NotFound
from control.settings import Settings

blueprint = Blueprint("pay", url_prefix="/pay/<order_id:str>/<token:str>")
PRESSED = {"pay": PaymentStatus.SETTLEMENT, "cancel": PaymentStatus.CANCEL}
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'",
}
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sandbox payment</title>
<style>body {{ font: 1.1rem/1.5 system-ui; max-width: 26rem; margin: 4rem auto; padding: 0 1rem }}
button {{ font: inherit; padding: .4rem 1.2rem }}</style>
<h1>Sandbox payment</h1>
<p>{description}<p><strong>Rp {amount}</strong>, order {order_id}
<p>Status: <strong>{status}</strong>. No money moves here.
{buttons}
</html>
"""
BUTTONS = """<form method="post"><button name="press" value="pay">Pay</button>
<button name="press" value="cancel">Cancel</button></form>"""


@blueprint.get("/")
async def show_payment(request: Request, order_id: str, token: str) -> HTTPResponse:
    """What is to be paid, with a button for each answer while none was given."""
    return _page(await _payment(request.app.ctx.settings, order_id, token))


@blueprint.post("/")
async def press_button(request: Request, order_id: str, token: str) -> HTTPResponse:
    """Send the notification that stands for the button; shows what became of the payment."""
    settings = request.app.ctx.settings
    payment = await _payment(settings, order_id, token)
    form = request.form or RequestParameters()
    pressed = PRESSED.get(str(form.get("press")))
    if pressed is None:
        raise Invalid.at("press", f"must be one of {', '.join(PRESSED)}")
    if payment.status is PaymentStatus.PENDING:
        told = gateway.sandbox_notification(settings, order_id, payment.amount_idr, pressed)
        await payments.take(settings, told)
    return _page(await _payment(settings, order_id, token))


async def _payment(settings: Settings, order_id: str, token: str) -> Payment:
    """The payment whose link this is, else `NotFound`."""
    wanted = gateway.sandbox_token(settings, order_id)
    if settings.payment_gateway != "sandbox" or not hmac.compare_digest(
        wanted.encode(), token.encode()
    ):
        raise NotFound
    payment = await Payment.get_or_none(order_id=order_id, gateway="sandbox")
    if payment is None:
        raise NotFound
    return payment


def _page(payment: Payment) -> HTTPResponse:
    page = PAGE.format(
        description=escape(payment.description or "A payment"),
        amount=f"{payment.amount_idr:,}".replace(",", "."),
        order_id=escape(payment.order_id),
        status=payment.status,
        buttons=BUTTONS if payment.status is PaymentStatus.PENDING else "",
    )
    return html(page, headers=HEADERS)
