"""Everything that can go wrong for a caller, and how it is said: RFC 9457 problem details.

ApiError
├── BadRequest 400 · Unauthorized 401 · PaymentRequired 402 · Forbidden 403 · NotFound 404
├── Conflict 409 · PreconditionFailed 412 · TooLarge 413 · UnsupportedMediaType 415 · Invalid 422
│   └── Unfit 422
└── RateLimited 429 · Unavailable 503
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from asyncpg import DataError, PostgresConnectionError
from asyncpg.exceptions import OperatorInterventionError, TooManyConnectionsError
from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import MethodNotAllowed, SanicException
from tortoise.exceptions import DBConnectionError, IntegrityError, OperationalError
from tortoise.exceptions import ValidationError as ColumnError

log = logging.getLogger("cutroom.errors")

Pointed = Mapping[str, str]


class ApiError(Exception):
    """A refusal with a stable `code`; subclasses fix the status, a raise may sharpen the code."""

    status = 500
    code = "internal_error"
    title = "Something went wrong on our side"

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        errors: Sequence[Pointed] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.code = code or type(self).code
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extra = extra


class BadRequest(ApiError):
    status, code, title = 400, "bad_request", "The request cannot be understood"


class Unauthorized(ApiError):
    status, code, title = 401, "unauthorized", "Sign in first"

    def __init__(self, detail: str | None = None, **more: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="cutroom"'}, **more)


class PaymentRequired(ApiError):
    status, code, title = 402, "payment_required", "The plan does not cover this"


class Forbidden(ApiError):
    status, code, title = 403, "forbidden", "Your role does not allow this"


class NotFound(ApiError):
    status, code, title = 404, "not_found", "There is no such thing here"


class Conflict(ApiError):
    """A move the present state forbids; `allowed` lists those it permits."""

    status, code, title = 409, "conflict", "The present state does not allow this"

    def __init__(
        self, detail: str | None = None, *, allowed: Sequence[str] | None = None, **more: Any
    ) -> None:
        if allowed is not None:
            more["allowed"] = list(allowed)
        super().__init__(detail, **more)


class PreconditionFailed(ApiError):
    status, code, title = 412, "precondition_failed", "It was changed since you read it"


class TooLarge(ApiError):
    status, code, title = 413, "too_large", "The body is too large"


class UnsupportedMediaType(ApiError):
    status, code, title = 415, "unsupported_media_type", "The body is of another type than wanted"


class Invalid(ApiError):
    """Not what the document says; `Invalid.at("field", "what is wrong")` points at one field."""

    status, code, title = 422, "invalid", "Some fields are not valid"

    def __init__(
        self, detail: str | None = None, *, errors: Sequence[Pointed] = (), **more: Any
    ) -> None:
        if detail is None and errors:
            others = f" ({len(errors) - 1} more in errors)" if len(errors) > 1 else ""
            detail = f"{errors[0]['at'] or 'The body'}: {errors[0]['message']}{others}"
        super().__init__(detail, errors=errors, **more)

    @classmethod
    def at(cls, at: str, message: str) -> "Invalid":
        return cls(errors=[{"at": at, "message": message}])


class Unfit(Invalid):
    """As the document says, and yet not for what is there: it names a row that is not, or goes
    beyond what a recording, an order or this deployment has.
    """

    code, title = "unfit", "Some fields do not fit what is there"


class LegalReasons(ApiError):
    """RFC 7725."""

    status, code, title = 451, "content_disabled", "Taken down after a notice of infringement"


class RateLimited(ApiError):
    status, code, title = 429, "rate_limited", "Too many requests"

    def __init__(self, detail: str | None = None, *, retry_after_s: int, **more: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)}, **more)


class Unavailable(ApiError):
    status, code, title = 503, "unavailable", "Not ready yet"


CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 408: "timeout",
         413: "too_large", 416: "range_not_satisfiable", 417: "expectation_failed",
         426: "upgrade_required", 503: "unavailable"}  # fmt: skip

# How a database that is shut down, starts, or is cut off shows itself.
AWAY = (
    ConnectionError, DBConnectionError, PostgresConnectionError, OperatorInterventionError,
    TooManyConnectionsError,
)  # fmt: skip


def pointed(error: ValidationError, *, below: int = 0) -> Sequence[Pointed]:
    """Pydantic's findings as `{at, message}`, never the offending input itself.

    The first `below` parts of every place are left out: they name the member of a union, which a
    caller did not write.
    """
    return [
        {"at": ".".join(str(part) for part in at[below:] or at), "message": message}
        for at, message in (
            _said(item) for item in error.errors(include_url=False, include_input=False)[:100]
        )
    ]


def _said(item: ErrorDetails) -> tuple[tuple[int | str, ...], str]:
    """Where one finding is and what it says, in words for people who have never seen Pydantic."""
    at, context = item["loc"], item.get("ctx", {})
    match item["type"]:
        case "missing":
            return at, "is required"
        case "extra_forbidden":
            return at, "is no field of this"
        case "union_tag_not_found":
            return (*at, context["discriminator"].strip("'")), "is required"
        case "union_tag_invalid":
            tag = context["discriminator"].strip("'")
            return (*at, tag), f"must be one of {context['expected_tags']}"
        case "value_error":
            return at, item["msg"].removeprefix("Value error, ")
        case _:
            return at, item["msg"]


def as_problem(error: Exception) -> ApiError:
    """What a caller may know of any exception."""
    match error:
        case ApiError():
            return error
        case ValidationError():
            return Invalid(errors=pointed(error))
        case IntegrityError():
            return Conflict("It contradicts something that is already stored.")
        case ColumnError() | OperationalError(__cause__=DataError()):
            return Invalid("A value is out of the range that can be stored.")
        case SanicException():
            status = error.status_code or 500
            problem = ApiError(
                str(error) if status < 500 else None,
                code=CODES.get(status, "internal_error" if status >= 500 else "bad_request"),
                headers=getattr(error, "headers", None),
            )
            problem.status = status
            if isinstance(error, MethodNotAllowed):
                problem.headers = {"Allow": ", ".join(sorted(error.allowed_methods or ()))}
            problem.title = problem.code.replace("_", " ").capitalize()
            return problem
        case _:
            away = isinstance(error, AWAY) or isinstance(error.__cause__, AWAY)
            return Unavailable("The database does not answer; try again.") if away else ApiError()


def render(request: Request, error: Exception) -> HTTPResponse:
    """Any exception as `application/problem+json`; what is ours is logged and not told."""
    problem = as_problem(error)
    if problem.status >= 500 and not isinstance(error, ApiError):
        log.error("%s %s failed (%s)", request.method, request.path, request.id, exc_info=error)
    content: dict[str, Any] = {
        "type": f"urn:cutroom:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.path,
        "code": problem.code,
        "request_id": str(request.id),
        "errors": problem.errors,
        **problem.extra,
    }
    return HTTPResponse(
        to_json(content, inf_nan_mode="null"),
        status=problem.status,
        headers=problem.headers,
        content_type="application/problem+json",
    )


def install(app: Sanic) -> None:
    app.exception(Exception)(render)
