"""The guard asks the largest of each series, asks again, and lets nothing be skipped."""

from types import SimpleNamespace

import pytest

from benchmarks import guard
from benchmarks.case import Case, Rival
from benchmarks.discovery import Found
from benchmarks.figures import Refused
from tests.benchmarks.test_accepted import result


def case(size, series="exact", **rivals):
    named = {name: Rival(lambda: None, target) for name, target in rivals.items()}
    return Case("align", f"{series} {size}", size, "frames", lambda: None, named, series=series)


@pytest.fixture
def guarded(monkeypatch):
    """`guarded(cases, *ratios)`: what is measured, and what falls short, as ratios come."""

    def run(cases, *ratios):
        module = SimpleNamespace(cases=lambda *, peers: iter(cases))
        monkeypatch.setattr(guard, "discover", lambda _: [Found("kernels", "align", module)])
        coming, measured = iter(ratios), []

        def attempt(case, **_options):
            measured.append(case)
            ratio = next(coming)
            return ratio if isinstance(ratio, Refused) else result(ratio, case=case.name)

        monkeypatch.setattr(guard, "attempt", attempt)
        short = [line for _, lines in guard.guarded(["align"]) for line in lines]
        return measured, short

    return run


def test_the_largest_of_each_series_is_measured_by_processor_time(guarded):
    cases = [case(1, peer=20.0), case(9, peer=20.0, shown=None), case(3, "banded", peer=20.0)]
    measured, short = guarded(cases, 20.0, 20.0)
    assert [(one.name, list(one.rivals), one.clock) for one in measured] == [
        ("exact 9", ["peer"], "cpu"), ("banded 3", ["peer"], "cpu"),
    ]  # fmt: skip
    assert short == []


def test_a_busy_moment_is_forgiven_and_a_slower_kernel_is_not(guarded):
    assert guarded([case(1, peer=20.0)], 9.0, 10.6)[1] == []
    measured, short = guarded([case(1, peer=20.0)], 9.0, 9.1, 9.2)
    assert len(measured) == guard.ATTEMPTS
    assert short == ["align/exact 1: 9.2 x against peer, 10.5 x is the least accepted"]


def test_what_aims_at_nothing_or_stands_alone_is_left_to_the_benchmarks(guarded):
    assert guarded([case(1, shown=None), case(1, "", peer=20.0)]) == ([], [])


def test_what_cannot_be_measured_falls_short(guarded, monkeypatch):
    refused = Refused("align/exact 1", "they differ", failed=True)
    assert guarded([case(1, peer=20.0)], refused)[1] == ["align/exact 1: they differ"]
    monkeypatch.setattr(guard, "discover", lambda _: [Found("kernels", "x", None, "no torch")])
    assert [lines for _, lines in guard.guarded(["x"])] == [["x: no torch"]]
