"""Who belongs: adding people, changing what they may do, never without an owner."""

from uuid import UUID

from sanic import Request
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from control.access import Member, Role
from control.audit import trail
from control.errors import Conflict, Unfit
from control.organizations.models import Membership, MemberStatus, Organization
from control.organizations.schemas import AddMember, MemberPatch
from control.records import amend, find
from control.users.models import User
from control.users.schemas import email_key


async def add_member(member: Member, wanted: AddMember) -> tuple[Membership, User]:
    """Let somebody in, or invite them.

    Raises
    ------
    Forbidden
        when somebody below an owner names an owner.
    Conflict
        when the person is a member already, in whatever status.
    """
    if wanted.role is Role.OWNER:
        member.must_be(Role.OWNER)
    async with in_transaction() as tx:
        await _locked(tx, member.organization_id)
        user = await _person(tx, wanted)
        theirs = Membership.filter(organization_id=member.organization_id, user_id=user.id)
        if await theirs.using_db(tx).exists():
            raise Conflict("This person is a member already.", code="already_member")
        membership = await Membership.create(
            using_db=tx,
            organization_id=member.organization_id,
            user=user,
            role=wanted.role,
            status=wanted.status if user.password_hash else MemberStatus.INVITED,
        )
        await trail.record(
            tx, member, "member.added", membership, after={"role": membership.role,
            "status": membership.status, "user_id": user.id},
        )  # fmt: skip
    return membership, user


async def change_member(
    member: Member, membership_id: UUID, patch: MemberPatch, request: Request
) -> Membership:
    """Change a role or a status; both count at once, for every request that follows.

    Raises
    ------
    Forbidden
        when somebody below an owner touches an owner or makes one.
    Conflict
        when no active owner would be left.
    """
    async with in_transaction() as tx:
        await _locked(tx, member.organization_id)
        ours = Membership.filter(organization_id=member.organization_id).using_db(tx)
        membership = await find(ours.prefetch_related("user"), membership_id)
        if Role.OWNER in {membership.role, patch.role}:
            member.must_be(Role.OWNER)
        if patch.status is MemberStatus.ACTIVE and not _can_sign_in(membership):
            raise Conflict("They have not accepted the invitation.", allowed=["suspended"])
        before = await amend(membership, patch, request=request, using=tx)
        if not await ours.filter(role=Role.OWNER, status=MemberStatus.ACTIVE).exists():
            raise Conflict("An organisation needs an active owner.", code="last_owner")
        await trail.record(tx, member, "member.updated", membership, before=before, after=patch)
    return membership


def _can_sign_in(membership: Membership) -> bool:
    was_active: bool = membership.status == MemberStatus.ACTIVE
    return was_active or membership.user.password_hash is not None


async def _locked(tx: BaseDBAsyncClient, organization_id: UUID) -> None:
    """Changes of one organisation's members wait for one another: two owners cannot both leave."""
    await find(Organization.all().using_db(tx).select_for_update(), organization_id)


async def _person(tx: BaseDBAsyncClient, wanted: AddMember) -> User:
    if wanted.user_id is not None:
        user = await User.filter(id=wanted.user_id, is_active=True).using_db(tx).get_or_none()
        if user is None:
            raise Unfit.at("user_id", "nobody has this id")
        return user
    email = wanted.email or ""
    user, _ = await User.get_or_create(
        using_db=tx, email_key=email_key(email), defaults={"email": email, "name": wanted.name}
    )
    return user
