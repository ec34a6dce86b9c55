"""What was measured before and accepted, by hardware, and what may not get worse than it."""

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.environment import Environment, hardware_slug
from benchmarks.figures import Growth, Result, Spread, Versus
from benchmarks.report import markdown

HERE = Path(__file__).parent
RESULTS = HERE / "results"
BUDGETS = HERE / "budgets.toml"
TOLERANCE = 0.08
"""How far a ratio may fall below the accepted one beyond what both spreads explain."""

STAMP = ("commit", "date")
"""Kept with every row: rows accepted at different times stand in one file."""

Json = dict[str, Any]


def half_margin(target: float) -> float:
    """The ratio that continuous integration accepts for a target."""
    return 1 + (target - 1) / 2 if target >= 1 else 1 / (1 + 2 * (1 / target - 1))


def floor(key: str, rival: str, target: float | None, budgets: Json) -> float | None:
    """The least ratio of `op/case` against a rival: by `budgets.toml`, else half the margin."""
    for pattern, ratios in budgets.get("ratio", {}).items():
        if fnmatch(key, pattern) and rival in ratios:
            return float(ratios[rival])
    return None if target is None else half_margin(target)


def budgets() -> Json:
    return tomllib.loads(BUDGETS.read_text(encoding="utf-8"))


def load(where: Environment) -> Json:
    """The accepted figures of this hardware; empty where none were accepted yet."""
    path = RESULTS / f"{hardware_slug(where)}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def merged(before: Json, now: Json) -> Json:
    """Figures measured now in place of the same cases' earlier ones; the others stay."""
    kept = {
        name: {tuple(row[k] for k in keys): row for row in [*before.get(name, []), *now[name]]}
        for name, keys in (("results", ("op", "case")), ("growth", ("op", "series")))
    }
    return {**now, **{name: list(rows.values()) for name, rows in kept.items()}}


def as_json(where: Environment, results: Sequence[Result], grown: Sequence[Growth]) -> Json:
    stamp = {name: where[name] for name in STAMP}
    return {
        "environment": where,
        "results": [{**asdict(result), **stamp} for result in results],
        "growth": [{**asdict(growth), **stamp} for growth in grown],
    }


def accept(where: Environment, now: Json) -> Path:
    """Keep these figures as this hardware's, as JSON to compare with and Markdown to read."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{hardware_slug(where)}.json"
    kept = merged(load(where), now)
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    results = [_result(row) for row in kept["results"]]
    grown = [_growth(row) for row in kept["growth"]]
    path.with_suffix(".md").write_text(markdown(where, results, grown, []), encoding="utf-8")
    return path


def _result(row: Json) -> Result:
    fields = {k: v for k, v in row.items() if k not in STAMP}
    for name in ("time_s", "cpu_s"):
        fields[name] = Spread(**fields[name])
    fields["versus"] = [
        Versus(**{k: Spread(**v) if isinstance(v, dict) else v for k, v in against.items()})
        for against in row["versus"]
    ]
    return Result(**fields)


def _growth(row: Json) -> Growth:
    return Growth(**{k: v for k, v in row.items() if k not in STAMP})


def regressions(
    results: Sequence[Result], grown: Sequence[Growth], accepted: Json, limits: Json
) -> list[str]:
    """Everything that `--check` refuses, in words."""
    rows = {f"{row['op']}/{row['case']}": row for row in accepted.get("results", [])}
    found = []
    for result in results:
        found += below_floor(result, limits)
        if result.key in rows:
            found += _worse_than(result, rows[result.key])
    # Even the flattest line through the spreads must be steeper than allowed: noise is no growth.
    found += [
        f"{g.op} {g.series}: grows at least as size^{g.at_least:.3f}, at most {g.limit:g} allowed"
        for g in grown
        if g.limit is not None and g.at_least > g.limit
    ]
    found += [
        f"{g.op} {g.series}: memory grows {g.memory:.3g} x, at most {g.memory_limit:g} x allowed"
        for g in grown
        if not g.flat
    ]
    return found


def below_floor(result: Result, limits: Json) -> Iterator[str]:
    """What a result reaches less than half the margin of, in words."""
    for against in result.versus:
        least = floor(result.key, against.rival, against.target, limits)
        if least is not None and against.ratio.median < least:
            yield (
                f"{result.key}: {against.ratio.median:.3g} x against {against.rival}, "
                f"{least:.3g} x is the least accepted"
            )
    if result.share_target and (result.bandwidth_share or 0) < result.share_target / 2:
        yield f"{result.key}: {result.bandwidth_share or 0:.0%} of the copy bandwidth"
    if result.within_s and result.time_s.median > 2 * result.within_s:
        yield f"{result.key}: {result.time_s.median:.3g} s, {2 * result.within_s:.3g} s accepted"


def _worse_than(result: Result, row: Json) -> Iterator[str]:
    """Ratios are compared, absolute times on a device alone; counted work may not grow."""
    before = {against["rival"]: against["ratio"] for against in row["versus"]}
    for against in result.versus:
        was = before.get(against.rival)
        if was and against.ratio.p80 < was["p20"] * (1 - TOLERANCE):
            yield (
                f"{result.key}: {against.ratio.median:.3g} x against {against.rival}, "
                f"{was['median']:.3g} x was accepted on this hardware"
            )
    if result.clock == "cuda" and result.time_s.p20 > row["time_s"]["p80"] * (1 + TOLERANCE):
        yield (
            f"{result.key}: {result.time_s.median:.3g} s, {row['time_s']['median']:.3g} s was "
            "accepted on this hardware"
        )
    for name in ("launches", "bytes_moved", "operations"):
        if row["size"] == result.size and getattr(result, name) > row[name] > 0:
            yield f"{result.key}: {name} {getattr(result, name):,}, {row[name]:,} was accepted"
