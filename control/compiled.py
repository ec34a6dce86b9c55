"""A list's statements: Tortoise writes their text once for each kind of query, not on every call.

Writing it costs more than all else that a list does in Python. Kept are texts of queries that only
compare columns with values, which is most of them; every other query is written each time.
"""

from collections.abc import Mapping
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import from_json
from tortoise.fields import JSONField
from tortoise.queryset import QuerySet

from control.database import default

COMPARED = ("", "gt", "gte", "lt", "lte")
# Counting costs by the row. Whoever has more than this many can bear a total some seconds old.
MANY = 10_000
TOTAL_S = 10.0
REMEMBERED = 1000

_texts: dict[tuple[Any, ...], str] = {}
_totals: dict[tuple[Any, ...], tuple[float, int]] = {}


class _Comparison(NamedTuple):
    column: str
    negated: bool
    value: Any


def _comparisons(queryset: QuerySet[Any]) -> list[_Comparison] | None:
    """The query's conditions where all of them compare a column with a value, else None."""
    found: list[_Comparison] = []
    if queryset._annotations or queryset._custom_filters or queryset._distinct:  # noqa: SLF001 - Tortoise offers no other way to see a query's parts
        return None
    for q in queryset._q_objects:  # noqa: SLF001 - as above
        if q.children or len(q.filters) != 1:
            return None
        ((name, value),) = q.filters.items()
        if name.partition("__")[2] not in COMPARED or not isinstance(
            value, UUID | str | int | datetime
        ):
            return None
        found.append(_Comparison(name, q._is_negated, value))  # noqa: SLF001 - as above
    return found


async def select(
    queryset: QuerySet[Any], columns: Mapping[str, str], order: tuple[str, ...],
    limit: int, offset: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of a query as plain dicts: values as PostgreSQL gives them, JSON read."""
    compared = _comparisons(queryset)
    if compared is None:
        wanted = queryset.order_by(*order).limit(limit).offset(offset)
        rows: list[dict[str, Any]] = await wanted.values(**columns)
        return rows
    kind = tuple((one.column, one.negated) for one in compared)
    key = (queryset.model, *columns.items(), *order, *kind)
    if key not in _texts:
        # An offset of 0 would be left out of the text.
        _texts[key] = queryset.order_by(*order).limit(1).offset(1).values(**columns).sql()
    values = [*(one.value for one in compared), limit, offset]
    own = queryset.model._meta.fields_map  # noqa: SLF001 - Tortoise's own name for its columns
    json = [name for name, column in columns.items() if isinstance(own.get(column), JSONField)]
    rows = await default().execute_query_dict(_texts[key], values)
    for row in rows:
        for name in json:
            if row[name] is not None:
                row[name] = from_json(row[name])
    return rows


async def count(queryset: QuerySet[Any]) -> int:
    """How many rows a query has; above `MANY` it may be what it was `TOTAL_S` seconds ago."""
    compared = _comparisons(queryset)
    key = (queryset.model, *compared) if compared is not None else None
    until, total = _totals.get(key, (0.0, 0)) if key else (0.0, 0)
    if monotonic() < until:
        return total
    total = await queryset.count()
    if key and total > MANY:
        if len(_totals) >= REMEMBERED:
            _totals.clear()
        _totals[key] = (monotonic() + TOTAL_S, total)
    return total
