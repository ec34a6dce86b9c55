"""A narrator: what is written, as it is said, at a pace that fits its slot.

Numbers, addresses and abbreviations are written out before they are spoken, so that what is shown
as spoken is what is heard; the times of spoken words are given back to the written ones.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ray_jobs.contract import SlotFit, SpeechEndpoint
from ray_jobs.engines import remote_voice
from ray_jobs.engines.spoken import ABBREVIATIONS, readings
from ray_jobs.engines.voice import Spoken, SpokenWord, speak_all

ENGINE = "espeak-ng"
REMOTE_VOICE = "alloy"
BASE_WPM = 165
SLOWEST_WPM, FASTEST_WPM = 80, 450
TAIL_S = 0.08
NEAR_S = 0.01
MOST_TRIES = 5
OWN_VOICES = {"en": "en-us", "en-gb": "en", "zh": "cmn", "no": "nb", "he": "he", "tl": "fil"}
PLAIN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
LEADING, TRAILING = re.compile(r"^[\"'“‘«(\[{¿¡]+"), re.compile(r"[\"'”’»)\]},;:!?….]+$")
ENDS = re.compile(r"[,;:!?…]|\.+$")


class Said(NamedTuple):
    """A written token and the words it is spoken as, with its punctuation."""

    written: str
    spoken: str


@dataclass(frozen=True)
class Speech:
    """Speech without silence at its end; `words` are the written tokens."""

    samples: np.ndarray
    rate_hz: int
    words: list[SpokenWord]
    said: list[Said]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz

    @property
    def spoken_text(self) -> str:
        return " ".join(token.spoken for token in self.said)


def engine_of(endpoint: SpeechEndpoint | None) -> str:
    """Who speaks."""
    return endpoint.model if endpoint else ENGINE


def voice_for(language: str, endpoint: SpeechEndpoint | None = None) -> str:
    """The voice for a language: the language itself where the synthesiser's bears its name."""
    if endpoint:
        return REMOTE_VOICE
    tag = language.lower()
    base = tag.partition("-")[0]
    return OWN_VOICES.get(tag) or OWN_VOICES.get(base) or (tag if tag == base else base)


def wpm(speed: float) -> int:
    """Words per minute to ask of the synthesiser for a pace; 1 is its natural one."""
    return min(FASTEST_WPM, max(SLOWEST_WPM, round(BASE_WPM * speed)))


def said(text: str, language: str) -> list[Said]:
    """How each written token is spoken; languages other than English are left to the voice."""
    english = language.partition("-")[0].lower() == "en"
    return [Said(token, _spoken(token) if english else token) for token in text.split()]


def _spoken(token: str) -> str:
    core = TRAILING.sub("", LEADING.sub("", token))
    plain = PLAIN.fullmatch(core)
    if plain and core.lower() not in ABBREVIATIONS:
        return token
    words = " ".join(word for part in readings(token) for word in part[0])
    if not words:
        return token
    after = token[token.rindex(core) + len(core) :] if core else ""
    # The full stop of an abbreviation would be heard as the end of a sentence.
    ends = [] if core.lower() in ABBREVIATIONS and after == "." else ENDS.findall(after)
    return words + "".join(ends[:1])


def say_all(
    texts: Sequence[str],
    *,
    language: str,
    voice: str,
    rate_wpm: int,
    endpoint: SpeechEndpoint | None = None,
    tick: Callable[[float], None] = lambda _: None,
) -> list[Speech]:
    """Speak texts, each on its own, with the times of their written words.

    The synthesiser of the worker speaks, or an endpoint, asked for the same pace.

    Raises
    ------
    Failure
        `voice_unavailable`.
    """
    forms = [said(text, language) for text in texts]
    plain = [" ".join(token.spoken for token in form) for form in forms]
    if endpoint:
        manner = {"voice": voice, "speed": rate_wpm / BASE_WPM, "language": language, "tick": tick}
        spoken = [remote_voice.speak(text, endpoint, **manner) for text in plain]  # type: ignore[arg-type]
    else:
        spoken = speak_all(plain, voice=voice, rate_wpm=rate_wpm, tick=tick)
    return [_speech(form, heard) for form, heard in zip(forms, spoken, strict=True)]


def _speech(form: list[Said], heard: Spoken) -> Speech:
    words, at = [], 0
    for token in form:
        count = len(token.spoken.split())
        part = heard.words[at : at + count]
        at += count
        words.append(SpokenWord(token.written, part[0].start_s, part[-1].end_s))
    end_s = (words[-1].end_s if words else 0.0) + TAIL_S
    samples = heard.samples[: max(1, round(end_s * heard.rate_hz))]
    return Speech(_closed(samples, heard.rate_hz), heard.rate_hz, words, form)


def _closed(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """The samples with their last 20 ms faded, so that a cut in the tail does not click."""
    faded = samples.copy()
    ramp = min(len(faded), round(0.02 * rate_hz))
    faded[len(faded) - ramp :] *= np.linspace(1, 0, ramp, dtype=np.float32)
    return faded


def fitted(
    text: str,
    *,
    language: str,
    voice: str,
    speed: float,
    slot_s: float | None,
    max_stretch: float,
    endpoint: SpeechEndpoint | None = None,
    tick: Callable[[float], None] = lambda _: None,
) -> tuple[Speech, int, SlotFit]:
    """Speech in its slot, the pace it was asked at, and what was done to it.

    The pace is the synthesiser's own, so that the voice keeps its pitch and the words their exact
    times. Speech that cannot fill its slot within the stretch stays natural; one that cannot be
    squeezed into it is as short as allowed, and says by how much it runs over.
    """

    def speak(rate_wpm: int) -> Speech:
        return say_all(
            [text], language=language, voice=voice, rate_wpm=rate_wpm, endpoint=endpoint, tick=tick
        )[0]

    natural, rate_wpm = speak(wpm(speed)), wpm(speed)
    natural_s = natural.duration_s
    shortest_s, longest_s = natural_s * (1 - max_stretch), natural_s * (1 + max_stretch)
    if slot_s is None or slot_s > longest_s:
        decision = "natural" if slot_s is None else "too_short"
        return natural, rate_wpm, _fit(natural, natural_s, slot_s, decision)
    goal_s = max(slot_s, shortest_s)
    speech, rate_wpm = _at_most(speak, natural, rate_wpm, goal_s, shortest_s)
    over = speech.duration_s > slot_s + NEAR_S
    return speech, rate_wpm, _fit(speech, natural_s, slot_s, "overruns" if over else "stretched")


def _at_most(
    speak: Callable[[int], Speech], natural: Speech, rate_wpm: int, goal_s: float, least_s: float
) -> tuple[Speech, int]:
    """The longest speech found that is no longer than the goal, nor shorter than `least_s`."""
    tried = {rate_wpm: natural}
    rate = rate_wpm
    for _ in range(MOST_TRIES):
        ratio = tried[rate].duration_s / goal_s
        rate = min(FASTEST_WPM, max(SLOWEST_WPM, round(rate * ratio + (0.4 if ratio > 1 else 0))))
        if rate in tried:
            break
        tried[rate] = speak(rate)
    slack_s = NEAR_S if goal_s > least_s else 0.01 * goal_s

    def rank(one: int) -> tuple[bool, float]:
        length_s = tried[one].duration_s
        return length_s <= goal_s + slack_s and length_s >= least_s - slack_s, -abs(
            length_s - goal_s
        )

    best = max(tried, key=rank)
    return tried[best], best


def _fit(speech: Speech, natural_s: float, slot_s: float | None, decision: str) -> SlotFit:
    left_s = 0.0 if slot_s is None else slot_s - speech.duration_s
    return SlotFit(
        slot_s=slot_s,
        natural_s=round(natural_s, 3),
        duration_s=round(speech.duration_s, 3),
        stretch=round(speech.duration_s / natural_s, 4),
        left_over_s=round(left_s, 3),
        decision=decision,
    )
