"""Files that an installed package carries, such as weights, found without importing it."""

from importlib.util import find_spec
from pathlib import Path


def carried(package: str, name: str) -> Path | None:
    """Where a package keeps a file, by its path within it; None where either is missing."""
    spec = find_spec(package)
    places = (spec and spec.submodule_search_locations) or ()
    return next((path for place in places if (path := Path(place, name)).is_file()), None)
