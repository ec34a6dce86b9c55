"""Measure a case: ours and every rival in turn, round after round, in one run.

Machines are shared and clocks drift, so what counts is the ratio within a round; its median and its
20th and 80th percentile are shown. Order changes from round to round.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from benchmarks import gate
from benchmarks.case import Case, Module, Rival
from benchmarks.clocks import SAMPLERS, Sample, Sampler, copy_bandwidth
from benchmarks.memory import Peak

MIN_ROUNDS, MAX_ROUNDS = 5, 51
MIN_SAMPLE_S = 2e-3
"""Shorter calls are repeated within one sample, so that the clock's own cost is nothing."""
LONG_S = 1.0
"""A call this long is warm after its first time."""


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


def measured(module: Module, *, peers: bool, budget_s: float) -> Iterator[Result | Refused]:
    """Run a module's tests, then measure its cases one after the other."""
    name = module.__name__.removeprefix("benchmarks.")  # type: ignore[attr-defined]
    tested = gate.have_pytest()
    if tested:
        verdict = gate.tests(module.TESTS)
        if not verdict.green:
            yield Refused(name, verdict.note, failed=True)
            return
    for case in _cases(module, name, peers=peers):
        yield case if isinstance(case, Refused) else attempt(case, tested=tested, budget_s=budget_s)


def _cases(module: Module, name: str, *, peers: bool) -> Iterator[Case | Refused]:
    """The cases; where building them for the peers needs what is missing, those without peers."""
    seen: set[str] = set()
    for with_peers in (True, False) if peers else (False,):
        try:
            for case in module.cases(peers=with_peers):
                if case.name not in seen:
                    seen.add(case.name)
                    yield case
        except ImportError as error:
            yield Refused(f"{name}{' (peers)' * with_peers}", str(error), failed=False)
        except Exception as error:  # noqa: BLE001 - one broken module must not hide the others
            yield Refused(name, f"{type(error).__name__}: {error}", failed=True)
            return
        else:
            return


def attempt(case: Case, *, tested: bool, budget_s: float) -> Result | Refused:
    """Check that ours and the rivals agree, then time them."""
    name = f"{case.op}/{case.name}"
    try:
        verdict = gate.agreement(case, tested=tested)
        if not verdict.green:
            return Refused(name, verdict.note, failed=tested or case.agree is not None)
        sample = SAMPLERS[case.clock]
        notes = [verdict.note] if verdict.note else []
        return measure(case, sample=sample, budget_s=budget_s, notes=notes)
    except ImportError as error:
        return Refused(name, str(error), failed=False)
    except Exception as error:  # noqa: BLE001 - one broken case must not hide the others
        return Refused(name, f"{type(error).__name__}: {error}", failed=True)


def measure(
    case: Case,
    *,
    sample: Sampler,
    budget_s: float,
    notes: Sequence[str] = (),
    bandwidth: Callable[[str], float] = copy_bandwidth,
) -> Result:
    """Time a case. Raises what ours raises; a rival whose import is missing is left out."""
    said = list(notes)
    warm = {"": 0.0 if case.repeats else _warm_up(case.run, sample)}
    rivals: dict[str, Rival] = {}
    for name, rival in case.rivals.items():
        try:
            warm[name] = 0.0 if case.repeats else _warm_up(rival.call, sample)
        except ImportError as error:
            said.append(f"without {name}: {error}")
        else:
            rivals[name] = rival
    # Device events are exact, and a second call would find the L2 filled.
    single = case.clock == "cuda" or case.repeats
    calls = {n: 1 if single else max(1, math.ceil(MIN_SAMPLE_S / max(t, 1e-9)))
             for n, t in warm.items()}  # fmt: skip
    rounds = case.repeats or _rounds(sum(warm[n] * calls[n] for n in warm), budget_s)
    work = {"": case.run, **{name: rival.call for name, rival in rivals.items()}}
    peak = Peak("cuda" if case.clock == "cuda" else case.memory)
    pending: dict[str, list[Callable[[], Sample]]] = {name: [] for name in work}
    peak_bytes = None
    for number in range(rounds):
        for name in _turned(list(work), number):
            weigh = number == 0 and not name
            if weigh:
                peak.start()
            pending[name].append(sample(work[name], calls[name]))
            if weigh:
                peak_bytes = peak.stop()
    samples = {name: [read() for read in reads] for name, reads in pending.items()}
    return _result(case, samples, rivals, peak_bytes, said, bandwidth)


def _warm_up(call: Callable[[], object], sample: Sampler) -> float:
    """Compile, fill caches; seconds that one call then takes."""
    first = sample(call, 1)().wall_s
    return first if first > LONG_S else min(first, sample(call, 1)().wall_s)


def _rounds(round_s: float, budget_s: float) -> int:
    return min(MAX_ROUNDS, max(MIN_ROUNDS, int(budget_s / max(round_s, 1e-9))))


def _turned(names: list[str], by: int) -> list[str]:
    by %= len(names)
    return names[by:] + names[:by]


def _result(
    case: Case, samples: dict[str, list[Sample]], rivals: dict[str, Rival],
    peak_bytes: int | None, notes: list[str], bandwidth: Callable[[str], float],
) -> Result:  # fmt: skip
    def times(name: str) -> list[float]:
        return [s.cpu_s if case.clock == "cpu" else s.wall_s for s in samples[name]]

    def cpu(name: str) -> Spread:
        return spread([s.cpu_s for s in samples[name]])

    ours = times("")
    versus = [
        Versus(
            rival=name,
            time_s=spread(times(name)),
            cpu_s=cpu(name),
            ratio=spread([b / max(a, 1e-12) for a, b in zip(ours, times(name), strict=True)]),
            target=rival.target,
        )
        for name, rival in rivals.items()
    ]
    moved, took = case.work.bytes_moved, spread(ours)
    share = moved / took.median / bandwidth(case.clock) if moved and took.median else None
    return Result(
        op=case.op, case=case.name, size=case.size, unit=case.unit, clock=case.clock,
        series=case.series, rounds=len(ours), time_s=took, cpu_s=cpu(""), versus=versus,
        bytes_moved=moved, operations=case.work.operations, launches=case.work.launches,
        bandwidth_share=share, share_target=case.share, within_s=case.within_s,
        peak_bytes=peak_bytes, growth_limit=case.growth_limit, notes=notes,
    )  # fmt: skip


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
        fitted.append(
            Growth(
                op, name, sizes, exponent(sizes, [r.time_s.median for r in members]),
                exponent(sizes, flattest), min(limits, default=None),
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
    return list(chain.from_iterable(map(_shortfalls, results))) + [
        f"{g.op} {g.series}: grows as size^{g.exponent:.3f}, at most {g.limit:g} wanted"
        for g in grown
        if g.limit is not None and g.exponent > g.limit
    ]


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
