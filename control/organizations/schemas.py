"""What organisations and memberships look like from outside."""

from datetime import datetime
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from control.access import Role
from control.bodies import In, Out, Patch, exactly_one
from control.organizations.models import MemberStatus
from control.users.schemas import Email, PersonName


class CreateOrganization(In):
    name: Annotated[str, Field(min_length=1, max_length=200)]


class OrganizationOut(Out):
    id: UUID
    name: str
    created_at: datetime
    updated_at: datetime


class AddMember(In):
    """A person by `user_id` or by `email`; an address nobody has is invited.

    `status` may hold somebody back as `invited`; who has no password yet always is.
    """

    model_config = ConfigDict(json_schema_extra=exactly_one("user_id", "email"))

    user_id: UUID | None = None
    email: Email | None = None
    name: PersonName = ""
    role: Role = Role.VIEWER
    status: MemberStatus = MemberStatus.ACTIVE

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.user_id is None) == (self.email is None):
            raise ValueError("give either user_id or email")
        return self


class MemberPatch(Patch):
    role: Role | None = None
    status: MemberStatus | None = None


class MemberQuery(In):
    role: Role | None = None
    status: MemberStatus | None = None


class MemberOut(Out):
    columns: ClassVar[dict[str, str]] = {"email": "user__email", "name": "user__name"}

    id: UUID
    organization_id: UUID
    user_id: UUID
    email: str
    name: str
    role: Role
    status: MemberStatus
    created_at: datetime
    updated_at: datetime


class NewMember(MemberOut):
    """`invitation_token` lets the invited person claim the account; it is shown once."""

    invitation_token: str | None = None
