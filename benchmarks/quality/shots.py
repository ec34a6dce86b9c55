"""Shot boundaries against labels, beside PySceneDetect's detectors at their defaults.

A hard cut is found when a boundary lies within one frame of it (two where the label says it is
approximate), a gradual one when a boundary lies within 0.2 s of its span.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.films import Spans
from kernels import frame_change
from ray_jobs.contract import IngestLimits
from ray_jobs.media.decode import analysis_frames
from ray_jobs.media.probe import probe

COMPOSED = ("talk_a.mp4", "dialogue_c.mkv", "gradual_a.mp4")


class Row(NamedTuple):
    """One labelled file."""

    file: str
    precision: float
    recall: float
    f1: float
    fast_f1: float
    """Of the decode that leaves out what little depends on (`analysis_frames(fast=True)`)."""
    peers: dict[str, float]
    """F1 of every detector, by its name."""


def rows(table: dict[Path, Spans], *, peers: bool) -> Iterator[Row]:
    """Measure each file of `labels(media)` or `films.made(directory)`."""
    for path, spans in table.items():
        times_s, found = boundaries(path)
        fast_s, fast = boundaries(path, fast=True)
        at = np.searchsorted(times_s, fast_s[fast] - 1e-6).tolist()
        others = {name: f1(cuts, spans)[2] for name, cuts in detected(path)} if peers else {}
        yield Row(path.name, *f1(found, spans), f1(at, spans)[2], others)


def boundaries(path: Path, *, fast: bool = False) -> tuple[NDArray[np.float64], list[int]]:
    """The frames' times in seconds, and the first frame of every shot but the first."""
    stream, parts, times = frame_change.Stream(), [], []
    for batch in analysis_frames(path, probe(path, IngestLimits()), fast=fast):
        parts.append(stream.push(batch.luma, batch.chroma))
        times.append(batch.times_s)
    times_s = np.concatenate(times)
    shots = frame_change.shots(frame_change.join(parts), times_s)
    return times_s, [shot.first_frame for shot in shots[1:]]


def detected(path: Path) -> Iterator[tuple[str, list[int]]]:
    """The same by every detector of PySceneDetect."""
    import scenedetect as peer

    kinds = (
        peer.ContentDetector, peer.AdaptiveDetector, peer.HashDetector, peer.HistogramDetector,
        peer.ThresholdDetector,
    )  # fmt: skip
    for kind in kinds:
        scenes = peer.detect(str(path), kind())
        yield kind.__name__.removesuffix("Detector"), [scene[0].frame_num for scene in scenes[1:]]


def f1(found: list[int], spans: Spans) -> tuple[float, float, float]:
    """Precision, recall and F1; every boundary answers for one span."""
    left, hits = list(found), 0
    for low, high in spans:
        match = next((frame for frame in left if low <= frame <= high), None)
        if match is not None:
            left.remove(match)
            hits += 1
    precision = hits / len(found) if found else float(not spans)
    recall = hits / len(spans) if spans else float(not found)
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


def labels(media: Path) -> dict[Path, Spans]:
    """The labelled files of a media folder."""
    table: dict[Path, Spans] = {}
    for truth in sorted((media / "video").glob("*.cuts.json")):
        stem = truth.name.removesuffix(".cuts.json")
        path = next(p for p in truth.parent.glob(f"{stem}.*") if p.suffix in {".mp4", ".webm"})
        table[path] = _spans(json.loads(truth.read_text()))
    for name in COMPOSED:
        path = media / "composed" / name
        table[path] = _spans(json.loads(path.with_suffix(".truth.json").read_text()))
    # By the manifest: hard cuts and fades of PySceneDetect's own film, one change of slides, and
    # scenes without any cut.
    video = media / "video"
    table[video / "testvideo_bcastell.mp4"] = [
        (9, 21), (29, 31), (179, 181), (192, 204), (371, 383),
    ]  # fmt: skip
    table[video / "slides_scene_change.mov"] = [(11, 12)]
    for name in ("carphone_pristine.mp4", "his_girl_friday_6s.mp4", "mdn_pig.mp4"):
        table[video / name] = []
    return table


def _spans(data: dict[str, Any]) -> Spans:
    slack = 2 if "approx" in json.dumps(data).lower() else 1
    cuts = data.get("hard_cuts_first_frame_of_new_shot", data.get("hard_cuts", []))
    number, _, by = str(data.get("fps", "25")).partition("/")
    rate_hz = float(number) / float(by or 1)
    margin = 0.2 * rate_hz
    gradual = [tuple(span) for span in data.get("gradual_frame_ranges", [])]
    gradual += [(t["start_s"] * rate_hz, t["end_s"] * rate_hz) for t in data.get("transitions", [])]
    return sorted(
        [(float(frame - slack), float(frame + slack)) for frame in cuts]
        + [(low - margin, high + margin) for low, high in gradual]
    )
