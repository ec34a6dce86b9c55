"""`/v1/auth`: tokens for a password, tokens for a refresh token, and who am I."""

from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sanic import Blueprint, HTTPResponse, Request, empty
from sanic.request import RequestParameters
from tortoise.expressions import RawSQL

from control.access import Role
from control.auth.keys import mint, revoke
from control.auth.models import ApiKey
from control.auth.schemas import (
    GRANT,
    CreateKey,
    Grant,
    KeyOut,
    Me,
    MyOrganization,
    NewKey,
    PasswordGrant,
    TicketOut,
    TokenOut,
)
from control.auth.sessions import refresh, sign_in
from control.auth.tickets import LIFE_S, issue
from control.billing.plans import DEFAULT
from control.bodies import body, parsed_json, refuse_nul, reply
from control.errors import Invalid, pointed
from control.openapi import spec
from control.organizations.models import Membership
from control.paging import Page, listing
from control.records import find
from control.users.models import User
from control.users.schemas import UserOut

door = Blueprint("auth", url_prefix="/auth")
blueprint = Blueprint("me", url_prefix="/auth")

keys = Blueprint("keys", url_prefix="/auth/keys")
tickets = Blueprint("tickets", url_prefix="/auth/tickets")

NOT_KEPT = {"Cache-Control": "no-store"}
PLAN_NOW = RawSQL(
    "(SELECT CASE WHEN next_from <= now() THEN next_plan ELSE plan END FROM subscriptions "
    "WHERE subscriptions.organization_id = memberships.organization_id)"
)


@door.post("/token")
@spec(body=Grant, returns=TokenOut)
async def create_token(request: Request) -> HTTPResponse:
    """Sign in with a password, or trade a refresh token; JSON or a form as in OAuth 2."""
    settings = request.app.ctx.settings
    try:
        wanted = GRANT.validate_python(_grant(request))
    except ValidationError as error:
        raise Invalid(errors=pointed(error, below=1)) from None
    if isinstance(wanted, PasswordGrant):
        address = request.remote_addr or request.ip
        tokens = await sign_in(settings, wanted.email, wanted.password, address=address)
    else:
        tokens = await refresh(settings, wanted.refresh_token)
    return reply(tokens, headers=NOT_KEPT)


def _grant(request: Request) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        form = request.form or RequestParameters()
        given: Any = {name: form.get(name) for name in form}
        given.pop("scope", None)
        refuse_nul(given)
    else:
        given = parsed_json(request)
    if isinstance(given, dict):
        given.setdefault("grant_type", "password")
        if "username" in given:
            given.setdefault("email", given.pop("username"))
    return given


@blueprint.get("/me")
@spec(returns=Me)
async def get_me(request: Request) -> HTTPResponse:
    """Who the token stands for, their organisations, their plans, and what one may do in each."""
    user = await find(User.all(), request.ctx.user.user_id)
    rows = (
        await Membership.filter(user_id=user.id)
        .annotate(plan=PLAN_NOW)
        .order_by("created_at", "id")
        .values("id", "role", "status", "organization_id", "organization__name", "plan")
    )
    organizations = [
        MyOrganization(
            id=row["organization_id"],
            name=row["organization__name"],
            membership_id=row["id"],
            role=row["role"],
            status=row["status"],
            permissions=row["role"].permissions if row["status"] == "active" else [],
            plan=row["plan"] or DEFAULT,
        )
        for row in rows
    ]
    return reply(Me(user=UserOut.model_validate(user), organizations=organizations))


@tickets.post("/", ctx_role=Role.VIEWER)
@spec(returns=TicketOut, status=201)
async def create_ticket(request: Request) -> HTTPResponse:
    """Get a ticket that opens one WebSocket, so that no lasting token stands in its URL."""
    shown = TicketOut(ticket=await issue(request.ctx.member), expires_in=LIFE_S)
    return reply(shown, 201, NOT_KEPT)


@keys.post("/", ctx_role=Role.VIEWER)
@spec(body=CreateKey, returns=NewKey, status=201)
async def create_key(request: Request) -> HTTPResponse:
    """Make an API key for scripts; its text is in this answer and nowhere else."""
    key, text = await mint(request.ctx.member, body(request, CreateKey))
    shown = NewKey(**KeyOut.model_validate(key).model_dump(), key=text)
    return reply(shown, 201, {"Location": f"/v1/auth/keys/{key.id}", **NOT_KEPT})


@keys.get("/")
@spec(lists=KeyOut)
async def list_keys(request: Request) -> HTTPResponse:
    """One's own keys; administrators see everybody's."""
    member = request.ctx.member
    rows = ApiKey.of(member)
    if not member.role.covers(Role.ADMIN):
        rows = rows.filter(user_id=member.user_id)
    return await listing(rows, KeyOut, Page.of(request))


@keys.delete("/<key_id:uuid>", ctx_role=Role.VIEWER)
@spec(status=204)
async def delete_key(request: Request, key_id: UUID) -> HTTPResponse:
    """Revoke a key; it fails from its next request on."""
    await revoke(request.ctx.member, key_id)
    return empty()
