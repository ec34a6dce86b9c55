"""Figures for people: a table on the terminal, Markdown, a plot; rich and matplotlib may lack."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.case import VIDEO
from benchmarks.environment import Environment
from benchmarks.figures import Growth, Refused, Result, Spread, Versus, shortfalls

COLUMNS = ("case", "ours", "against", "its time", "ratio", "target", "CPU", "work", "memory")

EXPLAINED = (
    "Medians with 20th and 80th percentile; a ratio is the rival's time divided by ours, round by "
    "round in one run. Shares are of what a plain copy reaches on this machine in the same run. "
    "Memory is what a call holds at its height beyond what was there before."
)


class Row(NamedTuple):
    """One line of the table; `good` is whether its target was met, None where there is none."""

    cells: tuple[str, ...]
    good: bool | None


def rows(results: Sequence[Result]) -> list[Row]:
    lines = []
    for result in results:
        first = (result.key, _time(result.time_s))
        last = (_seconds(result.cpu_s.median), _work(result), _bytes(result.peak_bytes))
        if not result.versus:
            lines.append(Row((*first, "", "", "", _limit(result), *last), _absolute(result)))
        for number, against in enumerate(result.versus):
            head = ("", "") if number else first
            tail = ("", "", "") if number else last
            lines.append(Row((*head, *_against(against), *tail), against.met))
    return lines


def _against(against: Versus) -> tuple[str, ...]:
    ratio = f"{against.ratio.median:.3g} x ({against.ratio.p20:.3g}-{against.ratio.p80:.3g})"
    target = "" if against.target is None else f"{against.target:g} x"
    return against.rival, _time(against.time_s), ratio, target


def _limit(result: Result) -> str:
    return f"{_seconds(result.within_s)}" if result.within_s else ""


def _absolute(result: Result) -> bool | None:
    return result.time_s.median <= result.within_s if result.within_s else None


def _work(result: Result) -> str:
    """What was moved a second, as a share of a plain copy too, what was computed, and seen."""
    parts = []
    for amount, unit in ((result.bytes_moved, "GB/s"), (result.operations, "Gop/s")):
        if amount:
            parts.append(f"{amount / result.time_s.median / 1e9:.3g} {unit}")
    if result.bandwidth_share is not None:
        parts[0] += f" ({result.bandwidth_share:.0%})"
    if result.unit == VIDEO:
        parts.append(f"{result.size / result.time_s.median:.3g} h of video an hour")
    return ", ".join(parts)


def _time(time_s: Spread) -> str:
    return f"{_seconds(time_s.median)} ({_seconds(time_s.p20)}-{_seconds(time_s.p80)})"


def _seconds(time_s: float) -> str:
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if time_s * factor >= 1:
            return f"{time_s * factor:.3g} {unit}"
    return f"{time_s * 1e6:.3g} µs"


def _bytes(size: int | None) -> str:
    if size is None:
        return ""
    return f"{size / 2**20:.1f} MiB" if size < 2**30 else f"{size / 2**30:.2f} GiB"


def notes(
    results: Sequence[Result], grown: Sequence[Growth], refused: Sequence[Refused]
) -> list[str]:
    """What the table does not say: growth, what was left out and why, targets not reached."""
    lines = [
        f"{g.op} {g.series}: time grows as size^{g.exponent:.3f} "
        f"over {g.sizes[0]:g}-{g.sizes[-1]:g}"
        + (f" (at most {g.limit:g} wanted)" if g.limit is not None else "")
        + (f", memory {_bytes(g.peaks[0])} to {_bytes(g.peaks[-1])}" if g.peaks else "")
        for g in grown
    ]
    lines += [f"{result.key}: {note}" for result in results for note in result.notes]
    lines += [f"{'FAILED' if r.failed else 'skipped'} {r.name}: {r.reason}" for r in refused]
    lines += [f"target missed: {text}" for text in shortfalls(results, grown)]
    return lines


def say(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def progress(modules: int) -> Iterator[Callable[[str, str], None]]:
    """Give `tell(module, line)`: a bar over the modules with rich on a terminal, else lines."""
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield lambda module, line: say(f"{module}: {line}")
        return
    begun: set[str] = set()
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=modules)

        def tell(module: str, line: str) -> None:
            bar.update(task, description=module, completed=len(begun | {module}) - 1)
            begun.add(module)
            bar.console.print(f"{module}: {line}", markup=False, highlight=False)

        yield tell
        bar.update(task, completed=modules)


def show(results: Sequence[Result]) -> None:
    """The table on standard output, in colour where rich is installed."""
    lines = rows(results)
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print(plain(lines))
        return
    table = Table(*COLUMNS)
    for line in lines:
        style = {True: "green", False: "red", None: None}[line.good]
        table.add_row(*line.cells, style=style)
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)


def plain(lines: Sequence[Row]) -> str:
    table = [COLUMNS, *(line.cells for line in lines)]
    widths = [max(len(cells[at]) for cells in table) for at in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in table
    )


def markdown_table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return "\n".join([row(columns), row(["---"] * len(columns)), *map(row, lines)])


def where_text(where: Environment) -> str:
    """One paragraph on hardware, versions, commit and date."""
    found = where["gpu"]
    machine = f"{where['cpu']}, {where['cores']} cores, {where['memory_gib']} GiB"
    if isinstance(found, dict):
        machine += "; " + ", ".join(f"{key} {value}" for key, value in found.items())
    named = {"date", "commit", "cpu", "cores", "memory_gib", "gpu"}
    packages = ", ".join(f"{key} {value}" for key, value in where.items() if key not in named)
    return f"{where['date']}, commit {where['commit']}, {machine}. {packages}."


def markdown(
    where: Environment, results: Sequence[Result], grown: Sequence[Growth],
    refused: Sequence[Refused],
) -> str:  # fmt: skip
    parts = [
        "# Benchmarks",
        where_text(where),
        EXPLAINED,
        markdown_table(COLUMNS, [line.cells for line in rows(results)]),
        *(f"- {line}" for line in notes(results, grown, refused)),
    ]
    return "\n\n".join(parts[:4]) + "\n\n" + "\n".join(parts[4:]) + "\n"


def plot(results: Sequence[Result], path: Path) -> None:
    """Every ratio as a bar with its spread, its target as a tick. Raises `ImportError`."""
    from matplotlib.figure import Figure

    bars = [(f"{r.key} / {v.rival}", v) for r in results for v in r.versus]
    figure = Figure(figsize=(10, 1 + 0.3 * max(1, len(bars))), layout="constrained")
    axes = figure.subplots()
    for at, (_, against) in enumerate(bars):
        ratio = against.ratio
        colour = {True: "tab:green", False: "tab:red", None: "tab:gray"}[against.met]
        error = [[ratio.median - ratio.p20], [ratio.p80 - ratio.median]]
        axes.barh(at, ratio.median, xerr=error, color=colour)
        if against.target is not None:
            axes.plot([against.target] * 2, [at - 0.45, at + 0.45], color="black")
    axes.set_yticks(range(len(bars)), [name for name, _ in bars])
    axes.axvline(1.0, color="black", linewidth=0.5)
    axes.set(xscale="log", xlabel="the rival's time / ours (black: target)")
    axes.invert_yaxis()
    figure.savefig(path, dpi=120)
