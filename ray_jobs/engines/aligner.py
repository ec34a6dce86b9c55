"""When each word of a given text is said: forced alignment, checked against the sound.

Text is cut into chunks at pauses; each chunk is aligned by pocketsphinx in a child process. A chunk
whose path scores like the wrong text (measured: right texts -9 to -27, wrong ones below -33) is not
believed: its words keep the given times, or what recognition found, and are marked interpolated.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from math import exp
from pathlib import Path

from ray_jobs.engines import anchors
from ray_jobs.engines.activity import RATE_HZ
from ray_jobs.engines.child import ask_all
from ray_jobs.engines.given import Line
from ray_jobs.engines.pronounce import Unit, dictionary, pronunciations
from ray_jobs.engines.spoken import Reading, readings
from ray_jobs.engines.text import TimedWord
from ray_jobs.engines.timing import Span, filled, shared

SPHINX = "ray_jobs.engines.sphinx"
BELIEVED = -32.0
"""Mean score of a 10 ms frame above which a text is what is said."""
DOUBTED = -75.0
"""Score below which a single word inside a believed chunk is not."""
MARGIN_S = 1.0
CHUNK_S = 20.0
LONGEST_CHUNK_S = 150.0
MOST_UNITS_PER_S = 9.0
MOST_READINGS = 6
SLOWEST_S = 0.2
"""A word that was not found takes at most so long for each of its letters."""

Tick = Callable[[float], None]


@dataclass(frozen=True)
class Word:
    """A written token of line `line`, and the units said for it (none for a dash, say)."""

    text: str
    line: int
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Chunk:
    """Consecutive words, `first` up to `last`, believed to be said between two times."""

    first: int
    last: int
    start_s: float
    end_s: float


def align(
    lines: Sequence[Line],
    pcm: Path,
    speech: Sequence[Span],
    duration_s: float,
    *,
    language: str,
    tick: Tick,
) -> list[TimedWord]:
    """Times of every token of `lines`, in order, none overlapping, within the recording.

    `pcm` is its sound, 16-bit mono at 16 kHz, and `speech` where somebody speaks. Where lines have
    times (sorted), a word stays within a second of its line. `tick` gets the share done and may
    raise.
    """
    words = _words(lines, language)
    if lines and lines[0].start_s is not None:
        windows = _windows(lines, duration_s)
        times = _align_cued(words, windows, pcm, speech, duration_s, tick)
    else:
        times = _align_plain(words, pcm, speech, duration_s, tick)
    return _whole(words, lines, times, duration_s)


# ---- what is said --------------------------------------------------------------------------------


def _words(lines: Sequence[Line], language: str) -> list[Word]:
    english = language.partition("-")[0].lower() == "en"
    said = [
        (token, at, readings(token) if english else _foreign(token))
        for at, line in enumerate(lines)
        for token in line.tokens
    ]
    known = pronunciations(
        (word for _, _, parts in said for part in parts for reading in part for word in reading),
        language,
    )
    words = []
    for token, at, parts in said:
        units = (_unit(part, known, english=english) for part in parts)
        words.append(Word(token, at, tuple(unit for unit in units if unit)))
    return words


def _foreign(token: str) -> list[list[Reading]]:
    plain = token.strip("\"'`.,;:!?()[]{}«»“”„‘’…-–—¿¡|♪♫、。！？，").lower()
    return [[(plain,)]] if any(sign.isalnum() for sign in plain) else []


def _unit(part: list[Reading], known: dict[str, list[str]], *, english: bool) -> Unit | None:
    if english and len(part) == 1 and len(part[0]) == 1 and part[0][0] in dictionary():
        return Unit(part[0][0], ())
    sounds: dict[str, None] = {}
    for reading in part:
        options = [known.get(word) for word in reading]
        if all(options):
            heads = " ".join(option[0] for option in options if option)
            sounds.update(dict.fromkeys([heads, *(options[0] or [] if len(reading) == 1 else [])]))
    if not sounds:
        return None
    chosen = tuple(sounds)[:MOST_READINGS]
    return Unit("unit-" + sha256("|".join(chosen).encode()).hexdigest()[:16], chosen)


# ---- text with times -----------------------------------------------------------------------------


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


def _align_cued(
    words: list[Word],
    windows: list[Span],
    pcm: Path,
    speech: Sequence[Span],
    duration_s: float,
    tick: Tick,
) -> list[TimedWord | None]:
    chunks = _cue_chunks(words, windows, speech, duration_s)
    times: list[TimedWord | None] = [None] * len(words)
    failed = _align_chunks(words, chunks, times, pcm, lambda share: tick(0.7 * share))
    alone = [
        Chunk(first, last, max(0.0, start - MARGIN_S), min(duration_s, end + MARGIN_S))
        for chunk in failed
        for first, last, start, end in _by_line(words, windows, chunk)
    ]
    _align_chunks(words, alone, times, pcm, lambda share: tick(0.7 + 0.3 * share))
    _keep_near(words, windows, times)
    for first, last, start, end in _by_line(words, windows, Chunk(0, len(words), 0.0, duration_s)):
        if all(time is None for time in times[first:last]):
            estimate = estimated([word.text for word in words[first:last]], speech, (start, end))
            times[first:last] = estimate
    return times


def _cue_chunks(
    words: list[Word], windows: list[Span], speech: Sequence[Span], duration_s: float
) -> list[Chunk]:
    """Lines gathered to about 20 s, cut in the pauses between them."""
    chunks: list[Chunk] = []
    lines = _by_line(words, windows, Chunk(0, len(words), 0.0, duration_s))
    pauses = [(before[1], after[0]) for before, after in pairwise(speech)]
    opened = 0
    start_s = max(0.0, lines[0][2] - MARGIN_S) if lines else 0.0
    for at, (_, last, _, end) in enumerate(lines):
        following = lines[at + 1] if at + 1 < len(lines) else None
        next_start = following[2] if following else duration_s + 2 * MARGIN_S
        pause = _pause_near(pauses, end, min(next_start, duration_s))
        length = end - lines[opened][2]
        ready = next_start - end > 0.5 or (length > CHUNK_S and pause) or length > 2 * CHUNK_S
        if following and not ready:
            continue
        if next_start - end >= 2 * MARGIN_S:
            close, reopen = min(end + MARGIN_S, duration_s), next_start - MARGIN_S
        else:
            close = reopen = pause if pause is not None else (end + next_start) / 2
        chunks.append(Chunk(lines[opened][0], last, start_s, max(close, start_s)))
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


def _by_line(
    words: list[Word], windows: list[Span], chunk: Chunk
) -> list[tuple[int, int, float, float]]:
    """(first word, last word, window) of each line in a chunk."""
    lines = []
    first = chunk.first
    for at in range(chunk.first, chunk.last):
        if at + 1 == chunk.last or words[at + 1].line != words[at].line:
            lines.append((first, at + 1, *windows[words[at].line]))
            first = at + 1
    return lines


def _keep_near(words: list[Word], windows: list[Span], times: list[TimedWord | None]) -> None:
    """Forget times that left their cue by more than the margin: text and sound disagree there."""
    for at, time in enumerate(times):
        start, end = windows[words[at].line]
        if time and not start - MARGIN_S <= time.start_s <= end + MARGIN_S:
            times[at] = None


# ---- text without times --------------------------------------------------------------------------


def _align_plain(
    words: list[Word], pcm: Path, speech: Sequence[Span], duration_s: float, tick: Tick
) -> list[TimedWord | None]:
    times: list[TimedWord | None] = [None] * len(words)
    if not speech:
        return times
    start, end = max(0.0, speech[0][0] - 0.5), min(duration_s, speech[-1][1] + 0.5)
    chunks = [Chunk(0, len(words), start, end)]
    if end - start > 2 * CHUNK_S or _align_chunks(words, chunks, times, pcm, tick):
        names = [(unit, at) for at, word in enumerate(words) for unit in word.units]
        found = anchors.find([unit for unit, _ in names], pcm, speech, lambda s: tick(0.6 * s))
        heard = {names[at][1]: span for at, span in found.items()}
        chunks = [Chunk(*cut) for cut in anchors.cuts(heard, len(words), start, end)]
        failed = _align_chunks(words, chunks, times, pcm, lambda s: tick(0.6 + 0.4 * s))
        for chunk in failed:
            for at in range(chunk.first, chunk.last):
                if at in heard and times[at] is None:
                    times[at] = TimedWord(words[at].text, *heard[at], 0.4, interpolated=True)
    if all(time is None for time in times):
        times = list(estimated([word.text for word in words], speech, (start, end)))
    return times


# ---- one chunk -----------------------------------------------------------------------------------


def _align_chunks(
    words: list[Word],
    chunks: Iterable[Chunk],
    times: list[TimedWord | None],
    pcm: Path,
    tick: Tick,
) -> list[Chunk]:
    """Align what can be aligned into `times`; returns the chunks that were not believed."""
    failed, sent, requests = [], [], []
    for chunk in chunks:
        units = [unit for word in words[chunk.first : chunk.last] for unit in word.units]
        length_s = chunk.end_s - chunk.start_s
        if not units or not len(units) / MOST_UNITS_PER_S < length_s < LONGEST_CHUNK_S:
            failed.append(chunk)
            continue
        sent.append(chunk)
        start, end = round(chunk.start_s * RATE_HZ), round(chunk.end_s * RATE_HZ)
        request = {"do": "align", "pcm": str(pcm), "start": start, "end": end}
        requests.append({**request, "words": [[name, list(said)] for name, said in units]})
    for chunk, reply in zip(sent, ask_all(SPHINX, requests, tick=tick), strict=True):
        found = reply and reply["words"]
        if not found or _mean_score(found) < BELIEVED:
            failed.append(chunk)
            continue
        _take(words, chunk, found, times)
    return failed


def _mean_score(found: list[list[float]]) -> float:
    length = sum(end - start for start, end, _ in found)
    return sum((end - start) * score for start, end, score in found) / length


def _take(
    words: list[Word], chunk: Chunk, found: list[list[float]], times: list[TimedWord | None]
) -> None:
    unit = iter(found)
    for at in range(chunk.first, chunk.last):
        parts = [next(unit) for _ in words[at].units]
        if parts:
            score = _mean_score(parts)
            times[at] = TimedWord(
                words[at].text,
                chunk.start_s + parts[0][0],
                chunk.start_s + parts[-1][1],
                _confidence(score),
                interpolated=score < DOUBTED,
            )


def _confidence(score: float) -> float:
    """Right words score about -15 (0.92), words of a wrong text about -50 (0.13)."""
    return round(1 / (1 + exp(-(score + 35) / 8)), 3)


# ---- every word ----------------------------------------------------------------------------------


def _whole(
    words: list[Word], lines: Sequence[Line], times: list[TimedWord | None], duration_s: float
) -> list[TimedWord]:
    """All words timed, in order; those without a time of their own share the gap they stand in."""
    spans = filled(
        [time and (time.start_s, time.end_s) for time in times],
        [_letters([word.text]) for word in words],
        0.0,
        duration_s,
        most_s=SLOWEST_S,
    )
    result = []
    for word, time, (start, end) in zip(words, times, spans, strict=True):
        known = time or TimedWord(word.text, start, end, 0.2, interpolated=True)
        moved = known._replace(start_s=start, end_s=end, speaker=lines[word.line].speaker)
        result.append(moved)
    return result


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
        TimedWord(text, start, end, 0.2, interpolated=True)
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
