"""Statements that only read: Tortoise writes their text once for each kind, not on every call.

Writing it costs more than all else that a read does in Python. Kept are texts of queries that only
compare columns with values or ask whether they are null, which is most of them; every other query
is written each time.
"""

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from time import monotonic
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from pydantic_core import from_json
from tortoise.fields import JSONField
from tortoise.models import Model
from tortoise.queryset import QuerySet

from control.database import default

COMPARED = ("", "gt", "gte", "lt", "lte")
# Counting costs by the row. Whoever has more than this many can bear a total some seconds old.
MANY = 10_000
TOTAL_S = 10.0
REMEMBERED = 1000
# What a query may carry besides its conditions; Tortoise offers no other way to see it.
_carried = attrgetter(
    "_annotations", "_custom_filters", "_distinct", "_limit", "_offset", "_group_bys", "_having",
    "_select_for_update", "_select_related", "_prefetch_map", "_prefetch_queries",
    "_fields_for_select",
)  # fmt: skip

M = TypeVar("M", bound=Model)
_texts: dict[tuple[Any, ...], str] = {}
_totals: dict[tuple[Any, ...], tuple[float, int]] = {}


class _Comparison(NamedTuple):
    """`value` is None where columns are only asked whether they are null."""

    column: str
    negated: bool
    value: Any


def _comparisons(queryset: QuerySet[Any]) -> list[_Comparison] | None:
    """The query's conditions where its text hangs on nothing but their values, else None."""
    found: list[_Comparison] = []
    if any(_carried(queryset)):
        return None
    for q in queryset._q_objects:  # noqa: SLF001 - as `_carried`
        if q.children or not q.filters:
            return None
        if all(name.endswith("__isnull") for name in q.filters):
            asked = f"{q.join_type} {sorted(q.filters.items())}"
            found.append(_Comparison(asked, q._is_negated, None))  # noqa: SLF001 - as `_carried`
            continue
        if len(q.filters) != 1:
            return None
        ((name, value),) = q.filters.items()
        if name.partition("__")[2] not in COMPARED or not isinstance(
            value, UUID | str | int | datetime
        ):
            return None
        found.append(_Comparison(name, q._is_negated, value))  # noqa: SLF001 - as `_carried`
    return found


def _kind(compared: list[_Comparison]) -> list[tuple[str, bool]]:
    """What the text of a query depends on: its conditions without their values."""
    return [(each.column, each.negated) for each in compared]


def _values(compared: list[_Comparison]) -> list[Any]:
    return [each.value for each in compared if each.value is not None]


async def one(queryset: QuerySet[M], key: UUID) -> M | None:
    """The query's row with this id."""
    compared = _comparisons(queryset)
    if compared is None:
        return await queryset.get_or_none(id=key)
    model = queryset.model
    kind = ("one", model, *_kind(compared))
    if kind not in _texts:
        _texts[kind] = queryset.filter(id=key).sql()
    values = [*_values(compared), key]
    db = queryset._choose_db()  # noqa: SLF001 - Tortoise's own way to its connection
    rows = await db.execute_query_dict(_texts[kind], values)
    return model._init_from_db(**rows[0]) if rows else None  # noqa: SLF001 - what Tortoise does with a row


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
    kind = ("select", queryset.model, *columns.items(), *order, *_kind(compared))
    if kind not in _texts:
        # An offset of 0 would be left out of the text.
        _texts[kind] = queryset.order_by(*order).limit(1).offset(1).values(**columns).sql()
    values = [*_values(compared), limit, offset]
    own = queryset.model._meta.fields_map  # noqa: SLF001 - Tortoise's own name for its columns
    json = [name for name, column in columns.items() if isinstance(own.get(column), JSONField)]
    rows = await default().execute_query_dict(_texts[kind], values)
    for row in rows:
        for name in json:
            if row[name] is not None:
                row[name] = from_json(row[name])
    return rows


async def count(queryset: QuerySet[Any]) -> int:
    """How many rows a query has; above `MANY` it may be what it was `TOTAL_S` seconds ago."""
    compared = _comparisons(queryset)
    if compared is None:
        return await queryset.count()
    key = (queryset.model, *compared)
    until, total = _totals.get(key, (0.0, 0))
    if monotonic() < until:
        return total
    kind = ("count", queryset.model, *_kind(compared))
    if kind not in _texts:
        _texts[kind] = queryset.count().sql()
    rows = await default().execute_query_dict(_texts[kind], _values(compared))
    total = int(next(iter(rows[0].values())))
    if total > MANY:
        if len(_totals) >= REMEMBERED:
            _totals.clear()
        _totals[key] = (monotonic() + TOTAL_S, total)
    return total
