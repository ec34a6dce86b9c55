"""Lists: one page of a query, its place in the whole, and one shape for all of them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter
from sanic import HTTPResponse, Request
from tortoise.models import Model
from tortoise.queryset import QuerySet

from control.bodies import In, query, reply
from control.compiled import count, select
from control.records import find

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
T = TypeVar("T", bound=BaseModel)


class Page(In):
    """Which part of a list is wanted."""

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    offset: int = Field(default=0, ge=0, le=2**31 - 1)

    @classmethod
    def of(cls, request: Request) -> "Page":
        """Read `limit` and `offset` from the query; 422 when they are out of range."""
        return query(request, cls)


class Pagination(BaseModel):
    limit: int
    offset: int
    total: int
    has_more: bool
    next_offset: int | None


class Listing(BaseModel, Generic[T]):
    """`count` is the number of items on this page, `pagination.total` of all.

    A total above 10,000 may be some seconds old; `has_more` never is.
    """

    items: list[T]
    count: int
    pagination: Pagination


async def listing(
    queryset: QuerySet[Any],
    out: type[T],
    page: Page,
    *,
    order: tuple[str, ...] = ("-created_at", "id"),
    within: tuple[QuerySet[Any], UUID] | None = None,
    complete: Callable[[list[dict[str, Any]]], None] | None = None,
) -> HTTPResponse:
    """One page of `queryset` as `out`, newest first, in two queries and without row objects.

    Every field of `out` is a column of the row, or is named in `out.columns`
    (`{field: "relation__column"}`), or has a default, or is put into the rows by `complete`.
    `within` names the row whose list it is: where nothing is listed, it must be there all the same.

    Raises
    ------
    NotFound
        for a list within something that is not there.
    """
    model: type[Model] = queryset.model
    columns = _columns(model, out)
    rows = await select(queryset, columns, order, page.limit + 1, page.offset)
    total = await total_of(queryset, page, len(rows))
    if within and not total:
        await find(*within)
    del rows[page.limit :]
    if complete:
        complete(rows)
    items: list[T] = _many(out).validate_python(rows)
    return listed(items, out, page, total)


async def total_of(queryset: QuerySet[Any], page: Page, found: int) -> int:
    """How many there are in all, `found` of them from `page.offset` on when one more than
    `page.limit` was asked for; counts only where that does not tell.
    """
    if found > page.limit or (page.offset and not found):
        return await count(queryset)
    return page.offset + found


@lru_cache
def _many(out: type[BaseModel]) -> TypeAdapter[Any]:
    return TypeAdapter(list[out])  # type: ignore[valid-type]


def listed(items: list[T], out: type[T], page: Page, total: int) -> HTTPResponse:
    """Items of one page that were gathered some other way."""
    following = page.offset + len(items)
    more = following < total and bool(items)
    place = Pagination(
        limit=page.limit,
        offset=page.offset,
        total=total,
        has_more=more,
        next_offset=following if more else None,
    )
    return reply(_listing(out)(items=items, count=len(items), pagination=place))


@lru_cache
def _listing(out: type[T]) -> type[Listing[T]]:
    return Listing[out]  # type: ignore[valid-type]


@lru_cache
def _columns(model: type[Model], out: type[BaseModel]) -> dict[str, str]:
    named: dict[str, str] = getattr(out, "columns", {})
    own = model._meta.fields_db_projection  # noqa: SLF001 - Tortoise's own name for its columns
    return {name: named.get(name, name) for name in out.model_fields if name in own} | dict(named)
