"""Percentiles in PostgreSQL: of what was sent in, and of the server's own jobs."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from control.database import default
from control.observability.schemas import MetricQuery, PointOut, SummaryOut, SummaryQuery
from control.paging import Page
from control.records import now

SUMMARY = """
WITH samples AS (
    SELECT s.name, s.labels_key AS labels, p.value
      FROM metric_points p JOIN metric_series s ON s.id = p.series_id
     WHERE s.organization_id = $1 AND p.at >= $2 AND p.at < $3
    UNION ALL
    SELECT 'job.run_s', json_build_object('kind', kind)::text,
           extract(epoch FROM finished_at - started_at)
      FROM jobs WHERE organization_id = $1 AND finished_at >= $2 AND finished_at < $3
                  AND started_at IS NOT NULL
    UNION ALL
    SELECT 'job.wait_s', json_build_object('kind', kind)::text,
           extract(epoch FROM started_at - queued_at)
      FROM jobs WHERE organization_id = $1 AND started_at >= $2 AND started_at < $3
                  AND started_at >= queued_at
    UNION ALL
    SELECT 'job.step_s', json_build_object('kind', kind, 'step', part->>'name')::text,
           (part->>'wall_s')::float8
      FROM jobs CROSS JOIN LATERAL jsonb_array_elements(steps) AS parts (part)
     WHERE organization_id = $1 AND finished_at >= $2 AND finished_at < $3
       AND part->>'state' = 'done' AND NOT (part->>'cached')::boolean)
SELECT name, labels, count(*) AS count, avg(value) AS mean, min(value) AS minimum,
       max(value) AS maximum,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY value) AS p95,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY value) AS p99,
       count(*) OVER () AS total
  FROM samples WHERE $4::text IS NULL OR name = $4
 GROUP BY name, labels ORDER BY name, labels LIMIT $5 OFFSET $6
"""
POINTS = """
SELECT s.name, s.labels_key AS labels, {at} AS at, avg(p.value) AS value, count(*) AS count,
       min(p.value) AS minimum, max(p.value) AS maximum, count(*) OVER () AS total
  FROM metric_points p JOIN metric_series s ON s.id = p.series_id
 WHERE s.organization_id = $1 AND p.at >= $2 AND p.at < $3
   AND ($4::text IS NULL OR s.name = $4) AND s.labels @> $5::jsonb
 GROUP BY s.name, s.labels_key, {group} ORDER BY {at} DESC, s.name, s.labels_key LIMIT $6 OFFSET $7
"""
LONG_AGO = timedelta(days=90)


async def summary(
    organization_id: UUID, wanted: SummaryQuery, page: Page
) -> tuple[list[SummaryOut], int]:
    """Every series of the window that has points, by name; and how many there are in all."""
    until = now()
    rows = await default().execute_query_dict(
        SUMMARY,
        [organization_id, until - timedelta(seconds=wanted.window_s), until, wanted.name,
         page.limit, page.offset],
    )  # fmt: skip
    items = [
        SummaryOut.model_validate({**row, "labels": json.loads(row["labels"])}) for row in rows
    ]
    return items, rows[0]["total"] if rows else 0


async def points(
    organization_id: UUID, wanted: MetricQuery, labels: dict[str, str], page: Page
) -> tuple[list[PointOut], int]:
    """Points, newest first, or buckets of `step_s` aligned to the epoch."""
    until = wanted.until or now() + timedelta(days=1)
    since: datetime = wanted.since or now() - LONG_AGO
    at, group = "p.at", "p.at, p.id"
    if wanted.step_s:
        bucket = f"date_bin('{int(wanted.step_s)} seconds', p.at, 'epoch')"
        at, group = bucket, bucket
    rows = await default().execute_query_dict(
        POINTS.format(at=at, group=group),
        [organization_id, since, until, wanted.name, json.dumps(labels), page.limit, page.offset],
    )
    return [PointOut.model_validate(_read(row)) for row in rows], _total(rows)


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "labels": json.loads(row["labels"])}


def _total(rows: Sequence[dict[str, Any]]) -> int:
    return int(rows[0]["total"]) if rows else 0
