"""What every row has, whose it is, and the two things done to one row: find it, amend it."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel
from sanic import Request
from tortoise import fields
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.models import Model
from tortoise.queryset import QuerySet

from control.bodies import etag
from control.compiled import one
from control.errors import Invalid, NotFound, PreconditionFailed

if TYPE_CHECKING:
    from control.access import Member
    from control.organizations.models import Organization


class Record(Model):
    """A row with an identity and its times (UTC).

    `QuerySet.update` leaves `updated_at` alone: pass `updated_at=now()` where clients should see
    a new `ETag`.
    """

    id = fields.UUIDField(primary_key=True, default=uuid4)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        abstract = True


class TenantRecord(Record):
    """A row of one organisation; `of(member)` is the one way to ask for it."""

    organization: fields.ForeignKeyRelation["Organization"] = fields.ForeignKeyField(
        "models.Organization", related_name=False, on_delete=fields.CASCADE
    )
    organization_id: UUID

    class Meta:
        abstract = True

    @classmethod
    def of(cls, member: "Member") -> QuerySet[Self]:
        """The rows that this member's organisation owns."""
        return cls.filter(organization_id=member.organization_id)


R = TypeVar("R", bound=Record)
# RFC 9110, 8.8.3 and 13.1.1, in ASCII as all ETags of ours are.
ETAG = r'(W/)?"[!#-~]*"'
IF_MATCH = rf"^(\*|{ETAG}(\s*,\s*{ETAG})*)$"
IF_MATCH_WORDS = "the ETag of an earlier answer, with its quotes, or *."
ACRONYMS = frozenset({"Api", "Dmca", "Qa"})


def now() -> datetime:
    return datetime.now(UTC)


async def find(queryset: QuerySet[R], id: UUID | str) -> R:  # noqa: A002 - the column's name
    """The one row with this id, or `NotFound`; ids that are no UUIDs are not found either."""
    try:
        key = id if isinstance(id, UUID) else UUID(id)
    except ValueError:
        raise missing(queryset.model, id) from None
    row = await one(queryset, key)
    if row is None:
        raise missing(queryset.model, key)
    return row


def missing(model: type[Model], id: UUID | str) -> NotFound:  # noqa: A002 - as in `find`
    """`NotFound` that says what was asked for: of a `BrandKit`, that there is no such brand kit."""
    words = re.findall("[A-Z][a-z]+", model.__name__.removesuffix("Row"))
    kind = " ".join(word.upper() if word in ACRONYMS else word.lower() for word in words)
    return NotFound(f"There is no {kind} {id} here.")


def check_if_match(request: Request | None, row: Record) -> str | None:
    """Honour `If-Match`: the header when it names the row's version, else `PreconditionFailed`."""
    wanted: str | None = request.headers.get("if-match") if request else None
    if wanted is None or wanted.strip() == "*":
        return None
    if etag(row) not in [tag.strip().removeprefix("W/") for tag in wanted.split(",")]:
        raise PreconditionFailed
    return wanted


async def amend(
    row: Record,
    patch: BaseModel,
    *,
    request: Request | None = None,
    using: BaseDBAsyncClient | None = None,
    **also: Any,
) -> dict[str, Any]:
    """Write the fields that were sent (and `also`); returns their former values.

    With a `request` its `If-Match` is honoured, also against a change made in between.

    Raises
    ------
    PreconditionFailed
        when the row is no longer the one the caller read.
    Invalid
        when null was sent for a column that cannot be null.
    """
    matched = check_if_match(request, row)
    sent = {**patch.model_dump(mode="python", exclude_unset=True), **also}
    if not sent:
        return {}
    for name, value in sent.items():
        if value is None and not row._meta.fields_map[name].null:  # noqa: SLF001 - Tortoise's own name
            raise Invalid.at(name, "must not be null")
    before = {name: getattr(row, name) for name in sent}
    rows = type(row).filter(id=row.id)
    if matched:
        rows = rows.filter(updated_at=row.updated_at)
    stamp = now()
    if not await rows.using_db(using).update(**sent, updated_at=stamp):
        raise PreconditionFailed if matched else missing(type(row), row.id)
    row.update_from_dict({**sent, "updated_at": stamp})
    return before
