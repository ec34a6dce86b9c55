"""How far a project is: what its videos say, never a column that could disagree with them."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from tortoise.functions import Count

from control.videos.models import Video, VideoStatus

EMPTY = "empty"


def derived(counts: dict[str, int]) -> str:
    """`empty`, `failed` when every video has, else the status of the one least far."""
    if not counts:
        return EMPTY
    order = [str(status) for status in VideoStatus]
    alive = [status for status in counts if status != VideoStatus.FAILED]
    return min(alive, key=order.index, default=str(VideoStatus.FAILED))


async def add_status(rows: list[dict[str, Any]]) -> None:
    """Put `status` and `videos` (how many are in which status) into rows of projects."""
    counts = await _counts(row["id"] for row in rows)
    for row in rows:
        row["videos"] = counts[row["id"]]
        row["status"] = derived(row["videos"])


async def _counts(project_ids: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    rows = (
        await Video.filter(project_id__in=list(project_ids))
        .annotate(videos=Count("id"))
        .group_by("project_id", "status")
        .values("project_id", "status", "videos")
    )
    for row in rows:
        found[row["project_id"]][str(row["status"])] = row["videos"]
    return found
