"""`/v1/observability`."""

from sanic import Blueprint

blueprint = Blueprint("observability", url_prefix="/observability")
