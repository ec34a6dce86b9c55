"""Where each sentence of a retelling lies: its part of the programme, its cut, its words."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from ray_jobs.contract import Retell, ScriptSentence, Segment, Word
from ray_jobs.engines.budget import laid_out
from ray_jobs.engines.writer import LEAD_S, TAIL_S
from ray_jobs.media.cut import delivery_rate
from ray_jobs.media.programme import Part, part_cut, segment_words, shifted
from ray_jobs.retelling.voices import SPEECH, Voiced

SHORTEST_KEPT_S = 0.1
LEAD_SHARE = 0.4
"""Share of the pause around a sentence that lies before it."""


def programme(
    spec: Retell, voiced: Sequence[Voiced], segments: dict[str, Segment], source: Path
) -> tuple[list[Part], float]:
    """The parts in whole frames, towards the target, and how much the speech is stretched."""
    media = spec.source.media
    spans = [_span(one.sentence, segments, spec) for one in voiced]
    kept = [end_s - start_s for start_s, end_s in spans]
    plan = laid_out([one.speech_s for one in voiced], kept, spec.target_s, spec.max_stretch)
    parts: list[Part] = []
    first, end_s = 0, 0.0
    rate = delivery_rate(media)
    for one, span, length_s in zip(voiced, spans, plan.lengths_s, strict=True):
        # Ends are rounded from the programme's start, so that rounding never adds up.
        end_s += length_s
        frames = max(1, round(end_s * rate) - first)
        cut = part_cut(source, media, span[0], float(Fraction(frames) / rate))
        lead_s = round(LEAD_SHARE * plan.pause_s, 3)
        if one.step:
            words = shifted(_spoken(one), lead_s, stretch=plan.stretch)
            parts.append(Part(first, cut, words, one.step.path(SPEECH), lead_s, plan.stretch))
        else:
            parts.append(Part(first, cut, _kept_words(one.sentence, segments, cut.start_s)))
        first += cut.frames
    return parts, plan.stretch


def _span(
    sentence: ScriptSentence, segments: dict[str, Segment], spec: Retell
) -> tuple[float, float]:
    """The time of the cited segments; a kept one with room to breathe, not into its neighbours."""
    cited = [segments[name] for name in sentence.segment_ids]
    start_s, end_s = min(s.start_s for s in cited), max(s.end_s for s in cited)
    if sentence.mode == "narrate":
        return start_s, end_s
    before = max((s.end_s for s in spec.segments if s.end_s <= start_s), default=0.0)
    after = min((s.start_s for s in spec.segments if s.start_s >= end_s), default=end_s + TAIL_S)
    last_s = spec.source.media.duration_s or end_s + TAIL_S
    end_s = min(after, end_s + TAIL_S, last_s)
    return min(max(before, start_s - LEAD_S, 0.0), max(0.0, end_s - SHORTEST_KEPT_S)), end_s


def _spoken(one: Voiced) -> list[Word]:
    words = cast("list[list[Any]]", one.step.value["words"]) if one.step else []
    return [
        Word(id=f"{one.sentence.id}w{n:03d}", text=text, start_s=start_s, end_s=end_s, confidence=1)
        for n, (text, start_s, end_s) in enumerate(words, 1)
    ]


def _kept_words(
    sentence: ScriptSentence, segments: dict[str, Segment], start_s: float
) -> list[Word]:
    cited = sorted((segments[name] for name in sentence.segment_ids), key=lambda s: s.start_s)
    return shifted([word for segment in cited for word in segment_words(segment)], -start_s)
