"""The ledger of usage: each event once, sums that equal it, and the worker's share by itself."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zlib import crc32

from tortoise.backends.base.client import BaseDBAsyncClient

from control.billing.models import UsageEvent
from control.billing.schemas import WriteUsage
from control.database import default
from control.errors import Conflict, Invalid, Unfit
from control.jobs.models import Job
from control.records import now
from ray_jobs.contract import Ingested, Result

LATE, EARLY = timedelta(days=35), timedelta(minutes=5)
JOBS = "job:"
SUMS = """
SELECT meter, unit, sum(quantity) AS quantity, count(*) AS events, {extra}
       count(*) OVER () AS total
  FROM usage_events
 WHERE organization_id = $1 AND occurred_at >= $2 AND occurred_at < $3
   AND ($4::text IS NULL OR meter = $4)
 GROUP BY meter, unit {group} ORDER BY meter, unit {group} LIMIT $5 OFFSET $6
"""
# A job succeeds once; a line that is there all the same is no reason to refuse its result.
USED = """
INSERT INTO usage_events (id, created_at, updated_at, organization_id, event_id, meter, quantity,
                          unit, occurred_at, project_id, job_id)
VALUES (gen_random_uuid(), $1, $1, $2, $3, $4, $5, $6, $1, $7, $8)
ON CONFLICT (organization_id, event_id) DO NOTHING"""
GROUPS = {
    "meter": ("", ""),
    "project": ("project_id,", ", project_id"),
    "day": ("date_trunc('day', occurred_at) AS day,", ", date_trunc('day', occurred_at)"),
}


async def write(
    tx: BaseDBAsyncClient, organization_id: UUID, wanted: WriteUsage
) -> tuple[UsageEvent, bool]:
    """Add a line to the ledger, or find the same line there; says whether it was found.

    Raises
    ------
    Conflict
        where the event id came before with other values.
    Unfit
        for ids that are the jobs', times out of the window, and corrections of nothing or of more
        than there was.
    """
    if wanted.event_id.startswith(JOBS):
        raise Invalid.at("event_id", f"must not begin with {JOBS}, as those of jobs do")
    lock = (organization_id.int ^ crc32(wanted.event_id.encode())) & (2**63 - 1)
    await tx.execute_query("SELECT pg_advisory_xact_lock($1)", [lock])
    ours = UsageEvent.filter(organization_id=organization_id).using_db(tx)
    values = wanted.model_dump(exclude={"occurred_at"})
    if found := await ours.filter(event_id=wanted.event_id).get_or_none():
        given = wanted.occurred_at
        if any(getattr(found, k) != v for k, v in values.items()) or (
            given and given != found.occurred_at
        ):
            raise Conflict("This event_id came before with other values.", code="event_reused")
        return found, True
    moment = now()
    at = wanted.occurred_at or moment
    if not moment - LATE <= at <= moment + EARLY:
        raise Unfit.at("occurred_at", f"must lie within the last {LATE.days} days")
    if wanted.corrects or wanted.quantity < 0:
        await _check_correction(tx, organization_id, wanted)
    event = await UsageEvent.create(
        using_db=tx, organization_id=organization_id, occurred_at=at, **values
    )
    return event, False


async def _check_correction(
    tx: BaseDBAsyncClient, organization_id: UUID, wanted: WriteUsage
) -> None:
    if not wanted.corrects:
        raise Invalid.at("corrects", "a negative quantity must name the event it corrects")
    ours = UsageEvent.filter(organization_id=organization_id).using_db(tx)
    original = await ours.filter(event_id=wanted.corrects).select_for_update().get_or_none()
    if original is None or original.meter != wanted.meter or original.unit != wanted.unit:
        raise Unfit.at("corrects", "there is no such event of this meter and unit")
    corrections = await ours.filter(corrects=wanted.corrects)
    left = original.quantity + sum(line.quantity for line in corrections) + wanted.quantity
    if left < 0:
        raise Unfit.at("quantity", "takes away more than the event had")


async def sums(
    organization_id: UUID, since: datetime, until: datetime, meter: str | None, group_by: str,
    limit: int, offset: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Sums of the ledger; each row carries the `total` number of rows."""
    extra, group = GROUPS[group_by]
    rows: list[dict[str, Any]] = list(
        await default().execute_query_dict(
            SUMS.format(extra=extra, group=group),
            [organization_id, since, until, meter, limit, offset],
        )
    )
    return rows


async def used(
    tx: BaseDBAsyncClient, organization_id: UUID, meter: str, since: datetime
) -> Decimal:
    """What the ledger says of a meter since a moment."""
    rows = await tx.execute_query_dict(
        "SELECT coalesce(sum(quantity), 0) AS quantity FROM usage_events "
        "WHERE organization_id = $1 AND meter = $2 AND occurred_at >= $3",
        [organization_id, meter, since],
    )
    return Decimal(rows[0]["quantity"])


async def record_job(tx: BaseDBAsyncClient, job: Job, result: Result) -> None:
    """What a job that succeeded has used: seconds of work, and the minutes of a new recording."""
    moment = now()
    spent_s = (moment - (job.started_at or moment)).total_seconds()
    meters = {f"{job.kind}_seconds": (spent_s, "s")}
    if isinstance(result, Ingested):
        meters["processed_minutes"] = (result.media.duration_s / 60, "min")
    for meter, (quantity, unit) in meters.items():
        await tx.execute_query(
            USED,
            [
                moment, job.organization_id, f"{JOBS}{job.id}:{meter}", meter,
                Decimal(f"{max(0.0, quantity):.6f}"), unit, job.project_id, job.id,
            ],
        )  # fmt: skip
