"""The life of a finding: its moves, its likes in other runs, and who is told of a real change."""

import hashlib
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from tortoise.backends.base.client import BaseDBAsyncClient

from control.access import Member
from control.artifacts.models import ArtifactRow
from control.audit import trail
from control.errors import Conflict, Invalid, Unfit
from control.organizations.models import Membership, MemberStatus
from control.qa.models import FindingStatus as S
from control.qa.models import QaFinding, QaRun, Severity
from control.qa.schemas import CreateFinding, FindingPatch
from control.records import now
from control.webhooks.outbox import emit

MOVES: dict[S, tuple[S, ...]] = {
    S.OPEN: (S.TRIAGED, S.IN_PROGRESS, S.WONT_FIX, S.FALSE_POSITIVE),
    S.TRIAGED: (S.IN_PROGRESS, S.FIXED, S.WONT_FIX, S.FALSE_POSITIVE, S.OPEN),
    S.IN_PROGRESS: (S.FIXED, S.TRIAGED, S.WONT_FIX, S.FALSE_POSITIVE),
    S.FIXED: (S.VERIFIED, S.IN_PROGRESS, S.OPEN),
    S.VERIFIED: (S.OPEN,),
    S.WONT_FIX: (S.OPEN,),
    S.FALSE_POSITIVE: (S.OPEN,),
}
SETTLED = (S.FIXED, S.VERIFIED, S.WONT_FIX, S.FALSE_POSITIVE)
GRAVE = (Severity.BLOCKER, Severity.CRITICAL, Severity.MAJOR)
ASSIGNMENT = ("assignee_id", "due_at")


def check_move(before: S, wanted: S) -> None:
    """Raise `Conflict` with the allowed states unless the finding may go there."""
    if wanted != before and wanted not in MOVES[before]:
        raise Conflict(
            f"A finding that is {before} cannot become {wanted}.", allowed=list(MOVES[before])
        )


def fingerprint(suite: str, wanted: CreateFinding) -> str:
    """The same text for the same fault, whichever run found it."""
    parts = (suite, wanted.category, wanted.title, wanted.locale or "", wanted.genre or "")
    return hashlib.sha256("\0".join(part.casefold() for part in parts).encode()).hexdigest()


async def report(
    tx: BaseDBAsyncClient, member: Member, run: QaRun, wanted: CreateFinding
) -> QaFinding:
    """Write a finding down, joined to its like in earlier runs.

    Raises
    ------
    Unfit
        for an assignee who is no active member and artifacts that are not the organisation's.
    """
    await check_assignee(tx, member, wanted.assignee_id)
    for field in ("overlay_artifact_id", "evidence_artifact_id"):
        if artifact_id := getattr(wanted, field):
            await check_artifacts(tx, member, field, [artifact_id])
    mark = wanted.fingerprint or fingerprint(run.suite, wanted)
    wanted = wanted.model_copy(update={"fingerprint": mark})
    finding = await write_down(tx, run, wanted, await last_like(tx, run.organization_id, mark))
    await trail.record(tx, member, "qa.finding.created", finding, after={"title": finding.title})
    return finding


async def last_like(tx: BaseDBAsyncClient, organization_id: UUID, mark: str) -> QaFinding | None:
    """The last finding of the organisation with this fingerprint."""
    likes = QaFinding.filter(organization_id=organization_id, fingerprint=mark)
    return await likes.using_db(tx).order_by("-created_at", "id").first()


async def write_down(
    tx: BaseDBAsyncClient, run: QaRun, wanted: CreateFinding, last: QaFinding | None,
    *, status: S = S.OPEN,
) -> QaFinding:  # fmt: skip
    """A finding of a run, joined to its last like."""
    return await QaFinding.create(
        using_db=tx,
        organization_id=run.organization_id,
        run_id=run.id,
        first_seen_run_id=last.first_seen_run_id if last else run.id,
        occurrences=last.occurrences + 1 if last else 1,
        regression=bool(last and last.status in (S.FIXED, S.VERIFIED)),
        status=status,
        **wanted.model_dump(),
    )


async def change(
    tx: BaseDBAsyncClient, member: Member, finding: QaFinding, patch: FindingPatch
) -> None:
    """Apply what is really different, note it in the history, and tell of it once.

    `qa.finding.updated` for the fault itself, `qa.assignment.updated` for who and until when.
    """
    sent = patch.model_dump(exclude_unset=True, exclude={"note"})
    for name, value in sent.items():
        if value is None and name not in (*ASSIGNMENT, "overlay_url", "expected", "actual"):
            raise Invalid.at(name, "must not be null")
    before = {k: getattr(finding, k) for k, v in sent.items() if getattr(finding, k) != v}
    if not before:
        return
    after = {name: sent[name] for name in before}
    if "status" in after:
        check_move(finding.status, after["status"])
    if "assignee_id" in after:
        await check_assignee(tx, member, after["assignee_id"])
    entry = {"at": now(), "by": member.user_id, "before": before, "after": after}
    entry["note"] = patch.note
    finding.update_from_dict(after)
    finding.history = [*finding.history, to_jsonable_python(entry)]
    await finding.save(using_db=tx)
    await trail.record(
        tx, member, "qa.finding.updated", finding, before=before, after=after, detail=patch.note
    )
    assigned = {name: after[name] for name in ASSIGNMENT if name in after}
    rest = {name: value for name, value in after.items() if name not in assigned}
    for kind, part in (("qa.finding.updated", rest), ("qa.assignment.updated", assigned)):
        if part:
            await emit(tx, finding.organization_id, kind, _told(finding, before, part, member))


def _told(
    finding: QaFinding, before: dict[str, Any], after: dict[str, Any], member: Member
) -> dict[str, Any]:
    return {
        "finding_id": finding.id, "run_id": finding.run_id, "title": finding.title,
        "severity": finding.severity, "status": finding.status, "by": member.user_id,
        "before": {name: before[name] for name in after}, "after": after,
    }  # fmt: skip


async def check_assignee(
    tx: BaseDBAsyncClient, member: Member, assignee_id: UUID | None, at: str = "assignee_id"
) -> None:
    """Raise `Unfit` unless this is an active member, or nobody."""
    ours = Membership.filter(organization_id=member.organization_id, status=MemberStatus.ACTIVE)
    if assignee_id and not await ours.filter(user_id=assignee_id).using_db(tx).exists():
        raise Unfit.at(at, "must be an active member of the organisation")


async def check_artifacts(tx: BaseDBAsyncClient, member: Member, at: str, ids: list[UUID]) -> None:
    """Raise `Unfit` unless all of these artifacts are the organisation's."""
    if ids and await ArtifactRow.of(member).filter(id__in=ids).using_db(tx).count() < len(set(ids)):
        raise Unfit.at(at, "names an artifact that is not there")


async def verdict(tx: BaseDBAsyncClient, run: QaRun) -> str:
    """`failed` with a grave finding that is not settled, else `passed`."""
    grave = QaFinding.filter(run_id=run.id, severity__in=GRAVE).exclude(status__in=SETTLED)
    return "failed" if await grave.using_db(tx).exists() else "passed"
