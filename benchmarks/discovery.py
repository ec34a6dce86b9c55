"""Which benchmark modules there are, and which of them can run here."""

import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.case import Module

HERE = Path(__file__).parent
PACKAGES = ("kernels", "pipeline", "control")
CASES = re.compile(r"^def cases\(", re.MULTILINE)


class Found(NamedTuple):
    """A benchmark module by its short name, or why it cannot be imported."""

    package: str
    name: str
    module: Module | None
    missing: str | None = None


def names() -> list[tuple[str, str]]:
    """Package and name of every module with cases, in the order they run; none is imported."""
    return [
        (package, path.stem)
        for package in PACKAGES
        for path in sorted((HERE / package).glob("*.py"))
        if CASES.search(path.read_text(encoding="utf-8"))
    ]


def chosen(wanted: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The modules asked for by name, by package, or all of them.

    Raises
    ------
    KeyError
        for a name that no module and no package has.
    """
    known = names()
    unknown = set(wanted) - set(PACKAGES) - {name for _, name in known}
    if unknown:
        raise KeyError(", ".join(sorted(unknown)))
    return [pair for pair in known if not wanted or set(pair) & set(wanted)]


def discover(wanted: Sequence[str] = ()) -> Iterator[Found]:
    """Import what was chosen, one after the other; `KeyError` as `chosen`."""
    for package, name in chosen(wanted):
        try:
            module: Module = importlib.import_module(f"benchmarks.{package}.{name}")
        except ImportError as error:
            yield Found(package, name, None, str(error))
        else:
            yield Found(package, name, module)
