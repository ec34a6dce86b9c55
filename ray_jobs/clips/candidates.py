"""Spans that could be clips: they begin and end where a listener would let them.

With a transcript, spans run from the start of one sentence to the end of another, with half the
silence around, and from shot to shot where nobody speaks for long; without one, from pause to
pause.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ray_jobs.clips.features import RATE_HZ, Features
from ray_jobs.contract import FindClips, Segment, Word

LEAD_S, TAIL_S = 0.35, 0.45
PAUSE_S = 0.6
LONG_SILENCE_S, SHORTEST_SHOT_S = 5.0, 0.5
SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
MAX_SENTENCE_S = 20.0
MAX_UNITS = 4000
NEAR_MISS = 1.25


@dataclass(frozen=True)
class Unit:
    """A sentence, or a stretch between two pauses: the smallest thing a clip is made of."""

    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()
    segment_ids: tuple[str, ...] = ()

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


def find(spec: FindClips, features: Features) -> Candidates:
    """Every candidate of the recording.

    Where no span fits the wanted durations the lower bound is dropped, then the upper: a
    recording that has anything in it always has a candidate, and `relaxed` says why it is one.
    """
    duration_s = features.duration_s
    low_s = min(spec.range_start_s, duration_s)
    high_s = min(spec.range_end_s or duration_s, duration_s)
    units = [
        unit
        for unit in units_of(spec, features)
        if unit.start_s >= low_s - 1e-6 and unit.end_s <= high_s + 1e-6
    ][:MAX_UNITS]
    if not units and high_s > low_s:
        units = [Unit(low_s, high_s)]
    shortest_s = min(spec.min_duration_s, high_s - low_s)
    bands = [
        (shortest_s, spec.max_duration_s, None),
        (0.0, spec.max_duration_s, "no span was long enough: shorter ones were allowed"),
        (0.0, float("inf"), "no span was short enough: longer ones were allowed"),
    ]
    for shortest, longest, relaxed in bands:
        found = _windows(units, low_s, high_s, shortest, longest, relaxed)
        if found.fits.any():
            return found
    return found


def _windows(
    units: list[Unit],
    low_s: float,
    high_s: float,
    shortest_s: float,
    longest_s: float,
    relaxed: str | None,
) -> Candidates:
    starts = np.array([_lead(units, i, low_s) for i in range(len(units))])
    ends = np.array([_tail(units, i, high_s) for i in range(len(units))])
    lengths = ends[None, :] - starts[:, None]
    near = (lengths >= shortest_s / NEAR_MISS) & (lengths <= longest_s * NEAR_MISS)
    first, last = np.nonzero(np.triu(near & (lengths > 0)))
    kept = lengths[first, last]
    fits = (kept >= shortest_s - 1e-6) & (kept <= longest_s + 1e-6)
    return Candidates(units, first, last, starts[first], ends[last], fits, relaxed)


def _lead(units: Sequence[Unit], i: int, low_s: float) -> float:
    """Start of a clip at unit i: half the silence before it, at most LEAD_S."""
    before_s = units[i - 1].end_s if i else low_s
    gap_s = max(0.0, units[i].start_s - before_s)
    return round(max(low_s, units[i].start_s - min(LEAD_S, gap_s / 2)), 3)


def _tail(units: Sequence[Unit], i: int, high_s: float) -> float:
    after_s = units[i + 1].start_s if i + 1 < len(units) else high_s
    gap_s = max(0.0, after_s - units[i].end_s)
    return round(min(high_s, units[i].end_s + min(TAIL_S, gap_s / 2)), 3)


def units_of(spec: FindClips, features: Features) -> list[Unit]:
    """Sentences, and shots where nobody speaks for long; stretches where nothing was written."""
    spoken = sentences(spec.segments)
    if not spoken:
        return stretches(features)
    units: list[Unit] = []
    done_s = 0.0
    for unit in [*spoken, None]:
        until_s = unit.start_s if unit else features.duration_s
        if until_s - done_s > LONG_SILENCE_S:
            units += shots_within(features, done_s + 2 * TAIL_S, until_s - 2 * LEAD_S)
        if unit:
            units.append(unit)
            done_s = max(done_s, unit.end_s)
    return units


def shots_within(features: Features, start_s: float, end_s: float) -> list[Unit]:
    """The parts of shots that lie in a span, where they are long enough to be seen."""
    spans = [
        (max(start_s, float(s["start_s"])), min(end_s, float(s["end_s"])))  # type: ignore[arg-type]
        for s in features.shots
    ]
    return [Unit(a, b) for a, b in spans if b - a >= SHORTEST_SHOT_S]


def sentences(segments: Sequence[Segment]) -> list[Unit]:
    """Words grouped at sentence ends and long pauses, whatever the segments' own bounds."""
    tagged = [(word, segment.id) for segment in segments for word in segment.words]
    units: list[Unit] = []
    run: list[tuple[Word, str]] = []
    for position, (word, segment_id) in enumerate(tagged):
        run.append((word, segment_id))
        following = tagged[position + 1][0] if position + 1 < len(tagged) else None
        pause_s = following.start_s - word.end_s if following else float("inf")
        long = word.end_s - run[0][0].start_s > MAX_SENTENCE_S
        if SENTENCE_END.search(word.text) or pause_s >= PAUSE_S or (long and pause_s > 0.15):
            units.append(_unit(run))
            run = []
    return units


def _unit(run: Sequence[tuple[Word, str]]) -> Unit:
    return Unit(
        run[0][0].start_s,
        max(word.end_s for word, _ in run),
        tuple(word for word, _ in run),
        tuple(dict.fromkeys(segment_id for _, segment_id in run)),
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
