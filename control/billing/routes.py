"""`/v1/billing`."""

from sanic import Blueprint

blueprint = Blueprint("billing", url_prefix="/billing")

notifications = Blueprint("payment_notifications", url_prefix="/billing/payments")
