"""The job-completion objective: of the jobs that could have ended well, how many did, in time.

SLI = good / eligible, error budget = 1 - objective, burn rate = (1 - SLI of a window) / budget
(The Site Reliability Workbook, chapter 5). Cancelled jobs and jobs whose input could not be worked
with are not eligible: no server could have finished them.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from control.database import default
from control.observability.schemas import KindSlo, SloOut, SloQuery
from control.records import now

BURN_WINDOWS_S = {"1h": 3600, "6h": 6 * 3600, "24h": 24 * 3600}
INPUTS_FAULT = (
    "unsupported_media", "corrupt_media", "no_video_stream", "no_audio_stream", "no_streams",
    "too_large", "too_small", "too_long", "too_short", "empty_file", "zero_duration",
    "download_failed", "address_forbidden", "checksum_mismatch", "bad_transcript", "bad_request",
    "encrypted_media", "transcript_needed", "clip_outside_source", "content_blocked",
)  # fmt: skip
ENDED = """
SELECT kind, count(*) AS ended,
       count(*) FILTER (WHERE eligible) AS eligible,
       count(*) FILTER (WHERE eligible AND state = 'succeeded'
                          AND ($4::float8 IS NULL
                               OR extract(epoch FROM finished_at - queued_at) <= $4)) AS good
  FROM (SELECT *, state <> 'cancelled'
                  AND NOT coalesce(problem->>'code' = ANY($3), false) AS eligible
          FROM jobs WHERE organization_id = $1 AND finished_at >= $2
                      AND state IN ('succeeded', 'failed', 'cancelled')) AS ended
 GROUP BY kind ORDER BY kind
"""


async def job_completion(organization_id: UUID, wanted: SloQuery) -> SloOut:
    """The objective over its window, with what is left of its budget and how fast it is spent."""
    rows = await _ended(organization_id, wanted.window_s, wanted.target_s)
    eligible, good = _sum(rows, "eligible"), _sum(rows, "good")
    sli = share(good, eligible)
    burn = {}
    for name, window_s in BURN_WINDOWS_S.items():
        recent = await _ended(organization_id, window_s, wanted.target_s)
        burn[name] = burn_rate(_sum(recent, "good"), _sum(recent, "eligible"), wanted.objective)
    spent = burn_rate(good, eligible, wanted.objective)
    return SloOut(
        **wanted.model_dump(),
        eligible=eligible,
        good=good,
        excluded=_sum(rows, "ended") - eligible,
        sli=sli,
        met=None if sli is None else sli >= wanted.objective,
        error_budget_left=None if spent is None else 1 - spent,
        burn_rates=burn,
        kinds=[
            KindSlo(
                kind=row["kind"], eligible=row["eligible"], good=row["good"],
                sli=share(row["good"], row["eligible"]),
            )
            for row in rows
        ],
    )  # fmt: skip


def share(good: int, eligible: int) -> float | None:
    """The indicator, 0..1; None where nothing ended."""
    return good / eligible if eligible else None


def burn_rate(good: int, eligible: int, objective: float) -> float | None:
    """How many times faster than allowed the budget is spent; None where nothing ended."""
    sli = share(good, eligible)
    return None if sli is None else (1 - sli) / (1 - objective)


async def _ended(
    organization_id: UUID, window_s: int, target_s: float | None
) -> Sequence[dict[str, Any]]:
    since = now() - timedelta(seconds=window_s)
    return await default().execute_query_dict(
        ENDED, [organization_id, since, list(INPUTS_FAULT), target_s]
    )


def _sum(rows: Sequence[dict[str, Any]], column: str) -> int:
    return sum(int(row[column]) for row in rows)
