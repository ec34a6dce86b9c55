"""The OpenAPI 3.1 document, from the router and from what `spec` notes on each handler.

Every handler carries one decorator, below its route::

    @blueprint.post("/")
    @spec(body=CreateProject, returns=ProjectOut, status=201)
    async def create_project(request: Request) -> HTTPResponse:
        \"\"\"Start a project.\"\"\"

`body` and `query` are models of what comes in, `returns` of what goes out, `lists` of the items
of a paged list. The docstring's first line is the summary, the function's name the operation id.
The decorator changes nothing of the handler.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Spec:
    body: type[BaseModel] | Any | None = None
    query: type[BaseModel] | None = None
    returns: type[BaseModel] | None = None
    lists: type[BaseModel] | None = None
    status: int = 200


def spec(
    *,
    body: Any = None,
    query: type[BaseModel] | None = None,
    returns: type[BaseModel] | None = None,
    lists: type[BaseModel] | None = None,
    status: int = 200,
) -> Callable[[F], F]:
    """Note what a handler takes and gives."""

    def note(handler: F) -> F:
        handler.spec = Spec(body, query, returns, lists, status)  # type: ignore[attr-defined]
        return handler

    return note
