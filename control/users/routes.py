"""`/v1/users`: accounts. People see themselves and those they share an organisation with."""

from typing import Any
from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request
from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from control.access import SignedIn, require_user
from control.audit import trail
from control.auth.passwords import hashed, matches
from control.auth.sessions import end_all
from control.bodies import Patch, body, query, reply
from control.errors import Forbidden
from control.openapi import spec
from control.organizations.models import Membership, MemberStatus, Organization
from control.organizations.schemas import OrganizationOut
from control.paging import Page, listing
from control.records import amend, find
from control.users.models import User
from control.users.schemas import CreateUser, UserOut, UserPatch, UserQuery, email_key
from control.users.signup import create_account

door = Blueprint("signup", url_prefix="/users")
blueprint = Blueprint("users", url_prefix="/users")


@door.post("/")
@spec(body=CreateUser, returns=UserOut, status=201)
async def create_user(request: Request) -> HTTPResponse:
    """Create an account: the first one is the instance's administrator."""
    if "authorization" in request.headers:
        await require_user(request)
    caller: SignedIn | None = getattr(request.ctx, "user", None)
    user = await create_account(request, body(request, CreateUser), caller=caller)
    return reply(UserOut.model_validate(user), 201, {"Location": f"/v1/users/{user.id}"})


def _organizations_of(user_id: UUID) -> Any:
    mine = Membership.filter(user_id=user_id, status=MemberStatus.ACTIVE)
    return Subquery(mine.values("organization_id"))


def _visible(caller: SignedIn) -> QuerySet[User]:
    if caller.is_admin:
        return User.all()
    shared = Membership.filter(organization_id__in=_organizations_of(caller.user_id))
    return User.filter(Q(id__in=Subquery(shared.values("user_id"))) | Q(id=caller.user_id))


@blueprint.get("/")
@spec(query=UserQuery, lists=UserOut)
async def list_users(request: Request) -> HTTPResponse:
    """Everybody the caller may see."""
    people, wanted = _visible(request.ctx.user), query(request, UserQuery)
    if wanted.email is not None:
        people = people.filter(email_key=email_key(wanted.email))
    return await listing(people, UserOut, Page.of(request))


@blueprint.get("/<user_id:uuid>")
@spec(returns=UserOut)
async def get_user(request: Request, user_id: UUID) -> HTTPResponse:
    """One person."""
    return reply(UserOut.model_validate(await find(_visible(request.ctx.user), user_id)))


@blueprint.patch("/<user_id:uuid>")
@spec(body=UserPatch, returns=UserOut)
async def change_user(request: Request, user_id: UUID) -> HTTPResponse:
    """Change one's name or password; administrators may also close and open accounts."""
    caller, patch = request.ctx.user, body(request, UserPatch)
    sent = patch.model_fields_set
    if user_id != caller.user_id and not caller.is_admin:
        await find(_visible(caller), user_id)
        raise Forbidden("Only the person and administrators may change an account.")
    if "is_active" in sent and (not caller.is_admin or user_id == caller.user_id):
        raise Forbidden("Only another administrator may close or open an account.")
    user = await find(_visible(caller), user_id)
    secret: dict[str, str] = {}
    if patch.password is not None:
        if user.password_hash and not await matches(
            user.password_hash, patch.current_password or ""
        ):
            raise Forbidden("The current password is wrong.", code="invalid_credentials")
        secret = {"password_hash": await hashed(patch.password)}
    plain = Profile(**patch.model_dump(include=sent & {"name", "is_active"}))
    async with in_transaction() as tx:
        before = await amend(user, plain, request=request, using=tx, **secret)
        if secret or patch.is_active is False:
            await end_all(tx, user.id)
        await trail.record(tx, caller, "user.updated", user, before=before, after=patch)
    return reply(UserOut.model_validate(user))


class Profile(Patch):
    """The part of a user's patch that is stored as it came."""

    name: str | None = None
    is_active: bool | None = None


@blueprint.get("/<user_id:uuid>/organizations")
@spec(lists=OrganizationOut)
async def list_user_organizations(request: Request, user_id: UUID) -> HTTPResponse:
    """A person's organisations: one's own all, another's those shared with the caller."""
    caller = request.ctx.user
    theirs = Organization.filter(id__in=_organizations_of(user_id))
    if user_id != caller.user_id and not caller.is_admin:
        theirs = theirs.filter(id__in=_organizations_of(caller.user_id))
    whom = (_visible(caller), user_id)
    return await listing(theirs, OrganizationOut, Page.of(request), within=whom)
