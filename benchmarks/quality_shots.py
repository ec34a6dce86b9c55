"""Shot boundaries against hand labels, beside PySceneDetect's detectors at their defaults.

`python -m benchmarks.quality_shots [MEDIA]`. A hard cut is found when a boundary lies within one
frame of it (two where the label says it is approximate), a gradual one when a boundary lies within
0.2 s of its span.
"""

import json
import sys
from pathlib import Path

import av
import numpy as np

from kernels.frame_change import Stream, join, shots


def ours(path: Path) -> tuple[list[int], float]:
    stream, parts, times = Stream(), [], []
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        for frame in container.decode(video):
            small = frame.reformat(160, 90, "yuv420p").to_ndarray()
            luma, chroma = small[:90], small[90:].reshape(2, 45, 80)
            parts.append(stream.push(luma[None].copy(), chroma[None].copy()))
            times.append(float(frame.time))
        rate = float(video.average_rate)
    found = shots(join(parts), np.array(times))
    return [shot.first_frame for shot in found[1:]], rate


def peers(path: Path) -> dict[str, list[int]]:
    from scenedetect import (
        AdaptiveDetector,
        ContentDetector,
        HashDetector,
        HistogramDetector,
        ThresholdDetector,
        detect,
    )

    kinds = (ContentDetector, AdaptiveDetector, HashDetector, HistogramDetector, ThresholdDetector)
    return {
        kind.__name__.removesuffix("Detector"): [
            scene[0].frame_num for scene in detect(str(path), kind())[1:]
        ]
        for kind in kinds
    }


def f1(found: list[int], spans: list[tuple[float, float]]) -> tuple[float, float, float]:
    left, hits = list(found), 0
    for low, high in spans:
        match = next((f for f in left if low <= f <= high), None)
        if match is not None:
            left.remove(match)
            hits += 1
    precision = hits / len(found) if found else float(not spans)
    recall = hits / len(spans) if spans else 1.0
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


def labels(media: Path) -> dict[Path, list[tuple[float, float]]]:
    table: dict[Path, list[tuple[float, float]]] = {}
    for truth in sorted((media / "video").glob("*.cuts.json")):
        data = json.loads(truth.read_text())
        stem = truth.name.removesuffix(".cuts.json")
        path = next(p for p in truth.parent.glob(f"{stem}.*") if p.suffix in {".mp4", ".webm"})
        table[path] = spans_of(data)
    for name in ("talk_a.mp4", "dialogue_c.mkv", "gradual_a.mp4"):
        path = media / "composed" / name
        table[path] = spans_of(json.loads(path.with_suffix(".truth.json").read_text()))
    return table


def spans_of(data: dict) -> list[tuple[float, float]]:
    slack = 2 if "approx" in json.dumps(data).lower() else 1
    cuts = data.get("hard_cuts_first_frame_of_new_shot", data.get("hard_cuts", []))
    spans = [(frame - slack, frame + slack) for frame in cuts]
    rate = _rate(data)
    margin = 0.2 * rate
    spans += [(low - margin, high + margin) for low, high in data.get("gradual_frame_ranges", [])]
    for item in data.get("transitions", []):
        spans.append((item["start_s"] * rate - margin, item["end_s"] * rate + margin))
    return sorted(spans)


def _rate(data: dict) -> float:
    text = str(data.get("fps", "25"))
    number, _, by = text.partition("/")
    return float(number) / float(by or 1)


def main() -> None:
    media = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/media")
    rows = []
    for path, spans in labels(media).items():
        mine = f1(ours(path)[0], spans)
        others = {name: f1(found, spans)[2] for name, found in peers(path).items()}
        rows.append((mine[2], others))
        text = " ".join(f"{name} {value:.2f}" for name, value in others.items())
        print(f"{path.name:32} P {mine[0]:.2f} R {mine[1]:.2f} F1 {mine[2]:.2f} | {text}")
    print("mean", round(float(np.mean([mine for mine, _ in rows])), 3),
          {k: round(float(np.mean([o[k] for _, o in rows])), 3) for k in rows[0][1]})  # fmt: skip


if __name__ == "__main__":
    main()
