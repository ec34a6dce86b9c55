"""The documented settings are the ones that are read."""

from dataclasses import fields
from pathlib import Path

from control.knobs import table
from control.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_document_is_the_table():
    assert DOCUMENT.read_text() == table(), "run: python -m control.knobs > docs/settings.md"


def test_every_knob_says_what_it_is_for():
    assert all(knob.metadata["why"] and knob.metadata["env"] for knob in fields(Settings))
