"""A transcript as a file, as it stands now: SubRip, WebVTT, and text to read.

The files a worker leaves are of the words as they were first heard; these have every edit in them.
Cues keep to two lines of 42 characters (BBC subtitle guidelines, "line length"), of whole words.
"""

import textwrap
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby, pairwise
from typing import NamedTuple

from ray_jobs.contract import Segment, Word

LINE_CHARS, LINES = 42, 2
LONGEST_PAUSE_S = 1.0
SHORTEST_S = 0.8
SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")


class Cue(NamedTuple):
    start_s: float
    end_s: float
    text: str
    speaker: str | None


def srt(segments: Sequence[Segment]) -> str:
    """SubRip: numbered cues, without speakers, whom it cannot name."""
    return "".join(
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{_lines(cue.text)}\n\n"
        for number, cue in enumerate(cues(segments), 1)
    )


def vtt(segments: Sequence[Segment]) -> str:
    """WebVTT (W3C, 2019), with a voice span where the speaker is known."""
    blocks = []
    for cue in cues(segments):
        speaker = escape(" ".join((cue.speaker or "").split()), quote=False)
        voice = f"<v {speaker}>" if speaker else ""
        text = escape(_lines(cue.text), quote=False)
        blocks.append(f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{voice}{text}\n\n")
    return "WEBVTT\n\n" + "".join(blocks)


def txt(segments: Sequence[Segment]) -> str:
    """Running text; a paragraph for each turn of a speaker."""
    turns = []
    for speaker, spoken in groupby(segments, key=lambda segment: segment.speaker):
        text = " ".join(segment.text.strip() for segment in spoken)
        turns.append(f"{speaker}: {text}" if speaker else text)
    return "".join(f"{turn}\n\n" for turn in turns).rstrip("\n") + ("\n" if turns else "")


def cues(segments: Sequence[Segment]) -> list[Cue]:
    """What is shown when, in order and without overlap; each cue is of one segment."""
    every = (cue for segment in segments for cue in _of_segment(segment))
    found = sorted((cue for cue in every if cue.text), key=lambda cue: (cue.start_s, cue.end_s))
    shown = []
    for cue, following in pairwise([*found, None]):
        if cue is None:
            break
        end_s = max(cue.end_s, cue.start_s + SHORTEST_S)
        if following is not None:
            end_s = min(end_s, max(following.start_s, cue.start_s))
        if end_s > cue.start_s:
            shown.append(cue._replace(end_s=end_s))
    return shown


def _of_segment(segment: Segment) -> Iterator[Cue]:
    if not segment.words:
        yield Cue(segment.start_s, segment.end_s, segment.text.strip(), segment.speaker)
        return
    run: list[tuple[Word, str]] = []
    for word, text in zip(segment.words, _written(segment), strict=True):
        if run and _breaks(run, word, text):
            yield _cue(run, segment.speaker)
            run = []
        run.append((word, text))
    yield _cue(run, segment.speaker)


def _cue(run: Sequence[tuple[Word, str]], speaker: str | None) -> Cue:
    text = "".join(text for _, text in run).strip()
    return Cue(run[0][0].start_s, run[-1][0].end_s, text, speaker)


def _breaks(run: Sequence[tuple[Word, str]], word: Word, text: str) -> bool:
    """Whether a new cue begins with `word`: the last one is full, has paused, or has said it."""
    said = "".join(each for _, each in run).strip()
    last = run[-1][0]
    full = len(textwrap.wrap(said + text, LINE_CHARS)) > LINES
    ended = said.endswith(SENTENCE_ENDS) and len(said) > LINE_CHARS
    return full or ended or word.start_s - last.end_s > LONGEST_PAUSE_S


def _written(segment: Segment) -> list[str]:
    """Each word with the white space that stands before it in the segment's text."""
    written, at = [], 0
    for word in segment.words:
        found = segment.text.find(word.text, at)
        if found < 0:
            written.append(f" {word.text}")
            continue
        written.append(segment.text[at:found] + word.text)
        at = found + len(word.text)
    return written


def _lines(text: str) -> str:
    return "\n".join(textwrap.wrap(text, LINE_CHARS)) or text


def _clock(time_s: float, point: str) -> str:
    thousandths = round(time_s * 1000)
    seconds, thousandths = divmod(thousandths, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{thousandths:03d}"


WRITERS = {
    "srt": (srt, "application/x-subrip; charset=utf-8"),
    "vtt": (vtt, "text/vtt; charset=utf-8"),
    "txt": (txt, "text/plain; charset=utf-8"),
}
