"""The script of a retelling: an outline, the voice's pace, and the sentences that fill the time."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from ray_jobs.contract import Json, RefusedSentence, Retell, ScriptSentence, Segment
from ray_jobs.engines.budget import WITHIN, Pace, laid_out, pace_of
from ray_jobs.engines.outline import Outline, Unit, outline
from ray_jobs.engines.writer import (
    Candidate,
    extracted,
    grounded,
    part_s,
    polished,
    proposed,
    script_of,
    solved,
)
from ray_jobs.failures import Failure
from ray_jobs.retelling.voices import manner, say
from ray_jobs.run import JobRun, Step

SAMPLES = 24


def outlined(run: JobRun, spec: Retell) -> Outline:
    """The transcript's sentences and topics."""
    segments = [segment.model_dump(mode="json", exclude={"words"}) for segment in spec.segments]

    def work(_directory: Path) -> Json:
        found = outline(spec.segments, spec.language, run.check)
        units = [asdict(unit) | {"segment_ids": list(unit.segment_ids)} for unit in found.units]
        return cast("Json", {"topics": found.topics, "units": units})

    step = run.step(
        "retell_outline", work, version=1, weight=0.05, inputs=[],
        params=cast("Json", {"segments": segments, "language": spec.language}),
    )  # fmt: skip
    units = [
        Unit(**{**unit, "segment_ids": tuple(unit["segment_ids"])})
        for unit in cast("list[dict[str, Any]]", step.value["units"])
    ]
    return Outline(cast("list[str]", step.value["topics"]), units)


def pace_step(run: JobRun, spec: Retell, sketch: Outline) -> Pace:
    """How fast the voice speaks, measured on sentences of this very transcript."""
    stride = max(1, len(sketch.units) // SAMPLES)
    texts = [polished(unit.text, spec.language) for unit in sketch.units[::stride]][:SAMPLES]

    def work(_directory: Path) -> Json:
        spoken = say(run, spec, texts)
        pace = pace_of(texts, [speech.duration_s for speech in spoken], spec.language)
        return {"pace": [round(term, 6) for term in pace]}

    step = run.step(
        "retell_pace", work, version=1, weight=0.03,
        params=cast("Json", {"texts": texts, **manner(spec)}), inputs=[],
    )  # fmt: skip
    return Pace(*cast("list[float]", step.value["pace"]))


def script_step(run: JobRun, spec: Retell, sketch: Outline, pace: Pace) -> Step:
    """The sentences that fill the target, chosen before any of them is spoken."""

    def work(_directory: Path) -> Json:
        candidates = extracted(sketch, spec.language, run.check)
        refused: list[RefusedSentence] = []
        run.used(writer=spec.writer.model if spec.writer else "extractive")
        if spec.writer:
            seconds = sum(part_s(one, pace, spec.language) for one in candidates)
            words = sum(len(one.text.split()) for one in candidates) * spec.target_s / seconds
            raw = proposed(
                spec.writer, sketch, round(words), spec.language, lambda: run.progress(0.1)
            )
            written, refused = grounded(raw, sketch, spec.language)
            told = {name for one in written for name in one.segment_ids}
            candidates = written + [c for c in candidates if not told & set(c.segment_ids)]
        picked, _ = solved(candidates, spec.target_s, spec.keep_share, pace, spec.language)
        check_reachable(candidates, picked, spec, pace)
        return {
            "script": [one.model_dump(mode="json") for one in script_of(picked)],
            "refused": [one.model_dump(mode="json") for one in refused],
        }

    params = spec.model_dump(mode="json", include={"target_s", "keep_share", "language", "writer",
                                                   "max_stretch"})  # fmt: skip
    return run.step(
        "retell_script", work, version=1, weight=0.07,
        params={**params, "pace": list(pace),
                "units": [[list(u.segment_ids), u.text, u.weight, u.hook, u.topic, u.start_s,
                           u.end_s] for u in sketch.units]},
        inputs=[],
    )  # fmt: skip


def check_reachable(
    candidates: Sequence[Candidate], picked: Sequence[Candidate], spec: Retell, pace: Pace
) -> None:
    """Refuse a target that no choice of sentences comes near, and say which would be possible."""
    reached = expected_s(picked, spec, pace)
    if abs(reached / spec.target_s - 1) > WITHIN:
        lengths = [part_s(one, pace, spec.language) for one in candidates]
        raise Failure(
            "target_unreachable",
            f"What is said cannot be told in {spec.target_s:.0f} s; the nearest to it is "
            f"{reached:.0f} s, the longest {sum(lengths):.0f} s.",
        )


def expected_s(told: Sequence[Candidate], spec: Retell, pace: Pace) -> float:
    """How long sentences will last once they are laid out, before any of them is spoken."""
    speech = [None if one.mode == "keep" else pace.seconds(one.text, spec.language) for one in told]
    kept = [one.kept_s for one in told]
    return sum(laid_out(speech, kept, spec.target_s, spec.max_stretch).lengths_s)


def check_citations(script: Sequence[ScriptSentence], segments: dict[str, Segment]) -> None:
    for sentence in script:
        if missing := [name for name in sentence.segment_ids if name not in segments]:
            raise Failure(
                "citation_missing",
                f"Sentence {sentence.id} cites {missing[0]}, which the transcript no longer has.",
            )


def as_candidate(sentence: ScriptSentence, segments: dict[str, Segment]) -> Candidate:
    cited = [segments[name] for name in sentence.segment_ids]
    start_s, end_s = min(s.start_s for s in cited), max(s.end_s for s in cited)
    return Candidate(
        sentence.text, tuple(sentence.segment_ids), start_s, end_s, 0, 0.0, sentence.mode
    )
