"""Align: time the words of segments that were edited, and leave every other word where it is."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from ray_jobs.contract import Align, Aligned, Json, Segment
from ray_jobs.engines import pronounce
from ray_jobs.engines.aligner import align as align_lines
from ray_jobs.engines.given import Line
from ray_jobs.engines.listening import listen
from ray_jobs.engines.text import TimedWord
from ray_jobs.engines.timing import Span, filled
from ray_jobs.failures import Failure
from ray_jobs.run import JobRun


def align(run: JobRun, spec: Align) -> Aligned:
    """Find the named segments' words in the sound between their neighbours.

    Raises
    ------
    Failure
        `no_audio_stream`, `unknown_segment`, or `language_unavailable`.
    """
    if not spec.source.media.audio:
        raise Failure("no_audio_stream", "The recording has no sound to align to.")
    known = [segment.id for segment in spec.segments]
    wanted = known if spec.segment_ids is None else spec.segment_ids
    if unknown := set(wanted) - set(known):
        raise Failure("unknown_segment", f"The transcript has no {', '.join(sorted(unknown))}.")

    def work(_directory: Path) -> Json:
        pcm, media = run.workdir / "sound.pcm", spec.source.media
        speech = listen(
            run.fetch(spec.source.object), media.duration_s, pcm, lambda f: run.progress(0.1 * f)
        )
        engine = "pocketsphinx" if pronounce.available() else "estimated"
        run.used(speech=f"aligned ({engine})")
        segments = aligned(run, spec, set(wanted), pcm, speech)
        return {
            "engine": engine,
            "segments": [segment.model_dump(mode="json") for segment in segments],
        }

    step = run.step(
        "align",
        work,
        version=1,
        params=spec.model_dump(mode="json", include={"language", "segments", "segment_ids"}),
        inputs=[spec.source.object.sha256],
    )
    segments = [Segment.model_validate(segment) for segment in list(step.value["segments"])]  # type: ignore[arg-type]
    return Aligned(
        transcript_id=spec.transcript_id,
        revision=spec.revision,
        engine=str(step.value["engine"]),
        aligned=[name for name in known if name in set(wanted)],
        segments=segments,
    )


def aligned(
    run: JobRun, spec: Align, wanted: set[str], pcm: Path, speech: Sequence[Span]
) -> list[Segment]:
    """All segments in order; each run of wanted ones is timed between the words around it."""
    duration_s, done = spec.source.media.duration_s, 0
    segments: list[Segment] = []
    at = 0
    for touched, group in groupby(spec.segments, key=lambda segment: segment.id in wanted):
        part = list(group)
        at += len(part)
        if not touched:
            segments += part
            continue
        low = segments[-1].end_s if segments else 0.0
        high = spec.segments[at].start_s if at < len(spec.segments) else duration_s
        lines = [Line([w.text for w in s.words], s.start_s, s.end_s, s.speaker) for s in part]
        tick = _ticking(run, done / len(wanted), len(part) / len(wanted))
        words = align_lines(lines, pcm, speech, duration_s, language=spec.language, tick=tick)
        done += len(part)
        segments += timed(part, words, low, max(low, high))
    return segments


def _ticking(run: JobRun, done: float, share: float) -> Callable[[float], None]:
    return lambda fraction: run.progress(0.1 + 0.9 * (done + share * fraction))


def timed(
    part: Sequence[Segment], words: Sequence[TimedWord], low_s: float, high_s: float
) -> list[Segment]:
    """The segments with their words at new times, in order and between `low_s` and `high_s`."""
    inside: list[Span | None] = [
        (word.start_s, word.end_s) if low_s <= word.start_s < word.end_s <= high_s else None
        for word in words
    ]
    times = iter(filled(inside, [max(1, len(word.text)) for word in words], low_s, high_s))
    heard = iter(zip(words, inside, strict=True))
    segments = []
    for segment in part:
        fresh = []
        for word in segment.words:
            (start_s, end_s), (found, own) = next(times), next(heard)
            fresh.append(
                word.model_copy(
                    update={
                        "start_s": round(start_s, 3),
                        "end_s": round(end_s, 3),
                        "confidence": round(found.confidence, 3),
                        "interpolated": found.interpolated or own is None,
                    }
                )
            )
        times_of = {"start_s": fresh[0].start_s, "end_s": fresh[-1].end_s} if fresh else {}
        segments.append(segment.model_copy(update={"words": fresh, **times_of}))
    return segments
