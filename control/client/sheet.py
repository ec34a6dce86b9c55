"""The contact sheet: one HTML page on which a person judges what was chosen and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

WIDTH, LANE_HEIGHT = 1000.0, 46.0
MAX_POINTS = 1000
CURVES = {
    "speech": "speech",
    "loudness_lufs": "loudness",
    "energy": "energy",
    "motion": "motion",
    "saliency": "saliency",
    "change": "frame change",
}


def contact_sheet(report: dict[str, Any], features: dict[str, Any]) -> str:
    """Render the page for a `report.json` and the `features.json` of its clip search.

    `features` holds `rate_hz`, `tracks` (name to samples, None where unknown) and `shots`
    (`start_s`, `end_s`); unknown tracks are drawn under their own name.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    duration_s = max(report["source"]["duration_s"], 1e-3)
    top = max((part["contribution"] for c in report["clips"] for part in c["parts"]), default=1.0)
    return environment.get_template("sheet.html").render(
        report=report,
        duration_s=duration_s,
        lanes=lanes(features, duration_s),
        shots=[shot["start_s"] / duration_s * WIDTH for shot in features.get("shots", [])],
        spans=[
            {
                "x": c["start_s"] / duration_s * WIDTH,
                "rank": c["rank"],
                "width": (c["end_s"] - c["start_s"]) / duration_s * WIDTH,
            }
            for c in report["clips"]
        ],
        width=WIDTH,
        lane_height=LANE_HEIGHT,
        top_contribution=max(top, 1e-9),
    )


def lanes(features: dict[str, Any], duration_s: float) -> list[dict[str, str]]:
    """One curve per track, scaled to its own range, as SVG polyline points."""
    tracks: dict[str, Sequence[float | None]] = features.get("tracks", {})
    rate_hz = features.get("rate_hz", 10.0)
    known = [name for name in CURVES if name in tracks]
    drawn = []
    for name in known + sorted(set(tracks) - set(known)):
        points = polyline(tracks[name], rate_hz, duration_s)
        if points:
            drawn.append({"label": CURVES.get(name, name.replace("_", " ")), "points": points})
    return drawn


def polyline(samples: Sequence[float | None], rate_hz: float, duration_s: float) -> str:
    """At most `MAX_POINTS` peaks of the track, y down, between 2 and `LANE_HEIGHT - 2`."""
    known = [value for value in samples if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    scale = (LANE_HEIGHT - 4) / (high - low) if high > low else 0.0
    stride = max(1, -(-len(samples) // MAX_POINTS))
    points = []
    for first in range(0, len(samples), stride):
        chunk = [value for value in samples[first : first + stride] if value is not None]
        if chunk:
            x = (first + stride / 2) / rate_hz / duration_s * WIDTH
            points.append(f"{min(x, WIDTH):.1f},{LANE_HEIGHT - 2 - (max(chunk) - low) * scale:.1f}")
    return " ".join(points)


def clock(seconds: float) -> str:
    """`1:02:03.4`, or `2:03.4` below an hour."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
