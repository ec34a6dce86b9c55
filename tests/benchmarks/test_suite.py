"""Every kernel is measured, by the definition its tests use, and a small machine can run it."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.discovery import discover, names

ROOT = Path(__file__).parent.parent.parent
OPS = sorted(p.name for p in (ROOT / "kernels").iterdir() if (p / "__init__.py").exists())


def test_a_name_that_nobody_has_is_refused():
    with pytest.raises(KeyError, match="no_such_op"):
        list(discover(["no_such_op"]))


def test_a_package_names_all_its_modules():
    assert {f.name for f in discover(["kernels"])} == {n for p, n in names() if p == "kernels"}


@pytest.mark.parametrize(("package", "name"), names())
def test_modules_offer_cases_and_name_tests_that_exist(package, name):
    (found,) = (f for f in discover([name]) if f.package == package)
    assert found.missing is None
    assert callable(found.module.cases)
    assert found.module.TESTS.split()
    for path in found.module.TESTS.split():
        assert (ROOT / path.partition("::")[0]).exists()


@pytest.mark.parametrize("op", OPS)
def test_a_measured_kernel_has_a_definition_and_tests(op):
    assert ("kernels", op) in names()
    assert (ROOT / "kernels" / op / "reference.py").exists()
    assert (ROOT / "tests" / "kernels" / f"test_{op}.py").exists()


def test_the_suite_runs_with_nothing_but_numpy_and_torch():
    code = (
        "import sys\n"
        "for name in ('rich', 'click', 'numba', 'pytest', 'matplotlib', 'av', 'ray', 'sanic'):\n"
        "    sys.modules[name] = None\n"
        "import benchmarks.__main__ as suite\n"
        "from benchmarks.discovery import discover\n"
        "assert all(f.module or f.missing for f in discover())\n"
        "sys.exit(suite.main(['--list']))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for package, name in names() if package == "kernels"])
def test_a_kernels_work_is_counted(name):
    """Bytes are what the smallest case cannot do without; launches are a device's alone."""
    (found,) = (f for f in discover([name]) if f.package == "kernels")
    assert found.module is not None, found.missing
    case = next(iter(found.module.cases(peers=False)))
    assert case.work.bytes_moved > 0
    assert (case.work.launches > 0) == (case.clock == "cuda")
