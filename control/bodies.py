"""What comes in is parsed at the edge, what goes out is a model: the two ends of every handler."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json
from sanic import HTTPResponse, Request

from control.errors import BadRequest, Invalid, UnsupportedMediaType

__all__ = ["In", "Out", "Patch", "body", "etag", "parsed_json", "query", "reply"]


class In(BaseModel):
    """A body or query we accept: unknown fields and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Patch(In):
    """A partial update: every field has a default, and only those that were sent are used."""


class Out(BaseModel):
    """What we answer with, read from a row, a dict of its columns, or another model."""

    model_config = ConfigDict(from_attributes=True)


M = TypeVar("M", bound=BaseModel)


def body(request: Request, model: type[M]) -> M:
    """The JSON body as a model; an empty body is `{}`.

    Raises
    ------
    BadRequest, UnsupportedMediaType
        400 and 415 as `parsed_json` says.
    Invalid, pydantic.ValidationError
        422 with what is wrong where; also for NUL characters, which PostgreSQL cannot store.
    """
    parsed_json(request)
    return model.model_validate_json(request.body or b"{}")


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
        raise UnsupportedMediaType
    raw: bytes = request.body or b"{}"
    try:
        data = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.", code="malformed_json") from None
    if b"\\u0000" in raw:
        _refuse_nul(data, "")
    return data


def _refuse_nul(data: Any, at: str) -> None:
    match data:
        case str() if "\0" in data:
            raise Invalid.at(at, "must not contain the NUL character")
        case dict():
            for key, value in data.items():
                _refuse_nul(key, at)
                _refuse_nul(value, f"{at}.{key}".lstrip("."))
        case list():
            for index, value in enumerate(data):
                _refuse_nul(value, f"{at}.{index}".lstrip("."))


def query(request: Request, model: type[M]) -> M:
    """The query string as a model, page parameters aside; a repeated name is its last value."""
    ours = model.model_fields
    given = {
        name: values if "list" in str(ours[name].annotation) else values[-1]
        for name, values in request.args.items()
        if name in ours
    }
    if any("\0" in value for values in request.args.values() for value in values):
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
