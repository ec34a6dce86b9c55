"""`/v1/audit/logs`: read the trail, take it along, note what happened elsewhere."""

from sanic import Blueprint, HTTPResponse, Request
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from control.access import Member, Role
from control.audit import chain, checkpoints, trail
from control.audit.models import AuditCheckpoint, AuditLog
from control.audit.schemas import CheckpointOut, EntryOut, EntryQuery, Verified, WriteEntry
from control.bodies import body, query, reply
from control.openapi import spec
from control.paging import Page, listing
from control.paths import word

blueprint = Blueprint("audit", url_prefix="/audit")
EXPORT_BATCH = 500


def _entries(member: Member, wanted: EntryQuery) -> QuerySet[AuditLog]:
    equal = wanted.model_dump(exclude_none=True, exclude={"since", "until"})
    rows = AuditLog.filter(organization_id=member.organization_id, **equal)
    if wanted.since:
        rows = rows.filter(created_at__gte=wanted.since)
    return rows.filter(created_at__lt=wanted.until) if wanted.until else rows


@blueprint.post("/logs", ctx_role=Role.ADMIN)
@spec(body=WriteEntry, returns=EntryOut, status=201)
async def write_audit_log(request: Request) -> HTTPResponse:
    """Note what a trusted service did; the server stamps who, when and from where."""
    member, wanted = request.ctx.member, body(request, WriteEntry)
    async with in_transaction() as tx:
        entry = await trail.record(
            tx, member, wanted.action, (wanted.resource_type, wanted.resource_id),
            before=wanted.before, after=wanted.after, detail=wanted.detail,
        )  # fmt: skip
    return reply(EntryOut.model_validate(entry), 201)


@blueprint.get("/logs", ctx_role=Role.ADMIN)
@spec(query=EntryQuery, lists=EntryOut)
async def list_audit_logs(request: Request) -> HTTPResponse:
    """The organisation's trail, newest first; reading it is noted too."""
    member, wanted = request.ctx.member, query(request, EntryQuery)
    answer = await listing(_entries(member, wanted), EntryOut, Page.of(request))
    await _noted(member, "audit.read", wanted)
    return answer


@blueprint.get("/" + word("logs:export"), ctx_role=Role.ADMIN)
@spec(query=EntryQuery)
async def export_audit_logs(request: Request, word: str) -> None:  # noqa: ARG001
    """The trail as NDJSON, oldest first."""
    member, wanted = request.ctx.member, query(request, EntryQuery)
    await _noted(member, "audit.exported", wanted)
    headers = {"Content-Disposition": 'attachment; filename="audit.ndjson"'}
    response = await request.respond(content_type="application/x-ndjson", headers=headers)
    offset = 0
    while True:
        rows = _entries(member, wanted).order_by("created_at", "id")
        page = await rows.limit(EXPORT_BATCH).offset(offset)
        lines = [EntryOut.model_validate(row).model_dump_json() + "\n" for row in page]
        await response.send("".join(lines))
        if len(page) < EXPORT_BATCH:
            break
        offset += EXPORT_BATCH
    await response.eof()


@blueprint.get("/" + word("logs:verify"), ctx_role=Role.ADMIN)
@spec(returns=Verified)
async def verify_audit_logs(request: Request, word: str) -> HTTPResponse:  # noqa: ARG001
    """Walk the hash chain, hold it against its checkpoints, and say whether it is whole."""
    organization_id = request.ctx.member.organization_id
    entries, broken_at = await chain.verify(organization_id)
    signed, disputed_at = await checkpoints.verify(request.app.ctx.settings, organization_id)
    told = Verified(
        entries=entries, broken_at=broken_at, checkpoints=signed, disputed_at=disputed_at
    )
    return reply(told)


@blueprint.get("/checkpoints", ctx_role=Role.ADMIN)
@spec(lists=CheckpointOut)
async def list_audit_checkpoints(request: Request) -> HTTPResponse:
    """The signed heads of the chain, one a day, newest first: keep them where this server cannot.

    Signed are the organisation's id, `seq`, `chain_hash` and `created_at`, each a line, by the
    Ed25519 key whose public half is shown in base64.
    """
    ours = AuditCheckpoint.filter(organization_id=request.ctx.member.organization_id)
    return await listing(ours, CheckpointOut, Page.of(request))


async def _noted(member: Member, action: str, wanted: EntryQuery) -> None:
    async with in_transaction() as tx:
        asked = wanted.model_dump(mode="json", exclude_none=True)
        await trail.record(tx, member, action, ("auditlog", None), detail=asked or None)
