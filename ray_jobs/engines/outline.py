"""What a transcript is about: its sentences, its topics, and how much each sentence carries."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ray_jobs.clips.language import DANGLING, hook, topic_shifts
from ray_jobs.contract import Segment
from ray_jobs.engines import meaning
from ray_jobs.engines.text import NOT_AN_END, SENTENCE_END

LONGEST_UNIT_S = 20.0
LONGEST_PAUSE_S = 1.5
CLEAR_SHIFT = 0.45
TOPIC_S = 30.0
"""A topic is at least about this long, or a quarter of the whole where that is less."""
FEW_WORDS = 4
TITLE_CHARS = 70
CHUNK = 64
LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Unit:
    """A sentence of the transcript, made of whole segments; `weight` is in 0..1."""

    text: str
    segment_ids: tuple[str, ...]
    start_s: float
    end_s: float
    topic: int = 0
    weight: float = 0.0
    hook: float = 0.0


@dataclass(frozen=True)
class Outline:
    topics: list[str]
    units: list[Unit]


def _ignore() -> None:
    return None


def outline(
    segments: Sequence[Segment], language: str, tick: Callable[[], None] = _ignore
) -> Outline:
    """Sentences weighed by how near they lie to what their topic and the whole are about.

    Source: Radev et al., "Centroid-based summarization of multiple documents" (2004), on sentence
    embeddings; topics by Hearst's TextTiling (1997). `tick` is called often, and may raise to stop.
    """
    units = units_of(segments)
    if not units:
        return Outline([], [])
    vectors = vectors_of([unit.text for unit in units], language, tick)
    topics = _topics(units, topic_shifts(vectors))
    weights = _weights(units, vectors, topics, language)
    english = language.partition("-")[0].lower() == "en"
    weighed = [
        Unit(
            u.text, u.segment_ids, u.start_s, u.end_s, int(topic), round(float(weight), 4),
            round(hook(u.text)[0], 4) if english else 0.0,
        )
        for u, topic, weight in zip(units, topics, weights, strict=True)
    ]  # fmt: skip
    return Outline([_title(weighed, topic) for topic in range(int(topics[-1]) + 1)], weighed)


def units_of(segments: Sequence[Segment]) -> list[Unit]:
    """Segments joined until a sentence ends, somebody else speaks or nobody does."""
    units: list[Unit] = []
    held: list[Segment] = []
    for segment in (s for s in segments if s.text.strip()):
        if held and _parted(held, segment):
            units.append(_unit(held))
            held = []
        held.append(segment)
    return [*units, _unit(held)] if held else units


def _parted(held: list[Segment], segment: Segment) -> bool:
    last = held[-1]
    ending = last.text.split()[-1]
    return (
        (bool(SENTENCE_END.search(ending)) and not NOT_AN_END.match(ending))
        or segment.speaker != last.speaker
        or segment.start_s - last.end_s > LONGEST_PAUSE_S
        or segment.end_s - held[0].start_s > LONGEST_UNIT_S
    )


def _unit(held: list[Segment]) -> Unit:
    text = " ".join(" ".join(segment.text.split()) for segment in held)
    ids = tuple(segment.id for segment in held)
    return Unit(text, ids, held[0].start_s, max(s.end_s for s in held))


def vectors_of(
    texts: Sequence[str], language: str, tick: Callable[[], None] = _ignore
) -> np.ndarray:
    """Unit vectors [n, d]: of meaning for English where the model is here, else of rare words."""
    if language.partition("-")[0].lower() == "en" and meaning.available():
        vectors = np.zeros((len(texts), meaning.DIMENSIONS), np.float32)
        for at in range(0, len(texts), CHUNK):
            tick()
            vectors[at : at + CHUNK] = meaning.embed(texts[at : at + CHUNK])
        return vectors
    counts = [Counter(word for word in LETTERS.findall(text.lower())) for text in texts]
    spread = Counter(word for count in counts for word in count)
    column = {word: at for at, word in enumerate(sorted(spread))}
    words = np.zeros((len(texts), max(1, len(column))), np.float32)
    for row, count in enumerate(counts):
        for word, times in count.items():
            words[row, column[word]] = times * np.log(1 + len(texts) / spread[word])
    lengths = np.linalg.norm(words, axis=1, keepdims=True)
    return np.asarray(words / np.maximum(lengths, 1e-9), np.float32)


def _topics(units: list[Unit], shifts: np.ndarray) -> np.ndarray:
    """Number of the topic of each unit, counting up."""
    least_s = min(TOPIC_S, (units[-1].end_s - units[0].start_s) / 4)
    topics = np.zeros(len(units), int)
    begun_s = units[0].start_s
    for at in range(1, len(units)):
        rest_s = units[-1].end_s - units[at].start_s
        here = shifts[at] >= CLEAR_SHIFT and shifts[at] == shifts[max(1, at - 1) : at + 2].max()
        new = here and units[at].start_s - begun_s >= least_s and rest_s >= least_s
        topics[at] = topics[at - 1] + new
        begun_s = units[at].start_s if new else begun_s
    return topics


def _weights(
    units: list[Unit], vectors: np.ndarray, topics: np.ndarray, language: str
) -> np.ndarray:
    whole = vectors.mean(0)
    near = vectors @ (whole / max(float(np.linalg.norm(whole)), 1e-9))
    for topic in range(int(topics[-1]) + 1):
        inside = topics == topic
        centre = vectors[inside].mean(0)
        near[inside] += vectors[inside] @ (centre / max(float(np.linalg.norm(centre)), 1e-9))
    weights = np.clip(near / 2, 0.05, 1.0)
    english = language.partition("-")[0].lower() == "en"
    for at, unit in enumerate(units):
        if len(unit.text.split()) < FEW_WORDS:
            weights[at] *= 0.3
        # It would lean on a sentence that may not be there.
        if english and DANGLING.match(unit.text):
            weights[at] *= 0.6
    return np.asarray(weights)


def _title(units: Sequence[Unit], topic: int) -> str:
    best = max((u for u in units if u.topic == topic), key=lambda u: (u.weight, -u.start_s))
    text = best.text
    if len(text) > TITLE_CHARS:
        text = text[: TITLE_CHARS - 1].rsplit(" ", 1)[0].rstrip(",;:-– ") + "…"
    return text.rstrip(".")
