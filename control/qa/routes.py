"""`/v1/observability/qa-runs`."""

from sanic import Blueprint

blueprint = Blueprint("qa", url_prefix="/observability/qa-runs")
