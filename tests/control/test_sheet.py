"""The contact sheet as a browser reads it: whole, harmless, and true to the report."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from control.client.process import _clip, printable, write
from control.client.sheet import LANE_HEIGHT, WIDTH, clock, contact_sheet, polyline

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x' {{ 7*7 }} %s \u202eevil"
)
VOID = {"meta", "line", "rect", "polyline", "img", "br", "link"}


class Page(HTMLParser):
    """Elements with their attributes and text, and whether every one was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def of_class(self, tag: str, name: str) -> list[dict[str, str | None]]:
        return [each for each in self.all(tag) if name in (each.get("class") or "").split()]


def part(name: str, normalised: float, weight: float = 1.0, note: str | None = "why") -> dict:
    return {
        "name": name, "value": 3.5, "normalised": normalised, "weight": weight,
        "contribution": weight * normalised, "evidence": {"note": note},
    }  # fmt: skip


def clip(rank: int, start_s: float, title: str = "A title", **more) -> dict:
    parts = more.pop("parts", [part("hook", 0.9, 1.5), part("speech", 0.25), part("topic", 0.0, 0)])
    return {
        "rank": rank, "start_s": start_s, "end_s": start_s + 10, "title": title, "text": "words",
        "score": sum(p["contribution"] for p in parts), "parts": parts,
        "file": f"clip-{rank:02d}.mp4", "subtitles": {"srt": f"clip-{rank:02d}.srt"},
        "width": 1080, "height": 1920, "subject": "face", "duration_s": 10.0,
        "loudness_lufs": -14.0, "true_peak_dbtp": -1.2, "findings": [],
    } | more  # fmt: skip


def report(*clips: dict, path: str = "talk.mp4", **source) -> dict:
    return {
        "source": {
            "path": path, "duration_s": 100.0, "width": 1920, "height": 1080,
            "frame_rate": "25/1", "vfr": False,
        } | source,
        "transcript": {"words": 12, "engine": "given", "note": None},
        "clips": list(clips), "candidates": 99, "wall_s": 3.0, "realtime_factor": 0.03,
    }  # fmt: skip


FEATURES = {
    "rate_hz": 10,
    "tracks": {"speech": [0.0, 1.0] * 500, "loudness_lufs": [None] * 10 + [-20.0] * 990},
    "shots": [{"start_s": 0.0, "end_s": 40.0}, {"start_s": 40.0, "end_s": 100.0}],
}


def test_every_clip_stands_on_the_page_with_its_parts_and_reasons():
    page = Page(contact_sheet(report(clip(1, 5.0), clip(2, 60.0)), FEATURES))
    assert len(page.all("article")) == 2
    assert [v["src"] for v in page.all("video")] == [
        "clip-01.mp4#t=1",
        "clip-02.mp4#t=1",
    ]  # one second in, where a paused player shows more than a black first picture
    assert {"1. A title", "2. A title"} <= set(page.texts["h2"])
    bars = [each["style"] for each in page.all("div") if "style" in each]
    shares = [100.0, round(100 * 0.25 / 1.35, 1), 0.0] * 2
    assert bars == [f"width: {share:.1f}%" for share in shares]
    assert page.texts["td"].count("why") == 6
    assert "1.350 = 1.50 × 0.90" in page.texts["td"]
    assert page.texts["span"] == ["1.600", "1.600"]
    assert not set(page.open) - {"html"}


def test_the_timeline_shows_spans_shots_and_curves_in_their_places():
    page = Page(contact_sheet(report(clip(1, 5.0), clip(2, 60.0)), FEATURES))
    spans = page.of_class("rect", "span")
    assert [(float(s["x"]), float(s["width"])) for s in spans] == [(50, 100), (600, 100)]
    assert [float(line["x1"]) for line in page.of_class("line", "shot")] == [0, 400]
    curves = page.of_class("polyline", "curve")
    assert len(curves) == 2
    for curve in curves:
        for x, y in (map(float, point.split(",")) for point in curve["points"].split()):
            assert 0 <= x <= WIDTH
            assert 2 <= y <= LANE_HEIGHT - 2
    assert {"1", "2", "speech", "loudness"} <= set(page.texts["text"])


@pytest.mark.parametrize("place", ["title", "text", "path", "note", "name", "engine", "track"])
def test_hostile_words_are_only_words(place):
    bad = clip(1, 5.0)
    page = report(bad)
    features = json.loads(json.dumps(FEATURES))
    match place:
        case "title" | "text":
            bad[place] = HOSTILE
        case "path":
            page["source"]["path"] = HOSTILE
        case "note":
            bad["parts"][0]["evidence"]["note"] = HOSTILE
        case "name":
            bad["parts"][0]["name"] = HOSTILE
        case "engine":
            page["transcript"] |= {"engine": HOSTILE, "note": HOSTILE}
        case "track":
            features["tracks"][HOSTILE] = [1.0, 2.0]
    html = contact_sheet(page, features)
    read = Page(html)
    assert "script" not in {name for name, _ in read.elements}
    assert "img" not in {name for name, _ in read.elements}
    handlers = [key for _, attributes in read.elements for key in attributes if key[:2] == "on"]
    assert handlers == []
    said = " ".join(text for texts in read.texts.values() for text in texts)
    assert "<script>alert(1)</script>" in said
    assert "{{ 7*7 }}" in said, "a title is no template"


def test_a_hostile_file_name_stays_one_relative_address():
    bad = clip(1, 5.0, file='javascript:alert(1)" onerror="x', subtitles={"srt": "a b#?.srt"})
    page = Page(contact_sheet(report(bad), FEATURES))
    (video,) = page.all("video")
    assert set(video) == {"controls", "preload", "src"}
    assert ":" not in video["src"]
    assert page.all("a") == [{"href": "a%20b%23%3F.srt"}]


def test_the_page_needs_nothing_from_elsewhere():
    html = contact_sheet(report(clip(1, 5.0)), FEATURES)
    page = Page(html)
    assert "://" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert not {"script", "link", "iframe", "object", "embed"} & {n for n, _ in page.elements}
    for _, attributes in page.elements:
        for key in ("src", "href"):
            assert not (attributes.get(key) or "").startswith(("//", "/"))


def test_no_clips_and_no_features_make_a_page_that_says_so():
    bare = report(width=None, height=None, frame_rate=None, duration_s=0.0)
    page = Page(contact_sheet(bare, {}))
    assert page.texts["p"][-1] == "No clip was found in this recording."
    assert not page.all("svg")


def test_a_silent_clip_has_no_loudness_to_show():
    quiet = clip(1, 0.0, loudness_lufs=None, true_peak_dbtp=None)
    html = contact_sheet(report(quiet), FEATURES)
    assert "LUFS" not in html


def test_what_was_found_amiss_is_said():
    found = {"code": "silent", "message": "It is <b>silent</b>.", "start_s": 0.0, "end_s": 9.5}
    page = Page(contact_sheet(report(clip(1, 0.0, findings=[found])), FEATURES))
    assert page.texts["p"][-1] == "It is <b>silent</b>."
    assert "0:00.0 – 0:09.5" in page.texts["span"]


def test_scores_of_nothing_draw_empty_bars():
    nothing = clip(1, 0.0, parts=[part("hook", 0.0), part("speech", 0.0, note=None)])
    page = Page(contact_sheet(report(nothing), FEATURES))
    assert [d["style"] for d in page.all("div") if "style" in d] == ["width: 0.0%"] * 2


def test_a_curve_keeps_its_peaks_and_its_gaps_and_stays_small():
    samples = [0.0] * 50_000
    samples[31_415] = 9.0
    points = polyline(samples, 10, 5_000.0).split()
    assert len(points) <= 1000
    top = [float(p.split(",")[0]) for p in points if p.endswith(",2.0")]
    assert top == [pytest.approx(31_415 / 50_000 * WIDTH, abs=2)]
    assert polyline([None, None], 10, 1.0) == ""
    assert len(polyline([None, 3.0, None], 10, 1.0).split()) == 1


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00.0"),
        (59.96, "1:00.0"),
        (61.25, "1:01.2"),
        (3599.99, "1:00:00.0"),
        (7384.5, "2:03:04.5"),
    ],
)
def test_clocks_carry_where_tenths_round_up(seconds, shown):
    assert clock(seconds) == shown


def test_a_name_that_is_no_utf8_does_not_lose_the_report(tmp_path):
    source = Path("tal\udcffk.mp4")
    page = contact_sheet(report(clip(1, 5.0), path=printable(source)), FEATURES)
    write(tmp_path / "index.html", page)
    assert "tal?k.mp4" in (tmp_path / "index.html").read_text()


def test_a_clip_in_the_report_names_the_files_beside_it():
    found = clip(7, 1.0) | {"clip_id": "x"}
    made = {
        "subtitles": [{"kind": "subtitles_vtt"}, {"kind": "subtitles_ass"}], "width": 2,
        "height": 4, "duration_s": 9.96, "loudness_lufs": None, "true_peak_dbtp": None,
        "findings": [{"code": "silent"}],
    }  # fmt: skip
    told = _clip(found, made)
    assert told["file"] == "clip-07.mp4"
    assert told["subtitles"] == {"ass": "clip-07.ass", "vtt": "clip-07.vtt"}
    assert told["duration_s"] == 9.96
    assert told["findings"] == [{"code": "silent"}]
    assert told["subject"] == "face"


def test_the_page_says_what_the_camera_follows():
    heard = clip(3, 30.0, subject=None)
    page = Page(
        contact_sheet(report(clip(1, 5.0), clip(2, 20.0, subject="motion"), heard), FEATURES)
    )
    facts = [" ".join(text.split()) for text in page.texts["div"]]
    told = [text for text in facts if "1080×1920" in text]
    assert ["follows faces" in text for text in told] == [True, False, False]
    assert ["follows what moves" in text for text in told] == [False, True, False]
