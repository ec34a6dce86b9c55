"""Links of the OpenAPI document: where one can go on with the ids that an answer holds.

Nothing is listed by hand. What a path parameter stands for is read from the routes: `clip_id` is
the id of what `GET /v1/clips/{clip_id}` answers, and of every model that shares its root. An
answer that is such a thing, holds one, or lists some (then by the first) links to the operations
whose path ends in its id; one that only names another thing, as a job names its video, links to
that thing's `GET`. An organisation links to what one can do in it, by its header. The ids of what
a thing lies in are those of the request, or of the answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from control.openapi import Spec

Json = dict[str, Any]
Model = type[BaseModel]
ORGANIZATION = "X-Org-ID"
# No answer has it: whoever asks makes it up.
KEY = "Idempotency-Key"
# The field of an answer that names a thing, where it is called other than the parameter.
FIELDS = {"brand_kit_id": "kit_id", ORGANIZATION: "organization_id"}


@dataclass(frozen=True)
class Operation:
    """An operation of the API; `answer` is the model of one item where it `lists` them.

    `needs` are the ids that its headers and its path require, outermost first, and where each
    stands: `{"X-Org-ID": "header", "clip_id": "path"}`.
    """

    id: str
    method: str
    path: str
    needs: dict[str, str]
    answer: Model | None
    lists: bool


def add_links(paths: Json, noted: Sequence[tuple[str, str, "Spec"]]) -> None:
    """Give the operations of a document their links, by the ids of those that they lead to.

    None leads to what only workers do.
    """
    described = [(paths[path][method.lower()], method, path, spec) for method, path, spec in noted]
    whole = [(one, _read(*one)) for one in described if {"worker": []} not in one[0]["security"]]
    targets = [operation for _, operation in whole]
    things = _things(targets)
    for (description, _, _, spec), source in whole:
        if links := _links(source, targets, things):
            description["responses"][str(spec.status)]["links"] = links


def _read(description: Json, method: str, path: str, spec: "Spec") -> Operation:
    required = {
        one["name"]: one["in"]
        for one in description["parameters"]
        if one["required"] and one["name"] != KEY
    }
    needs = {name: where for name, where in required.items() if where == "header"} | {
        name: where for name, where in required.items() if where == "path"
    }
    return Operation(
        description["operationId"], method, path, needs,
        answer=spec.lists or spec.returns, lists=spec.lists is not None,
    )  # fmt: skip


def _links(source: Operation, targets: Sequence[Operation], things: dict[str, Model]) -> Json:
    if source.answer is None:
        return {}
    at = "$response.body#/items/0" if source.lists else "$response.body#"
    own = {name: at + place for name, place in _held(source.answer, things)}
    named = {name: at + place for name, place in _named(source.answer, things)}
    asked = {name: f"$request.{where}.{name}" for name, where in source.needs.items()}
    known = named | asked | own
    links = {}
    for target in targets:
        if target == source or not target.needs or not target.needs.keys() <= known.keys():
            continue
        last = list(target.needs)[-1]
        finds = target.method == "GET" and target.path.endswith(f"/{{{last}}}")
        if last in own or (finds and last in named):
            ids = {name: known[name] for name in target.needs}
            links[target.id] = {"operationId": target.id, "parameters": ids}
    return links


def _things(operations: Sequence[Operation]) -> dict[str, Model]:
    """The model at the root of what each parameter's id is of.

    It is what the list at the path before the parameter holds, or else what its `GET` answers.
    """
    answers = {(one.path, one.lists): one.answer for one in operations if one.method == "GET"}
    things: dict[str, Model] = {}
    for operation in operations:
        for name in (name for name, where in operation.needs.items() if where == "path"):
            before, found, _ = operation.path.partition(f"/{{{name}}}")
            if one := answers.get((before, True)) or answers.get((before + found, False)):
                things[name] = _root(one, name)
    return things | {ORGANIZATION: things["organization_id"]}


def _identity(model: Model, parameter: str) -> str:
    return "id" if "id" in model.model_fields else parameter


def _root(model: Model, parameter: str) -> Model:
    """The eldest of a model's ancestors that has its id."""
    name = _identity(model, parameter)
    return [one for one in model.__mro__ if name in getattr(one, "model_fields", ())][-1]


def _held(answer: Model, things: dict[str, Model]) -> Iterator[tuple[str, str]]:
    """The parameters whose thing an answer is or holds, and where in it their ids are."""
    fields = [(f"/{name}", field.annotation) for name, field in answer.model_fields.items()]
    for place, annotation in (*fields, ("", answer)):
        optional = get_origin(annotation) in (Union, UnionType)
        for kind in get_args(annotation) if optional else (annotation,):
            for parameter, root in things.items():
                if isinstance(kind, type) and issubclass(kind, root):
                    yield parameter, f"{place}/{_identity(kind, parameter)}"


def _named(answer: Model, things: dict[str, Model]) -> Iterator[tuple[str, str]]:
    """The parameters whose ids are fields of an answer by name: `job_id`, `ingest_job_id`."""
    for parameter in things:
        wanted = FIELDS.get(parameter, parameter)
        for field in sorted(answer.model_fields, key=len, reverse=True):
            if field == wanted or field.endswith(f"_{wanted}"):
                yield parameter, f"/{field}"
