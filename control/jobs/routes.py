"""`/v1/jobs`: look at jobs, steer them, and take their workers' reports."""

from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request
from tortoise.transactions import in_transaction

from control.audit import trail
from control.bodies import body, query, reply
from control.jobs.lifecycle import accept_report, move
from control.jobs.models import Job
from control.jobs.schemas import JobDetail, JobOut, JobPatch, JobQuery, accepted
from control.jobs.states import Move
from control.openapi import spec
from control.paging import Page, listing
from control.paths import verb
from control.projects.models import Project
from control.records import amend, find
from ray_jobs.contract import Report, ReportAnswer

blueprint = Blueprint("jobs", url_prefix="/jobs")
worker_blueprint = Blueprint("worker_reports", url_prefix="/jobs")


@blueprint.get("/<job_id:uuid>")
@spec(returns=JobDetail)
async def get_job(request: Request, job_id: UUID) -> HTTPResponse:
    """One job, with its result when it has succeeded."""
    return reply(JobDetail.model_validate(await find(Job.of(request.ctx.member), job_id)))


@blueprint.get("/projects/<project_id:uuid>")
@spec(query=JobQuery, lists=JobOut)
async def list_jobs(request: Request, project_id: UUID) -> HTTPResponse:
    """A project's jobs, newest first."""
    member, page = request.ctx.member, Page.of(request)
    wanted = query(request, JobQuery).model_dump(exclude_none=True)
    rows = Job.of(member).filter(project_id=project_id, **wanted)
    return await listing(rows, JobOut, page, within=(Project.of(member), project_id))


@blueprint.patch("/<job_id:uuid>")
@spec(body=JobPatch, returns=JobOut)
async def change_job(request: Request, job_id: UUID) -> HTTPResponse:
    """Change a job's priority or its metadata."""
    member, patch = request.ctx.member, body(request, JobPatch)
    async with in_transaction() as tx:
        job = await find(Job.of(member).using_db(tx), job_id)
        before = await amend(job, patch, request=request, using=tx)
        await trail.record(tx, member, "job.updated", job, before=before, after=patch)
    return reply(accepted(job))


@blueprint.post("/" + verb("job_id", "cancel"))
@spec(returns=JobOut)
async def cancel_job(request: Request, job_id: str) -> HTTPResponse:
    """Stop a job: at once while it waits, within seconds while it runs."""
    return await _move(request, job_id, Move.CANCEL)


@blueprint.post("/" + verb("job_id", "pause"))
@spec(returns=JobOut)
async def pause_job(request: Request, job_id: str) -> HTTPResponse:
    """Hold a job at its next step boundary."""
    return await _move(request, job_id, Move.PAUSE)


@blueprint.post("/" + verb("job_id", "resume"))
@spec(returns=JobOut)
async def resume_job(request: Request, job_id: str) -> HTTPResponse:
    """Let a paused job go on; its finished steps are kept."""
    return await _move(request, job_id, Move.RESUME)


@blueprint.post("/" + verb("job_id", "retry"))
@spec(returns=JobOut)
async def retry_job(request: Request, job_id: str) -> HTTPResponse:
    """Try a failed or cancelled job again; its finished steps are kept."""
    return await _move(request, job_id, Move.RETRY)


async def _move(request: Request, job_id: str, wanted: Move) -> HTTPResponse:
    member = request.ctx.member
    job = await move(member, await find(Job.of(member), job_id), wanted)
    return reply(accepted(job))


@worker_blueprint.patch("/<job_id:uuid>/worker-status")
@spec(body=Report, returns=ReportAnswer)
async def report_job(request: Request, job_id: UUID) -> HTTPResponse:
    """A worker's report; the answer is what it shall do."""
    report = body(request, Report)
    answer = await accept_report(request.app.ctx.settings, job_id, request.ctx.worker_token, report)
    return reply(ReportAnswer(directive=answer))
