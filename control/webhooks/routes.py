"""`/v1/webhooks`."""

from sanic import Blueprint

blueprint = Blueprint("webhooks", url_prefix="/webhooks")
