"""Transcripts that people bring: SRT, WebVTT, JSON segments or plain text, as lines with times."""

import html
import json
import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, ValidationError

from ray_jobs.contract import GivenTranscript
from ray_jobs.engines.text import TimedWord, tokens
from ray_jobs.failures import Failure

MOST_WORDS = 200_000
TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
CUE = re.compile(rf"\s*{TIME}\s*-->\s*{TIME}(?:\s.*)?")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
TAG = re.compile(r"<[/a-zA-Z0-9:][^<>]*>|\{\\[^{}]*\}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Line:
    """A piece of the given text; times are None where the giver had none.

    `words` are timed already where the giver timed every one of them.
    """

    tokens: list[str]
    start_s: float | None = None
    end_s: float | None = None
    speaker: str | None = None
    words: list[TimedWord] = field(default_factory=list)


@dataclass(frozen=True)
class Given:
    lines: list[Line]
    notes: list[str]


Time = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class GivenWord(BaseModel):
    text: str = Field(validation_alias=AliasChoices("text", "word", "t"))
    start_s: Time | None = Field(None, validation_alias=AliasChoices("start_s", "start"))
    end_s: Time | None = Field(None, validation_alias=AliasChoices("end_s", "end"))
    confidence: float | None = Field(
        None, ge=0, le=1, validation_alias=AliasChoices("confidence", "probability", "score")
    )


class GivenSegment(BaseModel):
    text: str = ""
    start_s: Time | None = Field(None, validation_alias=AliasChoices("start_s", "start"))
    end_s: Time | None = Field(None, validation_alias=AliasChoices("end_s", "end"))
    speaker: str | None = Field(None, max_length=200)
    words: list[GivenWord] | None = None


SEGMENTS = TypeAdapter(list[GivenSegment])


def parse(given: GivenTranscript, duration_s: float) -> Given:
    """Lines of the text in order of time, markup removed, times within the recording.

    Cues that cannot be read or lie after the recording are left out, with a note.

    Raises
    ------
    Failure
        `bad_transcript`, naming the line or field, where nothing can be used.
    """
    notes: list[str] = []
    match given.format:
        case "json":
            lines = _segments(given.text)
        case "text":
            lines = [Line(tokens(_clean(line))) for line in re.split(r"\r\n|\r|\n", given.text)]
        case _:
            lines, notes = _cues(given.text)
    lines = [line for line in lines if line.tokens]
    if not lines:
        detail = notes[0] if notes else "it holds no words."
        raise Failure("bad_transcript", f"The given transcript cannot be used: {detail}")
    if sum(len(line.tokens) for line in lines) > MOST_WORDS:
        raise Failure("bad_transcript", f"The given transcript has more than {MOST_WORDS:,} words.")
    return _within(lines, notes, duration_s)


def _cues(text: str) -> tuple[list[Line], list[str]]:
    """SRT and WebVTT alike: a line with times, then text up to an empty line or the next times.

    What is not such a cue (numbers, headers, notes, styles, regions) belongs to no cue.
    """
    cues: list[Line] = []
    bad: list[int] = []
    rows = re.split(r"\r\n|\r|\n", text)
    at = 0
    while at < len(rows):
        found, row = CUE.fullmatch(rows[at]), at
        at += 1
        if not found:
            if "-->" in rows[row]:
                bad.append(row + 1)
            continue
        body = []
        while at < len(rows) and _clean(rows[at]) and "-->" not in rows[at]:
            body.append(rows[at])
            at += 1
        if at < len(rows) and "-->" in rows[at] and body and body[-1].strip().isdigit():
            body.pop()
        start_s, end_s = _seconds(*found.groups()[:4]), _seconds(*found.groups()[4:])
        if end_s <= start_s:
            bad.append(row + 1)
            continue
        content = "\n".join(body)
        voice = VOICE.search(content)
        speaker = html.unescape(voice[1]).strip()[:200] if voice else None
        cues.append(Line(tokens(_clean(content)), start_s, end_s, speaker))
    if not bad and not cues:
        return cues, ["line 1: there is no cue (a line like 00:00:01,000 --> 00:00:02,500)."]
    shown = ", ".join(map(str, bad[:5])) + (" …" if len(bad) > 5 else "")
    return cues, [f"line {shown}: no cue times can be read."] if bad else []


def _clean(text: str) -> str:
    """Text without markup: tags go, entities become what they stand for."""
    text = html.unescape(TAG.sub("", text)).replace("\\N", " ").replace("\\h", " ")
    return CONTROL.sub("", text).strip()


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return (whole * 1000 + int(fraction.ljust(3, "0"))) / 1000


def _segments(text: str) -> list[Line]:
    try:
        document: Any = json.loads(text.removeprefix("\ufeff"))
        if isinstance(document, dict) and "segments" in document:
            document = document["segments"]
        return [_line(segment) for segment in SEGMENTS.validate_python(document)]
    except json.JSONDecodeError as error:
        raise Failure(
            "bad_transcript", f"line {error.lineno}, column {error.colno}: {error.msg}."
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["segments", *map(str, first["loc"])])
        raise Failure("bad_transcript", f"{where}: {first['msg']}.") from error
    except (RecursionError, ValueError) as error:
        raise Failure("bad_transcript", "The given JSON cannot be read.") from error


def _line(segment: GivenSegment) -> Line:
    given = [word for word in segment.words or [] if tokens(_clean(word.text))]
    text = tokens(_clean(segment.text)) or [t for word in given for t in tokens(_clean(word.text))]
    timed = [
        TimedWord(
            _clean(word.text),
            word.start_s,
            word.end_s,
            1.0 if word.confidence is None else word.confidence,
            speaker=segment.speaker,
        )
        for word in given
        if word.start_s is not None and word.end_s is not None and word.end_s >= word.start_s
    ]
    whole = [word.text for word in timed] == text
    start_s, end_s = segment.start_s, segment.end_s
    if whole:
        start_s, end_s = timed[0].start_s, max(word.end_s for word in timed)
    elif start_s is None or end_s is None or end_s <= start_s:
        start_s = end_s = None
    return Line(text, start_s, end_s, segment.speaker, timed if whole else [])


def _within(lines: list[Line], notes: list[str], duration_s: float) -> Given:
    timed = [line for line in lines if line.start_s is not None]
    if timed and len(timed) < len(lines):  # half a time line is none: all are found by sound
        return Given([Line(line.tokens, speaker=line.speaker) for line in lines], notes)
    kept = [line for line in lines if line.start_s is None or line.start_s < duration_s]
    if not kept:
        raise Failure(
            "bad_transcript",
            f"Every cue of the given transcript starts after the recording's {duration_s:.1f} s.",
        )
    if len(kept) < len(lines):
        notes = [*notes, f"{len(lines) - len(kept)} cues after the recording's end were left out."]
    return Given(sorted(kept, key=lambda line: line.start_s or 0.0), notes)
