"""Figures as people read them."""

from dataclasses import replace

import pytest

from benchmarks import report
from benchmarks.figures import Growth, Refused, Spread
from tests.benchmarks.test_accepted import WHERE, result


def test_every_rival_has_a_row_with_its_ratio_and_spread():
    one = replace(result(25.0), bandwidth_share=0.5, operations=4_000_000_000)
    (row,) = report.rows([one])
    assert row.good
    assert row.cells[0] == "align/exact"
    assert row.cells[4:6] == ("25 x (23.8-26.2)", "20 x")
    assert row.cells[7] == "1e-07 GB/s (50%), 4 Gop/s"
    (bad,) = report.rows([result(5.0)])
    assert bad.good is False


def test_a_recordings_length_is_shown_as_hours_an_hour():
    (row,) = report.rows([replace(result(), size=90.0, unit="s of video", time_s=Spread(3, 3, 3))])
    assert row.cells[7].endswith("30 h of video an hour")


def test_without_a_rival_the_limit_is_shown():
    alone = replace(result(), versus=[], within_s=2e-3, time_s=Spread(1.5e-3, 1e-6, 2.5))
    (row,) = report.rows([alone])
    assert row.cells[1] == "1.5 ms (1 µs-2.5 s)"
    assert row.cells[5] == "2 ms"
    assert row.good


def test_what_was_left_out_and_what_was_missed_is_said():
    grown = [Growth("align", "frames", [1.0, 8.0], 1.2, 1.1, 1.02)]
    refused = [Refused("mix", "no numba", failed=False), Refused("saliency", "red", failed=True)]
    text = report.markdown(WHERE, [result(5.0)], grown, refused)
    for line in (
        "- align frames: time grows as size^1.200 over 1-8 (at most 1.02 wanted)",
        "- skipped mix: no numba",
        "- FAILED saliency: red",
        "- target missed: align/exact: 5 x against peer, 20 x wanted",
    ):
        assert line in text


def test_a_picture_of_the_ratios_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    report.plot([result(5.0), result(30.0, case="banded")], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
