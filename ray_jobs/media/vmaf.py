"""Encoding to a wanted quality: the CRF is searched on samples of the clip, scored by VMAF."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ray_jobs.contract import MediaInfo
from ray_jobs.media.cut import Cut
from ray_jobs.media.encode import BITEXACT, LOSSLESS, Encoder, render_picture
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.filtergraph import chain, node
from ray_jobs.media.programme import strung
from ray_jobs.media.reframe import Corners, Framing

SAMPLES = 3
SAMPLE_S = 1.0
LOWEST, HIGHEST = 10, 42
"""Below, files grow and nobody sees why; above, everybody sees why."""


class Quality(NamedTuple):
    """A CRF, and the mean VMAF (0 to 100, model v0.6.1) of samples encoded at it."""

    crf: int
    vmaf: float | None


def sample(
    target: Path,
    source: Path,
    media: MediaInfo,
    cut: Cut,
    frame: Framing,
    corners: Corners,
    *,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Write three even seconds of the cut, or all of a short one, without loss and subtitles."""
    length = max(1, round(SAMPLE_S * cut.rate))
    if cut.frames <= SAMPLES * length:
        starts, length = [0], cut.frames
    else:
        share = [(2 * number + 1) / (2 * SAMPLES) for number in range(SAMPLES)]
        starts = [round(each * cut.frames) - length // 2 for each in share]
    parts = []
    for number, first in enumerate(starts):
        tick()
        path = target.with_name(f"sample-{number}.mp4")
        render_picture(
            path, source, media, cut.part(first, length), frame, corners[first : first + length],
            subtitles=None, encoder=LOSSLESS, progress=lambda _: tick(),
        )  # fmt: skip
        parts.append(path)
    strung(parts, target)
    for path in parts:
        path.unlink()


def search_crf(
    reference: Path,
    wanted_vmaf: float,
    encoder_at: Callable[[int], Encoder],
    *,
    progress: Callable[[float], None] = lambda _: None,
) -> Quality:
    """The highest CRF at which the reference still scores as wanted; the lowest where none does.

    VMAF falls as CRF grows, so that halving the range finds it in six encodings at most.
    """
    scores: dict[int, float] = {}

    def score(crf: int) -> float:
        if crf not in scores:
            progress(0.1 + 0.15 * len(scores))
            scores[crf] = vmaf_at(reference, encoder_at(crf), tick=lambda: progress(0.1))
        return scores[crf]

    low, high = LOWEST, HIGHEST
    while low < high:
        middle = (low + high + 1) // 2
        if score(middle) >= wanted_vmaf:
            low = middle
        else:
            high = middle - 1
    return Quality(low, round(score(low), 2))


def vmaf_at(reference: Path, encoder: Encoder, *, tick: Callable[[], None] = lambda: None) -> float:
    """Mean VMAF of the reference encoded so, over all its frames."""
    trial, log = reference.with_name("trial.mp4"), reference.with_name("vmaf.json")
    ffmpeg(
        ["-i", f"file:{reference}", *encoder.arguments, *BITEXACT, "-f", "mp4", str(trial)],
        progress=lambda _: tick(),
    )
    even = chain("settb=AVTB", "setpts=PTS-STARTPTS")
    measure = node("libvmaf", log_fmt="json", log_path=log, n_threads=2)
    graph = f"[0:v]{even}[a];[1:v]{even}[b];[a][b]{measure}"
    ffmpeg(
        ["-i", f"file:{trial}", "-i", f"file:{reference}", "-lavfi", graph, "-f", "null", "-"],
        progress=lambda _: tick(),
    )
    mean = json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"]
    trial.unlink()
    log.unlink()
    return float(mean)
