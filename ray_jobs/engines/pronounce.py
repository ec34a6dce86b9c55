"""Pronunciations in the 39 phones of the English acoustic model (ARPABET without stress).

English words come from CMUdict, which pocketsphinx carries; all others from eSpeak NG's rules,
sound by nearest English sound; and where it is not installed, from the letters.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ray_jobs.carried import carried
from ray_jobs.engines import voice

VOICES = {"en": "en-us", "zh": "cmn", "no": "nb", "iw": "he"}
"""eSpeak's names for languages whose code is not already one."""

# The nearest English phones of IPA sounds; longer spellings are tried first.
SOUNDS = {
    "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY", "ɔø": "OY",
    "aj": "AY", "aw": "AW", "ej": "EY", "oj": "OY", "aɪə": "AY ER", "iə": "IH ER", "ɪɹ": "IH R",
    "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "y": "UW", "ʏ": "UH", "e": "EY", "ɛ": "EH",
    "ø": "ER", "œ": "ER", "æ": "AE", "a": "AA", "ɑ": "AA", "ɒ": "AA", "ɐ": "AH", "ə": "AH",
    "ʌ": "AH", "ɤ": "AH", "ɜ": "ER", "ɝ": "ER", "ɚ": "ER", "o": "OW", "ɔ": "AO", "ʊ": "UH",
    "u": "UW", "ɯ": "UW", "ʉ": "UW", "ɵ": "UH", "ɘ": "AH",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "q": "K", "c": "K",
    "ɟ": "G", "ʈ": "T", "ɖ": "D", "ɢ": "G", "m": "M", "ɱ": "M", "n": "N", "ɳ": "N", "ŋ": "NG",
    "ɲ": "N Y", "ɴ": "NG", "f": "F", "ɸ": "F", "v": "V", "ʋ": "V", "β": "V", "θ": "TH",
    "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "ʂ": "SH", "ʐ": "ZH", "ɕ": "SH",
    "ʑ": "ZH", "ç": "HH", "ʝ": "Y", "x": "HH", "χ": "HH", "ɣ": "G", "ħ": "HH", "h": "HH",
    "ɦ": "HH", "ʁ": "R", "ʀ": "R", "r": "R", "ɹ": "R", "ɻ": "R", "ɽ": "R", "ɾ": "D",
    "tʃ": "CH", "dʒ": "JH", "tɕ": "CH", "dʑ": "JH", "ts": "T S", "dz": "D Z", "j": "Y",
    "ɥ": "Y", "w": "W", "ʍ": "W", "ɰ": "W", "l": "L", "ɫ": "L", "ɭ": "L", "ʎ": "L Y", "ɬ": "L",
}  # fmt: skip
NOT_SOUNDS = re.compile(r"\([a-z-]+\)|[^\w\u0303]|[ˈˌːˑʔʲʰ̩̯̪\d_]")
NASAL = "\u0303"

# English letters as read without a dictionary, longest first.
LETTERS = {
    "tion": "SH AH N", "ough": "OW", "igh": "AY", "tch": "CH", "sch": "S K", "ch": "CH",
    "sh": "SH", "th": "TH", "ph": "F", "wh": "W", "ck": "K", "ng": "NG", "qu": "K W", "gh": "G",
    "ee": "IY", "ea": "IY", "oo": "UW", "ou": "AW", "ow": "OW", "oi": "OY", "oy": "OY",
    "ai": "EY", "ay": "EY", "au": "AO", "aw": "AO", "ie": "IY", "ei": "EY", "ey": "IY",
    "er": "ER", "ir": "ER", "ur": "ER", "ar": "AA R", "or": "AO R", "a": "AE", "b": "B",
    "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K",
    "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T",
    "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip


class Unit(NamedTuple):
    """What a decoder listens for: a name in its dictionary, and how it may sound (nothing where
    the name is an English word it knows).
    """

    name: str
    pronunciations: tuple[str, ...]


def available() -> bool:
    """Whether pocketsphinx, its acoustic model and its dictionary are installed on this node."""
    return _model() is not None


def pronunciations(words: Iterable[str], language: str) -> dict[str, list[str]]:
    """Ways to say each word, as phones between spaces; a word that cannot be said is left out.

    `words` are lower case. Languages other than English are said with English sounds, near enough
    to find where a word is.
    """
    english = language.partition("-")[0].lower() == "en"
    known = dictionary() if english else {}
    found = {}
    unknown = []
    for word in dict.fromkeys(words):
        said = known.get(word) or (english and _inflected(word, known))
        if said:
            found[word] = said
        else:
            unknown.append(word)
    code = language.lower() if not english else "en"
    spelled = voice.phonemes(unknown, VOICES.get(code, code))
    if spelled is None and "-" in code:
        base = code.partition("-")[0]
        spelled = voice.phonemes(unknown, VOICES.get(base, base))
    for word, ipa in zip(unknown, spelled or [""] * len(unknown), strict=True):
        foreign = not english and "(en)" in ipa
        phones = "" if foreign else arpabet(ipa, flap="T" if english else "R")
        if phones := phones or from_letters(word):
            found[word] = [phones]
    return found


def arpabet(ipa: str, *, flap: str = "T") -> str:
    """The nearest English phones of an IPA transcription; "" where it has no sound we know."""
    text = NOT_SOUNDS.sub("", unicodedata.normalize("NFD", ipa).replace("c\u0327", "\u00e7"))
    phones: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == NASAL:
            phones.append("N")
            at += 1
            continue
        size = next((n for n in (3, 2, 1) if text[at : at + n] in SOUNDS), 0)
        if size:
            sound = text[at : at + size]
            phones.append(flap if sound == "ɾ" else SOUNDS[sound])
        at += size or 1
    return " ".join(phones)


def from_letters(word: str) -> str:
    """A rough English reading of Latin letters, "" where there are none."""
    plain = unicodedata.normalize("NFD", word.lower())
    letters = "".join(letter for letter in plain if "a" <= letter <= "z")
    phones = []
    while letters:
        size = next(n for n in (4, 3, 2, 1) if letters[:n] in LETTERS)
        phones.append(LETTERS[letters[:size]])
        letters = letters[size:]
    return " ".join(phones)


@cache
def dictionary() -> dict[str, list[str]]:
    """CMUdict as pocketsphinx carries it: word to its pronunciations, likeliest first."""
    words: dict[str, list[str]] = {}
    model = _model()
    if model is None:
        return words
    with (model / "en-us" / "cmudict-en-us.dict").open(encoding="utf-8") as lines:
        for line in lines:
            word, _, phones = line.strip().partition(" ")
            words.setdefault(word.partition("(")[0], []).append(phones)
    return words


@cache
def _model() -> Path | None:
    words = carried("pocketsphinx", "model/en-us/cmudict-en-us.dict")
    return words and words.parents[1]


def _inflected(word: str, known: dict[str, list[str]]) -> list[str] | None:
    """A possessive or plural of a known word."""
    for ending in ("'s", "s'", "'", "s"):
        base = known.get(word.removesuffix(ending)) if word.endswith(ending) else None
        if base:
            return [f"{said} {_s_after(said)}" if "s" in ending else said for said in base]
    return None


def _s_after(phones: str) -> str:
    last = phones.rpartition(" ")[2]
    if last in {"S", "Z", "SH", "ZH", "CH", "JH"}:
        return "IH Z"
    return "S" if last in {"P", "T", "K", "F", "TH"} else "Z"
