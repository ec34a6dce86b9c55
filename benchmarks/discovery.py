"""Which benchmark modules there are, and which of them can run here."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.case import Module

PACKAGES = ("kernels", "pipeline", "control")


class Found(NamedTuple):
    """A benchmark module by its short name, or why it cannot be imported."""

    package: str
    name: str
    module: Module | None
    missing: str | None = None


def names() -> list[tuple[str, str]]:
    """Package and name of every module, in the order they run."""
    found = []
    for package in PACKAGES:
        paths = importlib.import_module(f"benchmarks.{package}").__path__
        found += [(package, info.name) for info in pkgutil.iter_modules(paths) if not info.ispkg]
    return found


def discover(wanted: Sequence[str] = ()) -> Iterator[Found]:
    """Import the modules asked for by name, by package, or all of them, one after the other.

    Raises
    ------
    KeyError
        for a name that no module and no package has.
    """
    known = names()
    unknown = set(wanted) - set(PACKAGES) - {name for _, name in known}
    if unknown:
        raise KeyError(", ".join(sorted(unknown)))
    for package, name in known:
        if wanted and package not in wanted and name not in wanted:
            continue
        try:
            module: Module = importlib.import_module(f"benchmarks.{package}.{name}")
        except ImportError as error:
            yield Found(package, name, None, str(error))
        else:
            yield Found(package, name, module)
