"""A hook of schemathesis: of the ids it invents, three in four become those of rows there are.

`CUTROOM_FUZZ_IDS` names a JSON file of `{parameter: [id, …]}`; the first id of each is never
deleted. Parameters of the path, of the query and fields of bodies are all looked up by name. An
`X-Org-ID` that is a UUID is always the organisation's. A case that lacks something required stays
as it was drawn: whoever changes it makes schemathesis send what it should lack.

In the stateful phase ids come from earlier answers instead, and three in four lists are read from
their start: beyond its end a list is empty, and leads nowhere.

Most `Idempotency-Key`s become new ones: the coverage phase sends one and the same, and all that the
server then looks at is that it was there before.
"""

import itertools
import json
import os
import re
from pathlib import Path
from uuid import UUID

import schemathesis

from control.idempotency import KEY_PATTERN
from tests.control import refusals  # noqa: F401 - its check registers itself

keys = itertools.count(1)
IDS = json.loads(Path(os.environ["CUTROOM_FUZZ_IDS"]).read_text())


def known(name, value, *, whole=True):
    """An id of a row in the place of an invented one; what is no id stays as it is."""
    ids = IDS.get(name.removesuffix("s")) or []
    ids = ids if whole else ids[1:]
    if isinstance(value, list) and name.endswith("_ids"):
        return [known(name, one) for one in value]
    if not ids or not isinstance(value, str):
        return value
    try:
        number = UUID(value).int
    except ValueError:
        number = sum(value.encode("utf-8", "surrogatepass")) if name == "order_id" else None
    if number is None or number % 4 == 0 or value in ids:
        return value
    return ids[number % len(ids)]


def filled(value):
    if isinstance(value, dict):
        return {name: known(str(name), filled(one)) for name, one in value.items()}
    return [filled(one) for one in value] if isinstance(value, list) else value


def scenario(case):
    """What a case of the coverage phase is about; None in the other phases."""
    return case.meta and getattr(case.meta.phase.data, "scenario", None)


def is_uuid(value):
    try:
        return bool(UUID(value))
    except (ValueError, AttributeError, TypeError):
        return False


@schemathesis.auth(refresh_interval=None).apply_to(path="/v1/jobs/{job_id}/worker-status")
class Worker:
    """Reports on one of the jobs that are at work."""

    def get(self, case, _context):
        return IDS["worker_tokens"][len(repr(case.body)) % len(IDS["worker_tokens"])]

    def set(self, case, data, _context):
        case.path_parameters["job_id"], case.headers["X-Worker-Token"] = data


@schemathesis.hook
def before_call(_context, case, _kwargs):
    if scenario(case) == "missing_parameter":
        return
    if is_uuid((case.headers or {}).get("X-Org-ID")):
        case.headers["X-Org-ID"] = IDS["organization_id"][0]
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.match(KEY_PATTERN, key) and len(key) % 4:
        case.headers["Idempotency-Key"] = f"request-{next(keys)}"
    if case.meta is not None and case.meta.phase.name.value == "stateful":
        offset = (case.query or {}).get("offset")
        if isinstance(offset, int) and offset > 0 and offset % 4:
            case.query["offset"] = 0
        return
    whole = case.method != "DELETE"
    for name, value in list((case.path_parameters or {}).items()):
        case.path_parameters[name] = known(name, value, whole=whole)
    for name, value in list((case.query or {}).items()):
        case.query[name] = known(name, value)
    if isinstance(case.body, dict | list):
        case.body = filled(case.body)
