"""Shot boundaries against labels, beside PySceneDetect's detectors at their defaults.

A hard cut is found when a boundary lies within one frame of it (two where the label says it is
approximate), a gradual one when a boundary lies within 0.2 s of its span.

The thresholds were chosen on these files. What they are worth on others is estimated by leaving
each file out: of `DRAWS` sets of thresholds, drawn around the ones in use, the one that does best
on the other files judges it. Fast decoding is held against exact decoding of the same files.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import Row
from benchmarks.quality.films import Spans
from kernels import frame_change
from ray_jobs.contract import IngestLimits
from ray_jobs.media.decode import analysis_frames
from ray_jobs.media.probe import probe

TITLE = "Shot boundaries"
DRAWS = 1000
SPREAD = 2.0
"""Thresholds are drawn from so many times less to so many times more than is used, by ratio."""
FAST_LOSS = 0.02
COMPOSED = ("talk_a.mp4", "dialogue_c.mkv", "gradual_a.mp4")


class Truth(NamedTuple):
    """What is known of a recording's boundaries, in frames."""

    spans: Spans
    wrong: Spans | None = None
    """Where there is surely none, if the labels leave boundaries out: others then do not count."""


def rows(media: Path) -> Iterator[Row]:
    """One row for every labelled file, then what holds for all of them."""
    known, ours, peers, fast = [], [], [], []
    for path, truth in labels(media).items():
        exact = measured(path)
        known.append((exact, truth))
        ours.append(f1(first_frames(exact, exact), truth)[2])
        fast.append(f1(first_frames(measured(path, fast=True), exact), truth)[2])
        peers.append({name: f1(found, truth)[2] for name, found in detected(path)})
        best = max(peers[-1].values())
        note = "" if truth.wrong is None else "labels leave cuts out: only the named ones count"
        yield Row(
            f"F1: {path.stem}", "", ours[-1], f"{path.parent.name}/{path.name}", peers[-1],
            f"≥ {best:.2f}, the best peer", met=ours[-1] >= best, note=note,
        )  # fmt: skip
    everything = f"the {len(ours)} files above"
    means = {name: float(np.mean([each[name] for each in peers])) for name in peers[0]}
    yield Row("F1, mean", "", float(np.mean(ours)), everything, means)
    yield Row(
        "F1, mean, thresholds chosen on the other files", "", left_out(known), everything, means,
        note=f"{DRAWS} draws within a factor of {SPREAD:g} of the ones in use",
    )  # fmt: skip
    yield Row("F1, mean, fast decoding", "", float(np.mean(fast)), everything, means)
    loss = float(np.max(np.subtract(ours, fast)))
    yield Row(
        "largest loss of F1 on a file, fast decoding", "", loss, everything,
        target=f"≤ {FAST_LOSS}", met=loss <= FAST_LOSS,
    )  # fmt: skip


class Measured(NamedTuple):
    """A recording's signals, its frames' times and which of them stand for ones left out [n]."""

    signal: frame_change.FrameChange
    times_s: NDArray[np.float64]
    held: NDArray[np.bool_]


def measured(path: Path, *, fast: bool = False) -> Measured:
    stream, parts, times, held = frame_change.Stream(), [], [], []
    for batch in analysis_frames(path, probe(path, IngestLimits()), fast=fast):
        parts.append(stream.push(batch.luma, batch.chroma))
        times.append(batch.times_s)
        held.append(batch.held)
    return Measured(frame_change.join(parts), np.concatenate(times), np.concatenate(held))


def first_frames(
    found: Measured, exact: Measured, limits: frame_change.Thresholds | None = None
) -> list[int]:
    """The first frame of every shot but the first, counted among all frames."""
    signal, times_s, held = found
    parts = frame_change.shots(signal, times_s, limits or frame_change.Thresholds(), held)
    starts = [shot.start_s for shot in parts[1:]]
    return [int(k) for k in np.searchsorted(exact.times_s, np.array(starts) - 1e-6)]


def boundaries(path: Path) -> list[int]:
    found = measured(path)
    return first_frames(found, found)


def left_out(known: list[tuple[Measured, Truth]]) -> float:
    """Mean F1 of files judged by the thresholds that are best on the others; ties are averaged."""
    chance = np.random.default_rng(0)
    table = np.empty((DRAWS, len(known)))
    for scores in table:
        limits = frame_change.Thresholds(
            *(value * SPREAD ** chance.uniform(-1, 1) for value in frame_change.Thresholds())
        )
        scores[:] = [f1(first_frames(film, film, limits), truth)[2] for film, truth in known]
    return float(np.mean([judged(table, at) for at in range(len(known))]))


def judged(table: NDArray[np.float64], at: int) -> float:
    """The score of file `at` by the draws [draws, files] that are best on the other files."""
    others = np.delete(table, at, axis=1).mean(axis=1)
    return float(table[others >= others.max() - 1e-9, at].mean())


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


def f1(found: list[int], truth: Truth) -> tuple[float, float, float]:
    """Precision, recall and F1; every boundary answers for one span."""
    left, hits = list(found), 0
    for low, high in truth.spans:
        match = next((frame for frame in left if low <= frame <= high), None)
        if match is not None:
            left.remove(match)
            hits += 1
    if truth.wrong is not None:
        left = [f for f in left if any(low <= f <= high for low, high in truth.wrong)]
    precision = hits / (hits + len(left)) if hits + len(left) else float(not truth.spans)
    recall = hits / len(truth.spans) if truth.spans else float(not left)
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


def labels(media: Path) -> dict[Path, Truth]:
    """The labelled files of a media folder."""
    table: dict[Path, Truth] = {}
    for truth in sorted((media / "video").glob("*.cuts.json")):
        stem = truth.name.removesuffix(".cuts.json")
        path = next(p for p in truth.parent.glob(f"{stem}.*") if p.suffix in {".mp4", ".webm"})
        table[path] = _truth(json.loads(truth.read_text()))
    for name in COMPOSED:
        path = media / "composed" / name
        table[path] = _truth(json.loads(path.with_suffix(".truth.json").read_text()))
    video = media / "video"
    # Labelled by eye: a cut out of black and one into it, from black by a fade, into black and out
    # of it by fades, a dissolve; the fade at the end parts nothing. 0.2 s are allowed around each.
    table[video / "testvideo_bcastell.mp4"] = Truth([
        (29, 31), (179, 181), (204, 246), (324, 366), (388, 430), (524, 567),
    ])  # fmt: skip
    # By the manifest, one change of slides, and one among smaller ones that count neither way; by
    # construction, a grey that goes down to black twice.
    table[video / "slides_scene_change.mov"] = Truth([(11, 12)])
    table[video / "slides_changes.mov"] = Truth([(175, 177)], wrong=[])
    table[video / "fades_gray.mp4"] = Truth([(74, 94), (157, 177)])
    for name in ("carphone_pristine.mp4", "his_girl_friday_6s.mp4", "mdn_pig.mp4"):
        table[video / name] = Truth([])
    return table


def _truth(data: dict[str, Any]) -> Truth:
    said = json.dumps(data).lower()
    slack = 2 if "approx" in said else 1
    cuts = data.get("hard_cuts_first_frame_of_new_shot", data.get("hard_cuts", []))
    number, _, by = str(data.get("fps", "25")).partition("/")
    rate_hz = float(number) / float(by or 1)
    margin = 0.2 * rate_hz
    gradual = [tuple(span) for span in data.get("gradual_frame_ranges", [])]
    gradual += [(t["start_s"] * rate_hz, t["end_s"] * rate_hz) for t in data.get("transitions", [])]
    spans = [(float(frame - slack), float(frame + slack)) for frame in cuts]
    spans += [(low - margin, high + margin) for low, high in gradual]
    others = [(float(f), float(f)) for f in data.get("visible_changes_that_are_not_cuts", [])]
    return Truth(sorted(spans), others if "not exhaustive" in said else None)
