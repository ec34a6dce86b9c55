"""What continuous integration asks of the kernels: half the margin of their targets.

Machines of continuous integration are small, shared and busy. So the largest case of each series
is measured, by processor time, against those rivals alone that a target names; and what falls short
is measured again, since a busy moment passes and a slower kernel does not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks import accepted
from benchmarks.case import Case, Rival
from benchmarks.discovery import discover
from benchmarks.figures import Refused, Result
from benchmarks.harness import attempt, cases

ATTEMPTS = 3
ROUNDS = 3


def guarded(names: Sequence[str]) -> Iterator[tuple[Result | Refused, list[str]]]:
    """Measure what `names` choose; each outcome with what it falls short of, in words.

    What cannot run here, as for want of a peer, falls short too: a guard that skips guards nothing.
    """
    limits = accepted.budgets()
    for found in discover(names):
        if found.module is None:
            missing = Refused(found.name, found.missing or "", failed=True)
            yield missing, [f"{found.name}: {missing.reason}"]
            continue
        largest: dict[str, Case] = {}
        for case in cases(found.module, found.name, peers=True):
            if isinstance(case, Refused):
                yield case, [f"{case.name}: {case.reason}"]
            elif case.series and case.clock != "cuda" and _aims(case):
                largest[case.series] = case
        for case in largest.values():
            yield _best_of(replace(case, rivals=_aims(case), clock="cpu", repeats=ROUNDS), limits)


def _aims(case: Case) -> dict[str, Rival]:
    return {name: rival for name, rival in case.rivals.items() if rival.target is not None}


def _best_of(case: Case, limits: accepted.Json) -> tuple[Result | Refused, list[str]]:
    for _ in range(ATTEMPTS):
        outcome = attempt(case, tested=True, budget_s=0.0)
        if isinstance(outcome, Refused):
            return outcome, [f"{outcome.name}: {outcome.reason}"]
        if not (short := list(accepted.below_floor(outcome, limits))):
            break
    return outcome, short
