"""What a person looks like from outside."""

import unicodedata
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from control.bodies import In, Out, Patch
from ray_jobs.contract import Like, Truth

# One @ with something on both sides, and no control characters: whether mail arrives is not for a
# pattern to say.
PART = r"[^@\s\x00-\x1f\x7f-\x9f]"
ADDRESS = f"^{PART}{{1,64}}@{PART}+$"
Email = Annotated[
    str, Field(max_length=254), Like(ADDRESS, "is no e-mail address, as in somebody@example.org")
]
Password = Annotated[str, Field(min_length=8, max_length=1024)]
PersonName = Annotated[str, Field(max_length=200)]


def email_key(email: str) -> str:
    """What two spellings of one address have in common."""
    return unicodedata.normalize("NFKC", email).casefold()


class CreateUser(In):
    """`invitation_token` comes from whoever invites; sign-up by invitation needs it."""

    email: Email
    password: Password
    name: PersonName = ""
    invitation_token: str | None = Field(default=None, max_length=4096)


class UserPatch(Patch):
    """A new password needs `current_password` where there was one."""

    clears = frozenset({"current_password"})

    name: PersonName | None = None
    password: Password | None = None
    current_password: str | None = Field(default=None, max_length=1024)
    is_active: Truth | None = None


class UserQuery(In):
    email: Annotated[str, Field(max_length=254)] | None = None


class UserOut(Out):
    id: UUID
    email: str
    name: str
    is_admin: bool
    is_active: bool
    created_at: datetime
    updated_at: datetime
