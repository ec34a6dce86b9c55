"""The order of a video's clips, as people put it."""

from tortoise.backends.base.client import BaseDBAsyncClient

from control.clips.models import Clip, ClipStatus
from control.records import now


async def moved(tx: BaseDBAsyncClient, clip: Clip, rank: int) -> int:
    """Make room for a clip at `rank`, or at the end; returns the rank it has then.

    All clips of the video that are not superseded are numbered from 1 on, without gaps.
    """
    # Two who move clips of one video wait for one another.
    lock = clip.video_id.int & (2**63 - 1)
    await tx.execute_query("SELECT pg_advisory_xact_lock($1)", [lock])
    rows = Clip.filter(video_id=clip.video_id).exclude(status=ClipStatus.SUPERSEDED).using_db(tx)
    others = await rows.exclude(id=clip.id).order_by("rank", "id").values_list("id", "rank")
    place = min(rank, len(others) + 1)
    for number, (clip_id, had) in enumerate(others, 1):
        has = number + (number >= place)
        if has != had:
            await Clip.filter(id=clip_id).using_db(tx).update(rank=has, updated_at=now())
    return place
