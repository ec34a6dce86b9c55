"""Who may create an account, and how an invited person claims theirs."""

from ipaddress import ip_address
from uuid import UUID

from sanic import Request
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from control.access import SignedIn
from control.audit import trail
from control.auth.passwords import hashed
from control.auth.tokens import INVITATION, sign, verify
from control.errors import Conflict, Forbidden, Unauthorized
from control.organizations.models import Membership, MemberStatus
from control.records import now
from control.settings import Settings
from control.users.models import User
from control.users.schemas import CreateUser, email_key

SIGNUP_LOCK = 0x7369676E  # "sign": the first account is given away once


def invite(settings: Settings, user_id: UUID) -> str:
    """A token with which an invited person claims their account."""
    return sign(settings, user_id, life_s=settings.invitation_s, audience=INVITATION)


async def create_account(request: Request, wanted: CreateUser, *, caller: SignedIn | None) -> User:
    """A new account, or the claimed one of an invited person.

    The first person becomes the instance's administrator. Afterwards an administrator may create
    accounts, and others as the setting `signup` says.

    Raises
    ------
    Forbidden
        when sign-up is closed, or by invitation and there is none.
    Conflict
        when the address has an account.
    """
    settings: Settings = request.app.ctx.settings
    password_hash = await hashed(wanted.password)
    async with in_transaction() as tx:
        await tx.execute_query("SELECT pg_advisory_xact_lock($1)", [SIGNUP_LOCK])
        if wanted.invitation_token:
            user = await _claim(tx, settings, wanted, password_hash)
        else:
            first = await _is_first(tx, request)
            if not (first or (caller and caller.is_admin) or settings.signup == "open"):
                raise Forbidden(
                    "An account needs an invitation here."
                    if settings.signup == "invited"
                    else "Sign-up is closed here.",
                    code="signup_closed",
                )
            key = email_key(wanted.email)
            if await User.filter(email_key=key).using_db(tx).exists():
                raise Conflict("This address has an account.", code="email_taken")
            user = await User.create(
                using_db=tx,
                email=wanted.email,
                email_key=key,
                name=wanted.name,
                password_hash=password_hash,
                is_admin=first,
            )
        actor = caller or SignedIn(user.id, user.is_admin)
        await trail.record(tx, actor, "user.created", user, after={"email": user.email})
    return user


async def _is_first(tx: BaseDBAsyncClient, request: Request) -> bool:
    """Whether nobody is here yet.

    `cutroom serve` makes an owner without a password for scripts; until a person has one, somebody
    on this very machine may still become the first.
    """
    if not await User.all().using_db(tx).exists():
        return True
    if await User.filter(password_hash__isnull=False).using_db(tx).exists():
        return False
    return ip_address(request.ip).is_loopback and "x-forwarded-for" not in request.headers


async def _claim(
    tx: BaseDBAsyncClient, settings: Settings, wanted: CreateUser, password_hash: str
) -> User:
    token = wanted.invitation_token or ""
    try:
        claims = verify(token, settings.signing_secrets, audience=INVITATION)
    except Unauthorized:
        raise Forbidden("The invitation is not valid.", code="invitation_invalid") from None
    unclaimed = User.filter(
        id=claims["sub"], email_key=email_key(wanted.email), password_hash__isnull=True
    )
    claimed = await unclaimed.using_db(tx).update(
        password_hash=password_hash, name=wanted.name, email=wanted.email, updated_at=now()
    )
    if not claimed:
        raise Forbidden("The invitation is not valid.", code="invitation_invalid")
    memberships = Membership.filter(user_id=claims["sub"], status=MemberStatus.INVITED)
    await memberships.using_db(tx).update(status=MemberStatus.ACTIVE, updated_at=now())
    return await User.get(id=claims["sub"], using_db=tx)
