"""The QA run that every rendering gets: its findings, and whether they let it go out."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID, uuid5

from tortoise.backends.base.client import BaseDBAsyncClient

from control.jobs.models import Job
from control.qa import triage
from control.qa.models import FindingStatus, QaFinding, QaRun, RunStatus, Severity
from control.qa.schemas import CreateFinding
from control.records import now
from control.webhooks.outbox import emit
from ray_jobs.contract import Finding, Problem

SUITE = "automatic"
SEVERITIES = {"error": Severity.MAJOR, "warning": Severity.MINOR, "info": Severity.INFO}
"""A rendering with an open error fails its run; no finding of a machine blocks a release."""
DISMISSED = (FindingStatus.WONT_FIX, FindingStatus.FALSE_POSITIVE)
GATED = {
    "off": (),
    "error": (Severity.MAJOR,),
    "warning": (Severity.MAJOR, Severity.MINOR),
}
NAMED = 5
NOBODY = UUID(int=0)


class Seen(NamedTuple):
    """A finding, the clip it is about, and its picture among the registered artifacts."""

    finding: Finding
    clip_id: UUID | None
    overlay_artifact_id: UUID | None


async def record(
    tx: BaseDBAsyncClient, job: Job, seen: Sequence[Seen], references: Iterable[UUID]
) -> list[QaFinding]:
    """Write down a finished run of the job's findings, once per attempt; gives them as they are.

    A fault that somebody has judged not to be one, or not to be mended, stays so when it comes
    again.
    """
    run_id = uuid5(job.id, f"qa:{job.attempt}")
    if await QaRun.filter(id=run_id).using_db(tx).exists():
        return await QaFinding.filter(run_id=run_id).using_db(tx).order_by("created_at", "id")
    run = await QaRun.create(
        using_db=tx, id=run_id, organization_id=job.organization_id, suite=SUITE,
        author_id=job.created_by or NOBODY, build=job.kind,
        reference_artifact_ids=[str(one) for one in references],
        metadata={"job_id": str(job.id), "video_id": str(job.video_id), "attempt": job.attempt},
    )  # fmt: skip
    found, count = [], dict[tuple[object, str], int]()
    for each in seen:
        key = (each.clip_id, each.finding.code)
        count[key] = count.get(key, 0) + 1
        found.append(await _written(tx, job, run, each, count[key]))
    run.status, run.finished_at = RunStatus.FINISHED, now()
    run.verdict = await triage.verdict(tx, run)
    await run.save(using_db=tx)
    await emit(
        tx, job.organization_id, "qa.run.created",
        {"run_id": run.id, "suite": run.suite, "verdict": run.verdict, "findings": len(found),
         "job_id": job.id},
    )  # fmt: skip
    return found


async def _written(
    tx: BaseDBAsyncClient, job: Job, run: QaRun, seen: Seen, number: int
) -> QaFinding:
    finding = seen.finding
    wanted = CreateFinding(
        title=finding.message[:300],
        category=finding.code,
        severity=SEVERITIES[finding.severity],
        start_s=finding.start_s,
        end_s=max(finding.start_s, finding.end_s),
        bbox=list(finding.box) if finding.box else None,
        overlay_artifact_id=seen.overlay_artifact_id,
        metadata={"job_id": str(job.id), "clip_id": str(seen.clip_id) if seen.clip_id else None},
        fingerprint=fingerprint(job, seen, number),
    )
    last = await triage.last_like(tx, job.organization_id, str(wanted.fingerprint))
    dismissed = last is not None and last.status in DISMISSED
    status = last.status if last and dismissed else FindingStatus.OPEN
    return await triage.write_down(tx, run, wanted, last, status=status)


def fingerprint(job: Job, seen: Seen, number: int) -> str:
    """The same for the n-th fault of a code in every rendering of a clip.

    Its time is left out: a cut moved by a second does not make another fault of it.
    """
    parts = (job.kind, job.video_id, seen.clip_id, seen.finding.code, number)
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def refusal(job: Job, found: Iterable[QaFinding]) -> Problem | None:
    """Why a rendering may not go out: its open findings that are as grave as its gate."""
    held = GATED[job.spec.get("qa_gate", "off")]
    grave = [one for one in found if one.severity in held and one.status not in triage.SETTLED]
    if not grave:
        return None
    worst = [f"{one.category} at {one.start_s:.1f} s: {one.title}" for one in grave[:NAMED]]
    named = "; ".join(worst)
    more = f"; and {len(grave) - NAMED} more" if len(grave) > NAMED else ""
    detail = f"QA holds this {job.kind} back. {named}{more} Mend them, or judge them in the QA run."
    return Problem(code="qa_gate", detail=detail[:4000])
