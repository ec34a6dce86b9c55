"""What `--check` lets pass, and what it keeps."""

from dataclasses import replace

import pytest

from benchmarks import accepted
from benchmarks.figures import Growth, Result, Spread, Versus

WHERE = {"date": "2030-01-01T00:00:00+00:00", "commit": "abc", "cpu": "A CPU", "cores": 2,
         "memory_gib": 8, "gpu": None}  # fmt: skip


def result(ratio=10.0, *, target=20.0, case="exact", **more) -> Result:
    same = Spread(1.0, 1.0, 1.0)
    versus = [Versus("peer", same, same, Spread(ratio, ratio * 0.95, ratio * 1.05), target)]
    return Result(**{
        "op": "align", "case": case, "size": 5, "unit": "frames", "clock": "wall", "series": "",
        "rounds": 5, "time_s": same, "cpu_s": same, "versus": versus, "bytes_moved": 100,
        "operations": 10, "launches": 2, "bandwidth_share": None, "share_target": None,
        "within_s": None, "peak_bytes": 1, "growth_limit": None, **more,
    })  # fmt: skip


def checked(now, before=None, limits=None, grown=()):
    kept = accepted.as_json(WHERE, [before] if before else [], [])
    return accepted.regressions([now], grown, kept, limits or {})


@pytest.mark.parametrize(
    ("target", "least"), [(20.0, 10.5), (1.5, 1.25), (1.0, 1.0), (0.95, 0.9048), (0.8, 0.6667)]
)
def test_half_a_targets_margin_is_the_floor(target, least):
    assert accepted.half_margin(target) == pytest.approx(least, abs=1e-4)


def test_below_half_the_margin_is_a_regression():
    assert checked(result(10.6)) == []
    assert checked(result(10.4)) == [
        "align/exact: 10.4 x against peer, 10.5 x is the least accepted"
    ]
    assert checked(result(0.1, target=None)) == []


def test_a_budget_replaces_the_rule_for_the_cases_it_names():
    limits = {"ratio": {"align/ex*": {"peer": 4.0}}}
    assert checked(result(5.0), limits=limits) == []
    assert checked(result(3.9), limits=limits)
    assert checked(result(5.0, case="banded"), limits=limits)


def test_budgets_name_patterns_and_rivals():
    for pattern, ratios in accepted.budgets().get("ratio", {}).items():
        assert "/" in pattern
        assert all(value > 0 for value in ratios.values())


def test_a_ratio_may_fall_by_what_the_spreads_explain_and_no_further():
    before = result(20.0)
    assert checked(result(18.0), before) == []
    (text,) = checked(result(15.0), before)
    assert "20 x was accepted" in text


def test_an_absolute_time_counts_on_a_device_alone():
    slower = Spread(1.2, 1.2, 1.2)
    assert checked(result(20, time_s=slower), result(20)) == []
    assert checked(result(20, clock="cuda", time_s=slower), result(20, clock="cuda"))


@pytest.mark.parametrize("name", ["launches", "bytes_moved", "operations"])
def test_counted_work_may_not_grow(name):
    more = replace(result(20), **{name: 1000})
    assert checked(more, result(20))
    assert checked(result(20), more) == []
    assert checked(replace(more, size=6), result(20)) == []


def test_only_growth_beyond_doubt_is_refused():
    doubtful = Growth("align", "frames", [1, 2], exponent=1.1, at_least=1.0, limit=1.02)
    assert checked(result(20), grown=[doubtful]) == []
    assert checked(result(20), grown=[replace(doubtful, at_least=1.05)])


def test_accepted_figures_come_back_and_are_replaced_case_by_case(tmp_path, monkeypatch):
    monkeypatch.setattr(accepted, "RESULTS", tmp_path)
    both = [result(20.0), result(30.0, case="banded")]
    growth = Growth("align", "frames", [1, 2], 1.0, 1.0, 1.02)
    path = accepted.accept(WHERE, accepted.as_json(WHERE, both, [growth]))
    assert path.name == "a-cpu-2-cores.json"
    accepted.accept(WHERE, accepted.as_json(WHERE, [result(25.0)], []))
    kept = accepted.load(WHERE)
    ratios = {row["case"]: row["versus"][0]["ratio"]["median"] for row in kept["results"]}
    assert ratios == {"exact": 25.0, "banded": 30.0}
    assert len(kept["growth"]) == 1
    text = path.with_suffix(".md").read_text()
    assert "| align/exact |" in text
    assert "25 x" in text
