"""`GET /metrics`: the whole instance as a Prometheus of its operator reads it.

Requests are counted in the HTTP processes (in files they share, where there are several); the queue
and the deliveries are looked up when they are asked for, so that every process tells the same.
"""

import hmac
import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from sanic import Blueprint, HTTPResponse, Request

from control.access import require_user
from control.database import default
from control.errors import Forbidden
from control.jobs.models import JobState
from control.jobs.states import TERMINAL
from control.openapi import is_websocket, plain_path, spec
from ray_jobs.contract import JobKind

blueprint = Blueprint("exposition", url_prefix="/metrics")
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_http = CollectorRegistry()
_requests = Counter(
    "cutroom_http_requests", "Answered requests.", ["method", "route", "status"], registry=_http
)
_durations = Histogram(
    "cutroom_http_request_duration_seconds", "From the request's head to the answer's.",
    ["method", "route"], registry=_http,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip
if SHARED_FOLDER in os.environ:
    _told = CollectorRegistry()
    MultiProcessCollector(_told)
else:
    _told = _http
    ProcessCollector(registry=_told)

JOBS = """
SELECT kind, state, count(*) AS count,
       extract(epoch FROM now() - min(queued_at))::float8 AS oldest_s
  FROM jobs WHERE state = ANY($1) GROUP BY kind, state
"""
DELIVERIES = """
SELECT count(*) AS count, extract(epoch FROM now() - min(next_attempt_at))::float8 AS oldest_s
  FROM webhook_deliveries WHERE status = 'pending'
"""
UNFINISHED = [state for state in JobState if state not in TERMINAL]


async def require_operator(request: Request) -> None:
    """Let through who knows `CUTROOM_METRICS_TOKEN`, and the instance's administrators."""
    token = request.app.ctx.settings.metrics_token
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(given.strip().encode(), token.encode())
    if token and known and scheme.lower() == "bearer":
        return
    await require_user(request)
    if not request.ctx.user.is_admin:
        raise Forbidden("Metrics are the administrators', and CUTROOM_METRICS_TOKEN's.")


def count(request: Request, status: int, wall_s: float) -> None:
    """Note one answered request; WebSockets, which last, are left out."""
    route = request.route
    if route is not None and is_websocket(route):
        return
    name = plain_path(route) if route is not None else "none"
    _requests.labels(request.method, name, str(status)).inc()
    _durations.labels(request.method, name).observe(wall_s)


@blueprint.get("/")
@spec(text="text/plain")
async def read_metrics(_: Request) -> HTTPResponse:
    """The instance's metrics as Prometheus reads them.

    For administrators, and for a scraper with `CUTROOM_METRICS_TOKEN` as its bearer token.
    """
    told = generate_latest(_told) + generate_latest(await _stored())
    return HTTPResponse(told, content_type=CONTENT_TYPE_LATEST)


async def _stored() -> CollectorRegistry:
    """What the database knows of all organisations together; what waits for nothing is 0."""
    registry = CollectorRegistry()
    jobs = Gauge("cutroom_jobs", "Jobs that have not ended.", ["kind", "state"], registry=registry)
    oldest = Gauge(
        "cutroom_jobs_oldest_queued_age_seconds", "How long the first in the queue has waited.",
        ["kind"], registry=registry,
    )  # fmt: skip
    owed = Gauge(
        "cutroom_webhook_deliveries_waiting", "Deliveries that are still owed.", registry=registry
    )
    overdue = Gauge(
        "cutroom_webhook_deliveries_overdue_seconds", "How long the oldest attempt is overdue.",
        registry=registry,
    )  # fmt: skip
    for kind in JobKind:
        oldest.labels(kind).set(0)
        for state in UNFINISHED:
            jobs.labels(kind, state).set(0)
    for row in await default().execute_query_dict(JOBS, [UNFINISHED]):
        jobs.labels(row["kind"], row["state"]).set(row["count"])
        if row["state"] == JobState.QUEUED:
            oldest.labels(row["kind"]).set(max(0.0, row["oldest_s"]))
    [row] = await default().execute_query_dict(DELIVERIES)
    owed.set(row["count"])
    overdue.set(max(0.0, row["oldest_s"] or 0.0))
    return registry
