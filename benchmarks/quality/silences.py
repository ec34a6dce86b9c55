"""What silence cutting takes away, beside a threshold on the sound, where truth is known.

The peer is ffmpeg's silencedetect with what auto-editor cuts by: 4 % of full scale, 0.2 s left on
either side. auto-editor itself cannot be held to a version offline: its package fetches a program.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.quality import Row
from benchmarks.quality.words import spoken
from benchmarks.workshop import workshop
from ray_jobs.clips.features import measure
from ray_jobs.clips.tighten import LEFT_S, MAX_PAUSE_S, suggested
from ray_jobs.contract import GivenTranscript, Transcribe
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.sample import make_sample
from ray_jobs.transcribe import transcribe

TITLE = "Silence cutting"
LOUD = 0.04
GRID_HZ = 1000
PEER = "ffmpeg silencedetect at 4 %"
MOST_LOST = 0.5

Spans = list[tuple[float, float]]


class Truth(NamedTuple):
    """A recording, its text, what must stay and what may go, in seconds."""

    path: Path
    text: str
    kept: Spans
    silent: Spans


class Share(NamedTuple):
    """Seconds cut away of what must stay, and left of what may go, each with all there is."""

    lost_s: float
    kept_s: float
    left_s: float
    silent_s: float


def rows(media: Path) -> Iterator[Row]:
    with workshop() as shop:
        sample = make_sample(shop.folder / "talk.mp4", shop.folder / "made")
        words = [(word.start_s, word.end_s) for word in sample.words]
        known = [
            composed(media / "composed" / "talk_a.mp4", media / "alignment"),
            Truth(sample.path, sample.transcript, words, pauses(words)),
        ]
        yield from _rows(known)


def _rows(known: Sequence[Truth]) -> Iterator[Row]:
    ours, peer = (total(known, cut) for cut in (suggestions, quiet))
    where = "composed/talk_a.mp4 and the sample talk, their texts given"
    lost, there = (100 * one.lost_s / one.kept_s for one in (ours, peer))
    yield Row(f"speech and music cut away, of {ours.kept_s:.0f} s", "%", lost, where,
              peers={PEER: there}, target=f"≤ {MOST_LOST:g}", met=lost <= MOST_LOST)  # fmt: skip
    left, stays = (100 * one.left_s / one.silent_s for one in (ours, peer))
    yield Row(f"silence over {MAX_PAUSE_S:g} s left in, of {ours.silent_s:.0f} s", "%", left, where,
              peers={PEER: stays})  # fmt: skip


def composed(path: Path, alignment: Path) -> Truth:
    """Speech whose inner pauses are known or short, music, and the silences between utterances.

    The president's are neither, so that what he says is no truth here.
    """
    said = json.loads(path.with_suffix(".truth.json").read_text(encoding="utf-8"))
    kept = [tuple(span) for span in said["music"]]
    for part in said["utterances"]:
        zero, source = part["start"], alignment / part["source"]
        if source.with_suffix(".vad").exists():
            lines = [line.split() for line in source.with_suffix(".vad").read_text().splitlines()]
            kept += [(zero + float(a), zero + float(b)) for a, b, what in lines if what == "speech"]
        elif source.exists():
            starts = [zero + word.start_s for word in spoken(source.with_suffix(".json"))]
            kept.append((starts[0], starts[-1]))
        elif part["speaker"] != "jfk":
            kept.append((part["start"], part["end"]))
    within = said["silences"][1:-2]
    silent = [(a, b) for a, b in within if b - a > MAX_PAUSE_S]
    text = path.with_suffix(".srt").read_text(encoding="utf-8")
    return Truth(path, text, kept, silent)


def pauses(words: Spans) -> Spans:
    """What lies between words for more than MAX_PAUSE_S."""
    gaps = [(a[1], b[0]) for a, b in pairwise(words)]
    return [(start, end) for start, end in gaps if end - start > MAX_PAUSE_S]


def total(known: Sequence[Truth], cut: Callable[[Truth], Spans]) -> Share:
    shares = [share(one, cut(one)) for one in known]
    return Share(*(sum(each) for each in zip(*shares, strict=True)))


def share(truth: Truth, gone: Spans) -> Share:
    """Counted by the millisecond; what overlaps in the truth counts once."""
    end_s = max(end for _, end in [*truth.kept, *truth.silent, *gone, (0.0, 0.0)])
    kept, silent, cut = (grid(spans, end_s) for spans in (truth.kept, truth.silent, gone))
    counts = (kept & cut).sum(), kept.sum(), (silent & ~cut).sum(), silent.sum()
    return Share(*(float(count) / GRID_HZ for count in counts))


def grid(spans: Spans, end_s: float) -> np.ndarray:
    line = np.zeros(round(end_s * GRID_HZ), bool)
    for start, end in spans:
        line[round(start * GRID_HZ) : round(end * GRID_HZ)] = True
    return line


def suggestions(truth: Truth) -> Spans:
    """What would be cut of the recording as one clip."""
    with workshop() as shop:
        given = GivenTranscript(format="srt", text=truth.text)
        source = shop.source(truth.path)
        spec = Transcribe(source=source, language="en", given=given)
        segments = transcribe(shop.run(spec), spec).segments
        features = measure(truth.path, source.media, lambda _: None)
    words = [word for segment in segments for word in segment.words]
    edits = suggested(words, features, language="en", applied=True)
    return [(edit.start_s, edit.end_s) for edit in edits]


def quiet(truth: Truth) -> Spans:
    """Where the sound stays under LOUD for more than MAX_PAUSE_S, without LEFT_S on either side."""
    log = ffmpeg([
        "-i", str(truth.path), "-vn", "-af", f"silencedetect=n={LOUD}:d={MAX_PAUSE_S}",
        "-f", "null", "-",
    ])  # fmt: skip
    edges = re.findall(r"silence_(?:start|end): (-?[\d.]+)", log)
    spans = zip(edges[::2], edges[1::2], strict=False)
    return [(float(start) + LEFT_S, float(end) - LEFT_S) for start, end in spans]
