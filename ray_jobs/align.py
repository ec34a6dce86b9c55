"""Align: find the words that were edited in the sound, and leave every other where it is."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from ray_jobs.contract import Align, Aligned, Json, Segment, Word
from ray_jobs.engines import aligners
from ray_jobs.engines.aligner import align as align_lines
from ray_jobs.engines.given import Line
from ray_jobs.engines.listening import listen
from ray_jobs.engines.text import TimedWord
from ray_jobs.engines.timing import Span, filled
from ray_jobs.failures import Failure
from ray_jobs.run import JobRun

CONTEXT = 3
NEAR_S = 1.0
"""Words to either side of a touched run that are heard with it, as long as no pause parts them."""


def align(run: JobRun, spec: Align) -> Aligned:
    """Find the touched words of the named segments in the sound between their neighbours.

    Raises
    ------
    Failure
        `no_audio_stream`, `unknown_segment`, or `model_missing`, `model_damaged` and
        `engine_unavailable` where the engine that is asked for cannot run.
    """
    if not spec.source.media.audio:
        raise Failure("no_audio_stream", "The recording has no sound to align to.")
    known = [segment.id for segment in spec.segments]
    wanted = known if spec.segment_ids is None else spec.segment_ids
    if unknown := set(wanted) - set(known):
        raise Failure("unknown_segment", f"The transcript has no {', '.join(sorted(unknown))}.")
    choice = aligners.choose(spec.engine, spec.language)

    def work(_directory: Path) -> Json:
        pcm, media = run.workdir / "sound.pcm", spec.source.media
        speech = listen(
            run.fetch(spec.source.object), media.duration_s, pcm, lambda f: run.progress(0.1 * f)
        )
        run.used(speech=f"aligned ({choice.engine})")
        segments = aligned(run, spec, choice, set(wanted), pcm, speech)
        return {"segments": [segment.model_dump(mode="json") for segment in segments]}

    step = run.step(
        "align",
        work,
        version=2,
        params={
            **spec.model_dump(mode="json", include={"language", "segments", "segment_ids", "anew"}),
            "aligner": choice.identity,
        },
        inputs=[spec.source.object.sha256],
    )
    segments = [Segment.model_validate(segment) for segment in list(step.value["segments"])]  # type: ignore[arg-type]
    return Aligned(
        transcript_id=spec.transcript_id,
        revision=spec.revision,
        engine=choice.engine,
        aligned=[name for name in known if name in set(wanted)],
        segments=segments,
    )


def aligned(
    run: JobRun,
    spec: Align,
    choice: aligners.Choice,
    wanted: set[str],
    pcm: Path,
    speech: Sequence[Span],
) -> list[Segment]:
    """All segments in order; each run of touched words is timed between the words around it."""
    duration_s, done = spec.source.media.duration_s, 0
    words = [word for segment in spec.segments for word in segment.words]
    owners = [at for at, segment in enumerate(spec.segments) for _ in segment.words]
    flags = touched(spec, wanted)
    for marked, group in groupby(range(len(words)), key=flags.__getitem__):
        if not marked:
            continue
        run_of = list(group)
        first, last = run_of[0], run_of[-1] + 1
        low, high = _context(words, first, last)
        lines = [
            _line(spec.segments[at].speaker, [words[n] for n in part])
            for at, part in groupby(range(low, high), key=owners.__getitem__)
        ]
        tick = _ticking(run, done / sum(flags), (last - first) / sum(flags))
        found = align_lines(
            lines, pcm, speech, duration_s, choice=choice, language=spec.language, tick=tick
        )
        done += last - first
        start_s = words[first - 1].end_s if first else 0.0
        end_s = words[last].start_s if last < len(words) else duration_s
        part = found[first - low : last - low]
        words[first:last] = timed(words[first:last], part, start_s, max(start_s, end_s))
    rest = iter(words)
    return [_with_words(segment, [next(rest) for _ in segment.words]) for segment in spec.segments]


def touched(spec: Align, wanted: set[str]) -> list[bool]:
    """Whether each word of the transcript is to be timed."""
    inside = [(segment.id in wanted, word) for segment in spec.segments for word in segment.words]
    estimates = [own and _is_estimate(word) for own, word in inside]
    if spec.anew or not any(estimates):
        return [own for own, _ in inside]
    return estimates


def _is_estimate(word: Word) -> bool:
    """A dash is always one, and never found."""
    return word.interpolated and any(sign.isalnum() for sign in word.text)


def _context(words: Sequence[Word], first: int, last: int) -> tuple[int, int]:
    """The run `first` to `last` with the words that are heard along with it."""
    low, high = first, last
    while low > max(0, first - CONTEXT) and words[low].start_s - words[low - 1].end_s < NEAR_S:
        low -= 1
    most = min(len(words), last + CONTEXT)
    while high < most and words[high].start_s - words[high - 1].end_s < NEAR_S:
        high += 1
    return low, high


def _line(speaker: str | None, words: Sequence[Word]) -> Line:
    return Line([w.text for w in words], words[0].start_s, words[-1].end_s, speaker)


def _with_words(segment: Segment, words: list[Word]) -> Segment:
    if words == segment.words:
        return segment
    times = {"start_s": words[0].start_s, "end_s": words[-1].end_s}
    return segment.model_copy(update={"words": words, **times})


def _ticking(run: JobRun, done: float, share: float) -> Callable[[float], None]:
    return lambda fraction: run.progress(0.1 + 0.9 * (done + share * fraction))


def timed(
    words: Sequence[Word], found: Sequence[TimedWord], low_s: float, high_s: float
) -> list[Word]:
    """The words at the times found, in order and between `low_s` and `high_s`."""
    inside = [_between(word, low_s, high_s) for word in found]
    times = filled(inside, [max(1, len(word.text)) for word in found], low_s, high_s)
    return [
        word.model_copy(
            update={
                "start_s": round(start_s, 3),
                "end_s": round(end_s, 3),
                "confidence": round(heard.confidence, 3),
                "interpolated": heard.interpolated or own is None,
            }
        )
        for word, heard, own, (start_s, end_s) in zip(words, found, inside, times, strict=True)
    ]


def _between(word: TimedWord, low_s: float, high_s: float) -> Span | None:
    """A word's time inside of limits; None where not even half of it is."""
    start_s, end_s = max(word.start_s, low_s), min(word.end_s, high_s)
    return (start_s, end_s) if end_s - start_s > (word.end_s - word.start_s) / 2 else None
