"""What comes in is parsed at the edge, what goes out is a model: the two ends of every handler."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    RootModel,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, from_json
from sanic import HTTPResponse, Request

from control.errors import BadRequest, Invalid, UnsupportedMediaType, pointed

__all__ = [
    "In", "Moment", "Out", "Patch", "body", "etag", "exactly_one", "parsed_json", "query",
    "refuse_nul", "reply",
]  # fmt: skip


def _written_out(moment: Any) -> Any:
    """A time as it came, unless it is a number, which may be seconds or milliseconds of any day."""
    if not isinstance(moment, datetime) and (not isinstance(moment, str) or ":" not in moment):
        raise ValueError("must be a date and a time with its offset, as in 2026-03-01T12:00:00Z")
    return moment


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]
"""A point in time as RFC 3339 writes it, with its offset."""


def exactly_one(*names: str) -> JsonSchemaValue:
    """JSON Schema of an object in which one of these texts is there, and the others are not."""
    return {
        "anyOf": [
            {
                "required": [name],
                "properties": {other: {"type": "null"} for other in names if other != name}
                | {name: {"type": "string"}},
            }
            for name in names
        ]
    }


class In(BaseModel):
    """A body or query we accept: unknown fields and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Patch(In):
    """A partial update: every field has a default, and only those that were sent are used.

    None is a field that was not sent. A null that was sent is refused, but for the fields named
    in `clears`, which it empties.
    """

    clears: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _no_idle_nulls(cls, sent: Any) -> Any:
        given = sent if isinstance(sent, dict) else {}
        nulls = [n for n in cls.model_fields if n in given and given[n] is None]
        if wrong := sorted(set(nulls) - cls.clears):
            errors = [{"at": name, "message": "must not be null"} for name in wrong]
            raise Invalid(errors=errors)
        return sent

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        for name, field in handler.resolve_ref_schema(schema)["properties"].items():
            if name not in cls.clears and field.get("default", ...) is None:
                kinds = [kind for kind in field.pop("anyOf") if kind != {"type": "null"}]
                field.pop("default")
                field.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
        return schema


class Out(BaseModel):
    """What we answer with, read from a row, a dict of its columns, or another model."""

    model_config = ConfigDict(from_attributes=True)


M = TypeVar("M", bound=BaseModel)


def body(request: Request, model: type[M]) -> M:
    """The JSON body as a model; an empty body is `{}`.

    No number is made of a truth value or a text.

    Raises
    ------
    BadRequest, UnsupportedMediaType
        400 and 415 as `parsed_json` says.
    Invalid
        422 with what is wrong where; also for NUL characters, which PostgreSQL cannot store.
    """
    sent = parsed_json(request)
    try:
        made = model.model_validate_json(request.body or b"{}")
    except ValidationError as error:
        raise Invalid(errors=pointed(error, below=issubclass(model, RootModel))) from None
    if bent := list(_bent(sent, made)):
        raise Invalid(errors=[{"at": at, "message": "must be a number"} for at in bent])
    return made


def _bent(sent: Any, made: Any, at: str = "") -> Iterator[str]:
    """Where a number was made of something that was none."""
    match made:
        case RootModel():
            yield from _bent(sent, made.root, at)
        case BaseModel() if isinstance(sent, dict):
            for name in filter(made.model_fields_set.__contains__, sent):
                yield from _bent(sent[name], getattr(made, name), f"{at}.{name}".lstrip("."))
        case dict() if isinstance(sent, dict):
            for name in filter(made.__contains__, sent):
                yield from _bent(sent[name], made[name], f"{at}.{name}".lstrip("."))
        case list() | tuple() if isinstance(sent, list):
            for index, (one, other) in enumerate(zip(sent, made, strict=False)):
                yield from _bent(one, other, f"{at}.{index}".lstrip("."))
        case int() | float() if not isinstance(made, bool) and isinstance(sent, bool | str):
            yield at


def parsed_json(request: Request) -> Any:
    """The JSON body as plain data.

    Raises
    ------
    BadRequest
        400 when it is not JSON (RFC 8259: no NaN, no infinity).
    UnsupportedMediaType
        415 when it says it is something else.
    Invalid
        422 for NUL characters.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType("Send Content-Type: application/json.")
    raw: bytes = request.body or b"{}"
    try:
        data = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.", code="malformed_json") from None
    if b"\\u0000" in raw:
        refuse_nul(data, "")
    return data


def refuse_nul(data: Any, at: str = "") -> None:
    """Raise `Invalid` for a NUL character anywhere in plain data."""
    match data:
        case str() if "\0" in data:
            raise Invalid.at(at, "must not contain the NUL character")
        case dict():
            for key, value in data.items():
                refuse_nul(key, at)
                refuse_nul(value, f"{at}.{key}".lstrip("."))
        case list():
            for index, value in enumerate(data):
                refuse_nul(value, f"{at}.{index}".lstrip("."))


def query(request: Request, model: type[M]) -> M:
    """The query string as a model, page parameters aside; a repeated name is its last value."""
    ours = model.model_fields
    asked = request.get_args(keep_blank_values=True)  # `?limit=` is a limit, and none that counts
    given = {
        name: values if "list" in str(ours[name].annotation) else values[-1]
        for name, values in asked.items()
        if name in ours
    }
    if any("\0" in value for values in asked.values() for value in values):
        raise Invalid.at("query", "must not contain the NUL character")
    return model.model_validate(given)


def reply(
    model: BaseModel, status: int = 200, headers: dict[str, str] | None = None
) -> HTTPResponse:
    """A model as the answer; one that knows when it was updated gets an `ETag`."""
    headers = dict(headers or {})
    if tag := etag(model):
        headers.setdefault("ETag", tag)
    return HTTPResponse(
        model.model_dump_json(), status, headers=headers, content_type="application/json"
    )


def etag(thing: object) -> str | None:
    """The version of a row or of its answer; equal for both."""
    updated_at = getattr(thing, "updated_at", None)
    return f'"{updated_at.timestamp():.6f}"' if updated_at else None
