"""`/v1/dmca`: notices, counter-notices, takedowns."""

from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request
from tortoise.transactions import in_transaction

from control.access import Role
from control.bodies import body, query, reply
from control.dmca import notices
from control.dmca.models import DmcaNotice
from control.dmca.schemas import Claim, NoticeOut, NoticePatch, NoticeQuery, StrikeOut
from control.openapi import spec
from control.paging import Page, listing
from control.records import check_if_match, find

blueprint = Blueprint("dmca", url_prefix="/dmca")


@blueprint.post("/notices")
@spec(body=Claim, returns=NoticeOut, status=201)
async def submit_notice(request: Request) -> HTTPResponse:
    """Submit a notice of claimed infringement.

    Whoever knowingly misrepresents that material infringes is liable under 17 U.S.C. 512(f).
    """
    async with in_transaction() as tx:
        notice = await notices.submit(tx, request.ctx.member, body(request, Claim))
    location = {"Location": f"/v1/dmca/notices/{notice.id}"}
    return reply(NoticeOut.model_validate(notice), 201, location)


@blueprint.get("/notices", ctx_role=Role.REVIEWER)
@spec(query=NoticeQuery, lists=NoticeOut)
async def list_notices(request: Request) -> HTTPResponse:
    """The organisation's notices, newest first."""
    rows, wanted = DmcaNotice.of(request.ctx.member), query(request, NoticeQuery)
    if wanted.status:
        rows = rows.filter(status=wanted.status)
    return await listing(rows, NoticeOut, Page.of(request))


@blueprint.get("/notices/<notice_id:uuid>", ctx_role=Role.REVIEWER)
@spec(returns=NoticeOut)
async def get_notice(request: Request, notice_id: UUID) -> HTTPResponse:
    """One notice."""
    return reply(NoticeOut.model_validate(await find(DmcaNotice.of(request.ctx.member), notice_id)))


@blueprint.patch("/notices/<notice_id:uuid>", ctx_role=Role.ADMIN)
@spec(body=NoticePatch, returns=NoticeOut)
async def change_notice(request: Request, notice_id: UUID) -> HTTPResponse:
    """Supply what was missing, move the notice on, or put it under a legal hold."""
    member, patch = request.ctx.member, body(request, NoticePatch)
    async with in_transaction() as tx:
        notice = await find(DmcaNotice.of(member).using_db(tx).select_for_update(), notice_id)
        check_if_match(request, notice)
        await notices.change(tx, member, notice, patch)
    return reply(NoticeOut.model_validate(notice))


@blueprint.get("/strikes", ctx_role=Role.REVIEWER)
@spec(lists=StrikeOut)
async def list_strikes(request: Request) -> HTTPResponse:
    """The takedowns of the last 90 days that count, newest first; a released one no longer does."""
    rows = notices.strikes(request.ctx.member)
    return await listing(rows, StrikeOut, Page.of(request), order=("-disabled_at", "id"))
