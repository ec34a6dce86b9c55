"""`/v1/observability`: metrics in, metrics and their summary out, and the objective."""

import json
from datetime import timedelta

from sanic import Blueprint, HTTPResponse, Request
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from control.access import Member
from control.bodies import body, query, reply
from control.errors import Forbidden, Unfit
from control.observability.models import MetricPoint, MetricSeries
from control.observability.schemas import (
    MetricQuery,
    MetricsSent,
    Point,
    PointOut,
    SendMetrics,
    SloOut,
    SloQuery,
    SummaryOut,
    SummaryQuery,
)
from control.observability.slo import job_completion
from control.observability.summary import points, summary
from control.openapi import spec
from control.paging import Page, listed
from control.records import now

blueprint = Blueprint("observability", url_prefix="/observability")
MAX_SERIES = 2000
OLDEST, NEWEST = timedelta(days=90), timedelta(minutes=5)


@blueprint.post("/metrics")
@spec(body=SendMetrics, returns=MetricsSent, status=201)
async def send_metrics(request: Request) -> HTTPResponse:
    """Send points of any series; all of them are kept or none."""
    member, wanted = request.ctx.member, body(request, SendMetrics)
    moment = now()
    for number, point in enumerate(wanted.points):
        if point.at and not moment - OLDEST <= point.at <= moment + NEWEST:
            raise Unfit.at(f"points.{number}.at", "must lie within the last 90 days")
    async with in_transaction() as tx:
        series = await _series(tx, member, wanted.points)
        await MetricPoint.bulk_create(
            [
                MetricPoint(
                    series_id=series[_key(point)].id, at=point.at or moment, value=point.value
                )
                for point in wanted.points
            ],
            using_db=tx,
        )
    return reply(MetricsSent(accepted=len(wanted.points)), 201)


def _key(point: Point) -> tuple[str, str]:
    return point.name, json.dumps(point.labels, sort_keys=True, separators=(",", ":"))


async def _series(
    tx: BaseDBAsyncClient, member: Member, wanted: list[Point]
) -> dict[tuple[str, str], MetricSeries]:
    """The series of the points, new ones made, as far as the organisation may have more."""
    keys = {_key(point): point for point in wanted}
    # One sender at a time may add series, so that the cap holds.
    lock = member.organization_id.int & (2**63 - 1)
    await tx.execute_query("SELECT pg_advisory_xact_lock($1)", [lock])
    ours = MetricSeries.of(member).using_db(tx)
    names = {name for name, _ in keys}
    known = {(row.name, row.labels_key): row for row in await ours.filter(name__in=names)}
    new = [key for key in keys if key not in known]
    if new and await MetricSeries.of(member).using_db(tx).count() + len(new) > MAX_SERIES:
        raise Forbidden(
            f"An organisation has at most {MAX_SERIES} series: use fewer label values.",
            code="too_many_series",
        )
    made = [
        MetricSeries(
            organization_id=member.organization_id, name=key[0], labels=keys[key].labels,
            labels_key=key[1],
        )
        for key in new
    ]  # fmt: skip
    await MetricSeries.bulk_create(made, using_db=tx)
    return known | {(row.name, row.labels_key): row for row in made}


@blueprint.get("/metrics")
@spec(query=MetricQuery, lists=PointOut)
async def list_metrics(request: Request) -> HTTPResponse:
    """Points of the organisation's series, newest first, or buckets of them."""
    page, wanted = Page.of(request), query(request, MetricQuery)
    labels = dict(text.split(":", 1) for text in wanted.label)
    items, total = await points(request.ctx.member.organization_id, wanted, labels, page)
    return listed(items, PointOut, page, total)


@blueprint.get("/metrics/summary")
@spec(query=SummaryQuery, lists=SummaryOut)
async def summarise_metrics(request: Request) -> HTTPResponse:
    """Percentiles of every series over a window that ends now."""
    page, wanted = Page.of(request), query(request, SummaryQuery)
    items, total = await summary(request.ctx.member.organization_id, wanted, page)
    return listed(items, SummaryOut, page, total)


@blueprint.get("/slo/job-completion")
@spec(query=SloQuery, returns=SloOut)
async def get_job_completion(request: Request) -> HTTPResponse:
    """How many jobs that could have ended well did, and how fast the error budget is spent."""
    wanted = query(request, SloQuery)
    return reply(await job_completion(request.ctx.member.organization_id, wanted))
