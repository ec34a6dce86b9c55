"""What goes in and out at `/v1/auth`."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter

from control.access import Role
from control.bodies import In, Moment, Out
from control.organizations.models import MemberStatus
from control.records import now
from control.users.schemas import UserOut


def _to_come(moment: datetime) -> datetime:
    if moment <= now():
        raise ValueError("must lie in the future")
    return moment


FutureDatetime = Annotated[Moment, AfterValidator(_to_come)]
Secret = Annotated[str, Field(min_length=1, max_length=1024)]


class PasswordGrant(In):
    """OAuth 2 calls the address `username`; both names are taken."""

    grant_type: Literal["password"] = "password"
    email: Annotated[str, Field(min_length=1, max_length=254)]
    password: Secret


class RefreshGrant(In):
    grant_type: Literal["refresh_token"]
    refresh_token: Secret


Grant = Annotated[PasswordGrant | RefreshGrant, Field(discriminator="grant_type")]
GRANT: TypeAdapter[PasswordGrant | RefreshGrant] = TypeAdapter(Grant)


class TokenOut(BaseModel):
    """`expires_in` and `refresh_expires_in` are seconds; a refresh token works once."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - RFC 6750's name
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class CreateKey(In):
    """`role` is the most the key may do; by default what its owner may."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    role: Role | None = None
    expires_at: FutureDatetime | None = None


class KeyOut(Out):
    """A key as it is listed; `prefix` is how its text begins after `ck_`."""

    id: UUID
    user_id: UUID
    organization_id: UUID
    name: str
    prefix: str
    role: Role
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class NewKey(KeyOut):
    """`key` is shown this once."""

    key: str


class TicketOut(Out):
    """`ticket` goes where a WebSocket wants its `token`: once, within `expires_in` seconds."""

    ticket: str
    expires_in: int


class MyOrganization(Out):
    id: UUID
    name: str
    membership_id: UUID
    role: Role
    status: MemberStatus
    permissions: list[str]
    plan: str


class Me(BaseModel):
    user: UserOut
    organizations: list[MyOrganization]
