"""The harness itself: its arithmetic, its order, and what it refuses to show."""

import math
import subprocess
import sys
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import gate
from benchmarks.case import Case, Rival, Work
from benchmarks.clocks import Sample, tree_cpu_time_s
from benchmarks.figures import Refused, Result, exponent, growths, shortfalls, spread
from benchmarks.harness import attempt, measure, measured


class Clock:
    """A sampler whose calls take what a table says; it remembers who was called when."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self.order: list[str] = []

    def call(self, name: str):
        return lambda: name

    def __call__(self, call, calls):
        name = call()
        self.order.append(name)
        sample = Sample(self.seconds[name], 2 * self.seconds[name])
        return lambda: sample


def case(times: Clock, **more) -> Case:
    rivals = {name: Rival(times.call(name), target=3.0) for name in times.seconds if name != "ours"}
    given = {"size": 10, "rivals": rivals, "work": Work(bytes_moved=100)} | more
    return Case("op", "a case", unit="items", run=times.call("ours"), **given)


def timed(times: Clock, **more) -> Result:
    return measure(case(times, **more), sample=times, budget_s=0.0, bandwidth=lambda _: 1000.0)


def test_a_ratio_is_the_rivals_time_over_ours_and_bytes_are_a_share_of_a_copy():
    result = timed(Clock(ours=0.5, slow=2.0))
    (against,) = result.versus
    assert (against.rival, against.ratio.median, against.met) == ("slow", 4.0, True)
    assert result.bandwidth_share == pytest.approx(100 / 0.5 / 1000)
    assert timed(Clock(ours=0.5, slow=2.0), clock="cpu").time_s.median == 1.0


def test_everyone_is_measured_at_least_five_times_and_nobody_always_first():
    clock = Clock(ours=2.0, a=2.0, b=2.0)
    assert timed(clock).rounds == 5
    rounds = [clock.order[at : at + 3] for at in range(4, len(clock.order), 3)]  # 4 to warm up
    assert all(sorted(names) == ["a", "b", "ours"] for names in rounds)
    assert {names[0] for names in rounds} == {"ours", "a", "b"}
    assert timed(Clock(ours=2.0), repeats=2).rounds == 2


def test_a_rival_that_is_not_installed_is_left_out_and_named():
    def absent():
        raise ImportError("no module named peer")

    result = timed(Clock(ours=1.0), rivals={"peer": Rival(absent)})
    assert result.versus == []
    assert result.notes == ["without peer: no module named peer"]


def test_memory_is_what_a_call_holds_at_its_height():
    import numpy as np

    from benchmarks.clocks import on_host

    hungry = Case("op", "hungry", 1, "item", run=lambda: np.ones(4 << 20).sum())
    peak = measure(hungry, sample=on_host, budget_s=0.0).peak_bytes
    if peak is None:
        pytest.skip("this system keeps no record of resident memory")
    assert 30 << 20 <= peak < 48 << 20  # the kernel counts pages in batches


def test_processor_time_of_a_tree_counts_what_children_and_theirs_have_used():
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}], check=True)"
    begun = tree_cpu_time_s()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert tree_cpu_time_s() - begun >= 0.28


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30))
def test_the_spread_encloses_the_median(values):
    found = spread(values)
    assert min(values) <= found.p20 <= found.median <= found.p80 <= max(values)


def test_percentiles_lie_between_the_samples():
    found = spread([5, 1, 4, 2, 3])
    assert (found.p20, found.median, found.p80) == (pytest.approx(1.8), 3, pytest.approx(4.2))


@given(st.floats(-1, 3), st.floats(1e-6, 1e3))
def test_a_power_law_gives_its_exponent(power, factor):
    sizes = [10.0, 100.0, 1e3, 1e4]
    times = [factor * size**power for size in sizes]
    assert exponent(sizes, times) == pytest.approx(power, abs=1e-6)


def test_a_series_is_fitted_and_held_to_its_limit():
    results = [
        timed(Clock(ours=size**1.5), size=size, series="sizes", growth_limit=1.02)
        for size in (100.0, 1.0, 10.0)
    ]
    (growth,) = growths(results)
    assert growth.sizes == [1.0, 10.0, 100.0]
    assert growth.exponent == pytest.approx(1.5)
    assert growth.at_least == pytest.approx(1.5)  # every call took the same: no doubt about it
    assert shortfalls(results, [growth]) == ["op sizes: grows as size^1.500, at most 1.02 wanted"]
    assert growths(results[:1]) == []


def test_memory_of_a_series_is_held_to_its_limit():
    results = [
        replace(timed(Clock(ours=size), size=size, series="sizes", memory_limit=1.2),
                peak_bytes=peak)
        for size, peak in ((1.0, 100), (10.0, 110), (100.0, 130))
    ]  # fmt: skip
    assert shortfalls(results, growths(results)) == [
        "op sizes: memory grows 1.3 x, at most 1.2 x wanted"
    ]
    assert shortfalls(results, growths(results[:2])) == []
    unknown = [replace(result, peak_bytes=None) for result in results]
    assert shortfalls(unknown, growths(unknown)) == []


def test_a_target_that_is_not_reached_is_said():
    (text,) = shortfalls([timed(Clock(ours=1.0, peer=2.0))], [])
    assert text == "op/a case: 2 x against peer, 3 x wanted"
    slow = timed(Clock(ours=1.0), within_s=0.5, share=0.7)
    assert len(shortfalls([slow], [])) == 2


class TestGate:
    """No figure of what is not known to be right."""

    def differing(self):
        raise AssertionError("1 is not 2")

    def test_answers_that_differ_get_no_figure(self):
        clock = Clock(ours=1.0)
        refused = attempt(case(clock, agree=self.differing), tested=True, budget_s=0)
        assert isinstance(refused, Refused)
        assert refused.failed
        assert "1 is not 2" in refused.reason
        assert clock.order == []

    def test_without_tests_only_agreement_vouches(self):
        nothing = attempt(case(Clock(ours=1.0)), tested=False, budget_s=0)
        assert isinstance(nothing, Refused)
        assert "its tests did not run" in nothing.reason
        agreed = Case("op", "a", 1, "item", run=lambda: None, agree=lambda: None)
        result = attempt(agreed, tested=False, budget_s=0)
        assert isinstance(result, Result)
        assert result.notes == ["its tests did not run: agreement only"]

    def test_what_a_small_machine_lacks_is_skipped_and_named(self):
        def absent():
            raise ImportError("no module named compiler")

        found = attempt(case(Clock(ours=1.0), agree=absent), tested=False, budget_s=0)
        assert found == Refused("op/a case", "no module named compiler", failed=False)

    @pytest.mark.parametrize(
        ("body", "green"),
        [
            ("def test_a(): assert True", True),
            ("def test_a(): assert False", False),
            ("import pytest\n@pytest.mark.skip\ndef test_a(): pass", False),
        ],
        ids=["passes", "fails", "skips all"],
    )
    def test_tests_must_run_and_pass(self, tmp_path, body, green):
        path = tmp_path / "test_one.py"
        path.write_text(body)
        assert gate.tests(str(path)).green == green

    def test_tests_that_are_not_there_are_red(self):
        assert not gate.tests("tests/kernels/test_that_never_was.py").green
        assert not gate.tests("").green

    def test_a_module_whose_tests_are_red_is_not_even_asked_for_cases(self):
        def cases(*, peers):
            raise AssertionError("asked")

        module = SimpleNamespace(__name__="benchmarks.m", TESTS="tests/never.py", cases=cases)
        (refused,) = measured(module, peers=False, budget_s=0)
        assert (refused.name, refused.failed) == ("m", True)
        assert refused.reason == "no tests at tests/never.py"


def test_cases_that_need_a_missing_peer_come_without_it(monkeypatch):
    monkeypatch.setattr(gate, "have_pytest", lambda: False)
    numbers = count()

    def cases(*, peers):
        yield Case("op", "first", next(numbers), "items", run=lambda: None, agree=lambda: None)
        if peers:
            raise ImportError("no module named peer")
        yield Case("op", "second", next(numbers), "items", run=lambda: None, agree=lambda: None)

    module = SimpleNamespace(__name__="benchmarks.m", TESTS="", cases=cases)
    outcomes = list(measured(module, peers=True, budget_s=0))
    assert [o.case for o in outcomes if isinstance(o, Result)] == ["first", "second"]
    (refused,) = [o for o in outcomes if isinstance(o, Refused)]
    assert (refused.name, refused.failed) == ("m (peers)", False)
    assert all(math.isfinite(o.time_s.median) for o in outcomes if isinstance(o, Result))


def test_cases_of_one_clock_can_be_asked_for_without_their_tests():
    def cases(*, peers):
        for clock in ("cpu", "wall"):
            yield Case("op", clock, 1, "item", lambda: None, agree=lambda: None, clock=clock)

    module = SimpleNamespace(__name__="benchmarks.m", TESTS="tests/never.py", cases=cases)
    (found,) = measured(module, peers=False, budget_s=0, test=False, clock="wall")
    assert (found.case, found.notes) == ("wall", ["its tests did not run: agreement only"])
