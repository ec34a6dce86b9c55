"""Measure the groups asked for and write `results/quality.md`."""

import argparse
import importlib
import os
import pkgutil
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import benchmarks.quality as package
from benchmarks import report
from benchmarks.accepted import RESULTS
from benchmarks.environment import Environment, environment
from benchmarks.quality import Row

ROOT = Path(__file__).parent.parent.parent
COLUMNS = ("what", "ours", "target", "met", "peers", "measured on")
Groups = dict[str, list[Row]]


def main(arguments: Sequence[str]) -> int:
    """0 where every target was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(groups())}; all without any")
    default = Path(os.environ.get("CUTROOM_MEDIA", ROOT.parent / "shared" / "media"))
    parser.add_argument("--media", type=Path, default=default, help="folder of recordings")
    parser.add_argument("--out", type=Path, default=RESULTS / "quality.md")
    options = parser.parse_args(arguments)
    if not options.media.is_dir():
        parser.error(f"no recordings at {options.media}: set CUTROOM_MEDIA or --media")
    if unknown := set(options.groups) - set(groups()):
        parser.error(f"no group is named {', '.join(sorted(unknown))}")
    found = {}
    for name in options.groups or groups():
        module = importlib.import_module(f"benchmarks.quality.{name}")
        if hasattr(module, "rows"):
            found[module.TITLE] = measured(name, module, options.media)
    text = markdown(environment(), found)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(text)
    return int(any(row.met is False for rows in found.values() for row in rows))


def groups() -> list[str]:
    return [info.name for info in pkgutil.iter_modules(package.__path__) if info.name != "table"]


def measured(name: str, module: ModuleType, media: Path) -> list[Row]:
    """A group's rows; one that breaks says so in the table and leaves the others alone."""
    started, rows = time.monotonic(), []
    report.say(f"{name} ...")
    try:
        for row in module.rows(media):
            report.say(f"  {row.what}: {row.ours} {row.unit}")
            rows.append(row)
    except Exception as error:  # noqa: BLE001 - told in the table
        reason = f"failed: {type(error).__name__}: {error}"
        report.say(f"  {reason}")
        rows.append(Row(f"{name}, what follows", "", None, "", met=False, note=reason))
    report.say(f"  {time.monotonic() - started:.0f} s")
    return rows


def markdown(where: Environment, found: Groups) -> str:
    parts = [
        "# Quality",
        report.where_text(where),
        (
            "Measured against recordings whose truth is known. Peers are measured on the same "
            "files in the same run."
        ),
    ]
    for title, rows in found.items():
        parts += [f"## {title}", report.markdown_table(COLUMNS, [cells(row) for row in rows])]
    return "\n\n".join(parts) + "\n"


def cells(row: Row) -> tuple[str, ...]:
    ours = "–" if row.ours is None else figure(row.ours, row.unit)
    peers = ", ".join(f"{name} {figure(value, row.unit)}" for name, value in row.peers.items())
    met = {True: "yes", False: "**no**", None: ""}[row.met]
    said = f"{ours} ({row.note})" if row.note else ours
    return row.what, said, row.target, met, peers, row.source


def figure(value: float, unit: str) -> str:
    """At most two decimals, and none that say nothing."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{text} {unit}".strip()
