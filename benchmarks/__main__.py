"""`python -m benchmarks [NAME ...]`: measure, show, keep and check.

Needs Python and NumPy; whatever else is missing is listed as skipped. With `quality` as its first
word it measures how good results are instead of how fast (see `benchmarks/quality`).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import accepted, report
from benchmarks.discovery import chosen, discover, names
from benchmarks.environment import environment
from benchmarks.figures import Growth, Refused, Result, growths
from benchmarks.guard import guarded
from benchmarks.harness import measured

BUDGET_S = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 where nothing failed and, with `--check`, nothing got worse."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["quality"]:
        from benchmarks.quality.table import main as quality

        return quality(given[1:])
    options = _parser().parse_args(given)
    if options.list:
        print("\n".join(f"{package}/{name}" for package, name in names()))
        return 0
    if options.guard:
        return _guard(options.names)
    results, refused = _measure(options)
    grown = growths(results)
    where = environment()
    report.show(results)
    for line in report.notes(results, grown, refused):
        print(line)
    problems = [f"{r.name}: {r.reason}" for r in refused if r.failed]
    if options.check:
        limits, before = accepted.budgets(), accepted.load(where)
        problems += accepted.regressions(results, grown, before, limits)
    _write(options, where, results, grown, refused)
    for problem in problems:
        report.say(f"error: {problem}")
    return int(bool(problems))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("names", nargs="*", help="modules or packages; all without any")
    add("--against", choices=("references", "peers"), default="references",
        help="peers: also the libraries that the bench extra installs")  # fmt: skip
    add("--budget-s", type=float, default=BUDGET_S, help="time for one case (default %(default)s)")
    add("--clock", choices=("wall", "cpu", "cuda"), help="only cases timed by it")
    add("--no-tests", action="store_true",
        help="figures that only the agreement with the rivals vouches for")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write every figure")
    add("--markdown", type=Path, metavar="FILE", help="write the table")
    add("--plot", type=Path, metavar="FILE", help="write a picture of the ratios")
    add("--check", action="store_true",
        help="fail where a budget or this hardware's accepted figures are not kept")  # fmt: skip
    add("--guard", action="store_true",
        help="quickly: fail where less than half the margin of a target is reached")  # fmt: skip
    add("--accept", action="store_true", help="make these the accepted figures of this hardware")
    add("--list", action="store_true", help="only name the modules")
    return parser


def _guard(names: Sequence[str]) -> int:
    results: list[Result] = []
    problems: list[str] = []
    for outcome, short in guarded(names):
        results += [outcome] if isinstance(outcome, Result) else []
        problems += short
    report.show(results)
    for problem in problems:
        report.say(f"error: {problem}")
    return int(bool(problems) or not results)


def _measure(options: argparse.Namespace) -> tuple[list[Result], list[Refused]]:
    results: list[Result] = []
    refused: list[Refused] = []
    peers = options.against == "peers"
    try:
        count = len(chosen(options.names))
    except KeyError as error:
        raise SystemExit(f"no benchmark is named {error.args[0]}; --list names them") from None
    with report.progress(count) as tell:
        for found in discover(options.names):
            name = f"{found.package}.{found.name}"
            if found.module is None:
                refused.append(Refused(name, found.missing or "", failed=False))
                continue
            tell(name, "tests")
            for outcome in measured(
                found.module, peers=peers, budget_s=options.budget_s,
                test=not options.no_tests, clock=options.clock,
            ):  # fmt: skip
                if isinstance(outcome, Result):
                    tell(name, f"{outcome.key}, {outcome.rounds} rounds")
                    results.append(outcome)
                else:
                    tell(name, f"{outcome.name}, no figures")
                    refused.append(outcome)
    return results, refused


def _write(
    options: argparse.Namespace, where: dict[str, object], results: list[Result],
    grown: list[Growth], refused: list[Refused],
) -> None:  # fmt: skip
    now = accepted.as_json(where, results, grown)
    if options.json:
        options.json.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        text = report.markdown(where, results, grown, refused)
        options.markdown.write_text(text, encoding="utf-8")
    if options.plot:
        try:
            report.plot(results, options.plot)
        except ImportError as error:
            report.say(f"no plot: {error}")
    if options.accept:
        kept = accepted.accept(where, now)
        report.say(f"accepted as {kept}")


if __name__ == "__main__":
    sys.exit(main())
