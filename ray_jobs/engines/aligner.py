"""When each word of a given text is said.

Text with times is aligned near its times; text without is anchored first by recognising with its
own words. What the sound does not bear out keeps its cue's times, or times estimated by letters,
and is marked interpolated.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from ray_jobs.engines import anchors, forced, wav2vec2
from ray_jobs.engines.aligners import Choice
from ray_jobs.engines.forced import MOST_UNITS_PER_S, Alignment, Chunk, Tick
from ray_jobs.engines.given import Line
from ray_jobs.engines.text import TimedWord
from ray_jobs.engines.timing import Span, filled, shared

MARGIN_S = 1.0
"""How far a word may be from its cue."""
CHUNK_S = 20.0
SLOWEST_S = 0.2
"""A word that was not found takes at most so long for each of its letters."""
PAUSE_S = 0.1
UNHEARD = 0.2
"""Confidence in a time that was not heard."""
ANCHORED = 0.4

Finder = Callable[[Alignment, Sequence[Chunk], Tick], list[Chunk]]
"""Times the words of chunks, and returns the chunks that the sound does not bear out."""


def align(
    lines: Sequence[Line],
    pcm: Path,
    speech: Sequence[Span],
    duration_s: float,
    *,
    choice: Choice,
    language: str,
    tick: Tick,
) -> list[TimedWord]:
    """Times of every token of `lines`, in order, none overlapping, within the recording.

    `pcm` is its sound, 16-bit mono at 16 kHz, and `speech` where somebody speaks. Where lines have
    times (sorted), a word stays within a second of its line. `tick` gets the share done and may
    raise.
    """
    find: Finder
    if choice.weights:
        work = wav2vec2.prepare(lines, pcm, speech, duration_s, language)
        find = partial(wav2vec2.align_chunks, wav2vec2.loaded(choice.weights))
    else:
        work = forced.prepare(lines, pcm, speech, duration_s, language)
        find = forced.align_chunks
    if lines and lines[0].start_s is not None:
        _align_cued(work, find, _windows(lines, duration_s), tick)
    elif not speech:
        count = len(work.words)
        work.times[:] = estimated(work.texts(0, count), (), (0.0, duration_s))
    else:
        _align_plain(work, find, tick, anchored=choice.weights is None)
    return _whole(work, lines)


def _windows(lines: Sequence[Line], duration_s: float) -> list[Span]:
    """Spans of the lines made consecutive: a cue ends where the next starts, and cues that start
    together share their time by letters.
    """
    windows: list[Span] = []
    at = 0
    while at < len(lines):
        start = min(duration_s, lines[at].start_s or 0.0)
        same = at + 1
        while same < len(lines) and (lines[same].start_s or 0.0) - start < 0.001:
            same += 1
        following = lines[same].start_s or 0.0 if same < len(lines) else duration_s
        end = min(max(line.end_s or start for line in lines[at:same]), following, duration_s)
        windows += shared(
            [_letters(line.tokens) for line in lines[at:same]], start, max(start, end)
        )
        at = same
    return windows


def _align_cued(work: Alignment, find: Finder, windows: list[Span], tick: Tick) -> None:
    cues = _cues(work, windows, 0, len(work.words))
    failed = find(work, _cue_chunks(work, cues), lambda share: tick(0.7 * share))
    alone = [
        Chunk(cue.first, cue.last, *_widened(cue, work.duration_s))
        for chunk in failed
        for cue in _cues(work, windows, chunk.first, chunk.last)
        if _could_be_said(work, cue)
    ]
    find(work, alone, lambda share: tick(0.7 + 0.3 * share))
    for cue in cues:
        found = work.times[cue.first : cue.last]
        low, high = _widened(cue, work.duration_s)
        found = [time if time and low <= time.start_s <= high else None for time in found]
        if not any(found):
            texts = work.texts(cue.first, cue.last)
            found = list(estimated(texts, work.speech, (cue.start_s, cue.end_s)))
        work.times[cue.first : cue.last] = found


def _cues(work: Alignment, windows: list[Span], first: int, last: int) -> list[Chunk]:
    """The lines among some words, each with its own window."""
    cues = []
    for at in range(first, last):
        if at + 1 == last or work.words[at + 1].line != work.words[at].line:
            cues.append(Chunk(first, at + 1, *windows[work.words[at].line]))
            first = at + 1
    return cues


def _widened(cue: Chunk, duration_s: float) -> Span:
    return max(0.0, cue.start_s - MARGIN_S), min(duration_s, cue.end_s + MARGIN_S)


def _could_be_said(work: Alignment, cue: Chunk) -> bool:
    units = sum(len(word.units) for word in work.words[cue.first : cue.last])
    return units / MOST_UNITS_PER_S < cue.end_s - cue.start_s


def _cue_chunks(work: Alignment, cues: list[Chunk]) -> list[Chunk]:
    """Cues gathered to about 20 s, cut in the pauses between them."""
    pauses = [(before[1], after[0]) for before, after in pairwise(work.speech)]
    chunks: list[Chunk] = []
    opened = 0
    start_s = max(0.0, cues[0].start_s - MARGIN_S) if cues else 0.0
    for at, cue in enumerate(cues):
        following = cues[at + 1] if at + 1 < len(cues) else None
        next_start = following.start_s if following else work.duration_s + 2 * MARGIN_S
        pause = _pause_near(pauses, cue.end_s, min(next_start, work.duration_s))
        length = cue.end_s - cues[opened].start_s
        gap = next_start - cue.end_s
        ready = gap > 0.5 or (length > CHUNK_S and pause is not None) or length > 2 * CHUNK_S
        if following and not ready:
            continue
        if gap >= 2 * MARGIN_S:
            close, reopen = min(cue.end_s + MARGIN_S, work.duration_s), next_start - MARGIN_S
        else:
            close = reopen = pause if pause is not None else cue.end_s + gap / 2
        chunks.append(Chunk(cues[opened].first, cue.last, start_s, max(close, start_s)))
        opened, start_s = at + 1, reopen
    return chunks


def _pause_near(pauses: Sequence[Span], end_s: float, next_start_s: float) -> float | None:
    """Middle of the pause in speech nearest to the gap between two cues, within a second of it."""
    middle = (end_s + next_start_s) / 2
    at = bisect_left(pauses, (middle, middle))
    near = [
        (start + end) / 2
        for start, end in pauses[max(0, at - 1) : at + 1]
        if start < next_start_s + MARGIN_S and end > end_s - MARGIN_S
    ]
    return min(near, key=lambda pause: abs(pause - middle), default=None)


def _align_plain(work: Alignment, find: Finder, tick: Tick, *, anchored: bool) -> None:
    """Text without times, at one go; where that fails, or would by its length if the engine must
    be `anchored`, chunk by chunk between words that were recognised.
    """
    count = len(work.words)
    start = max(0.0, work.speech[0][0] - 0.5)
    end = min(work.duration_s, work.speech[-1][1] + 0.5)
    whole = not anchored or end - start <= 2 * CHUNK_S
    if whole and not find(work, [Chunk(0, count, start, end)], tick):
        return
    units = [(unit, at) for at, word in enumerate(work.words) for unit in word.units]
    found = anchors.find(
        [unit for unit, _ in units], work.pcm, work.speech, lambda share: tick(0.6 * share)
    )
    heard = {units[at][1]: span for at, span in found.items()}
    chunks = [Chunk(*cut) for cut in anchors.cuts(heard, count, start, end)]
    for chunk in find(work, chunks, lambda share: tick(0.6 + 0.4 * share)):
        for at in heard.keys() & set(range(chunk.first, chunk.last)):
            text = work.words[at].text
            work.times[at] = TimedWord(text, *heard[at], ANCHORED, interpolated=True)
    if not any(work.times):
        work.times[:] = estimated(work.texts(0, count), work.speech, (start, end))


def _whole(work: Alignment, lines: Sequence[Line]) -> list[TimedWord]:
    """All words timed, in order; those without a time of their own share the gap they stand in."""
    spans = filled(
        [time and _in_sound(time, work.speech) for time in work.times],
        [_letters([word.text]) for word in work.words],
        0.0,
        work.duration_s,
        most_s=SLOWEST_S,
    )
    result = []
    for word, time, (start, end) in zip(work.words, work.times, spans, strict=True):
        known = time or TimedWord(word.text, start, end, UNHEARD, interpolated=True)
        speaker = lines[word.line].speaker
        result.append(known._replace(start_s=start, end_s=end, speaker=speaker))
    return result


def _in_sound(word: TimedWord, speech: Sequence[Span]) -> Span:
    """A word's time without the pause that the aligner took for its beginning or end."""
    start, end = word.start_s, word.end_s
    after = bisect_left(speech, (start, start))
    if after < len(speech) and not (after and speech[after - 1][1] > start):
        onset = speech[after][0]
        if onset - start > PAUSE_S and onset < end - PAUSE_S:
            start = onset
    before = bisect_left(speech, (end, end)) - 1
    if before >= 0 and end - speech[before][1] > PAUSE_S and speech[before][1] > start + PAUSE_S:
        end = speech[before][1]
    return start, end


def estimated(texts: Sequence[str], speech: Sequence[Span], window: Span) -> list[TimedWord]:
    """Times of words by their letters, spread over the speech in a window (or all of it)."""
    inside = [(max(a, window[0]), min(b, window[1])) for a, b in speech]
    inside = [(a, b) for a, b in inside if b - a > 0.05] or [window]
    spoken_s = sum(b - a for a, b in inside)
    spans = []
    for start, end in shared([_letters([text]) for text in texts], 0.0, spoken_s):
        first = _in_speech(inside, start, at_end=False)
        spans.append((first, max(first, _in_speech(inside, end, at_end=True))))
    return [
        TimedWord(text, start, end, UNHEARD, interpolated=True)
        for text, (start, end) in zip(texts, spans, strict=True)
    ]


def _in_speech(inside: Sequence[Span], spoken_s: float, *, at_end: bool) -> float:
    """Time at which so much speech has passed."""
    for start, end in inside:
        length = end - start
        if spoken_s < length or (at_end and spoken_s <= length + 1e-9):
            return min(end, start + spoken_s)
        spoken_s -= length
    return inside[-1][1]


def _letters(texts: Sequence[str]) -> float:
    return float(sum(1 + sum(sign.isalnum() for sign in text) for text in texts))
