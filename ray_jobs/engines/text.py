"""Written words: tokens, the phrases they form, and which language they look like."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

PAUSE_S = 0.6
LONGEST_PHRASE_S = 15.0

# Scripts written without spaces: each sign is a token, punctuation stays with the sign before it.
UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
TOKEN = re.compile(rf"[{UNSPACED}][^\w\s]*|(?:(?![{UNSPACED}])\S)+")
GLUED = re.compile(rf"[{UNSPACED}][^\w\s]*$|[\u3000-\u303f\uff00-\uff65]$")
SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")
NOT_AN_END = re.compile(
    r"^[\"'“‘(\[]*(?:(?i:mr|mrs|ms|dr|prof|st|vs|no|jr|sr|gen|col|e\.g|i\.e|u\.s)|[A-Z])\.$"
)
CLAUSE_END = re.compile(r"[,;:—–、，；：][\"'”’»)\]]*$")

SCRIPTS = (
    ("ja", r"[\u3040-\u30ff]"),
    ("ko", r"[\uac00-\ud7af]"),
    ("zh", r"[\u4e00-\u9fff]"),
    ("ru", r"[\u0400-\u04ff]"),
    ("ar", r"[\u0600-\u06ff]"),
    ("he", r"[\u0590-\u05ff]"),
    ("el", r"[\u0370-\u03ff]"),
    ("hi", r"[\u0900-\u097f]"),
    ("th", r"[\u0e00-\u0e7f]"),
)
COMMON = {
    "en": "the and of to is that it was for you with this have are not we they be",
    "de": "der die und das ist nicht ich ein eine zu mit sie wir auf für den dem auch",
    "fr": "le la les et est des une pas que vous nous pour dans qui sur je ce il au",
    "es": "el los las y es que una para con por no se del lo como pero está muy",
    "it": "il che di è per non una con sono del della gli mi si ma anche questo",
    "pt": "o os e é que não uma para com do da em você mas mais isso são foi",
    "nl": "de het een en van is dat niet ik je zijn voor met op maar ook wij dit",
}


class TimedWord(NamedTuple):
    """A written token with its time in the recording; `interpolated` times were not heard."""

    text: str
    start_s: float
    end_s: float
    confidence: float
    interpolated: bool = False
    speaker: str | None = None


def tokens(text: str) -> list[str]:
    """Written words in order: between spaces, or sign by sign where a script has none."""
    return TOKEN.findall(text)


def joined(words: Iterable[str]) -> str:
    """Tokens as running text again."""
    result = ""
    for word in words:
        space = result and not (GLUED.search(result) and is_unspaced(word))
        result += f" {word}" if space else word
    return result


def is_unspaced(word: str) -> bool:
    """Whether a word begins in a script that is written without spaces."""
    return re.match(rf"[{UNSPACED}]", word.lstrip()) is not None


def guess_language(text: str) -> str:
    """The language a text looks like: by its script, else by its commonest small words; "en" where
    nothing tells.
    """
    sample = text[:100_000]
    letters = len(re.findall(r"[^\W\d_]", sample)) or 1
    for language, script in SCRIPTS:
        if len(re.findall(script, sample)) > letters / 4:
            return language
    words = Counter(re.findall(r"[^\W\d_]+", sample.lower()))
    hits = {code: sum(words[word] for word in common.split()) for code, common in COMMON.items()}
    best = max(hits, key=lambda code: hits[code])
    return best if hits[best] > hits["en"] else "en"


def phrases(words: Sequence[TimedWord]) -> list[list[TimedWord]]:
    """Words grouped into sentences or phrases of at most about 15 s.

    A phrase ends with a sentence, before a pause of 0.6 s, or where the speaker changes; a longer
    one is cut at its clearest pause.
    """
    groups: list[list[TimedWord]] = [[words[0]]] if words else []
    for before, after in pairwise(words):
        if _breaks(before, after):
            groups.append([])
        groups[-1].append(after)
    return [part for group in groups for part in _short(group)]


def _breaks(before: TimedWord, after: TimedWord) -> bool:
    gap_s = after.start_s - before.end_s
    if gap_s >= PAUSE_S or before.speaker != after.speaker:
        return True
    if not SENTENCE_END.search(before.text) or NOT_AN_END.match(before.text):
        return False
    return not after.text[:1].islower()


def _short(group: list[TimedWord]) -> list[list[TimedWord]]:
    ready: list[list[TimedWord]] = []
    waiting = [group]
    while waiting:
        part = waiting.pop()
        span_s = part[-1].end_s - part[0].start_s
        if span_s <= LONGEST_PHRASE_S or len(part) == 1:
            ready.append(part)
            continue
        cut = max(range(1, len(part)), key=lambda i: _cut_value(part, i, span_s))
        waiting += [part[cut:], part[:cut]]
    return ready


def _cut_value(part: list[TimedWord], at: int, span_s: float) -> float:
    """How good it is to cut before word `at`: a pause, a clause's end, two like halves."""
    gap_s = part[at].start_s - part[at - 1].end_s
    clause = 0.4 if CLAUSE_END.search(part[at - 1].text) else 0.0
    middle = (part[at].start_s - part[0].start_s) / span_s - 0.5
    return gap_s + clause - 2 * middle * middle
