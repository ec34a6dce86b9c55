"""Measure a case: ours and every rival in turn, round after round, in one run.

Machines are shared and clocks drift, so what counts is the ratio within a round; its median and its
20th and 80th percentile are shown. Order changes from round to round.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from benchmarks import gate
from benchmarks.case import Case, Module
from benchmarks.clocks import Sample, Sampler, copy_bandwidth, sampler
from benchmarks.figures import Refused, Result, Spread, Versus, spread
from benchmarks.memory import Peak

MIN_ROUNDS, MAX_ROUNDS = 5, 51
MIN_SAMPLE_S = 2e-3
"""Shorter calls are repeated within one sample, so that the clock's own cost is nothing."""
LONG_S = 1.0
"""A call this long is warm after its first time."""


def measured(
    module: Module, *, peers: bool, budget_s: float, test: bool = True, clock: str | None = None
) -> Iterator[Result | Refused]:
    """Run a module's tests, then measure its cases, or those of one clock, one after the other.

    Without `test`, that ours and its rivals agree is all that vouches for a figure, and its note
    says so.
    """
    name = module.__name__.removeprefix("benchmarks.")  # type: ignore[attr-defined]
    tested = test and gate.have_pytest()
    if tested:
        verdict = gate.tests(module.TESTS)
        if not verdict.green:
            yield Refused(name, verdict.note, failed=True)
            return
    for case in cases(module, name, peers=peers):
        if isinstance(case, Refused):
            yield case
        elif clock in {None, case.clock}:
            yield attempt(case, tested=tested, budget_s=budget_s)


def cases(module: Module, name: str, *, peers: bool) -> Iterator[Case | Refused]:
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
        notes = [verdict.note] if verdict.note else []
        return measure(case, sample=sampler(case), budget_s=budget_s, notes=notes)
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
    calls, rounds = _planned(case, sample, budget_s, said)
    # A call that takes minutes is weighed while it is timed; weighing disturbs a short one.
    peak_bytes = None if case.repeats else _weighed(case, sample, 1)[1]
    work = {"": case.run, **{name: case.rivals[name].call for name in calls if name}}
    pending: dict[str, list[Callable[[], Sample]]] = {name: [] for name in work}
    for number in range(rounds):
        for name in _turned(list(work), number):
            if case.repeats and not number and not name:
                read, peak_bytes = _weighed(case, sample, calls[name])
            else:
                read = sample(work[name], calls[name])
            pending[name].append(read)
    samples = {name: [read() for read in reads] for name, reads in pending.items()}
    return _result(case, samples, peak_bytes, said, bandwidth)


def _planned(
    case: Case, sample: Sampler, budget_s: float, said: list[str]
) -> tuple[dict[str, int], int]:
    """Warm everybody up; calls in a sample of each (ours is ""), and how many rounds."""
    if case.repeats:
        return dict.fromkeys(["", *case.rivals], 1), case.repeats
    warm = {"": _warm_up(case.run, sample)}
    for name, rival in case.rivals.items():
        try:
            warm[name] = _warm_up(rival.call, sample)
        except ImportError as error:
            said.append(f"without {name}: {error}")
    # Device events are exact, and a second call would find the L2 filled.
    enough_s = 0.0 if case.clock == "cuda" else MIN_SAMPLE_S
    calls = {name: max(1, math.ceil(enough_s / max(t, 1e-9))) for name, t in warm.items()}
    round_s = sum(warm[name] * calls[name] for name in warm)
    return calls, min(MAX_ROUNDS, max(MIN_ROUNDS, int(budget_s / max(round_s, 1e-9))))


def _weighed(case: Case, sample: Sampler, calls: int) -> tuple[Callable[[], Sample], int | None]:
    peak = Peak("cuda" if case.clock == "cuda" else case.whose)
    peak.start()
    read = sample(case.run, calls)
    return read, peak.stop()


def _warm_up(call: Callable[[], object], sample: Sampler) -> float:
    """Compile, fill caches; seconds that one call then takes."""
    first = sample(call, 1)().wall_s
    return first if first > LONG_S else min(first, sample(call, 1)().wall_s)


def _turned(names: list[str], by: int) -> list[str]:
    by %= len(names)
    return names[by:] + names[:by]


def _result(
    case: Case, samples: dict[str, list[Sample]], peak_bytes: int | None, notes: list[str],
    bandwidth: Callable[[str], float],
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
            target=case.rivals[name].target,
        )
        for name in samples
        if name
    ]
    moved, took = case.work.bytes_moved, spread(ours)
    share = moved / took.median / bandwidth(case.clock) if moved and took.median else None
    return Result(
        op=case.op, case=case.name, size=case.size, unit=case.unit, clock=case.clock,
        series=case.series, rounds=len(ours), time_s=took, cpu_s=cpu(""), versus=versus,
        bytes_moved=moved, operations=case.work.operations, launches=case.work.launches,
        bandwidth_share=share, share_target=case.share, within_s=case.within_s,
        peak_bytes=peak_bytes, growth_limit=case.growth_limit, notes=notes,
        memory_limit=case.memory_limit,
    )  # fmt: skip
