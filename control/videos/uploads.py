"""The end of an upload: the bytes arrive, somebody cancels it, or its time runs out.

What arrived is taken in under its own hash; what lies at the upload's own key is removed once
nothing needs it any more.
"""

from datetime import timedelta

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from control.access import Member
from control.artifacts.models import ArtifactRow
from control.audit import trail
from control.errors import Conflict
from control.records import now
from control.storage import Store
from control.store.s3 import S3Store
from control.videos.models import Video, VideoStatus
from ray_jobs.contract import Problem

# Whoever began to send before the link ended may take this long.
GRACE = timedelta(days=1)
BATCH = 100
NOT_ARRIVED = Q(upload_until__isnull=False, ingest_job_id__isnull=True)
CANCELLED = Problem(code="upload_cancelled", detail="The upload was cancelled.")
TIMED_OUT = Problem(
    code="upload_timed_out", detail="The bytes did not arrive in time: begin another upload."
)


async def cancel(member: Member, video: Video) -> Video:
    """Give up an upload; its link may still take bytes, which are removed.

    Raises
    ------
    Conflict
        409 `move_not_allowed` where its bytes have arrived, or it has ended.
    """
    async with in_transaction() as tx:
        held = await Video.of(member).using_db(tx).select_for_update().get(id=video.id)
        if held.status is not VideoStatus.AWAITING_UPLOAD:
            raise Conflict(
                f"A video that is {held.status} awaits no upload.", code="move_not_allowed",
                allowed=[],
            )  # fmt: skip
        held.status, held.problem = VideoStatus.FAILED, CANCELLED.model_dump(mode="json")
        await held.save(using_db=tx)
        await trail.record(tx, member, "video.upload_cancelled", held)
    return held


async def arrived(store: Store, video: Video) -> int | None:
    """How many bytes of an upload are there, None where nothing is; parts that are all there are
    joined.
    """
    if video.upload_key is None or video.status is not VideoStatus.AWAITING_UPLOAD:
        return None
    if video.upload_session and isinstance(store, S3Store):
        parts_bytes = await store.join(
            video.upload_key, video.upload_session, video.expected_size_bytes or 0
        )
        if parts_bytes is not None:
            return parts_bytes or None
    head = await store.head(video.upload_key)
    return head.size_bytes if head else None


async def expire(store: Store) -> int:
    """End overdue uploads and remove bytes that nothing needs; returns how many were settled."""
    over = Q(NOT_ARRIVED, upload_until__lt=now() - GRACE) | Q(object__isnull=False)
    rows = Video.filter(over, upload_key__isnull=False).order_by("upload_until", "id")
    ids = await rows.limit(BATCH).values_list("id", flat=True)
    for video_id in ids:
        async with in_transaction() as tx:
            kept = Video.filter(over, id=video_id, upload_key__isnull=False).using_db(tx)
            video = await kept.select_for_update().get_or_none()
            if video is None:
                continue
            if video.status is VideoStatus.AWAITING_UPLOAD:
                video.status, video.problem = VideoStatus.FAILED, TIMED_OUT.model_dump(mode="json")
                await trail.record(
                    tx, None, "video.upload_timed_out", video,
                    organization_id=video.organization_id,
                )  # fmt: skip
            key, video.upload_key = video.upload_key, None
            session, video.upload_session = video.upload_session, None
            await video.save(using_db=tx)
            if key and session and isinstance(store, S3Store):
                await store.drop(key, session)
            registered = ArtifactRow.filter(organization_id=video.organization_id, key=key)
            if key and not await registered.using_db(tx).exists():
                await store.delete(key)
    return len(ids)
