"""What goes in and out at `/v1/auth`."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter

from control.access import Role
from control.bodies import In, Out
from control.organizations.models import MemberStatus
from control.users.schemas import UserOut

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


class MyOrganization(Out):
    id: UUID
    name: str
    membership_id: UUID
    role: Role
    status: MemberStatus
    permissions: list[str]


class Me(BaseModel):
    user: UserOut
    organizations: list[MyOrganization]
