"""The doors: who is calling, for which organisation, and what their role lets them do.

Each guard hangs on a blueprint group in `control.api`. Behind the member door an unsafe method
needs at least `EDITOR`, unless its route says otherwise with `ctx_role=Role.…`.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from sanic import Request

from control.database import default
from control.errors import ApiError, BadRequest, Forbidden, NotFound, Unauthorized

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Role(StrEnum):
    """What a member may do; each role may do all that the ones after it may."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    REVIEWER = "reviewer"
    VIEWER = "viewer"

    def covers(self, other: "Role") -> bool:
        ranks = list(Role)
        return ranks.index(self) <= ranks.index(other)

    @property
    def permissions(self) -> list[str]:
        """What the role may do, in words for clients."""
        return sorted(
            word for role, words in PERMISSIONS.items() if self.covers(role) for word in words
        )


PERMISSIONS = {
    Role.VIEWER: ["media:read", "jobs:read"],
    Role.REVIEWER: ["qa:review"],
    Role.EDITOR: ["media:write", "jobs:write", "branding:write"],
    Role.ADMIN: ["members:write", "webhooks:write", "audit:read", "billing:write"],
    Role.OWNER: ["organization:write", "owners:write"],
}

# By hand, as it is asked on every request.
MEMBERSHIP = """
SELECT m.user_id, m.organization_id, m.id, m.role, m.status, u.is_admin
  FROM unnest($1::uuid[], $2::uuid[]) AS asked (user_id, organization_id)
  JOIN memberships m USING (user_id, organization_id)
  JOIN users u ON u.id = m.user_id
 WHERE u.is_active
"""


@dataclass(frozen=True)
class SignedIn:
    """The person behind a token."""

    user_id: UUID
    is_admin: bool


@dataclass(frozen=True)
class Member:
    """The person behind a token, acting for one organisation."""

    user_id: UUID
    organization_id: UUID
    role: Role
    membership_id: UUID
    is_admin: bool = False
    by_key: bool = False

    def must_be(self, role: Role) -> None:
        """Raise `Forbidden` unless the member's role is this one or above it."""
        if not self.role.covers(role):
            raise Forbidden(f"This needs the role {role} or above; yours is {self.role}.")


class WorkerCheck(Protocol):
    async def __call__(self, request: Request, token: str) -> None: ...


async def require_user(request: Request) -> None:
    """Let signed-in people through; sets `request.ctx.user`."""
    from control.users.models import User

    caller = await _caller(request)
    if caller.organization_id and request.method not in SAFE:
        raise Forbidden("An API key is for one organisation: sign in.", code="key_not_enough")
    rows = await User.filter(id=caller.user_id, is_active=True).values("id", "is_admin")
    if not rows:
        raise Unauthorized("The account of this token is not active.")
    by_key = caller.organization_id is not None
    request.ctx.user = SignedIn(rows[0]["id"], rows[0]["is_admin"] and not by_key)


async def require_member(request: Request) -> None:
    """Let active members through; sets `request.ctx.member` and `request.ctx.user`.

    The organisation is the path's `organization_id` where the route has one, else `X-Org-ID`. A
    browser cannot read why a WebSocket was not opened: its refusal is left in
    `request.ctx.refusal`, for the handler to close with.
    """
    request.ctx.refusal = None
    try:
        request.ctx.member = member = await member_of(request)
        request.ctx.user = SignedIn(member.user_id, member.is_admin)
        member.must_be(needed_role(request))
    except ApiError as error:
        if not _is_websocket(request):
            raise
        request.ctx.refusal = error


async def member_of(request: Request) -> Member:
    """The member who calls, as the database knows them now.

    Raises
    ------
    Unauthorized, BadRequest, NotFound, Forbidden
        without a token, an organisation, a membership, or an active one.
    """
    from control.organizations.models import MemberStatus

    caller = await _caller(request)
    organization_id = _organization_id(request, caller.organization_id)
    row = await request.app.ctx.memberships.get((caller.user_id, organization_id))
    if row is None:
        raise NotFound("There is no such organisation among yours.", code="organization_not_found")
    if row["status"] != MemberStatus.ACTIVE:
        raise Forbidden(f"Your membership is {row['status']}.", code="membership_inactive")
    by_key = caller.organization_id is not None
    return Member(
        caller.user_id,
        organization_id,
        max(Role(row["role"]), caller.most, key=list(Role).index),
        row["id"],
        is_admin=row["is_admin"] and not by_key,
        by_key=by_key,
    )


async def memberships(
    asked: AbstractSet[tuple[UUID, UUID]],
) -> dict[tuple[UUID, UUID], dict[str, Any]]:
    """The memberships of active people among pairs of a user and an organisation."""
    users, organizations = zip(*asked, strict=True)
    rows = await default().execute_query_dict(MEMBERSHIP, [users, organizations])
    return {(row["user_id"], row["organization_id"]): row for row in rows}


def needed_role(request: Request) -> Role:
    """The route's own `ctx_role`, else `VIEWER` to read and `EDITOR` to write."""
    default = Role.VIEWER if request.method in SAFE else Role.EDITOR
    role: Role = getattr(request.route.ctx, "role", default) if request.route else default
    return role


async def require_worker(request: Request) -> None:
    """Let workers through: `request.ctx.worker_token` is what the lease must be checked against."""
    token = request.headers.get("x-worker-token")
    if not token:
        raise Unauthorized("X-Worker-Token is missing.", code="worker_token_missing")
    request.ctx.worker_token = token


@dataclass(frozen=True)
class _Caller:
    """Who holds the token; a key is bound to an organisation and to a role at most."""

    user_id: UUID
    organization_id: UUID | None = None
    most: Role = Role.OWNER


async def _caller(request: Request) -> _Caller:
    from control.auth import keys, tickets, tokens

    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" and _is_websocket(request):
        token = request.args.get("token", "")
    elif scheme.lower() != "bearer":
        token = ""
    if not token:
        raise Unauthorized(
            "Send Authorization: Bearer <token>; POST /v1/auth/token gives one.",
            code="token_missing",
        )
    token = token.strip()
    if token.startswith(keys.MARK):
        holder = await keys.holder_of(token)
        return _Caller(holder.user_id, holder.organization_id, holder.role)
    if token.startswith(tickets.MARK) and _is_websocket(request):
        # Redeemed once for the socket, whose membership is looked at again and again.
        if not hasattr(request.ctx, "ticket"):
            request.ctx.ticket = await tickets.redeem(token)
        holder = request.ctx.ticket
        return _Caller(holder.user_id, holder.organization_id, holder.role)
    return _Caller(tokens.user_of(token, request.app.ctx.settings))


def _organization_id(request: Request, of_key: UUID | None) -> UUID:
    given = request.headers.get("x-org-id")
    if given is None and _is_websocket(request):
        given = request.args.get("org_id")
    in_path = request.match_info.get("organization_id")
    if given is None and in_path is None and of_key is None:
        raise BadRequest(
            "Send X-Org-ID with the id of an organisation of yours; GET /v1/auth/me lists them.",
            code="organization_missing",
        )
    try:
        ids = {UUID(str(text)) for text in (given, in_path, of_key) if text is not None}
    except ValueError:
        raise NotFound(
            "The id of an organisation is a UUID; GET /v1/auth/me lists yours.",
            code="organization_not_found",
        ) from None
    if len(ids) != 1:
        raise NotFound(
            "The path, X-Org-ID and the key name different organisations.",
            code="organization_not_found",
        )
    return ids.pop()


def _is_websocket(request: Request) -> bool:
    """Whether a WebSocket is being opened, on a route that is one."""
    route = request.route
    upgrade: str = request.headers.get("upgrade", "")
    return bool(route and route.extra.websocket) and upgrade.lower() == "websocket"
