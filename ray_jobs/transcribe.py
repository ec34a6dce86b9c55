"""The transcript of a recording: recognised, or the user's own text aligned to the sound.

Times count from the file's start. A recording without sound or speech has an empty transcript, and
a note that says so.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray_jobs import models
from ray_jobs.contract import (
    Artifact,
    GivenTranscript,
    Json,
    MediaInfo,
    Segment,
    SubtitleStyle,
    Transcribe,
    Transcribed,
    Word,
)
from ray_jobs.engines import aligners
from ray_jobs.engines import given as given_text
from ray_jobs.engines import speakers as speaker_engine
from ray_jobs.engines import speech as speech_engine
from ray_jobs.engines.aligner import align
from ray_jobs.engines.listening import listen
from ray_jobs.engines.text import TimedWord, guess_language, joined, phrases
from ray_jobs.engines.timing import Span, filled
from ray_jobs.engines.turns import Turn, attributed, rttm, voices_in
from ray_jobs.media.caption_files import srt, vtt
from ray_jobs.media.captions import Cue, face_for, make_cues, room_for
from ray_jobs.run import JobRun, Step

VERSION = 4
SOUND = "sound.pcm"
UNKNOWN_LANGUAGE = "und"
DOUBTFUL_SHARE = 0.5
FILES = {
    "transcript_json": "transcript.json",
    "transcript_srt": "transcript.srt",
    "transcript_vtt": "transcript.vtt",
}
SPEAKER_FILES = {"speakers_rttm": "speakers.rttm"}
SPEAKERS = 0.5
READABLE = SubtitleStyle(max_chars_per_line=42, max_lines=2)
PICTURE = (1920, 1080)


def transcribe(run: JobRun, spec: Transcribe) -> Transcribed:
    """Recognise or align, cut into sentences, and leave JSON, SRT and WebVTT.

    Raises
    ------
    Failure
        `bad_transcript` (names the line or field), `language_unavailable`, `model_missing`,
        `model_damaged`, `engine_unavailable` or `corrupt_media`.
    """
    run.plan(1.05 + SPEAKERS * spec.diarize)
    diarizer = _diarizer(spec)
    words = _given(run, spec, spec.given) if spec.given else _recognised(run, spec)
    found = words.value
    timed = [TimedWord(*word) for word in _rows(found["words"])]
    notes = [str(note) for note in _rows(found["notes"])]
    turns: list[Turn] = []
    if diarizer:
        heard = _diarized(run, spec, diarizer).value
        turns = [Turn(*turn) for turn in _rows(heard["turns"])]
        notes += [str(note) for note in _rows(heard["notes"])]
    segments = segments_of(attributed(timed, turns), spec.source.media.duration_s)
    result = Transcribed(
        engine=str(found["engine"]),
        language=str(found["language"]),
        given=spec.given is not None,
        rough=bool(found["rough"]),
        segments=segments,
        diarizer=str(heard["engine"]) if diarizer else None,
        speakers=voices_in(turns),
        artifacts=[],
        note=" ".join(notes) or None,
    )
    files = run.step(
        "transcript_files",
        lambda directory: write_files(directory, result, spec.source.media, turns),
        version=VERSION,
        params={"result": result.model_dump(mode="json"), "turns": [list(turn) for turn in turns]},
        inputs=[],
        weight=0.05,
    )
    names = FILES | (SPEAKER_FILES if diarizer else {})
    artifacts = [
        Artifact(kind=kind, object=files.ref(name), filename=name) for kind, name in names.items()
    ]
    return result.model_copy(update={"artifacts": artifacts})


def segments_of(words: Sequence[TimedWord], duration_s: float) -> list[Segment]:
    """Sentences and phrases of at most about 15 s, with ids that count from the start."""
    times = filled([(w.start_s, w.end_s) for w in words], [1.0] * len(words), 0.0, duration_s)
    ordered = [w._replace(start_s=a, end_s=b) for w, (a, b) in zip(words, times, strict=True)]
    segments: list[Segment] = []
    count = 0
    for group in phrases(ordered):
        inside = []
        for word in group:
            count += 1
            inside.append(
                Word(
                    id=f"w{count:05d}",
                    text=word.text,
                    start_s=round(word.start_s, 3),
                    end_s=round(word.end_s, 3),
                    confidence=round(word.confidence, 3),
                    interpolated=word.interpolated,
                )
            )
        segments.append(
            Segment(
                id=f"s{len(segments) + 1:04d}",
                start_s=inside[0].start_s,
                end_s=inside[-1].end_s,
                text=joined(word.text for word in inside),
                confidence=round(sum(word.confidence for word in inside) / len(inside), 3),
                speaker=group[0].speaker,
                words=inside,
            )
        )
    return segments


# ---- recognition ---------------------------------------------------------------------------------


def _recognised(run: JobRun, spec: Transcribe) -> Step:
    media = spec.source.media
    params: Json = {
        "language": spec.language,
        "hotwords": list(spec.hotwords),
        "prompt": spec.prompt,
    }
    choice = None
    if media.audio:
        choice = speech_engine.choose(spec.engine, spec.model, spec.language)
        params["engine"] = choice.engine
        params["weights"] = models.identity_of(choice.weights) if choice.weights else "embedded"

    def work(_directory: Path) -> Json:
        if choice is None:
            run.used(speech="none (the recording has no sound)")
            return _nothing(spec.language, "The recording has no sound.")
        pcm, speech = _listen(run, spec)
        if not speech:
            run.used(speech="none (no speech in the sound)")
            return _nothing(spec.language, "No speech was found in the recording.")
        heard = speech_engine.recognise(
            choice,
            pcm,
            speech,
            language=spec.language,
            hotwords=spec.hotwords,
            prompt=spec.prompt,
            tick=lambda share: run.progress(0.1 + 0.9 * share),
        )
        run.used(speech=heard.engine)
        return _value(heard.engine, heard.language, heard.words, heard.notes, rough=choice.rough)

    return run.step(
        "recognise", work, version=VERSION, params=params, inputs=[spec.source.object.sha256]
    )


def _nothing(language: str | None, note: str) -> Json:
    return _value("none", language or UNKNOWN_LANGUAGE, [], [note], rough=False)


# ---- a given transcript --------------------------------------------------------------------------


def _given(run: JobRun, spec: Transcribe, given: GivenTranscript) -> Step:
    media = spec.source.media
    parsed = given_text.parse(given, media.duration_s)
    language = spec.language or guess_language(
        joined(token for line in parsed.lines for token in line.tokens)
    )
    choice = aligners.choose("auto", language)

    def work(_directory: Path) -> Json:
        if all(line.words for line in parsed.lines):
            run.used(speech="given with word times")
            words = [word for line in parsed.lines for word in line.words]
            return _value("given", language, words, parsed.notes, rough=False)
        pcm, speech = _listen(run, spec)
        words = align(
            parsed.lines,
            pcm,
            speech,
            media.duration_s,
            choice=choice,
            language=language,
            tick=lambda share: run.progress(0.1 + 0.9 * share),
        )
        engine = f"given + aligned ({choice.engine})"
        if choice.engine == aligners.ESTIMATED:
            engine = "given, word times estimated (no aligner is installed)"
        run.used(speech=engine)
        notes = [*parsed.notes, *_doubts(words, heard=bool(speech))]
        return _value(engine, language, words, notes, rough=False)

    return run.step(
        "align",
        work,
        version=VERSION,
        params={
            "given": given.model_dump(mode="json"),
            "language": language,
            "aligner": choice.identity,
        },
        inputs=[spec.source.object.sha256],
    )


def _doubts(words: Sequence[TimedWord], *, heard: bool) -> list[str]:
    if not heard:
        return ["No speech was found in the recording: all word times are estimated."]
    estimated = sum(word.interpolated for word in words)
    if estimated > DOUBTFUL_SHARE * len(words):
        missing = f"{estimated} of {len(words)} words were not found in the sound"
        return [f"{missing}: is this the transcript of this recording? Their times are estimated."]
    return []


# ---- speakers ------------------------------------------------------------------------------------


def _diarizer(spec: Transcribe) -> speaker_engine.Choice | None:
    """Chosen before anything is worked on, so that a node without speakers says so at once."""
    if not spec.diarize or not spec.source.media.audio:
        return None
    return speaker_engine.choose(spec.speaker_model)


def _diarized(run: JobRun, spec: Transcribe, choice: speaker_engine.Choice) -> Step:
    def work(_directory: Path) -> Json:
        pcm = run.workdir / SOUND
        if not pcm.exists():
            _listen(run, spec)
        heard = speaker_engine.diarize(
            choice, pcm, count=spec.speakers, tick=lambda share: run.progress(0.1 + 0.9 * share)
        )
        run.used(speakers=heard.engine)
        turns: Any = [list(turn) for turn in heard.turns]
        return {"engine": heard.engine, "turns": turns, "notes": list(heard.notes)}

    return run.step(
        "diarize",
        work,
        version=VERSION,
        params={"weights": choice.identity, "count": spec.speakers.model_dump(mode="json")},
        inputs=[spec.source.object.sha256],
        weight=SPEAKERS,
    )


# ---- sound ---------------------------------------------------------------------------------------


def _listen(run: JobRun, spec: Transcribe) -> tuple[Path, list[Span]]:
    """The sound as 16-bit mono PCM at 16 kHz in a scratch file, and where somebody speaks in it."""
    pcm = run.workdir / SOUND
    if not spec.source.media.audio:
        pcm.touch()
        return pcm, []
    path = run.fetch(spec.source.object)
    return pcm, listen(
        path, spec.source.media.duration_s, pcm, lambda share: run.progress(0.1 * share)
    )


# ---- results -------------------------------------------------------------------------------------


def _value(
    engine: str, language: str, words: Sequence[TimedWord], notes: Sequence[str], *, rough: bool
) -> Json:
    rows: Any = [list(word) for word in words]
    return {
        "engine": engine,
        "language": language,
        "rough": rough,
        "notes": list(notes),
        "words": rows,
    }


def _rows(value: Any) -> list[Any]:
    return list(value)


def write_files(
    directory: Path, result: Transcribed, media: MediaInfo, turns: Sequence[Turn] = ()
) -> Json:
    """The transcript as JSON (all of it), as SRT and WebVTT cues to read; turns as RTTM."""
    content = result.model_dump(mode="json", exclude={"artifacts", "kind"})
    content["duration_s"] = media.duration_s
    (directory / FILES["transcript_json"]).write_text(
        json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    words = [word for segment in result.segments for word in segment.words]
    cues = _cues(words, media.duration_s) if words else []
    (directory / FILES["transcript_srt"]).write_text(srt(cues), encoding="utf-8")
    (directory / FILES["transcript_vtt"]).write_text(vtt(cues), encoding="utf-8")
    if result.diarizer:
        (directory / SPEAKER_FILES["speakers_rttm"]).write_text(
            rttm(turns, "recording"), encoding="utf-8"
        )
    return {"cues": len(cues)}


def _cues(words: Sequence[Word], duration_s: float) -> list[Cue]:
    room = room_for(READABLE, face_for(READABLE), width=PICTURE[0], height=PICTURE[1])
    return make_cues(words, start_s=0.0, end_s=duration_s, style=READABLE, room=room)
