"""Forced alignment of chunks of text by pocketsphinx, in child processes.

A chunk whose path scores like the wrong text is not believed. Measured mean scores of a frame:
right English -9 to -27, wrong below -33; other languages, said with English sounds, right -18 to
-32, wrong below -60.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import exp
from pathlib import Path
from typing import Any

from ray_jobs.engines import pronounce
from ray_jobs.engines.activity import RATE_HZ
from ray_jobs.engines.child import ask_all
from ray_jobs.engines.given import Line
from ray_jobs.engines.pronounce import Unit, dictionary, pronunciations
from ray_jobs.engines.spoken import Reading, readings
from ray_jobs.engines.text import TimedWord
from ray_jobs.engines.timing import Span, mean_score

SPHINX = "ray_jobs.engines.sphinx"
BELIEVED_ENGLISH = -32.0
BELIEVED_OTHER = -42.0
DOUBTED = -75.0
"""Score below which a single word inside a believed chunk is not."""
LONGEST_CHUNK_S = 150.0
MOST_UNITS_PER_S = 9.0
MOST_READINGS = 6
SIGNS = "\"'`.,;:!?()[]{}«»“”„‘’…-–—¿¡|♪♫、。！？，"

Tick = Callable[[float], None]


@dataclass(frozen=True)
class Word:
    """A written token of line `line`, and the units said for it (none for a dash, say)."""

    text: str
    line: int
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Chunk:
    """Consecutive words, `first` up to `last`, believed to be said between two times."""

    first: int
    last: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Alignment:
    """Words to time against a sound (16-bit mono PCM at 16 kHz), and the times found so far."""

    words: list[Word]
    pcm: Path
    speech: Sequence[Span]
    duration_s: float
    english: bool
    times: list[TimedWord | None] = field(default_factory=list)

    def texts(self, first: int, last: int) -> list[str]:
        return [word.text for word in self.words[first:last]]

    def heard(self, at: int) -> bool:
        time = self.times[at]
        return time is not None and not time.interpolated

    def units(self, first: int, last: int) -> list[Unit]:
        return [unit for word in self.words[first:last] for unit in word.units]


def prepare(
    lines: Sequence[Line], pcm: Path, speech: Sequence[Span], duration_s: float, language: str
) -> Alignment:
    """An alignment of the lines' tokens in which nothing is timed yet."""
    english = is_english(language)
    tokens = said(lines, language)
    known = pronunciations(
        (word for _, _, parts in tokens for part in parts for reading in part for word in reading),
        language,
    )
    words = []
    for token, at, parts in tokens:
        units = (_unit(part, known, english=english) for part in parts)
        words.append(Word(token, at, tuple(unit for unit in units if unit)))
    return Alignment(words, pcm, speech, duration_s, english, [None] * len(words))


def is_english(language: str) -> bool:
    return language.partition("-")[0].lower() == "en"


def said(lines: Sequence[Line], language: str) -> list[tuple[str, int, list[list[Reading]]]]:
    """Each token, the number of its line, and what is said for it, part after part."""
    english = is_english(language)
    return [
        (token, at, readings(token) if english else _foreign(token))
        for at, line in enumerate(lines)
        for token in line.tokens
    ]


def align_chunks(work: Alignment, chunks: Iterable[Chunk], tick: Tick) -> list[Chunk]:
    """Time the words of the chunks that the sound bears out; returns the other chunks."""
    if not pronounce.available():
        return list(chunks)
    failed, sent, requests = [], [], []
    believed = BELIEVED_ENGLISH if work.english else BELIEVED_OTHER
    for chunk in chunks:
        units = work.units(chunk.first, chunk.last)
        length_s = chunk.end_s - chunk.start_s
        if not units or not len(units) / MOST_UNITS_PER_S < length_s < LONGEST_CHUNK_S:
            failed.append(chunk)
            continue
        sent.append(chunk)
        requests.append(_request(work, chunk, units, believed))
    doubts = []
    replies = ask_all(SPHINX, requests, tick=lambda share: tick(0.9 * share))
    for chunk, reply in zip(sent, replies, strict=True):
        found = reply and reply["words"]
        if found and mean_score(found) >= believed:
            doubts += _take(work, chunk, found)
        else:
            failed.append(chunk)
    _seek_again(work, doubts, believed, lambda share: tick(0.9 + 0.1 * share))
    return failed


def _seek_again(work: Alignment, doubts: Sequence[Chunk], believed: float, tick: Tick) -> None:
    """Time doubted words between the words around them, where a pruned path may be found again."""
    requests = [
        _request(work, near, work.units(near.first, near.last), believed) for near in doubts
    ]
    for near, reply in zip(doubts, ask_all(SPHINX, requests, tick=tick), strict=True):
        if not (reply and reply["words"]):
            continue
        before = work.times[near.first : near.last]
        _take(work, near, reply["words"])
        for at, old in enumerate(before, near.first):
            fresh = work.times[at]
            if old and fresh and not (old.interpolated and fresh.confidence > old.confidence):
                work.times[at] = old


def _request(work: Alignment, chunk: Chunk, units: list[Unit], believed: float) -> dict[str, Any]:
    return {
        "do": "align",
        "pcm": str(work.pcm),
        "start": round(chunk.start_s * RATE_HZ),
        "end": round(chunk.end_s * RATE_HZ),
        "words": [[name, list(said)] for name, said in units],
        "believed": believed,
    }


def _take(work: Alignment, chunk: Chunk, found: list[list[float]]) -> list[Chunk]:
    """Note the times of a chunk's words; returns each doubted word between its neighbours."""
    unit = iter(found)
    doubted = []
    for at in range(chunk.first, chunk.last):
        parts = [next(unit) for _ in work.words[at].units]
        if parts:
            score = mean_score(parts)
            work.times[at] = TimedWord(
                work.words[at].text,
                chunk.start_s + parts[0][0],
                chunk.start_s + parts[-1][1],
                _confidence(score, english=work.english),
                interpolated=score < DOUBTED,
            )
            if score < DOUBTED:
                doubted.append(at)
    return [near for at in doubted if (near := _near(work, chunk, at))]


def _near(work: Alignment, chunk: Chunk, at: int) -> Chunk | None:
    """A word and the nearest word heard to either side of it, and when they are said."""
    first = next((n for n in range(at - 1, chunk.first - 1, -1) if work.heard(n)), None)
    last = next((n for n in range(at + 1, chunk.last) if work.heard(n)), None)
    left = work.times[at if first is None else first]
    right = work.times[at if last is None else last]
    if left is None or right is None:
        return None
    start_s = chunk.start_s if first is None else left.start_s
    end_s = chunk.end_s if last is None else right.end_s
    return Chunk(at if first is None else first, (at if last is None else last) + 1, start_s, end_s)


def _confidence(score: float, *, english: bool) -> float:
    """Right words score about -15 (0.92), words of a wrong text about -50 (0.13)."""
    half = -35 if english else -45
    return round(1 / (1 + exp(-(score - half) / 8)), 3)


def _foreign(token: str) -> list[list[Reading]]:
    plain = token.strip(SIGNS).lower()
    return [[(plain,)]] if any(sign.isalnum() for sign in plain) else []


def _unit(part: list[Reading], known: dict[str, list[str]], *, english: bool) -> Unit | None:
    if english and len(part) == 1 and len(part[0]) == 1 and part[0][0] in dictionary():
        return Unit(part[0][0], ())
    sounds: dict[str, None] = {}
    for reading in part:
        options = [known.get(word) for word in reading]
        if all(options):
            heads = " ".join(option[0] for option in options if option)
            sounds.update(dict.fromkeys([heads, *(options[0] or [] if len(reading) == 1 else [])]))
    if not sounds:
        return None
    chosen = tuple(sounds)[:MOST_READINGS]
    return Unit("unit-" + sha256("|".join(chosen).encode()).hexdigest()[:16], chosen)
