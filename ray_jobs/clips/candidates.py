"""Spans that could be clips: they begin and end where a listener would let them.

With a transcript, spans run from the start of one sentence to the end of another, with half the
silence around, and from shot to shot where nobody speaks for long; without one, from pause to
pause. What is too long for any clip is parted: speech at its widest pauses between words, the rest
evenly, where it is quietest.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from ray_jobs.clips.features import RATE_HZ, Features
from ray_jobs.contract import FindClips, Segment, Word

LEAD_S, TAIL_S = 0.35, 0.45
PAUSE_S = 0.6
LONG_SILENCE_S, SHORTEST_SHOT_S = 5.0, 0.5
SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
MAX_SENTENCE_S = 20.0
SLIP_S = 0.1
PARTS_A_CLIP = 6
NEAR_MISS = 1.25
MAX_CANDIDATES = 250_000


@dataclass(frozen=True)
class Unit:
    """A sentence, or a stretch between two pauses: the smallest thing a clip is made of."""

    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()
    segment_ids: tuple[str, ...] = ()
    speaker: str | None = None

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Candidates:
    """Windows over units: candidate i runs from unit first[i] to unit last[i], both included.

    `fits` says which have a wanted duration; the others are near misses, kept to be explained.
    """

    units: list[Unit]
    first: np.ndarray
    last: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    fits: np.ndarray
    relaxed: str | None = field(default=None)

    def text(self, i: int) -> str:
        """What is said in candidate i."""
        units = self.units[int(self.first[i]) : int(self.last[i]) + 1]
        return " ".join(unit.text for unit in units).strip()


def find(spec: FindClips, features: Features) -> Candidates:
    """Every candidate of the recording.

    Where no span fits the wanted durations the lower bound is dropped, then the upper: a
    recording that has anything in it always has a candidate, and `relaxed` says why it is one.
    """
    duration_s = features.duration_s
    low_s = min(spec.range_start_s, duration_s)
    high_s = duration_s if spec.range_end_s is None else min(spec.range_end_s, duration_s)
    units, starts, ends = _placed(spec, features, low_s, high_s)
    shortest_s = min(spec.min_duration_s, high_s - low_s)
    bands = [
        (shortest_s, spec.max_duration_s, None),
        (0.0, spec.max_duration_s, "no span was long enough: shorter ones were allowed"),
        (0.0, float("inf"), "no span was short enough: longer ones were allowed"),
    ]
    for shortest, longest, relaxed in bands:
        found = _windows(units, starts, ends, shortest, longest, relaxed)
        if found.fits.any():
            return found
    return found


def _placed(
    spec: FindClips, features: Features, low_s: float, high_s: float
) -> tuple[list[Unit], np.ndarray, np.ndarray]:
    """The units of a range, and where a clip begins that starts or ends with each."""
    every = units_of(spec, features)
    bounds = [0.0, *(unit.end_s for unit in every)], [*(u.start_s for u in every), np.inf]
    gaps = np.array(bounds[1]) - np.array(bounds[0])
    gaps[-1] = features.duration_s - bounds[0][-1]
    start = np.array([u.start_s for u in every]) - np.minimum(LEAD_S, gaps[:-1] / 2)
    end = np.array([u.end_s for u in every]) + np.minimum(TAIL_S, gaps[1:] / 2)
    kept = [
        i for i, u in enumerate(every) if u.start_s >= low_s - 1e-6 and u.end_s <= high_s + 1e-6
    ]
    if not kept and high_s > low_s:
        units = _within(every, low_s, high_s, spec.max_duration_s, features)
        start, end = (np.array([getattr(u, name) for u in units]) for name in ("start_s", "end_s"))
    else:
        units, start, end = [every[i] for i in kept], start[kept], end[kept]
    return units, *(np.clip(np.round(edge, 3), low_s, high_s) for edge in (start, end))


def _within(
    units: Sequence[Unit], low_s: float, high_s: float, longest_s: float, features: Features
) -> list[Unit]:
    """What a range holds that no whole unit lies in: the words in it, or else all of it."""
    spoken = [unit for unit in units if unit.end_s > low_s and unit.start_s < high_s]
    words = sorted((w for u in spoken for w in u.words), key=lambda word: word.start_s)
    inside = [w for w in words if w.start_s >= low_s and w.end_s <= high_s]
    begins = [w.start_s for w in inside if not _cuts(w.start_s, words)]
    ends = [w.end_s for w in inside if not _cuts(w.end_s, words)]
    if begins and ends and max(ends) > begins[0]:
        said = tuple(w for w in inside if w.start_s >= begins[0] and w.end_s <= max(ends))
        ids = tuple(dict.fromkeys(name for unit in spoken for name in unit.segment_ids))
        return _parted(Unit(begins[0], max(ends), said, ids), longest_s)
    return _evenly(Unit(low_s, high_s), longest_s, features)


def _cuts(time_s: float, words: Sequence[Word]) -> bool:
    return any(word.start_s + SLIP_S / 2 < time_s < word.end_s - SLIP_S / 2 for word in words)


def _windows(
    units: list[Unit],
    starts: np.ndarray,
    ends: np.ndarray,
    shortest_s: float,
    longest_s: float,
    relaxed: str | None,
) -> Candidates:
    """Windows of a wanted length and near misses; of endless ones those of a single unit."""
    count = np.arange(len(units))
    from_, until = np.searchsorted(ends, starts + shortest_s / NEAR_MISS), count + 1
    if np.isfinite(longest_s):
        until = np.searchsorted(ends, starts + longest_s * NEAR_MISS, side="right")
    from_ = np.maximum(from_, count)
    number = np.maximum(until - from_, 0)
    first = np.repeat(count, number)
    last = np.arange(len(first)) - np.repeat(np.cumsum(number) - number, number) + from_[first]
    length = ends[last] - starts[first]
    first, last, length = (a[length > 0] for a in (first, last, length))
    fits = (length >= shortest_s - 1e-6) & (length <= longest_s + 1e-6)
    if len(first) > MAX_CANDIDATES:
        first, last, fits = (a[fits] for a in (first, last, fits))
    stride = -(-len(first) // MAX_CANDIDATES) or 1
    if stride > 1:
        first, last, fits = (a[::stride] for a in (first, last, fits))
        relaxed = relaxed or f"the recording is so long that one span in {stride} was considered"
    return Candidates(units, first, last, starts[first], ends[last], fits, relaxed)


def units_of(spec: FindClips, features: Features) -> list[Unit]:
    """Sentences, and shots where nobody speaks for long; stretches where nothing was written.

    They follow each other without overlap, but for slips of SLIP_S between two words.
    """
    longest_s = spec.max_duration_s
    spoken = _apart(sentences(spec.segments), features.duration_s)
    if not spoken:
        silent = stretches(features) or [Unit(0.0, features.duration_s)]
        return [part for unit in silent for part in _evenly(unit, longest_s, features)]
    units: list[Unit] = []
    done_s = 0.0
    for unit in [*spoken, None]:
        until_s = unit.start_s if unit else features.duration_s
        if until_s - done_s > LONG_SILENCE_S:
            shots = shots_within(features, done_s + 2 * TAIL_S, until_s - 2 * LEAD_S)
            units += [part for shot in shots for part in _evenly(shot, longest_s, features)]
        if unit:
            units += _parted(unit, longest_s)
            done_s = unit.end_s
    return units


def _apart(units: Sequence[Unit], duration_s: float) -> list[Unit]:
    """Units in order within the recording; those that are spoken over each other are one."""
    placed: list[Unit] = []
    for unit in sorted(units, key=lambda unit: (unit.start_s, unit.end_s)):
        if unit.start_s >= duration_s:
            break
        cut = replace(unit, end_s=min(unit.end_s, duration_s))
        before_s = placed[-1].end_s if placed else -np.inf
        if cut.start_s < before_s - SLIP_S or cut.end_s <= before_s:
            over = placed.pop()
            cut = Unit(
                over.start_s,
                max(over.end_s, cut.end_s),
                over.words + cut.words,
                tuple(dict.fromkeys(over.segment_ids + cut.segment_ids)),
                over.speaker if over.speaker == cut.speaker else None,
            )
        placed.append(cut)
    return placed


def _parted(unit: Unit, longest_s: float) -> list[Unit]:
    """A sentence, in two or more where it fits no clip: at pauses, the widest and middlemost."""
    length_s = unit.end_s - unit.start_s
    if length_s <= _room(longest_s):
        return [unit]
    words = sorted(unit.words, key=lambda word: word.start_s)
    best, at, done_s = -np.inf, 0, 0.0
    for place, (word, following) in enumerate(pairwise(words), 1):
        done_s = max(done_s, word.end_s)
        gap_s = following.start_s - done_s
        off = abs((done_s + gap_s / 2 - unit.start_s) / length_s - 0.5)
        if gap_s >= -SLIP_S and gap_s - off > best:
            best, at = gap_s - off, place
    if not at:
        return [unit]
    halves = (words[:at], words[at:])
    ends = max(word.end_s for word in words[:at]), unit.end_s
    return [
        part
        for half, end_s in zip(halves, ends, strict=True)
        for part in _parted(
            replace(unit, start_s=half[0].start_s, end_s=end_s, words=tuple(half)), longest_s
        )
    ]


def _evenly(unit: Unit, longest_s: float, features: Features) -> list[Unit]:
    """A wordless span, in equal parts where it fits no clip, each end moved to where it is calm."""
    length_s = unit.end_s - unit.start_s
    if length_s <= _room(longest_s):
        return [unit]
    count = int(np.ceil(length_s / max(longest_s / PARTS_A_CLIP, 1 / RATE_HZ)))
    edges = np.linspace(unit.start_s, unit.end_s, count + 1)
    loudness = features.tracks["loudness_lufs"]
    reach = int(length_s / count / 4 * RATE_HZ)
    if reach and np.isfinite(loudness).any():
        for k in range(1, count):
            middle = int(edges[k] * RATE_HZ)
            near = loudness[middle - reach : middle + reach + 1]
            if len(near) == 2 * reach + 1:
                edges[k] = (middle - reach + int(np.argmin(near)) + 0.5) / RATE_HZ
    return [Unit(float(a), float(b)) for a, b in pairwise(edges)]


def _room(longest_s: float) -> float:
    """What a unit may last so that it fits a clip together with the silence around it."""
    return max(longest_s - LEAD_S - TAIL_S, longest_s / 2)


def shots_within(features: Features, start_s: float, end_s: float) -> list[Unit]:
    """The parts of shots that lie in a span, where they are long enough to be seen."""
    spans = [
        (max(start_s, float(s["start_s"])), min(end_s, float(s["end_s"])))  # type: ignore[arg-type]
        for s in features.shots
    ]
    return [Unit(a, b) for a, b in spans if b - a >= SHORTEST_SHOT_S]


def sentences(segments: Sequence[Segment]) -> list[Unit]:
    """Words grouped at sentence ends, long pauses and changes of the speaker, whatever the
    segments' own bounds. Where time goes back somebody else speaks.
    """
    tagged = [(word, segment) for segment in segments for word in segment.words]
    units: list[Unit] = []
    run: list[tuple[Word, Segment]] = []
    for position, (word, segment) in enumerate(tagged):
        run.append((word, segment))
        following, then = tagged[position + 1] if position + 1 < len(tagged) else (None, segment)
        pause_s = following.start_s - word.end_s if following else float("inf")
        long = word.end_s - run[0][0].start_s > MAX_SENTENCE_S
        another = following is not None and following.start_s < word.start_s
        another = another or then.speaker != segment.speaker
        pauses = pause_s >= PAUSE_S or (long and pause_s > 0.15)
        if SENTENCE_END.search(word.text) or pauses or another:
            units.append(_unit(run))
            run = []
    return units


def _unit(run: Sequence[tuple[Word, Segment]]) -> Unit:
    return Unit(
        min(word.start_s for word, _ in run),
        max(word.end_s for word, _ in run),
        tuple(word for word, _ in run),
        tuple(dict.fromkeys(segment.id for _, segment in run)),
        run[0][1].speaker,
    )


def stretches(features: Features) -> list[Unit]:
    """Spans between pauses of the speech, or shots where there is no speech to speak of."""
    speech = np.nan_to_num(features.tracks["speech"]) > 0.5
    if speech.mean() > 0.1:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], speech, [False]]).astype(int)))
        spans = edges.reshape(-1, 2) / RATE_HZ
        joined: list[list[float]] = []
        for start_s, end_s in spans:
            if joined and start_s - joined[-1][1] < PAUSE_S:
                joined[-1][1] = end_s
            else:
                joined.append([start_s, end_s])
        return [Unit(a, min(b, features.duration_s)) for a, b in joined]
    return [Unit(float(s["start_s"]), float(s["end_s"])) for s in features.shots]  # type: ignore[arg-type]
