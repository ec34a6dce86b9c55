"""How far a project is: what its videos say, never a column that could disagree with them."""

from typing import Any

from pydantic_core import from_json
from tortoise.expressions import RawSQL

from control.videos.models import VideoStatus

EMPTY = "empty"
# How many of a project's videos are in which status, as JSON; abandoned uploads are none of them.
VIDEOS = RawSQL(
    "(SELECT coalesce(json_object_agg(status, videos), '{}') FROM (SELECT status, count(*) AS "
    "videos FROM videos WHERE project_id = projects.id AND NOT (status = 'failed' AND "
    "ingest_job_id IS NULL AND upload_until IS NOT NULL) GROUP BY status) AS counted)"
)


def derived(counts: dict[str, int]) -> str:
    """`empty`, `failed` when every video has, else the status of the one least far."""
    if not counts:
        return EMPTY
    order = [str(status) for status in VideoStatus]
    alive = [status for status in counts if status != VideoStatus.FAILED]
    return min(alive, key=order.index, default=str(VideoStatus.FAILED))


def add_status(rows: list[dict[str, Any]]) -> None:
    """Read `videos` and put `status` into rows of projects."""
    for row in rows:
        row["videos"] = from_json(row["videos"])
        row["status"] = derived(row["videos"])
