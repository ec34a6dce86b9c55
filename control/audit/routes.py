"""`/v1/audit/logs`."""

from sanic import Blueprint

blueprint = Blueprint("audit", url_prefix="/audit/logs")
