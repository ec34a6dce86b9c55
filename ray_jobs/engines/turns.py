"""Turns of speech: whose voice is whose, in what order people speak, who speaks when."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ray_jobs.contract import HeardSpeaker
from ray_jobs.engines.text import TimedWord

# Voices of two blocks are the same below this cosine distance of their mean prints.
SAME_VOICE = 0.5
CUT_S = 0.05

Prints = np.ndarray
Spoken = tuple[float, float, int, float]
"""Start, end, number of the voice, confidence."""


class Turn(NamedTuple):
    """Somebody speaks. Turns of two speakers may overlap; confidence is 0..1."""

    start_s: float
    end_s: float
    speaker: str
    confidence: float


class Block(NamedTuple):
    """Turns of a part of a recording, and a print [k, d] of each of its voices."""

    turns: list[Spoken]
    prints: Prints


def speaker_at(turns: Sequence[Turn], start_s: float, end_s: float) -> str | None:
    """Who speaks most of a span; where nobody does, whose turn is nearest. None without turns."""
    best, value = None, (-np.inf, 0.0)
    for turn in turns:
        overlap_s = min(end_s, turn.end_s) - max(start_s, turn.start_s)
        if (overlap_s, turn.confidence) > value:
            best, value = turn.speaker, (overlap_s, turn.confidence)
    return best


def attributed(words: Sequence[TimedWord], turns: Sequence[Turn]) -> list[TimedWord]:
    """Each word with its speaker; one that a given transcript names stays."""
    return [
        word if word.speaker else word._replace(speaker=speaker_at(turns, word.start_s, word.end_s))
        for word in words
    ]


def voices_in(turns: Sequence[Turn]) -> list[HeardSpeaker]:
    """The speakers in the order of their first turns."""
    found = []
    for name in dict.fromkeys(turn.speaker for turn in turns):
        lengths_s = [turn.end_s - turn.start_s for turn in turns if turn.speaker == name]
        sure = [turn.confidence for turn in turns if turn.speaker == name]
        mean = float(np.average(sure, weights=lengths_s))
        found.append(
            HeardSpeaker(name=name, speech_s=round(sum(lengths_s), 3), confidence=round(mean, 3))
        )
    return found


def rttm(turns: Sequence[Turn], name: str) -> str:
    """Turns as NIST RTTM, speakers without spaces."""
    return "".join(
        f"SPEAKER {name} 1 {turn.start_s:.3f} {turn.end_s - turn.start_s:.3f} <NA> <NA> "
        f"{turn.speaker.replace(' ', '_')} {turn.confidence:.3f} <NA>\n"
        for turn in turns
    )


def linked(blocks: Sequence[Block], most: int | None) -> list[Turn]:
    """Turns of all blocks, each voice of a block taken for the likest one of those before.

    Two voices of one block never become one, unless there would be more than `most`. Speakers are
    `speaker 1`, `speaker 2`, … in the order they first speak.
    """
    voices: list[np.ndarray] = []
    turns: list[Spoken] = []
    for block in blocks:
        names = _matched(block.prints, voices, most)
        for voice, name in zip(block.prints, names, strict=True):
            if name == len(voices):
                voices.append(voice.copy())
            else:
                voices[name] += voice
        turns += [(start, end, names[voice], sure) for start, end, voice, sure in block.turns]
    whole = _joined(turns)
    order = {voice: n for n, voice in enumerate(dict.fromkeys(turn[2] for turn in whole), 1)}
    return [
        Turn(round(start, 3), round(end, 3), f"speaker {order[voice]}", sure)
        for start, end, voice, sure in whole
    ]


def unit(prints: Prints) -> Prints:
    """Prints [..., d] of length one."""
    length = np.linalg.norm(prints, axis=-1, keepdims=True)
    return np.asarray(prints / np.maximum(length, 1e-9))


def _matched(prints: Prints, voices: Sequence[np.ndarray], most: int | None) -> list[int]:
    """The number of the known voice that each print is, or the next free one."""
    from scipy.optimize import linear_sum_assignment

    names = [-1] * len(prints)
    if voices and len(prints):
        apart = 1 - unit(prints) @ unit(np.array(voices)).T
        for own, other in zip(*linear_sum_assignment(apart), strict=True):
            if apart[own, other] < SAME_VOICE:
                names[own] = int(other)
    known = len(voices)
    for own, name in enumerate(names):
        if name < 0 and voices and most and known >= most:
            names[own] = int(np.argmin(apart[own]))
        elif name < 0:
            names[own], known = known, known + 1
    return names


def _joined(turns: Sequence[Spoken]) -> list[Spoken]:
    """Turns in order; what the end of a block has cut in two is one again."""
    whole: list[Spoken] = []
    for turn in sorted(turns):
        before = whole[-1] if whole else None
        if before and before[2] == turn[2] and turn[0] - before[1] < CUT_S:
            whole[-1] = (before[0], max(before[1], turn[1]), turn[2], min(before[3], turn[3]))
        else:
            whole.append(turn)
    return whole
