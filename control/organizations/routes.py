"""`/v1/organizations` and their members."""

from uuid import UUID

from sanic import Blueprint, HTTPResponse, Request
from tortoise.transactions import in_transaction

from control.access import Role
from control.audit import trail
from control.bodies import body, query, reply
from control.openapi import spec
from control.organizations.members import add_member, change_member
from control.organizations.models import Membership, MemberStatus, Organization
from control.organizations.schemas import (
    AddMember,
    CreateOrganization,
    MemberOut,
    MemberPatch,
    MemberQuery,
    NewMember,
    OrganizationOut,
)
from control.paging import Page, listing
from control.records import find
from control.users.models import User
from control.users.signup import invite

blueprint = Blueprint("organizations", url_prefix="/organizations")
members = Blueprint("members", url_prefix="/organizations/<organization_id:uuid>")


@blueprint.post("/")
@spec(body=CreateOrganization, returns=OrganizationOut, status=201)
async def create_organization(request: Request) -> HTTPResponse:
    """Found an organisation; whoever does is its owner."""
    caller, wanted = request.ctx.user, body(request, CreateOrganization)
    async with in_transaction() as tx:
        organization = await Organization.create(using_db=tx, name=wanted.name)
        await Membership.create(
            using_db=tx, organization=organization, user_id=caller.user_id, role=Role.OWNER
        )
        await trail.record(
            tx, caller, "organization.created", organization, after=wanted,
            organization_id=organization.id,
        )  # fmt: skip
    location = {"Location": f"/v1/organizations/{organization.id}"}
    return reply(OrganizationOut.model_validate(organization), 201, location)


@blueprint.get("/")
@spec(lists=OrganizationOut)
async def list_organizations(request: Request) -> HTTPResponse:
    """The caller's organisations."""
    mine = Organization.filter(
        memberships__user_id=request.ctx.user.user_id, memberships__status=MemberStatus.ACTIVE
    )
    return await listing(mine, OrganizationOut, Page.of(request))


@members.get("/")
@spec(returns=OrganizationOut)
async def get_organization(_: Request, organization_id: UUID) -> HTTPResponse:
    """One organisation of the caller's."""
    organization = await find(Organization.all(), organization_id)
    return reply(OrganizationOut.model_validate(organization))


@members.get("/members")
@spec(query=MemberQuery, lists=MemberOut)
async def list_members(request: Request, organization_id: UUID) -> HTTPResponse:
    """Who belongs to the organisation."""
    wanted = query(request, MemberQuery).model_dump(exclude_none=True)
    ours = Membership.filter(organization_id=organization_id, **wanted)
    return await listing(ours, MemberOut, Page.of(request))


@members.post("/members", ctx_role=Role.ADMIN)
@spec(body=AddMember, returns=NewMember, status=201)
async def create_member(request: Request, organization_id: UUID) -> HTTPResponse:
    """Add somebody; a person without an account is invited and the answer holds their token."""
    membership, user = await add_member(request.ctx.member, body(request, AddMember))
    token = None if user.password_hash else invite(request.app.ctx.settings, user.id)
    location = {"Location": f"/v1/organizations/{organization_id}/members/{membership.id}"}
    shown = NewMember(**_shown(membership, user).model_dump(), invitation_token=token)
    secret = {"Cache-Control": "no-store"} if token else {}
    return reply(shown, 201, location | secret)


@members.get("/members/<membership_id:uuid>")
@spec(returns=MemberOut)
async def get_member(_: Request, organization_id: UUID, membership_id: UUID) -> HTTPResponse:
    """One membership."""
    ours = Membership.filter(organization_id=organization_id).prefetch_related("user")
    membership = await find(ours, membership_id)
    return reply(_shown(membership, membership.user))


@members.patch("/members/<membership_id:uuid>", ctx_role=Role.ADMIN)
@spec(body=MemberPatch, returns=MemberOut)
async def patch_member(
    request: Request, organization_id: UUID, membership_id: UUID
) -> HTTPResponse:
    """Change somebody's role or status; it counts from their next request on."""
    patch = body(request, MemberPatch)
    membership = await change_member(request.ctx.member, membership_id, patch, request)
    location = f"/v1/organizations/{organization_id}/members/{membership.id}"
    return reply(_shown(membership, membership.user), headers={"Content-Location": location})


def _shown(membership: Membership, user: User) -> MemberOut:
    names = MemberOut.model_fields.keys() - {"email", "name"}
    columns = {name: getattr(membership, name) for name in names}
    return MemberOut(**columns, email=user.email, name=user.name)
