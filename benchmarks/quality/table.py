"""Measure the groups asked for and write `results/quality.md`; the other groups' rows stay."""

import argparse
import importlib
import json
import os
import pkgutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import benchmarks.quality as package
from benchmarks import report
from benchmarks.accepted import RESULTS
from benchmarks.environment import Environment, environment
from benchmarks.quality import Row

ROOT = Path(__file__).parent.parent.parent
EXPLAINED = (
    "Measured against recordings whose truth is known. Peers are measured on the same files in the "
    "same run."
)
COLUMNS = ("what", "ours", "target", "met", "peers", "measured on")
STAMP = ("date", "commit", "cpu", "cores")
Json = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """0 where every target was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(groups())}; all without any")
    default = Path(os.environ.get("CUTROOM_MEDIA", ROOT.parent / "shared" / "media"))
    parser.add_argument("--media", type=Path, default=default, help="folder of recordings")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    if not options.media.is_dir():
        parser.error(f"no recordings at {options.media}: set CUTROOM_MEDIA or --media")
    if unknown := set(options.groups) - set(groups()):
        parser.error(f"no group is named {', '.join(sorted(unknown))}")
    where, missed = environment(), 0
    for name in options.groups or groups():
        module = importlib.import_module(f"benchmarks.quality.{name}")
        if hasattr(module, "rows"):
            rows = measured(name, module, options.media)
            missed += sum(row.met is False for row in rows)
            keep(options.out, where, name, module.TITLE, rows)
    print((options.out / "quality.md").read_text(encoding="utf-8"))
    return int(bool(missed))


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


def keep(folder: Path, where: Environment, name: str, title: str, rows: Sequence[Row]) -> None:
    """Put a group's rows in place of its earlier ones, as JSON and in the table."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "quality.json"
    kept: Json = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"groups": {}}
    stamp = {key: where[key] for key in STAMP}
    kept["environment"] = where
    kept["groups"][name] = {"title": title, **stamp, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(markdown(kept), encoding="utf-8")


def markdown(kept: Json) -> str:
    parts = ["# Quality", report.where_text(kept["environment"]), EXPLAINED]
    for _, group in sorted(kept["groups"].items()):
        rows = [cells(Row(**row)) for row in group["rows"]]
        stamp = (
            f"{group['date']}, commit {group['commit']}, {group['cpu']}, {group['cores']} cores."
        )
        parts += [f"## {group['title']}", stamp, report.markdown_table(COLUMNS, rows)]
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
