"""The house keeps its shape."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ray_jobs.contract import JobKind, Result, Spec

ROOT = Path(__file__).parent.parent
PACKAGES = ("control", "ray_jobs", "kernels")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "base", "manager", "service"}
MAX_LINES = 500


def modules():
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_stay_small_and_say_what_they_are_about(path):
    if path.parent.name == "migrations":
        return
    assert len(path.read_text().splitlines()) <= MAX_LINES
    assert path.stem not in FORBIDDEN_NAMES


def test_the_door_to_the_contract_is_empty():
    assert (ROOT / "ray_jobs" / "__init__.py").read_text() == ""


def asks_by_a_found_row(call: ast.Call) -> bool:
    """Whether some condition is a field of a row at hand (`video.id`), not a name from the path."""
    return any(isinstance(keyword.value, ast.Attribute) for keyword in call.keywords)


def test_routes_ask_for_tenant_rows_in_one_spelling():
    """In a `routes.py` a tenant's rows come from `.of(member)`, or from a row that did."""
    tenant = {"Video", "Job", "Clip", "Transcript", "ArtifactRow", "Project"}
    leaks = [
        f"{path.parent.name}/{path.name}:{node.lineno}"
        for path in (ROOT / "control").glob("*/routes.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"filter", "get", "all", "get_or_none", "exclude"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in tenant
        and not asks_by_a_found_row(node)
    ]
    assert leaks == []


def test_the_http_worker_imports_neither_ray_nor_torch():
    code = (
        "import sys, control.tasks\n"
        "heavy = {'ray', 'torch', 'numpy', 'numba', 'av'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_job_kind_has_a_spec_a_result_a_module_and_a_place():
    from ray_jobs.director import work_of
    from ray_jobs.placement import NEEDS

    kinds = set(JobKind)
    for union in (Spec, Result):
        members = union.__origin__.__args__
        assert {m.model_fields["kind"].default for m in members} == kinds
    assert set(NEEDS) == kinds
    assert all(callable(work_of(kind)) for kind in kinds)


def test_the_cluster_file_is_what_ray_expects():
    import jsonschema
    import ray
    import yaml

    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    jsonschema.validate(cluster, json.loads(schema.read_text()))
