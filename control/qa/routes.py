"""`/v1/observability/qa-runs`: runs, their findings and their reviews."""

from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from control.access import Member, Role
from control.audit import trail
from control.bodies import body, query, reply
from control.errors import Conflict, Forbidden
from control.openapi import spec
from control.paging import Page, listing
from control.qa import triage
from control.qa.models import QaFinding, QaReview, QaRun, ReviewState, RunStatus
from control.qa.schemas import (
    CreateFinding,
    CreateReview,
    CreateRun,
    FindingOut,
    FindingPatch,
    FindingQuery,
    ReviewOut,
    ReviewPatch,
    RunOut,
    RunPatch,
)
from control.records import amend, check_if_match, find, now
from control.webhooks.outbox import emit

blueprint = Blueprint("qa", url_prefix="/observability/qa-runs")


@blueprint.post("/", ctx_role=Role.REVIEWER)
@spec(body=CreateRun, returns=RunOut, status=201)
async def create_qa_run(request: Request) -> HTTPResponse:
    """Open a QA run."""
    member, wanted = request.ctx.member, body(request, CreateRun)
    async with in_transaction() as tx:
        await triage.check_artifacts(
            tx, member, "reference_artifact_ids", wanted.reference_artifact_ids
        )
        plain = wanted.model_dump() | {
            "reference_artifact_ids": [str(one) for one in wanted.reference_artifact_ids]
        }
        run = await QaRun.create(
            using_db=tx, organization_id=member.organization_id, author_id=member.user_id, **plain
        )
        await trail.record(tx, member, "qa.run.created", run, after=wanted)
        await emit(
            tx, member.organization_id, "qa.run.created", {"run_id": run.id, "suite": run.suite}
        )
    location = {"Location": f"/v1/observability/qa-runs/{run.id}"}
    return reply(RunOut.model_validate(run), 201, location)


@blueprint.get("/")
@spec(lists=RunOut)
async def list_qa_runs(request: Request) -> HTTPResponse:
    """The organisation's runs, newest first."""
    return await listing(QaRun.of(request.ctx.member), RunOut, Page.of(request))


@blueprint.get("/<run_id:uuid>")
@spec(returns=RunOut)
async def get_qa_run(request: Request, run_id: UUID) -> HTTPResponse:
    """One run."""
    return reply(RunOut.model_validate(await find(QaRun.of(request.ctx.member), run_id)))


@blueprint.patch("/<run_id:uuid>", ctx_role=Role.REVIEWER)
@spec(body=RunPatch, returns=RunOut)
async def change_qa_run(request: Request, run_id: UUID) -> HTTPResponse:
    """Add to an open run, or finish it: then it never changes again."""
    member, patch = request.ctx.member, body(request, RunPatch)
    async with in_transaction() as tx:
        run = await _open(tx, member, run_id)
        also = {}
        if patch.status:
            also = {"finished_at": now(), "verdict": await triage.verdict(tx, run)}
        before = await amend(run, patch, request=request, using=tx, **also)
        await trail.record(tx, member, "qa.run.updated", run, before=before, after=patch)
    return reply(RunOut.model_validate(run))


async def _open(tx: BaseDBAsyncClient, member: Member, run_id: UUID) -> QaRun:
    run = await find(QaRun.of(member).using_db(tx).select_for_update(), run_id)
    if run.status is RunStatus.FINISHED:
        raise Conflict("The run is finished: open another one.", code="run_finished")
    return run


@blueprint.post("/<run_id:uuid>/findings", ctx_role=Role.REVIEWER)
@spec(body=CreateFinding, returns=FindingOut, status=201)
async def create_finding(request: Request, run_id: UUID) -> HTTPResponse:
    """Report a fault; its likes in earlier runs are found by fingerprint."""
    member, wanted = request.ctx.member, body(request, CreateFinding)
    async with in_transaction() as tx:
        finding = await triage.report(tx, member, await _open(tx, member, run_id), wanted)
    location = {"Location": f"/v1/observability/qa-runs/{run_id}/findings/{finding.id}"}
    return reply(FindingOut.model_validate(finding), 201, location)


@blueprint.get("/<run_id:uuid>/findings")
@spec(query=FindingQuery, lists=FindingOut)
async def list_findings(request: Request, run_id: UUID) -> HTTPResponse:
    """A run's findings, newest first."""
    member, page = request.ctx.member, Page.of(request)
    wanted = query(request, FindingQuery).model_dump(exclude_none=True)
    rows = QaFinding.of(member).filter(run_id=run_id, **wanted)
    return await listing(rows, FindingOut, page, within=(QaRun.of(member), run_id))


@blueprint.get("/<run_id:uuid>/findings/<finding_id:uuid>")
@spec(returns=FindingOut)
async def get_finding(request: Request, run_id: UUID, finding_id: UUID) -> HTTPResponse:
    """One finding with its history."""
    rows = QaFinding.of(request.ctx.member).filter(run_id=run_id)
    return reply(FindingOut.model_validate(await find(rows, finding_id)))


@blueprint.patch("/<run_id:uuid>/findings/<finding_id:uuid>", ctx_role=Role.REVIEWER)
@spec(body=FindingPatch, returns=FindingOut)
async def change_finding(request: Request, run_id: UUID, finding_id: UUID) -> HTTPResponse:
    """Triage, assign, settle: webhooks are told of real changes, once each."""
    member, patch = request.ctx.member, body(request, FindingPatch)
    async with in_transaction() as tx:
        rows = QaFinding.of(member).filter(run_id=run_id).using_db(tx).select_for_update()
        finding = await find(rows, finding_id)
        check_if_match(request, finding)
        await triage.change(tx, member, finding, patch)
    return reply(FindingOut.model_validate(finding))


@blueprint.post("/<run_id:uuid>/reviews", ctx_role=Role.REVIEWER)
@spec(body=CreateReview, returns=ReviewOut, status=201)
async def create_review(request: Request, run_id: UUID) -> HTTPResponse:
    """Review a run, or ask somebody to; each reviewer has one review of a run."""
    member, wanted = request.ctx.member, body(request, CreateReview)
    reviewer_id = wanted.reviewer_id or member.user_id
    async with in_transaction() as tx:
        run = await find(QaRun.of(member).using_db(tx).select_for_update(), run_id)
        await triage.check_assignee(tx, member, reviewer_id, "reviewer_id")
        if reviewer_id != member.user_id and wanted.state is not ReviewState.PENDING:
            raise Forbidden("Only the reviewer decides.", code="not_the_reviewer")
        _may_decide(run, reviewer_id, wanted.state)
        if await QaReview.filter(run_id=run.id, reviewer_id=reviewer_id).using_db(tx).exists():
            raise Conflict("They have a review of this run: change that.", code="review_exists")
        review = await QaReview.create(
            using_db=tx, organization_id=member.organization_id, run_id=run.id,
            reviewer_id=reviewer_id, state=wanted.state, comment=wanted.comment,
        )  # fmt: skip
        await trail.record(tx, member, "qa.review.created", review, after=wanted)
    location = {"Location": f"/v1/observability/qa-runs/{run_id}/reviews/{review.id}"}
    return reply(ReviewOut.model_validate(review), 201, location)


def _may_decide(run: QaRun, reviewer_id: UUID, state: ReviewState | None) -> None:
    own = reviewer_id == run.author_id and not run.author_may_approve
    if own and state is ReviewState.APPROVED:
        raise Forbidden("The author of this run cannot approve it.", code="author_cannot_approve")


@blueprint.get("/<run_id:uuid>/reviews")
@spec(lists=ReviewOut)
async def list_reviews(request: Request, run_id: UUID) -> HTTPResponse:
    """A run's reviews, newest first."""
    member, page = request.ctx.member, Page.of(request)
    rows = QaReview.of(member).filter(run_id=run_id)
    return await listing(rows, ReviewOut, page, within=(QaRun.of(member), run_id))


@blueprint.patch("/<run_id:uuid>/reviews/<review_id:uuid>", ctx_role=Role.REVIEWER)
@spec(body=ReviewPatch, returns=ReviewOut)
async def change_review(request: Request, run_id: UUID, review_id: UUID) -> HTTPResponse:
    """Decide: only the reviewer can."""
    member, patch = request.ctx.member, body(request, ReviewPatch)
    async with in_transaction() as tx:
        run = await find(QaRun.of(member).using_db(tx), run_id)
        review = await find(QaReview.of(member).filter(run_id=run.id).using_db(tx), review_id)
        if review.reviewer_id != member.user_id:
            raise Forbidden("Only the reviewer decides.", code="not_the_reviewer")
        _may_decide(run, review.reviewer_id, patch.state)
        before = await amend(review, patch, request=request, using=tx)
        await trail.record(tx, member, "qa.review.updated", review, before=before, after=patch)
    return reply(ReviewOut.model_validate(review))
