"""Retell: a whole recording told again in a given time, by a narrator and in its own voices.

Outline, script and every sentence's speech and picture are steps of their own: a changed sentence
is spoken anew, and nobody else's.
"""

from collections.abc import Sequence
from typing import Any, cast

from ray_jobs.contract import (
    Artifact,
    Finding,
    Json,
    RefusedSentence,
    Retell,
    Retold,
    RetoldPart,
    ScriptSentence,
    spec_hash,
)
from ray_jobs.engines.budget import WITHIN
from ray_jobs.engines.outline import Outline
from ray_jobs.failures import Failure
from ray_jobs.media.caption_files import FILES
from ray_jobs.media.programme import Part
from ray_jobs.media.quality import findings_of, measured_in
from ray_jobs.media.timeline import timelines
from ray_jobs.retelling.film import (
    NARRATION,
    SCRIPT,
    VIDEO,
    papers_step,
    picture_step,
    sound_step,
    timelines_step,
    whole_step,
)
from ray_jobs.retelling.parts import programme
from ray_jobs.retelling.script import (
    as_candidate,
    check_citations,
    expected_s,
    outlined,
    pace_step,
    script_step,
)
from ray_jobs.retelling.voices import Voiced, voice_step
from ray_jobs.run import JobRun, Step


def retell(run: JobRun, spec: Retell) -> Retold:
    """Write the script, or take the one that is given, and make a film of it.

    Raises
    ------
    Failure
        `transcript_needed`, `target_unreachable`, `citation_missing`, `voice_unavailable`, or
        `writer_unavailable` and `writer_answer_unusable` of a writing endpoint.
    """
    if not any(segment.text.strip() for segment in spec.segments):
        raise Failure(
            "transcript_needed", "Nothing is known of what is said; transcribe the video first."
        )
    run.plan(1.0)
    sketch = outlined(run, spec)
    pace = pace_step(run, spec, sketch)
    writing = script_step(run, spec, sketch, pace) if spec.script is None else None
    script = spec.script or [
        ScriptSentence.model_validate(one) for one in cast("list[Json]", _of(writing, "script"))
    ]
    segments = {segment.id: segment for segment in spec.segments}
    check_citations(script, segments)
    voiced = [Voiced(s, voice_step(run, spec, s, len(script)) if s.mode == "narrate" else None)
              for s in script]  # fmt: skip
    source = run.fetch(spec.source.object)
    parts, stretch = programme(spec, voiced, segments, source)
    pictures = [picture_step(run, spec, part, source, len(parts)) for part in parts]
    sound = sound_step(run, spec, parts, voiced, source)
    papers = papers_step(run, spec, script, parts)
    whole = whole_step(run, spec, parts, pictures, sound, papers)
    laid = timelines_step(run, spec, parts, sound)
    predicted_s = expected_s([as_candidate(one, segments) for one in script], spec, pace)
    return _told(spec, sketch, script, voiced, parts, sound, papers, whole, laid,
                 writing=writing, stretch=stretch, predicted_s=predicted_s)  # fmt: skip


def _told(
    spec: Retell, sketch: Outline, script: list[ScriptSentence], voiced: Sequence[Voiced],
    parts: Sequence[Part], sound: Step, papers: Step, whole: Step, laid: Step, *,
    writing: Step | None, stretch: float, predicted_s: float,
) -> Retold:  # fmt: skip
    duration_s = cast("float", whole.value["duration_s"])
    topics = {name: unit.topic for unit in sketch.units for name in unit.segment_ids}
    covered = {topics[name] for one in script for name in one.segment_ids if name in topics}
    rate = parts[0].cut.rate
    endpoint = spec.writer if writing else None
    return Retold(
        retell_id=spec.retell_id,
        version=spec.version,
        writer="given" if writing is None else endpoint.model if endpoint else "extractive",
        outline=sketch.topics,
        script=script,
        refused=[RefusedSentence.model_validate(one) for one in _of(writing, "refused")],
        parts=[_placed(one, part) for one, part in zip(voiced, parts, strict=True)],
        target_s=spec.target_s,
        predicted_s=round(predicted_s, 3),
        length_error=round(duration_s / spec.target_s - 1, 5),
        coverage=round(len(covered) / max(1, len(sketch.topics)), 4),
        stretch=stretch,
        spoken_anew=sum(not one.step.cached for one in voiced if one.step),
        spec_sha256=spec_hash(spec),
        narration=Artifact(
            kind="retell_narration", object=sound.ref(NARRATION), filename="narration.wav"
        ) if NARRATION in sound.record.files else None,
        timelines=timelines(laid, "retelling"),
        video=Artifact(kind="retell_video", object=whole.ref(VIDEO), filename=VIDEO),
        frame_rate=f"{rate.numerator}/{rate.denominator}",
        loudness_passes=cast("int", sound.value["passes"]),
        duck_depth_db=cast("float", sound.value["depth_db"]),
        narration_to_bed_lu=cast("float | None", sound.value["ratio_lu"]),
        findings=[*findings_of(whole, "retelling"), *_objections(spec, sound, duration_s)],
        artifacts=[
            Artifact(kind="retell_script", object=papers.ref(SCRIPT), filename="script.json"),
            *(
                Artifact(kind=f"retell_{kind}", object=papers.ref(FILES[f"subtitles_{kind}"]),
                         filename=f"retelling.{kind}")
                for kind in ("srt", "vtt")
            ),
        ],
        **measured_in(whole),
    )  # fmt: skip


def _of(step: Step | None, name: str) -> list[Any]:
    return cast("list[Any]", step.value[name]) if step else []


def _placed(one: Voiced, part: Part) -> RetoldPart:
    return RetoldPart(
        sentence_id=one.sentence.id,
        at_s=round(part.at_s, 4),
        duration_s=round(part.cut.duration_s, 4),
        source_start_s=round(part.cut.start_s, 4),
        speech_s=round((one.speech_s or 0.0) * part.stretch, 4),
        speech_at_s=round(part.at_s + part.lead_s, 4),
    )


def _objections(spec: Retell, sound: Step, duration_s: float) -> list[Finding]:
    """What a viewer would object to in the whole."""
    found = []
    error = duration_s / spec.target_s - 1
    ratio = cast("float | None", sound.value["ratio_lu"])
    if abs(error) > WITHIN:
        found.append(("length_missed", f"It lasts {duration_s:.1f} s, {error:+.0%} of its target."))
    if ratio is not None and ratio < spec.ducking.min_ratio_lu:
        found.append(("narration_covered", f"The voice lies only {ratio:.1f} LU over its bed."))
    return [
        Finding(severity="warning", code=code, message=message, start_s=0.0, end_s=duration_s)
        for code, message in found
    ]
