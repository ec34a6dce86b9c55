"""The score of a span: a sum of named parts, each with its raw value, its weight and its evidence.

A part's raw value is in its own unit; its normalised value lies in 0..1, by a fixed curve where the
unit has a meaning of its own and by the recording's own 5th to 95th percentile otherwise. A part
that cannot be measured (no sound, no pictures, no words) weighs nothing and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernels.window_scores import Parts, window_parts
from ray_jobs.clips import language
from ray_jobs.clips.candidates import Candidates, Unit
from ray_jobs.clips.features import RATE_HZ, Features
from ray_jobs.clips.opinions import Opinions
from ray_jobs.contract import Evidence, FindClips, ScorePart, ScoreWeights
from ray_jobs.engines import meaning

TRACKS = ("motion", "saliency", "loudness_lufs", "speech")
IDEAL_WORDS_PER_S = 2.6
HOOK_S = 3.0


@dataclass(frozen=True)
class Part:
    """One part over all candidates; `known` says whether it could be measured at all.

    `notes` has what is to be said of each candidate instead of `note`, where that differs.
    """

    raw: np.ndarray
    normalised: np.ndarray
    note: str
    known: bool = True
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Scored:
    """All parts of all candidates; `total` is the sum over parts of weight x normalised."""

    parts: dict[str, Part]
    weights: dict[str, float]
    total: np.ndarray
    hooks: list[tuple[float, list[str]]]
    vectors: np.ndarray | None

    def breakdown(self, i: int, candidates: Candidates) -> list[ScorePart]:
        """The parts of one candidate with their evidence."""
        return [
            ScorePart(
                name=name,
                value=round(float(part.raw[i]), 6),
                normalised=round(float(part.normalised[i]), 6),
                weight=self.weights[name],
                contribution=self.weights[name] * round(float(part.normalised[i]), 6),
                evidence=self._evidence(name, part, i, candidates),
            )
            for name, part in self.parts.items()
        ]

    def _evidence(self, name: str, part: Part, i: int, candidates: Candidates) -> Evidence:
        start_s, end_s = float(candidates.start_s[i]), float(candidates.end_s[i])
        first, note, words = int(candidates.first[i]), part.note, []
        if part.notes:
            note = part.notes[i]
        opening = candidates.units[first]
        if name == "hook" and part.known:
            end_s = max(opening.end_s, start_s + 0.001)
            words = [word.id for word in opening.words][:20]
            note = ", ".join(self.hooks[first][1]) or "nothing that pulls"
        if name == "completeness" and part.known:
            last = int(candidates.last[i])
            note = language.completeness(
                candidates.units, first, last, conversation=conversation(candidates.units)
            )[1]
        return Evidence(start_s=start_s, end_s=end_s, words=words, note=note)


def score(
    spec: FindClips, features: Features, candidates: Candidates, opinions: Opinions | None = None
) -> Scored:
    """Score every candidate; there is a part `opinion` where somebody was asked for theirs."""
    parts = _heard_and_seen(features, candidates)
    spoken, hooks, vectors = _said(spec, candidates)
    parts |= spoken
    length_s = candidates.end_s - candidates.start_s
    ideal_s = np.sqrt(spec.min_duration_s * spec.max_duration_s)
    off = np.abs(np.log(np.maximum(length_s, 1e-3) / ideal_s))
    parts["length"] = Part(
        length_s, np.clip(1 - off / 1.5, 0, 1), f"best near {ideal_s:.0f} s of the wanted durations"
    )
    if opinions is not None:
        parts["opinion"] = _thought(opinions, candidates)
    ordered = {name: parts[name] for name in ScoreWeights.model_fields if name in parts}
    weights = {
        name: float(getattr(spec.weights, name)) if part.known else 0.0
        for name, part in ordered.items()
    }
    total = np.zeros(len(candidates.first))
    for name, part in ordered.items():
        total += weights[name] * np.round(part.normalised, 6)
    return Scored(ordered, weights, total, hooks, vectors)


def _thought(opinions: Opinions, candidates: Candidates) -> Part:
    count = len(candidates.first)
    if not opinions.known:
        return unknown(count, opinions.warnings[0])
    each = [opinions.on(candidates.text(i)) for i in range(count)]
    raw, normalised, notes = zip(*each, strict=True)
    return Part(np.array(raw), np.array(normalised), f"of 10, by {opinions.model}", notes=notes)


def conversation(units: Sequence[Unit]) -> bool:
    """Whether more than one person is known to speak."""
    return len({unit.speaker for unit in units if unit.speaker}) > 1


def by_percentile(raw: np.ndarray) -> np.ndarray:
    """Place in the recording's own 5th to 95th percentile, 0..1; a flat part is 0.5."""
    if not len(raw):
        return raw
    low, high = np.percentile(raw, (5, 95))
    if high - low < 1e-9:
        return np.full(len(raw), 0.5)
    return np.asarray(np.clip((raw - low) / (high - low), 0, 1))


def unknown(count: int, why: str) -> Part:
    return Part(np.zeros(count), np.zeros(count), why, known=False)


def _heard_and_seen(features: Features, candidates: Candidates) -> dict[str, Part]:
    count = len(candidates.first)
    frames = features.frames
    start = np.clip((candidates.start_s * RATE_HZ).astype(np.int64), 0, frames - 1)
    end = np.clip(np.ceil(candidates.end_s * RATE_HZ).astype(np.int64), start + 1, frames)
    stack = np.stack([features.tracks[name] for name in TRACKS])
    stats = Parts(*(np.nan_to_num(part) for part in window_parts(stack, start, end)))
    known = {name: bool(np.isfinite(track).any()) for name, track in features.tracks.items()}
    motion, eye, loud, speech = range(len(TRACKS))
    parts = _seen(stats, known, count, motion, eye)
    if known["change"]:
        minutes = np.maximum(candidates.end_s - candidates.start_s, 1e-3) / 60
        starts = np.array([shot["start_s"] for shot in features.shots], dtype=float)
        inside = np.searchsorted(starts, candidates.end_s) - np.searchsorted(
            starts, candidates.start_s, side="right"
        )
        pace = inside / minutes
        parts["pacing"] = Part(
            pace, np.clip(1 - np.abs(np.log2((pace + 1) / 9)) / 3.2, 0, 1),
            "shot changes a minute; best near eight",
        )  # fmt: skip
    else:
        parts["pacing"] = unknown(count, "there are no pictures")
    if not known["loudness_lufs"]:
        silent = "there is no sound"
        return parts | {name: unknown(count, silent) for name in ("speech", "energy", "dynamics")}
    parts["energy"] = Part(
        stats.contrast[loud], by_percentile(stats.contrast[loud]), "LU above its surroundings"
    )
    deviation = np.minimum(stats.deviation[loud], 12)
    parts["dynamics"] = Part(deviation, by_percentile(deviation), "LU of variation in loudness")
    share = stats.mean[speech]
    words = np.array(
        [sum(len(u.words) for u in candidates.units[a : b + 1])
         for a, b in zip(candidates.first, candidates.last, strict=True)], dtype=float,
    )  # fmt: skip
    rate = words / np.maximum(candidates.end_s - candidates.start_s, 1e-3)
    flow = np.clip(1 - np.abs(rate - IDEAL_WORDS_PER_S) / IDEAL_WORDS_PER_S, 0, 1)
    value = 0.6 * share + 0.4 * flow if words.any() else share
    parts["speech"] = Part(share, np.clip(value, 0, 1), "share of speech, and its pace")
    return parts


def _seen(
    stats: Parts,
    known: dict[str, bool],
    count: int,
    motion: int,
    eye: int,
) -> dict[str, Part]:
    if not known["motion"]:
        return {name: unknown(count, "there are no pictures") for name in ("motion", "saliency")}
    return {
        "motion": Part(
            stats.mean[motion], by_percentile(stats.mean[motion]), "mean luma change a frame"
        ),
        "saliency": Part(
            stats.mean[eye], by_percentile(stats.mean[eye]), "energy of what stands out"
        ),
    }


def _said(
    spec: FindClips, candidates: Candidates
) -> tuple[dict[str, Part], list[tuple[float, list[str]]], np.ndarray | None]:
    count, units = len(candidates.first), candidates.units
    if not any(unit.words for unit in units):
        why = "there is no transcript"
        names = ("hook", "meaning", "completeness", "topic")
        return {name: unknown(count, why) for name in names}, [(0.0, [])] * len(units), None
    hooks = [language.hook(unit.text) for unit in units]
    pull = np.array([value for value, _ in hooks])[candidates.first]
    talk = conversation(units)
    whole = np.array([
        language.completeness(units, a, b, conversation=talk)[0]
        for a, b in zip(candidates.first, candidates.last, strict=True)
    ])  # fmt: skip
    parts = {
        "hook": Part(pull, pull, "how the first sentence pulls"),
        "completeness": Part(whole, whole, "whether it is a whole thought"),
    }
    if not meaning.available():
        missing = "the sentence model is not installed"
        return parts | {n: unknown(count, missing) for n in ("meaning", "topic")}, hooks, None
    vectors = meaning.embed([unit.text for unit in units])
    vectors[[not unit.words for unit in units]] = 0  # a shot without words means nothing
    sums = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors, axis=0)])
    centre = sums[candidates.last + 1] - sums[candidates.first]
    centre /= np.maximum(np.linalg.norm(centre, axis=1, keepdims=True), 1e-9)
    theme = vectors.mean(0) / max(float(np.linalg.norm(vectors.mean(0))), 1e-9)
    value, note = centre @ theme, "likeness to the recording's theme"
    normalised = by_percentile(value)
    if spec.keywords:
        asked = (centre @ meaning.embed(spec.keywords).T).max(axis=1)
        value, note = asked, "likeness to the keywords"
        normalised = by_percentile(asked)
    parts["meaning"] = Part(value, normalised, note)
    shifts = language.topic_shifts(vectors)
    begins = shifts[candidates.first]
    ends = np.append(shifts, 1.0)[candidates.last + 1]
    inside = np.array([
        shifts[a + 1 : b + 1].max(initial=0.0)
        for a, b in zip(candidates.first, candidates.last, strict=True)
    ])  # fmt: skip
    raw = begins + ends - inside
    parts["topic"] = Part(
        raw, np.clip((raw + 1) / 3, 0, 1), "begins and ends with a topic, and keeps to it"
    )
    return parts, hooks, vectors
