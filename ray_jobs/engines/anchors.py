"""Sure points between a long text and its sound, found by recognising with the text's own words.

Source: Moreno et al., "A recursive algorithm for the forced alignment of very long audio segments"
(ICSLP 1998): a language model of the text alone makes even a weak recogniser find its words; runs
of words that occur once in both are sure.
"""

import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Any

from ray_jobs.engines.activity import RATE_HZ, pcm_duration_s, pieces
from ray_jobs.engines.child import ask_all
from ray_jobs.engines.pronounce import Unit, available, dictionary
from ray_jobs.engines.timing import Span

SPHINX = "ray_jobs.engines.sphinx"
PIECE_S = 20.0
RUN = 3
"""Words in a run that is sure when it occurs once in the text and once in what was heard."""
SENTENCE = 12
MOST_COMPARED = 16_000_000
CHUNK_S = 10.0
PAUSE_S = 0.12


def find(
    units: Sequence[Unit], pcm: Path, speech: Sequence[Span], tick: Callable[[float], None]
) -> dict[int, Span]:
    """Times of those units of a text that were surely heard."""
    if not available():
        return {}
    with tempfile.TemporaryDirectory(prefix="cutroom-text-") as folder:
        _write_model(units, Path(folder))
        requests: list[dict[str, Any]] = [
            {
                "do": "recognise",
                "model": folder,
                "pcm": str(pcm),
                "start": round(start * RATE_HZ),
                "end": round(end * RATE_HZ),
            }
            for start, end in pieces(speech, pcm_duration_s(pcm), longest_s=PIECE_S, join_s=0.5)
        ]
        replies = ask_all(SPHINX, requests, tick=tick)
    heard: list[tuple[str, Span]] = []
    for request, reply in zip(requests, replies, strict=True):
        at_s = request["start"] / RATE_HZ
        for name, start, end, _ in (reply or {"words": ()})["words"]:
            heard.append((name, (at_s + start, at_s + end)))
    pairs = matched([unit.name for unit in units], [name for name, _ in heard])
    return {text: heard[sound][1] for text, sound in pairs}


def matched(text: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of like words in both, ever later in both, each within a run of like words.

    Runs that are unique in both come first; between them, the longest common runs.
    """
    left, right = _unique_runs(text), _unique_runs(heard)
    runs = sorted((left[run], right[run]) for run in left.keys() & right.keys())
    pairs: dict[int, int] = {}
    for first, second in _longest_rising(runs):
        pairs.update((first + step, second + step) for step in range(RUN))
    rising = list(_longest_rising(sorted(pairs.items())))
    return sorted(_extended(list(_between(rising, text, heard)), text, heard))


def cuts(
    heard: Mapping[int, Span], count: int, start_s: float, end_s: float
) -> Iterator[tuple[int, int, float, float]]:
    """(first, last, start, end) of consecutive chunks of at least 10 s, cut in heard pauses."""
    first, opened_s = 0, start_s
    for before, after in pairwise(sorted(heard)):
        pause = heard[after][0] - heard[before][1]
        middle = (heard[after][0] + heard[before][1]) / 2
        if after == before + 1 and pause >= PAUSE_S and middle - opened_s >= CHUNK_S:
            yield first, after, opened_s, middle
            first, opened_s = after, middle
    yield first, count, opened_s, end_s


def _write_model(units: Sequence[Unit], folder: Path) -> None:
    from pocketsphinx.lm import ArpaBoLM

    names = [unit.name for unit in units]
    lines = [" ".join(names[at : at + SENTENCE]) for at in range(0, len(names), SENTENCE)]
    lines += [" ".join(names[at : at + SENTENCE]) for at in range(6, len(names), SENTENCE)]
    model = ArpaBoLM(text="\n".join(lines), add_start=True)
    model.compute()
    model.write_file(str(folder / "text.lm"))
    with (folder / "text.dict").open("w", encoding="utf-8") as out:
        for name, said in dict(units).items():
            for number, phones in enumerate(said or dictionary()[name], 1):
                out.write(f"{name if number == 1 else f'{name}({number})'} {phones}\n")


def _unique_runs(words: Sequence[str]) -> dict[tuple[str, ...], int]:
    seen: dict[tuple[str, ...], int] = {}
    for at in range(len(words) - RUN + 1):
        run = tuple(words[at : at + RUN])
        seen[run] = -1 if run in seen else at
    return {run: at for run, at in seen.items() if at >= 0}


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second members rise (patience sorting); firsts rise already."""
    tails: list[int] = []
    last: list[int] = []
    previous: list[int] = []
    for at, (_, second) in enumerate(pairs):
        pile = bisect_left(tails, second)
        previous.append(last[pile - 1] if pile else -1)
        if pile == len(tails):
            tails.append(second)
            last.append(at)
        else:
            tails[pile], last[pile] = second, at
    chain: list[tuple[int, int]] = []
    at = last[-1] if last else -1
    while at >= 0:
        chain.append(pairs[at])
        at = previous[at]
    return chain[::-1]


def _between(
    pairs: Sequence[tuple[int, int]], text: Sequence[str], heard: Sequence[str]
) -> Iterator[tuple[int, int]]:
    """The pairs, and those of the longest common runs in the gaps between them."""
    edges = [(-1, -1), *pairs, (len(text), len(heard))]
    for (low, left), (high, right) in pairwise(edges):
        if low >= 0:
            yield low, left
        words, sounds = text[low + 1 : high], heard[left + 1 : right]
        if min(len(words), len(sounds)) >= RUN and len(words) * len(sounds) <= MOST_COMPARED:
            for block in SequenceMatcher(None, words, sounds, autojunk=False).get_matching_blocks():
                if block.size >= RUN:
                    for step in range(block.size):
                        yield low + 1 + block.a + step, left + 1 + block.b + step


def _extended(
    pairs: Sequence[tuple[int, int]], text: Sequence[str], heard: Sequence[str]
) -> Iterator[tuple[int, int]]:
    """The pairs, and equal words that follow on or lead up to them without a gap."""
    edges = [(-1, -1), *pairs, (len(text), len(heard))]
    for (low, left), (high, right) in pairwise(edges):
        if low >= 0:
            yield low, left
        i, j = low + 1, left + 1
        while low >= 0 and i < high and j < right and text[i] == heard[j]:
            yield i, j
            i, j = i + 1, j + 1
        p, q = high - 1, right - 1
        while high < len(text) and p >= i and q >= j and text[p] == heard[q]:
            yield p, q
            p, q = p - 1, q - 1
