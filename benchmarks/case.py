"""What a benchmark module offers: cases, each a call of ours beside the calls it is held against.

A module in `benchmarks/kernels`, `benchmarks/pipeline` or `benchmarks/control` names the test file
that must be green before any figure is shown (`TESTS`, or several parted by spaces) and yields its
cases (`cases`). Cases are taken one at a time: what one holds is free before the next is made. An
import that is missing skips what needs it, loudly; that of a peer may wait for its first call.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

Call = Callable[[], object]

VIDEO = "s of video"
"""The unit of a case whose size is the length of its recordings; shows how much an hour takes."""


@dataclass(frozen=True)
class Work:
    """What one call of ours must move and compute at the least, counted, not measured."""

    bytes_moved: int = 0
    operations: int = 0
    launches: int = 0
    """Kernels launched on a device; 0 on the CPU."""


@dataclass(frozen=True)
class Rival:
    """What ours is held against in the same run, call for call.

    `target` is the ratio of its time to ours that must be reached (3.0: ours is three times
    faster; 0.95: ours may take 5 % longer), None where it is shown for comparison only.
    """

    call: Call
    target: float | None = None


@dataclass(frozen=True)
class Case:
    """One op at one size. `size` is what growth is fitted against, in `unit`."""

    op: str
    name: str
    size: float
    unit: str
    run: Call
    rivals: Mapping[str, Rival] = field(default_factory=dict)
    work: Work = Work()
    agree: Callable[[], None] | None = None
    """Raises `AssertionError` where ours and the rivals give different answers."""
    series: str = ""
    """Cases of one series differ in size alone; their growth is fitted."""
    growth_limit: float | None = None
    """The largest exponent allowed for the series: 1.02 is linear."""
    memory_limit: float | None = None
    """How many times the memory of its smallest size a series may hold at its largest."""
    clock: str = "wall"
    """`wall`; `cpu` for the processor time of all threads; `cuda` for device events."""
    share: float | None = None
    """The least share of the copy bandwidth measured in the same run that must be reached."""
    within_s: float | None = None
    """The longest median time allowed, where a target is absolute."""
    repeats: int | None = None
    """How often to measure where one call takes minutes, and is warm; else the harness warms all
    calls up and decides, at least 5."""
    whose: str = "process"
    """Whose memory and processor time: this `process`, or the `tree` of it and all it started."""


class Module(Protocol):
    """A benchmark module."""

    TESTS: str

    def cases(self, *, peers: bool) -> Iterator[Case]:
        """Yield the cases; with `peers`, those rivals too that only `bench` installs."""
