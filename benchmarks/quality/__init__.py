"""How good results are, against recordings whose truth is known.

`python -m benchmarks quality [GROUP ...]` writes `benchmarks/results/quality.md`. A group is a
module here with a `TITLE` and `rows(media)`, where `media` is the folder of recordings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One figure against the truth. `ours` None: it could not be measured, and `note` says why.

    `met` is whether the target was reached, None where there is none.
    """

    what: str
    unit: str
    ours: float | None
    source: str
    """The files measured."""
    peers: Mapping[str, float] = field(default_factory=dict)
    target: str = ""
    met: bool | None = None
    note: str = ""
