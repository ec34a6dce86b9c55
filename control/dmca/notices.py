"""The life of a notice: what is missing, who may move it where, and when content comes back."""

from datetime import date
from typing import Any
from uuid import UUID

import holidays
from pydantic_core import to_jsonable_python
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from control.access import Member
from control.artifacts.models import ArtifactRow
from control.audit import trail
from control.clips.models import Clip
from control.dmca.models import STRIKE_LIFE, DmcaBlock, DmcaNotice
from control.dmca.models import NoticeStatus as S
from control.dmca.schemas import Claim, Material, NoticePatch
from control.errors import Conflict, Unfit
from control.jobs import lifecycle
from control.jobs.models import Job, JobState
from control.jobs.states import TERMINAL, Move
from control.records import now
from control.videos.models import Video
from control.webhooks.outbox import emit

MOVES: dict[S, tuple[S, ...]] = {
    S.INCOMPLETE: (S.REJECTED, S.WITHDRAWN),
    S.VALIDATED: (S.CONTENT_DISABLED, S.REJECTED, S.WITHDRAWN),
    S.CONTENT_DISABLED: (
        S.UPLOADER_NOTIFIED,
        S.COUNTER_RECEIVED,
        S.COURT_HOLD,
        S.REPEAT_INFRINGER_ACTION,
        S.WITHDRAWN,
    ),
    S.UPLOADER_NOTIFIED: (
        S.COUNTER_RECEIVED,
        S.COURT_HOLD,
        S.REPEAT_INFRINGER_ACTION,
        S.WITHDRAWN,
    ),
    S.REPEAT_INFRINGER_ACTION: (S.COUNTER_RECEIVED, S.COURT_HOLD, S.WITHDRAWN),
    S.COUNTER_RECEIVED: (S.FORWARDED, S.COURT_HOLD, S.WITHDRAWN),
    S.FORWARDED: (S.RESTORED, S.COURT_HOLD, S.WITHDRAWN),
    S.COURT_HOLD: (S.RESTORED, S.WITHDRAWN),
    S.RESTORED: (),
    S.WITHDRAWN: (),
    S.REJECTED: (),
}
RELEASED = (S.RESTORED, S.WITHDRAWN, S.REJECTED)
REPEATED = 3
NOT_BEFORE_DAYS, NOT_AFTER_DAYS = 10, 14


def missing(claim: Claim) -> list[str]:
    """Which of the six elements the claim lacks."""
    return [name for name in Claim.model_fields if not getattr(claim, name)]


def business_day(after: date, count: int) -> date:
    """The `count`-th day after `after` that is neither a weekend nor a federal holiday."""
    return holidays.country_holidays("US").get_nth_working_day(after, count)


async def submit(tx: BaseDBAsyncClient, member: Member, claim: Claim) -> DmcaNotice:
    """Write a notice down; one without all six elements waits for them as `incomplete`.

    Raises
    ------
    Unfit
        for material that is not the organisation's.
    """
    shas, lacking = await _shas(tx, member, claim.material), missing(claim)
    status = S.INCOMPLETE if lacking else S.VALIDATED
    notice = await DmcaNotice.create(
        using_db=tx, organization_id=member.organization_id, status=status, missing=lacking,
        sha256s=shas, claim=claim.model_dump(mode="json"),
        history=[_entry(member.user_id, status, None)],
    )  # fmt: skip
    await trail.record(tx, member, "dmca.notice.submitted", notice, after={"status": status})
    await _tell(tx, notice)
    return notice


async def change(
    tx: BaseDBAsyncClient, member: Member, notice: DmcaNotice, patch: NoticePatch
) -> None:
    """Apply a patch to a notice that this transaction holds.

    Raises
    ------
    Conflict
        for moves the status does not allow, with those it does, and for restoring too early.
    Unfit
        for material that is not the organisation's.
    """
    before = notice.status
    if patch.claim is not None:
        await _supply(tx, member, notice, patch.claim)
    if "legal_hold" in patch.model_fields_set:
        notice.legal_hold = patch.legal_hold
    wanted = patch.status
    if patch.counter_notice is not None:
        wanted = wanted or S.COUNTER_RECEIVED
        if wanted is not S.COUNTER_RECEIVED:
            raise Unfit.at("status", "a counter-notice makes it counter_received")
    if wanted is not None and wanted != notice.status:
        await _move(tx, member, notice, wanted, patch)
    elif notice.status != before:
        notice.history = [*notice.history, _entry(member.user_id, notice.status, patch.note)]
    await notice.save(using_db=tx)
    await trail.record(
        tx, member, "dmca.notice.updated", notice, before={"status": before}, after=patch
    )
    if notice.status != before:
        await _tell(tx, notice)


def strikes(member: Member) -> QuerySet[DmcaNotice]:
    """The takedowns that count against the organisation now (17 U.S.C. 512(i)(1)(A))."""
    recent = DmcaNotice.of(member).filter(disabled_at__gte=now() - STRIKE_LIFE)
    return recent.exclude(status__in=RELEASED)


async def restore_due() -> int:
    """Put back what no court has claimed by the 14th business day; returns how many."""
    due = DmcaNotice.filter(status=S.FORWARDED, restore_not_after__lte=now().date())
    ids = await due.values_list("id", flat=True)
    for notice_id in ids:
        async with in_transaction() as tx:
            rows = DmcaNotice.filter(id=notice_id, status=S.FORWARDED).using_db(tx)
            notice = await rows.select_for_update().get_or_none()
            if notice is None:
                continue
            notice.status = S.RESTORED
            notice.history = [*notice.history, _entry(None, S.RESTORED, "the deadline came")]
            await DmcaBlock.filter(notice_id=notice.id).using_db(tx).delete()
            await notice.save(using_db=tx)
            await trail.record(
                tx, None, "dmca.notice.updated", notice, before={"status": S.FORWARDED},
                after={"status": S.RESTORED}, organization_id=notice.organization_id,
            )  # fmt: skip
            await _tell(tx, notice)
    return len(ids)


async def _supply(tx: BaseDBAsyncClient, member: Member, notice: DmcaNotice, more: Claim) -> None:
    if notice.status is not S.INCOMPLETE:
        raise Conflict("The claim is complete and stays as it is.", code="claim_complete")
    given = Claim.model_validate(notice.claim).model_dump() | more.model_dump(exclude_unset=True)
    claim = Claim.model_validate(given)
    notice.sha256s = await _shas(tx, member, claim.material)
    notice.claim, notice.missing = claim.model_dump(mode="json"), missing(claim)
    if not notice.missing:
        notice.status = S.VALIDATED


async def _move(
    tx: BaseDBAsyncClient, member: Member, notice: DmcaNotice, wanted: S, patch: NoticePatch
) -> None:
    if wanted not in MOVES[notice.status]:
        raise Conflict(
            f"A notice that is {notice.status} cannot become {wanted}.",
            allowed=list(MOVES[notice.status]),
        )
    today = now().date()
    match wanted:
        case S.CONTENT_DISABLED:
            await _disable(tx, member, notice)
        case S.COUNTER_RECEIVED:
            if patch.counter_notice is None:
                raise Unfit.at("counter_notice", "is what counter_received stands for")
            notice.counter_notice = patch.counter_notice.model_dump(mode="json")
            notice.restore_not_before = business_day(today, NOT_BEFORE_DAYS)
            notice.restore_not_after = business_day(today, NOT_AFTER_DAYS)
        case S.REPEAT_INFRINGER_ACTION if (count := await strikes(member).using_db(tx).count()) < (
            REPEATED
        ):
            raise Conflict(
                f"The organisation has {count} strikes of {REPEATED}.", code="too_few_strikes"
            )
        case S.RESTORED if notice.restore_not_before and today < notice.restore_not_before:
            raise Conflict(
                f"Content may come back from {notice.restore_not_before} on, the 10th business "
                "day after the counter-notice.",
                code="too_early",
            )
    notice.status = wanted
    notice.history = [*notice.history, _entry(member.user_id, wanted, patch.note)]
    if wanted in RELEASED:
        await DmcaBlock.filter(notice_id=notice.id).using_db(tx).delete()


async def _disable(tx: BaseDBAsyncClient, member: Member, notice: DmcaNotice) -> None:
    """Block the bytes, and cancel what is being made of them."""
    for sha256 in notice.sha256s:
        await DmcaBlock.create(
            using_db=tx, organization_id=member.organization_id, notice_id=notice.id, sha256=sha256
        )
    notice.disabled_at = now()
    notice.strike = 1 + await strikes(member).using_db(tx).count()
    videos = Video.of(member).using_db(tx).filter(sha256__in=notice.sha256s)
    ids = await videos.values_list("id", flat=True)
    running = Job.of(member).filter(video_id__in=ids).using_db(tx)
    for job in await running.exclude(state__in=(*TERMINAL, JobState.CANCELLING)):
        await lifecycle.move(member, job, Move.CANCEL)


async def _shas(tx: BaseDBAsyncClient, member: Member, material: Material | None) -> list[str]:
    """The bytes that are meant: the recording's, or the artifact's own where it has none.

    Raises
    ------
    Unfit
        where the organisation has no such thing, or its bytes have not arrived.
    """
    if material is None:
        return []
    video_id, shas = material.video_id, set()
    if material.clip_id:
        clip = await Clip.of(member).using_db(tx).get_or_none(id=material.clip_id)
        video_id = clip.video_id if clip else None
    if material.artifact_id:
        artifact = await ArtifactRow.of(member).using_db(tx).get_or_none(id=material.artifact_id)
        video_id = artifact.video_id if artifact else None
        shas = {artifact.sha256} if artifact else set()
    if video_id:
        video = await Video.of(member).using_db(tx).get_or_none(id=video_id)
        shas |= {video.sha256} if video and video.sha256 else set()
    if not shas:
        raise Unfit.at("claim.material", "names nothing that the organisation has")
    return sorted(shas)


def _entry(by: UUID | None, status: S, note: str | None) -> dict[str, Any]:
    return dict(to_jsonable_python({"at": now(), "by": by, "status": status, "note": note}))


async def _tell(tx: BaseDBAsyncClient, notice: DmcaNotice) -> None:
    await emit(
        tx, notice.organization_id, "dmca.notice.updated",
        {
            "notice_id": notice.id, "status": notice.status, "missing": notice.missing,
            "restore_not_before": notice.restore_not_before,
            "restore_not_after": notice.restore_not_after,
        },
    )  # fmt: skip
