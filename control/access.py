"""The doors: who is calling, for which organisation, and what their role lets them do.

Each guard hangs on a blueprint group in `control.api`. Behind the member door an unsafe method
needs at least `EDITOR`, unless its route says otherwise with `ctx_role=Role.…`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from sanic import Request

from control.errors import BadRequest, Forbidden, NotFound, Unauthorized

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

    def must_be(self, role: Role) -> None:
        """Raise `Forbidden` unless the member's role is this one or above it."""
        if not self.role.covers(role):
            raise Forbidden(f"This needs the role {role} or above; yours is {self.role}.")


class WorkerCheck(Protocol):
    async def __call__(self, request: Request, token: str) -> None: ...


async def require_user(request: Request) -> None:
    """Let signed-in people through; sets `request.ctx.user`."""
    from control.users.models import User

    rows = await User.filter(id=_user_id(request), is_active=True).values("id", "is_admin")
    if not rows:
        raise Unauthorized("The account of this token is not active.")
    request.ctx.user = SignedIn(rows[0]["id"], rows[0]["is_admin"])


async def require_member(request: Request) -> None:
    """Let active members through; sets `request.ctx.member` and `request.ctx.user`.

    The organisation is the path's `organization_id` where the route has one, else `X-Org-ID`.
    """
    from control.organizations.models import Membership, MemberStatus

    user_id = _user_id(request)
    organization_id = _organization_id(request)
    rows = await Membership.filter(
        user_id=user_id, organization_id=organization_id, user__is_active=True
    ).values("id", "role", "status", "user__is_admin")
    if not rows:
        raise NotFound("There is no such organisation among yours.", code="organization_not_found")
    if rows[0]["status"] != MemberStatus.ACTIVE:
        raise Forbidden(f"Your membership is {rows[0]['status']}.", code="membership_inactive")
    member = Member(
        user_id, organization_id, Role(rows[0]["role"]), rows[0]["id"], rows[0]["user__is_admin"]
    )
    request.ctx.member = member
    request.ctx.user = SignedIn(user_id, member.is_admin)
    member.must_be(needed_role(request))


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


def _user_id(request: Request) -> UUID:
    from control.auth.tokens import user_of

    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" and _is_websocket(request):
        token = request.args.get("token", "")
    elif scheme.lower() != "bearer":
        token = ""
    if not token:
        raise Unauthorized("Send Authorization: Bearer <token>.", code="token_missing")
    return user_of(token.strip(), request.app.ctx.settings)


def _organization_id(request: Request) -> UUID:
    given = request.headers.get("x-org-id")
    if given is None and _is_websocket(request):
        given = request.args.get("org_id")
    in_path = request.match_info.get("organization_id")
    if given is None and in_path is None:
        raise BadRequest("X-Org-ID is missing: name the organisation.", code="organization_missing")
    try:
        ids = {UUID(str(text)) for text in (given, in_path) if text is not None}
    except ValueError:
        raise NotFound(code="organization_not_found") from None
    if len(ids) != 1:
        raise NotFound(
            "The path and X-Org-ID name two organisations.", code="organization_not_found"
        )
    return ids.pop()


def _is_websocket(request: Request) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"
