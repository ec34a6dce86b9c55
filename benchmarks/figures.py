"""What a measurement gives: ratios with their spread, growth over sizes, targets reached or not."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain


@dataclass(frozen=True)
class Spread:
    """A median with its 20th and 80th percentile."""

    median: float
    p20: float
    p80: float


@dataclass(frozen=True)
class Versus:
    """A rival's time beside ours; `ratio` is its time divided by ours."""

    rival: str
    time_s: Spread
    cpu_s: Spread
    ratio: Spread
    target: float | None

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.ratio.median >= self.target


@dataclass(frozen=True)
class Result:
    """One case, measured."""

    op: str
    case: str
    size: float
    unit: str
    clock: str
    series: str
    rounds: int
    time_s: Spread
    cpu_s: Spread
    versus: list[Versus]
    bytes_moved: int
    operations: int
    launches: int
    bandwidth_share: float | None
    """Bytes a second as a share of what a plain copy reached in this run."""
    share_target: float | None
    within_s: float | None
    peak_bytes: int | None
    growth_limit: float | None
    notes: list[str] = field(default_factory=list)
    memory_limit: float | None = None

    @property
    def key(self) -> str:
        return f"{self.op}/{self.case}"


@dataclass(frozen=True)
class Growth:
    """How the time of a series grows with its size: time ~ size ** exponent."""

    op: str
    series: str
    sizes: list[float]
    exponent: float
    at_least: float
    """The smallest exponent that the spreads of the times still allow."""
    limit: float | None
    peaks: list[int] = field(default_factory=list)
    """Bytes held at the height of each size's call; empty where the system keeps no record."""
    memory_limit: float | None = None

    @property
    def memory(self) -> float | None:
        """What the largest size holds as a multiple of what the smallest does."""
        return self.peaks[-1] / max(1, self.peaks[0]) if self.peaks else None

    @property
    def flat(self) -> bool:
        """Whether memory grows no more than it may."""
        if self.memory is None or self.memory_limit is None:
            return True
        return self.memory <= self.memory_limit


@dataclass(frozen=True)
class Refused:
    """A case or module without figures, and why; `failed` where that is somebody's fault."""

    name: str
    reason: str
    failed: bool


def spread(values: Sequence[float]) -> Spread:
    ordered = sorted(values)
    return Spread(*(_quantile(ordered, q) for q in (0.5, 0.2, 0.8)))


def _quantile(ordered: Sequence[float], q: float) -> float:
    at = q * (len(ordered) - 1)
    low, high = math.floor(at), math.ceil(at)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def growths(results: Sequence[Result]) -> list[Growth]:
    """Fit every series that has at least two sizes."""
    series: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.series:
            series.setdefault((result.op, result.series), []).append(result)
    fitted = []
    for (op, name), unsorted in series.items():
        members = sorted(unsorted, key=lambda r: r.size)
        sizes = [r.size for r in members]
        if len(set(sizes)) < 2:
            continue
        middle = math.exp(sum(map(math.log, sizes)) / len(sizes))
        flattest = [r.time_s.p80 if r.size < middle else r.time_s.p20 for r in members]
        limits = [r.growth_limit for r in members if r.growth_limit is not None]
        more = [r.memory_limit for r in members if r.memory_limit is not None]
        peaks = [r.peak_bytes for r in members if r.peak_bytes is not None]
        fitted.append(
            Growth(
                op, name, sizes, exponent(sizes, [r.time_s.median for r in members]),
                exponent(sizes, flattest), min(limits, default=None),
                peaks if len(peaks) == len(members) else [], min(more, default=None),
            )
        )  # fmt: skip
    return fitted


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The slope of log time over log size, by least squares."""
    x, y = ([math.log(value) for value in values] for values in (sizes, times))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)


def shortfalls(results: Sequence[Result], grown: Sequence[Growth]) -> list[str]:
    """Every target that was not reached, in words."""
    return (
        list(chain.from_iterable(map(_shortfalls, results)))
        + [
            f"{g.op} {g.series}: grows as size^{g.exponent:.3f}, at most {g.limit:g} wanted"
            for g in grown
            if g.limit is not None and g.exponent > g.limit
        ]
        + [
            f"{g.op} {g.series}: memory grows {g.memory:.3g} x, at most {g.memory_limit:g} x wanted"
            for g in grown
            if not g.flat
        ]
    )


def _shortfalls(result: Result) -> Iterator[str]:
    for against in result.versus:
        if against.met is False:
            yield (
                f"{result.key}: {against.ratio.median:.3g} x against {against.rival}, "
                f"{against.target:g} x wanted"
            )
    if result.share_target and (result.bandwidth_share or 0) < result.share_target:
        yield (
            f"{result.key}: {result.bandwidth_share or 0:.0%} of the copy bandwidth, "
            f"{result.share_target:.0%} wanted"
        )
    if result.within_s and result.time_s.median > result.within_s:
        yield f"{result.key}: {result.time_s.median:.3g} s, at most {result.within_s:.3g} s wanted"
