"""`python -m control.knobs` writes the table of every knob, for `docs/settings.md`."""

import sys
from dataclasses import MISSING, fields

from control.settings import Settings
from ray_jobs.contract import ScoreWeights

HEAD = """# Settings

Every setting is a variable of the environment; one that is absent or empty keeps its default.
This table is made from `control/settings.py`: `python -m control.knobs > docs/settings.md`.

| variable | default | unit | what it is for |
|---|---|---|---|
"""


def table() -> str:
    """The Markdown document of all knobs, in the order of `Settings`."""
    rows = []
    for knob in fields(Settings):
        name, unit, why = (knob.metadata[key] for key in ("env", "unit", "why"))
        if knob.default is not MISSING:
            rows.append((name, _shown(knob.default), unit, why))
            continue
        for part, weight in ScoreWeights():
            rows.append((f"CUTROOM_WEIGHT_{part.upper()}", str(weight), "", f"{why}: {part}"))
    return HEAD + "".join(f"| `{a}` | {b} | {c} | {d} |\n" for a, b, c, d in rows)


def _shown(value: object) -> str:
    if value in ("", (), None):
        return ""
    return f"`{', '.join(value) if isinstance(value, tuple) else value}`"


if __name__ == "__main__":
    sys.stdout.write(table())
