"""Every move of a job: by its user, by its worker, by the clock. One transaction each."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asyncpg import DataError
from pydantic import ValidationError
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.exceptions import ValidationError as ColumnError
from tortoise.transactions import in_transaction

from control import results
from control.audit import trail
from control.auth.tokens import sign, verify
from control.billing.usage import record_job
from control.errors import ApiError, Conflict, LegalReasons, Unauthorized
from control.events import publish
from control.jobs.models import Job, JobState
from control.jobs.states import ACTIVE, TERMINAL, Move, after
from control.records import missing, now
from control.settings import Settings
from control.webhooks.outbox import tell_end
from ray_jobs.contract import Directive, Problem, Report, ReportState

if TYPE_CHECKING:
    from control.access import Member

logger = logging.getLogger(__name__)

WORKER_AUDIENCE = "cutroom-worker"
WORKER_TOKEN_S = 7 * 86400
LOST = Problem(
    code="worker_lost",
    detail="Its worker stopped answering on every attempt; see the worker's log, then retry.",
)
TIMED_OUT = Problem(
    code="timed_out",
    detail="It ran longer than CUTROOM_JOB_MAX_S allows: retry it, its finished steps are kept.",
)


def worker_token(settings: Settings, job: Job) -> str:
    """What lets one attempt at one job report, and nothing else."""
    return sign(
        settings, job.id, life_s=WORKER_TOKEN_S, audience=WORKER_AUDIENCE, attempt=job.attempt
    )


def check_worker_token(settings: Settings, token: str, job_id: UUID, attempt: int) -> None:
    """Raise `Unauthorized` for a token that is not of this job, `Conflict` for an old attempt's."""
    claims = verify(token, settings.signing_secrets, audience=WORKER_AUDIENCE)
    if claims["sub"] != str(job_id):
        raise Unauthorized("The worker token is of another job.", code="worker_token_invalid")
    if claims.get("attempt") != attempt:
        raise Conflict("The worker token is of another attempt.", code="stale_attempt")


async def move(member: "Member", job: Job, verb: Move) -> Job:
    """Pause, resume, cancel or retry; 409 with the allowed verbs where the state forbids it."""
    async with in_transaction() as tx:
        held = await Job.of(member).using_db(tx).select_for_update().get(id=job.id)
        target = after(verb, held.state)
        if target is JobState.CANCELLING and not held.report_seq:
            # Nobody has begun: a worker that does yet is told that its attempt has ended.
            target = JobState.CANCELLED
        changes: dict[str, Any] = {}
        if verb is Move.RETRY:
            changes = {
                "queued_at": now(), "finished_at": None, "problem": None, "progress": 0.0,
                "max_attempts": held.attempt + 3, "steps": [], "step": None,
            }  # fmt: skip
        if verb is Move.RESUME and target is JobState.QUEUED:
            changes = {"queued_at": now()}
        before = held.state
        await _set(tx, held, target, **changes)
        await trail.record(
            tx, member, f"job.{verb}", held, before={"state": before}, after={"state": target}
        )
    return held


async def _set(tx: BaseDBAsyncClient, job: Job, state: JobState, **changes: Any) -> None:
    """Write a move of a row that this transaction holds, and tell the world."""
    if state in TERMINAL:
        changes.setdefault("finished_at", now())
    if state not in ACTIVE:
        changes.setdefault("lease_until", None)
    job.update_from_dict({"state": state, **changes})
    await job.save(using_db=tx, update_fields=list({"state", *REPORTED, *changes}))
    await publish(
        tx, job, f"job.{state}", state=state, attempt=job.attempt, progress=job.progress,
        problem=job.problem, cached=job.cached,
    )  # fmt: skip
    await results.follow(tx, job)
    await tell_end(tx, job)


async def accept_report(settings: Settings, job_id: UUID, token: str, report: Report) -> Directive:
    """Take a worker's word: all that follows from it commits at once, or nothing does.

    Raises
    ------
    Conflict
        409 `stale_attempt` where the job has moved on without this worker: it must stop.
    """
    check_worker_token(settings, token, job_id, report.attempt)
    async with in_transaction() as tx:
        job = await Job.filter(id=job_id).using_db(tx).select_for_update().get_or_none()
        if job is None:
            raise missing(Job, job_id)
        if job.attempt != report.attempt or job.state not in ACTIVE:
            raise Conflict("This attempt no longer owns the job.", code="stale_attempt")
        if report.seq > job.report_seq:
            await _apply(tx, settings, job, report)
        return directive(job.state)


def directive(state: JobState) -> Directive:
    match state:
        case JobState.PAUSING:
            return Directive.PAUSE
        case JobState.CANCELLING:
            return Directive.CANCEL
        case _:
            return Directive.CONTINUE


async def _apply(tx: BaseDBAsyncClient, settings: Settings, job: Job, report: Report) -> None:
    moved = report.progress > job.progress or report.step != job.step
    if moved:
        job.moved_at = now()
    job.report_seq = report.seq
    job.progress = max(job.progress, report.progress)
    job.step = report.step
    job.steps = [step.model_dump(mode="json") for step in report.steps]
    job.effective = report.effective
    job.cached = report.cached
    job.lease_until = now() + timedelta(seconds=settings.lease_s)
    if report.state is ReportState.RUNNING:
        await job.save(using_db=tx, update_fields=REPORTED)
        if moved:
            await publish(
                tx, job, "job.progress", progress=job.progress, step=job.step, steps=job.steps
            )
        return
    match report.state:
        case ReportState.SUCCEEDED:
            await _succeed(tx, job, report)
        case ReportState.FAILED:
            problem = report.problem or Problem(
                code="internal_error", detail="No reason was given."
            )
            again = problem.retryable and job.attempt < job.max_attempts
            await _fail(tx, job, problem, Move.AGAIN if again else Move.FAIL)
        case ReportState.PAUSED:
            # Stopping as asked is no failure: it leaves as many attempts as there were.
            more = job.max_attempts + (job.state is JobState.PAUSING)
            await _set(tx, job, after(Move.OBEY_PAUSE, job.state), max_attempts=more)
        case ReportState.CANCELLED:
            await _set(tx, job, after(Move.OBEY_CANCEL, job.state))


REPORTED = [
    "report_seq", "progress", "step", "steps", "effective", "cached", "lease_until", "moved_at",
    "updated_at",
]  # fmt: skip


async def _succeed(tx: BaseDBAsyncClient, job: Job, report: Report) -> None:
    result = report.result
    if result is None or result.kind != job.kind:
        problem = Problem(code="bad_result", detail="The worker's result is not of the job's kind.")
        await _fail(tx, job, problem, Move.FAIL)
        return
    try:
        async with in_transaction() as inner:
            held_back = await results.keep(inner, job, result)
    except (ApiError, OperationalError, ColumnError, ValidationError, ValueError) as error:
        if isinstance(error, OperationalError) and not _is_of_the_data(error):
            raise  # a deadlock, a lost connection: the worker reports again
        logger.exception("the result of job %s cannot be kept", job.id)
        code = error.code if isinstance(error, LegalReasons) else "bad_result"
        await _fail(tx, job, Problem(code=code, detail=str(error)[:500]), Move.FAIL)
        return
    if held_back:
        job.result = result.model_dump(mode="json")
        await job.save(using_db=tx, update_fields=["result", "updated_at"])
        await _fail(tx, job, held_back, Move.FAIL)
        return
    await record_job(tx, job, result)
    await _set(tx, job, JobState.SUCCEEDED, result=result.model_dump(mode="json"), progress=1.0)


def _is_of_the_data(error: OperationalError) -> bool:
    """Whether the database refused these values, and would refuse them again."""
    return isinstance(error, IntegrityError) or isinstance(error.__cause__, DataError)


async def _fail(tx: BaseDBAsyncClient, job: Job, problem: Problem, verb: Move) -> None:
    target = after(verb, job.state)
    changes = {"queued_at": now()} if target is JobState.QUEUED else {}
    await _set(tx, job, target, problem=problem.model_dump(mode="json"), **changes)


async def release(jobs: list[Job]) -> None:
    """Give claimed jobs back to the queue at no cost: nobody was free to take them."""
    for job in jobs:
        async with in_transaction() as tx:
            held = await Job.filter(id=job.id, attempt=job.attempt).using_db(tx).select_for_update()
            for row in held:
                if row.state in ACTIVE:
                    await _set(tx, row, after(Move.RELEASE, row.state), attempt=row.attempt - 1)


async def end_overlong(max_s: float) -> int:
    """Fail jobs whose attempt runs longer than `max_s`, however alive its worker says it is."""
    began = now() - timedelta(seconds=max_s)
    overlong = Job.filter(state__in=ACTIVE, started_at__lt=began)
    ids = await overlong.values_list("id", flat=True)
    for job_id in ids:
        async with in_transaction() as tx:
            job = await Job.filter(id=job_id).using_db(tx).select_for_update().get()
            if job.state in ACTIVE and job.started_at and job.started_at < began:
                await _fail(tx, job, TIMED_OUT, Move.FAIL)
    return len(ids)


async def sweep(*, everything: bool = False) -> int:
    """Take back jobs whose worker fell silent (`everything`: all that run, at a cold start)."""
    overdue = Job.filter(state__in=ACTIVE)
    if not everything:
        overdue = overdue.filter(lease_until__lt=now())
    ids = await overdue.values_list("id", flat=True)
    for job_id in ids:
        async with in_transaction() as tx:
            job = await Job.filter(id=job_id).using_db(tx).select_for_update().get()
            silent = job.lease_until is None or job.lease_until < now()
            if job.state not in ACTIVE or not (silent or everything):
                continue
            if everything:
                # The whole server stopped, not this job's worker: the attempt is not held
                # against it.
                await _set(tx, job, after(Move.LOSE, job.state), max_attempts=job.max_attempts + 1)
            elif job.attempt < job.max_attempts:
                await _set(tx, job, after(Move.LOSE, job.state))
            else:
                await _fail(tx, job, LOST, Move.GIVE_UP)
    return len(ids)
