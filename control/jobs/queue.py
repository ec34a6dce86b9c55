"""Putting jobs into the queue and taking them out; PostgreSQL is the queue."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from pydantic import TypeAdapter
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from control.audit import trail
from control.dmca.blocks import refuse_blocked_video
from control.errors import Conflict
from control.events import publish
from control.jobs.models import Job, JobState
from control.records import now
from ray_jobs.contract import JobKind, Plain, Result, spec_hash

if TYPE_CHECKING:
    from control.access import Member

BUSY = [JobState.QUEUED, JobState.RUNNING, JobState.PAUSING, JobState.CANCELLING]
RESULT: TypeAdapter[Result] = TypeAdapter(Result)
CLAIM_SQL = """
WITH next AS MATERIALIZED (
    SELECT id FROM jobs WHERE state = 'queued' AND kind = $1
     ORDER BY priority DESC, queued_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
UPDATE jobs SET state = 'running', attempt = attempt + 1, report_seq = 0, lease_until = $3,
       started_at = $4, moved_at = $4, updated_at = $4, problem = NULL
  FROM next WHERE jobs.id = next.id
RETURNING jobs.*"""


async def enqueue(
    member: "Member",
    spec: Plain,
    *,
    project_id: UUID | None = None,
    video_id: UUID | None = None,
    clip_id: UUID | None = None,
    priority: int = 0,
    max_attempts: int = 3,
    force: bool = False,
    tx: BaseDBAsyncClient | None = None,
) -> tuple[Job, bool]:
    """Queue the work, or find the job that does or did it already.

    Returns the job and whether it was found. A found job that succeeded has its result kept once
    more, so that what was asked for last is what holds. `force` always makes a new job.
    """
    if tx is None:
        async with in_transaction() as own:
            return await enqueue(
                member, spec, project_id=project_id, video_id=video_id, clip_id=clip_id,
                priority=priority, max_attempts=max_attempts, force=force, tx=own,
            )  # fmt: skip
    if video_id:
        await refuse_blocked_video(tx, video_id)
    kind, digest = JobKind(spec.kind), spec_hash(spec)  # type: ignore[attr-defined]
    lock = uuid5(member.organization_id, f"{kind}:{digest}").int & (2**63 - 1)
    await tx.execute_query("SELECT pg_advisory_xact_lock($1)", [lock])
    if not force and (job := await _same_work(member, kind, digest, tx)):
        if job.state is JobState.SUCCEEDED:
            from control.results import keep

            await keep(tx, job, RESULT.validate_python(job.result))
        return job, True
    job = await Job.create(
        using_db=tx,
        organization_id=member.organization_id,
        kind=kind,
        spec=spec.model_dump(mode="json"),
        spec_sha256=digest,
        project_id=project_id,
        video_id=video_id,
        clip_id=clip_id,
        created_by=member.user_id,
        priority=priority,
        max_attempts=max_attempts,
    )
    await trail.record(tx, member, "job.created", job, after={"kind": kind})
    await publish(tx, job, "job.queued", state=job.state)
    return job, False


async def refuse_busy(tx: BaseDBAsyncClient, **what: UUID) -> None:
    """Raise `Conflict` where jobs are at work on what is about to be deleted."""
    if await Job.filter(state__in=BUSY, **what).using_db(tx).exists():
        raise Conflict("Jobs are at work on it: cancel them first.", code="busy")


async def _same_work(
    member: "Member", kind: JobKind, digest: str, tx: BaseDBAsyncClient
) -> Job | None:
    return (
        await Job.of(member)
        .using_db(tx)
        .filter(kind=kind, spec_sha256=digest)
        .exclude(state__in=(JobState.FAILED, JobState.CANCELLING, JobState.CANCELLED))
        .order_by("-created_at")
        .first()
    )


async def claim(free: Mapping[str, int], *, lease_s: float) -> list[Job]:
    """Take at most `free[kind]` queued jobs of each kind; two claimers never get the same one."""
    from control.results import follow

    claimed: list[Job] = []
    async with in_transaction() as tx:
        for kind, count in free.items():
            if count < 1:
                continue
            moment = now()
            rows = await tx.execute_query_dict(
                CLAIM_SQL, [kind, count, moment + timedelta(seconds=lease_s), moment]
            )
            jobs = [Job._init_from_db(**row) for row in rows]  # noqa: SLF001 - what Tortoise does with a row
            for job in jobs:
                await publish(tx, job, "job.running", state=job.state, attempt=job.attempt)
            claimed += sorted(jobs, key=lambda job: (-job.priority, job.queued_at, job.id))
        # Videos are locked in one order, so that two claimers cannot wait for each other.
        for job in sorted(claimed, key=lambda job: str(job.video_id)):
            await follow(tx, job)
    return claimed


async def backlog() -> dict[str, int]:
    """How many jobs of each kind wait."""
    from control.database import default

    rows = await default().execute_query_dict(
        "SELECT kind, count(*) AS jobs FROM jobs WHERE state = 'queued' GROUP BY kind"
    )
    return {row["kind"]: row["jobs"] for row in rows}
