"""The OpenAPI 3.1 document, from the router and from what `spec` notes on each handler.

Every handler carries one decorator, below its route::

    @blueprint.post("/")
    @spec(body=CreateProject, returns=ProjectOut, status=201)
    async def create_project(request: Request) -> HTTPResponse:
        \"\"\"Start a project.\"\"\"

`body` and `query` are models of what comes in, `returns` of what goes out, `lists` of the items
of a paged list; `text` is the type of an answer that is no JSON. The docstring's first line is the
summary, the function's name the operation id.
The decorator changes nothing of the handler.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaMode
from sanic import Sanic
from sanic_routing.route import Route

from control.access import SAFE, Role
from control.errors import ApiError
from control.idempotency import KEY_PATTERN, KEY_WORDS
from control.links import add_links
from control.paging import Listing, Page
from control.records import IF_MATCH, IF_MATCH_WORDS

F = TypeVar("F", bound=Callable[..., Any])
Json = dict[str, Any]
DOCUMENTED = ("/v1", "/metrics")
REFERENCE = "#/components/schemas/{model}"
# Open routes that refuse all the same: closed sign-up, an unknown invitation, a forged signature.
FORBIDS = frozenset({"/v1/users"})
MATCHED = frozenset({"PUT", "PATCH", "DELETE"})
FINDS = frozenset({"/v1/billing/payments/notifications"})
# What must not happen twice needs its Idempotency-Key.
ONCE = frozenset({"/v1/billing/payments"})
BLOCKS = frozenset({"/v1/videos/{video_id}/hls"})
MEANINGS = {error.status: error.title for error in ApiError.__subclasses__()} | {
    ApiError.status: ApiError.title
}
NO_NUL = {"not": {"pattern": "\\x00", "description": "A text that holds the NUL character."}}
TEXT: Json = {"type": "string"}
ANY_JSON = {
    "description": "Any JSON without the NUL character in its texts and names.",
    "anyOf": [
        {"type": ["null", "boolean", "number"]},
        {"type": "string", **NO_NUL},
        {"type": "array", "items": {"$ref": REFERENCE.format(model="JsonValue")}},
        {
            "type": "object",
            "propertyNames": NO_NUL,
            "additionalProperties": {"$ref": REFERENCE.format(model="JsonValue")},
        },
    ],
}
BODY: JsonSchemaMode = "validation"
ANSWER: JsonSchemaMode = "serialization"


@dataclass(frozen=True)
class Spec:
    """What a handler takes and gives."""

    body: Any = None
    query: type[BaseModel] | None = None
    returns: type[BaseModel] | None = None
    lists: type[BaseModel] | None = None
    status: int = 200
    text: str | None = None


def spec(
    *,
    body: Any = None,
    query: type[BaseModel] | None = None,
    returns: type[BaseModel] | None = None,
    lists: type[BaseModel] | None = None,
    status: int = 200,
    text: str | None = None,
) -> Callable[[F], F]:
    """Note what a handler takes and gives."""

    def note(handler: F) -> F:
        handler.spec = Spec(body, query, returns, lists, status, text)  # type: ignore[attr-defined]
        return handler

    return note


class ProblemDetails(BaseModel):
    """RFC 9457 problem details; `code` is stable, `errors` points at fields."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[dict[str, str]]


class WebSocketQuery(BaseModel):
    """Browsers cannot give a WebSocket headers: `token` is an access token, or a ticket."""

    token: str
    org_id: UUID


def parameters_of(handler: Callable[..., Any]) -> frozenset[str]:
    """The names of the query that an operation reads."""
    noted: Spec = getattr(handler, "spec", Spec())
    models = (noted.query, Page if noted.lists else None)
    return frozenset(name for model in models if model for name in model.model_fields)


def plain_path(route: Route) -> str:
    """A route's path as its users write it: `/v1/jobs/{job_id}:cancel`."""
    return _plain("/" + route.path.strip("/"))


@cache
def _plain(path: str) -> str:
    path = re.sub(r"<word:\(\?P<word>([^)]*)\)>", r"\1", path)
    path = re.sub(r"<(\w+):\(\?P<\w+>[^)]*\)(:[\w-]+|)>", r"{\1}\2", path)
    return re.sub(r"<(?:__\w+__:)?(\w+)(?::[^>]*)?>", r"{\1}", path)


def handler_of(route: Route) -> Callable[..., Any]:
    """The function we wrote; Sanic wraps those of WebSockets."""
    wrapped = getattr(route.handler, "args", ())
    handler: Callable[..., Any] = wrapped[0] if wrapped else route.handler
    return handler


def is_websocket(route: Route) -> bool:
    return handler_of(route) is not route.handler


def operations(app: Sanic) -> Iterator[tuple[str, str, Route, Spec]]:
    """Every method and path of the API with its route and what is noted on its handler."""
    for route in app.router.routes:
        path = plain_path(route)
        if not path.startswith(DOCUMENTED):
            continue
        default = Spec(status=101) if is_websocket(route) else Spec()
        noted = getattr(handler_of(route), "spec", default)
        for method in sorted(route.methods or ()):
            if method not in {"HEAD", "OPTIONS"}:
                yield method, path, route, noted


def document(app: Sanic) -> Json:
    """The whole document; the same for every caller of one version."""
    paths: dict[str, Json] = {}
    found = sorted(operations(app), key=lambda operation: (operation[1], operation[0]))
    schemas = _Schemas(noted for *_, noted in found)
    for method, path, route, noted in found:
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, route, noted, schemas)
    add_links(paths, [(method, path, noted) for method, path, _, noted in found])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cutroom", "version": "1", "license": {"name": "Apache-2.0"}},
        "servers": [{"url": app.ctx.settings.base_url}],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "worker": {"type": "apiKey", "in": "header", "name": "X-Worker-Token"},
            },
        },
    }


class _Schemas:
    """JSON Schemas of every model the operations name; equal names of two modules stay apart."""

    def __init__(self, noted: Iterable[Spec]) -> None:
        wanted: dict[tuple[str, JsonSchemaMode], Any] = {}
        for kind, mode in [(ProblemDetails, ANSWER), *(pair for one in noted for pair in _of(one))]:
            wanted[_key(kind), mode] = kind
        self._schemas, definitions = TypeAdapter.json_schemas(
            [(key, mode, TypeAdapter(kind)) for (key, mode), kind in wanted.items()],
            ref_template=REFERENCE,
        )
        self.definitions: Json = definitions.get("$defs", {})
        self.definitions["JsonValue"] = ANY_JSON
        self._told = {"JsonValue"}
        for (_, mode), schema in self._schemas.items():
            if mode == BODY:
                self._tell_of_nul(schema)

    def _tell_of_nul(self, part: Any) -> None:
        """Say of every free text of a body, and of every free name, that it holds no NUL."""
        if isinstance(part, list):
            for one in part:
                self._tell_of_nul(one)
        if not isinstance(part, dict):
            return
        name = part.get("$ref", "").rpartition("/")[2]
        if name and name not in self._told:
            self._told.add(name)
            self._tell_of_nul(self.definitions[name])
        if _is_free_text(part):
            part |= NO_NUL | part
        if part.get("additionalProperties"):
            names = part.setdefault("propertyNames", {})
            part["propertyNames"] = NO_NUL | names if _is_free_text(TEXT | names) else names
        for word in ("items", "prefixItems", "anyOf", "oneOf", "additionalProperties"):
            self._tell_of_nul(part.get(word))
        for word in ("properties", "patternProperties"):
            self._tell_of_nul(list(part.get(word, {}).values()))

    def refer(self, kind: Any, mode: JsonSchemaMode) -> Json:
        schema: Json = self._schemas[_key(kind), mode]
        return schema


def _key(kind: Any) -> str:
    return f"{getattr(kind, '__module__', '')}.{kind!r}"


def _of(noted: Spec) -> list[tuple[Any, JsonSchemaMode]]:
    answer = _answer_model(noted)
    pairs: list[tuple[Any, JsonSchemaMode]] = [(noted.body, BODY), (answer, ANSWER)]
    return [(kind, mode) for kind, mode in pairs if kind is not None]


def _answer_model(noted: Spec) -> Any:
    return Listing[noted.lists] if noted.lists else noted.returns  # type: ignore[name-defined]


def _operation(method: str, path: str, route: Route, noted: Spec, schemas: _Schemas) -> Json:
    from control.api import door_of

    door = door_of(route)
    summary, _, description = (inspect.getdoc(handler_of(route)) or "").partition("\n")
    operation: Json = {
        "operationId": handler_of(route).__name__,
        "summary": summary.rstrip("."),
        "tags": [path.removeprefix("/v1").split("/")[1].partition(":")[0]],
        "parameters": [
            *_path_parameters(path),
            *(_query_parameters(WebSocketQuery) if is_websocket(route) else []),
            *([] if is_websocket(route) else _headers(method, door, path)),
        ],
        "security": {"open": [], "worker": [{"worker": []}]}.get(door, [{"token": []}]),
        "responses": {
            str(noted.status): _answer(noted, schemas),
            **_problems(method, door, path, noted, schemas),
        },
    }
    if description.strip():
        operation["description"] = description.strip()
    if door == "member":
        default = Role.VIEWER if method in SAFE else Role.EDITOR
        operation["x-role"] = str(getattr(route.ctx, "role", default))
    for model in (noted.query, Page if noted.lists else None):
        operation["parameters"] += _query_parameters(model)
    if noted.body is not None:
        content = {"application/json": {"schema": schemas.refer(noted.body, BODY)}}
        operation["requestBody"] = {"required": not _takes_nothing(noted.body), "content": content}
    return operation


def _takes_nothing(kind: Any) -> bool:
    """Whether an empty body, which is read as `{}`, will do."""
    try:
        TypeAdapter(kind).validate_python({})
    except (ValidationError, ApiError):
        return False
    return True


def _answer(noted: Spec, schemas: _Schemas) -> Json:
    model = _answer_model(noted)
    if noted.text:
        content = {noted.text: {"schema": {"type": "string"}}}
        return {"description": "Done", "content": content}
    answer: Json = {"description": "Done" if noted.status != 202 else "Accepted; follow the job"}
    if model is not None:
        schema = schemas.refer(model, ANSWER)
        answer["content"] = {"application/json": {"schema": schema}}
    return answer


def _problems(method: str, door: str, path: str, noted: Spec, schemas: _Schemas) -> Json:
    """What can go wrong with an operation, status by status."""
    writes = method not in SAFE
    problem = {"application/problem+json": {"schema": schemas.refer(ProblemDetails, ANSWER)}}
    when = {
        400: True,
        401: door != "open" or path.startswith(("/v1/auth", "/v1/users")),
        403: door in {"user", "member", "operator"} or path in FORBIDS,
        404: door == "member" or "{" in path or path in FINDS,
        409: writes,
        412: method in MATCHED and door != "worker",
        413: writes,
        415: noted.body is not None,
        422: True,
        429: door not in {"worker", "operator"},
        451: (writes and door == "member") or path in BLOCKS,
        500: True,
        503: True,
    }
    return {
        str(status): {"description": MEANINGS[status], "content": problem}
        for status, holds in when.items()
        if holds
    }


def _path_parameters(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _id_schema(name)}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _id_schema(name: str) -> Json:
    uuid = name.endswith("_id") and name != "order_id"
    return {"type": "string", **({"format": "uuid"} if uuid else {})}


def _headers(method: str, door: str, path: str) -> list[Json]:
    headers: list[tuple[str, bool, Json]] = []
    if door == "member" and "{organization_id}" not in path:
        headers.append(("X-Org-ID", True, {"type": "string", "format": "uuid"}))
    if door in {"member", "user"} and method == "POST":
        key = {"type": "string", "pattern": KEY_PATTERN, "description": KEY_WORDS}
        headers.append(("Idempotency-Key", path in ONCE, key))
    if method in MATCHED and door != "worker":
        tags = {"type": "string", "pattern": IF_MATCH, "description": f"Takes {IF_MATCH_WORDS}"}
        headers.append(("If-Match", False, tags))
    return [
        {"name": name, "in": "header", "required": required, "schema": schema}
        for name, required, schema in headers
    ]


def _query_parameters(model: type[BaseModel] | None) -> list[Json]:
    if model is None:
        return []
    schema = TypeAdapter(model).json_schema(ref_template=REFERENCE)
    definitions = schema.get("$defs", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _inlined(part, definitions),
        }
        for name, part in schema["properties"].items()
    ]


def _is_free_text(schema: Json) -> bool:
    told = {"enum", "const", "format", "pattern"} & schema.keys()
    return schema.get("type") == "string" and not told


def _inlined(part: Any, definitions: Json) -> Any:
    if isinstance(part, dict):
        if "$ref" in part:
            return _inlined(definitions[part["$ref"].rpartition("/")[2]], definitions)
        whole = {name: _inlined(value, definitions) for name, value in part.items()}
        return NO_NUL | whole if _is_free_text(whole) else whole
    return [_inlined(item, definitions) for item in part] if isinstance(part, list) else part
