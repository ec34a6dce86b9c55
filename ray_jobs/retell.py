"""Retell: a whole recording told again in a given time, by a narrator and in its own voices.

Outline, script and every sentence's speech and picture are steps of their own: a changed sentence
is spoken anew, and nobody else's.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, cast

from ray_jobs.contract import (
    Artifact,
    Finding,
    Json,
    RefusedSentence,
    Retell,
    Retold,
    RetoldPart,
    ScriptSentence,
    Segment,
    SubtitleStyle,
    Word,
)
from ray_jobs.engines.budget import WITHIN, Pace, laid_out, pace_of
from ray_jobs.engines.narrator import Speech, engine_of, say_all, voice_for, wpm
from ray_jobs.engines.outline import Outline, Unit, outline
from ray_jobs.engines.writer import (
    LEAD_S,
    TAIL_S,
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
from ray_jobs.media.caption_files import FILES, boxes_in, findings_in, write_files
from ray_jobs.media.cut import delivery_rate
from ray_jobs.media.encode import join, pick_encoder
from ray_jobs.media.narration import write_speech
from ray_jobs.media.programme import (
    Part,
    brief_of,
    part_cut,
    programme_sound,
    render_part,
    segment_words,
    shifted,
    strung,
)
from ray_jobs.media.quality import findings_of, inspected, measured_in
from ray_jobs.media.reframe import target_size
from ray_jobs.run import JobRun, Step

SPEECH, PICTURE, SOUND, VIDEO, SCRIPT = (
    "speech.wav", "picture.mp4", "sound.m4a", "retelling.mp4", "script.json",
)  # fmt: skip
SAMPLES = 24
SHORTEST_KEPT_S = 0.1
LEAD_SHARE = 0.4
"""Share of the pause around a sentence that lies before it."""


class Voiced(NamedTuple):
    """A sentence and, where it is narrated, the step that spoke it."""

    sentence: ScriptSentence
    step: Step | None

    @property
    def speech_s(self) -> float | None:
        return cast("float", self.step.value["duration_s"]) if self.step else None


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
    predicted_s = expected_s([_as_candidate(one, segments) for one in script], spec, pace)
    return _told(spec, sketch, script, voiced, parts, sound, papers, whole,
                 writing=writing, stretch=stretch, predicted_s=predicted_s)  # fmt: skip


# ---- the script ---------------------------------------------------------------------------------


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


def _voice(spec: Retell) -> str:
    return spec.voice or voice_for(spec.language, spec.speaker)


def _say(run: JobRun, spec: Retell, texts: Sequence[str]) -> list[Speech]:
    return say_all(
        texts, language=spec.language, voice=_voice(spec), rate_wpm=wpm(spec.speed),
        endpoint=spec.speaker, tick=run.progress,
    )  # fmt: skip


def _manner(spec: Retell) -> Json:
    """What decides how a text is spoken."""
    return {
        "language": spec.language, "voice": _voice(spec), "rate_wpm": wpm(spec.speed),
        "speaker": spec.speaker.model_dump(mode="json") if spec.speaker else None,
    }  # fmt: skip


def pace_step(run: JobRun, spec: Retell, sketch: Outline) -> Pace:
    """How fast the voice speaks, measured on sentences of this very transcript."""
    stride = max(1, len(sketch.units) // SAMPLES)
    texts = [polished(unit.text, spec.language) for unit in sketch.units[::stride]][:SAMPLES]

    def work(_directory: Path) -> Json:
        spoken = _say(run, spec, texts)
        pace = pace_of(texts, [speech.duration_s for speech in spoken], spec.language)
        return {"pace": [round(term, 6) for term in pace]}

    step = run.step(
        "retell_pace", work, version=1, weight=0.03,
        params=cast("Json", {"texts": texts, **_manner(spec)}), inputs=[],
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


def _as_candidate(sentence: ScriptSentence, segments: dict[str, Segment]) -> Candidate:
    cited = [segments[name] for name in sentence.segment_ids]
    start_s, end_s = min(s.start_s for s in cited), max(s.end_s for s in cited)
    return Candidate(
        sentence.text, tuple(sentence.segment_ids), start_s, end_s, 0, 0.0, sentence.mode
    )


# ---- its voice and its parts --------------------------------------------------------------------


def voice_step(run: JobRun, spec: Retell, sentence: ScriptSentence, count: int) -> Step:
    """One sentence's speech; nothing else decides it than its text and the voice."""

    def work(directory: Path) -> Json:
        run.used(voice=f"{engine_of(spec.speaker)} ({_voice(spec)})")
        (speech,) = _say(run, spec, [sentence.text])
        write_speech(speech, directory / SPEECH)
        words = [[w.text, round(w.start_s, 3), round(w.end_s, 3)] for w in speech.words]
        return cast("Json", {"duration_s": round(speech.duration_s, 4), "words": words})

    return run.step(
        "retell_voice", work, version=1, weight=0.1 / count,
        params=cast("Json", {"text": sentence.text, **_manner(spec)}), inputs=[],
    )  # fmt: skip


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


# ---- the film -----------------------------------------------------------------------------------


def picture_step(run: JobRun, spec: Retell, part: Part, source: Path, count: int) -> Step:
    media = spec.source.media
    size = target_size(media, spec.aspect, spec.height)
    encoder = pick_encoder(spec.encoder, crf=spec.crf, speed=spec.render_speed)

    def work(directory: Path) -> Json:
        run.used(encoder=encoder.name)
        render_part(
            directory / PICTURE, source, media, part, size, style=spec.style, encoder=encoder,
            fonts=run.workdir, progress=run.progress,
        )  # fmt: skip
        return {}

    params = {
        "start_s": part.cut.start_s, "frames": part.cut.frames, "rate": str(part.cut.rate),
        "size": list(size), "encoder": list(encoder.arguments),
        "media": media.model_dump(mode="json"),
        "words": [[w.text, w.start_s, w.end_s] for w in part.words] if spec.style else [],
        "style": spec.style.model_dump(mode="json") if spec.style else None,
    }  # fmt: skip
    return run.step(
        "retell_picture", work, version=1, weight=0.5 / count, params=cast("Json", params),
        inputs=[spec.source.object.sha256],
    )  # fmt: skip


def sound_step(
    run: JobRun, spec: Retell, parts: Sequence[Part], voiced: Sequence[Voiced], source: Path
) -> Step:
    def work(directory: Path) -> Json:
        done, made = programme_sound(
            directory / SOUND, source, parts, has_sound=bool(spec.source.media.audio),
            ducking=spec.ducking, loudness=spec.loudness, progress=run.progress,
        )  # fmt: skip
        return {
            "passes": done.passes, "reached": done.reached, "depth_db": made.depth_db,
            "ratio_lu": made.narration_to_bed_lu,
        }  # fmt: skip

    params = spec.model_dump(mode="json", include={"ducking", "loudness"})
    return run.step(
        "retell_sound", work, version=1, weight=0.15,
        params=cast("Json", {
            **params, "parts": [part.plain for part in parts],
            "has_sound": bool(spec.source.media.audio),
        }),
        inputs=[spec.source.object.sha256, *(v.step.ref(SPEECH).sha256 for v in voiced if v.step)],
    )  # fmt: skip


def papers_step(
    run: JobRun, spec: Retell, script: Sequence[ScriptSentence], parts: Sequence[Part]
) -> Step:
    """Subtitles of the whole, and the script with its citations."""
    words = [word for part in parts for word in shifted(part.words, part.at_s)]
    end_s = parts[-1].at_s + parts[-1].cut.duration_s
    size = target_size(spec.source.media, spec.aspect, spec.height)
    style = spec.style or SubtitleStyle()
    sentences = [one.model_dump(mode="json") for one in script]

    def work(directory: Path) -> Json:
        told = {"language": spec.language, "duration_s": end_s, "sentences": sentences}
        (directory / SCRIPT).write_text(json.dumps(told, ensure_ascii=False, indent=1))
        return write_files(directory, words, style, size, start_s=0.0, end_s=end_s)

    params = {
        "words": [[w.text, w.start_s, w.end_s] for w in words], "size": list(size),
        "style": style.model_dump(mode="json"), "script": sentences, "end_s": end_s,
        "language": spec.language,
    }  # fmt: skip
    return run.step(
        "retell_papers", work, version=2, weight=0.02, params=cast("Json", params), inputs=[]
    )


def whole_step(
    run: JobRun, spec: Retell, parts: Sequence[Part], pictures: Sequence[Step], sound: Step,
    papers: Step,
) -> Step:  # fmt: skip
    """All parts in one file, decoded to its end before anybody else may have it."""
    brief = brief_of(
        parts, spec.source.media, target_size(spec.source.media, spec.aspect, spec.height),
        spec.loudness, drawn=boxes_in(papers) if spec.style else [], known=findings_in(papers),
    )  # fmt: skip

    def work(directory: Path) -> Json:
        strip, target = directory / PICTURE, directory / VIDEO
        strung([step.path(PICTURE) for step in pictures], strip)
        join(strip, sound.path(SOUND), target)
        strip.unlink()
        run.progress(0.5)
        source = run.fetch(spec.source.object)
        return inspected(target, brief, source, spec.source.media, tick=lambda: run.progress(0.5))

    return run.step(
        "retell_whole", work, version=3, weight=0.08, params=brief.plain,
        inputs=[
            *(step.ref(PICTURE).sha256 for step in pictures), sound.ref(SOUND).sha256,
            spec.source.object.sha256,
        ],
    )  # fmt: skip


# ---- the answer ---------------------------------------------------------------------------------


def _told(
    spec: Retell, sketch: Outline, script: list[ScriptSentence], voiced: Sequence[Voiced],
    parts: Sequence[Part], sound: Step, papers: Step, whole: Step, *, writing: Step | None,
    stretch: float, predicted_s: float,
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
