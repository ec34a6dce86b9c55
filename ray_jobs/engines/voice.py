"""A voice with exact word times: eSpeak NG, in a process of its own."""

import re
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ray_jobs.engines.child import ask_all
from ray_jobs.engines.timing import Span, filled
from ray_jobs.failures import Failure

ESPEAK = "ray_jobs.engines.espeak"
PAUSE = "_"


class SpokenWord(NamedTuple):
    text: str
    start_s: float
    end_s: float


class Spoken(NamedTuple):
    """Speech, [n] float32 mono in -1..1, and when each written token is heard in it."""

    samples: np.ndarray
    rate_hz: int
    words: list[SpokenWord]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz


def available() -> bool:
    """Whether the synthesiser is installed on this node."""
    return find_spec("espeakng_loader") is not None


def speak(text: str, *, voice: str = "en-us", rate_wpm: int = 165) -> Spoken:
    """Say a text; its words are its whitespace-separated tokens, every one timed, in order.

    Times come from the synthesiser's own word and phoneme events; a token it does not report (a
    dash, an abbreviation it read as one with its neighbour) shares the gap between its neighbours.

    Raises
    ------
    Failure
        `voice_unavailable` where eSpeak NG is not installed or has no such voice.
    """
    return speak_all([text], voice=voice, rate_wpm=rate_wpm)[0]


def speak_all(
    texts: Sequence[str],
    *,
    voice: str = "en-us",
    rate_wpm: int = 165,
    tick: Callable[[float], None] = lambda _: None,
) -> list[Spoken]:
    """Say several texts, each on its own as `speak` does; `tick` may raise to stop."""
    if not available():
        raise Failure("voice_unavailable", "No voice is installed: pip install espeakng-loader.")
    with tempfile.TemporaryDirectory(prefix="cutroom-voice-") as folder:
        files = [Path(folder) / f"speech-{number}.pcm" for number in range(len(texts))]
        how = {"do": "speak", "voice": voice, "rate_wpm": rate_wpm}
        requests = [
            {**how, "text": text, "pcm": str(pcm)} for text, pcm in zip(texts, files, strict=True)
        ]
        replies = ask_all(ESPEAK, requests, tick=tick)
        return [_spoken(*each, voice) for each in zip(texts, files, replies, strict=True)]


def _spoken(text: str, pcm: Path, reply: dict[str, Any] | None, voice: str) -> Spoken:
    if reply is None or "error" in reply:
        raise Failure("voice_unavailable", f"eSpeak NG cannot speak with the voice {voice!r}.")
    samples = np.frombuffer(pcm.read_bytes(), "<i2").astype(np.float32) / 32768
    rate_hz = int(reply["rate_hz"])
    return Spoken(samples, rate_hz, _words(text, reply["events"], len(samples) / rate_hz))


def phonemes(words: list[str], voice: str) -> list[str] | None:
    """Pronunciations in IPA, one for each word; None where there is no such voice."""
    if not available() or not words:
        return [] if not words else None
    (reply,) = ask_all(ESPEAK, [{"do": "phonemes", "words": words, "voice": voice}])
    if reply is None or "error" in reply:
        return None
    return [str(word) for word in reply["ipa"]]


def _words(text: str, events: list[list[Any]], duration_s: float) -> list[SpokenWord]:
    """Times of whitespace tokens: the first event inside a token starts it, and it ends with the
    last phoneme that sounds before the next token starts.
    """
    tokens = list(re.finditer(r"\S+", text))
    phones = [(at_ms / 1000, name) for kind, at_ms, name in events if kind == "phone"]
    starts = _starts(tokens, events)
    heard = [i for i, start in enumerate(starts) if start is not None]
    times: list[Span | None] = [None] * len(tokens)
    phone = 0
    for i, following in zip(heard, [*heard[1:], None], strict=False):
        start = end = starts[i] or 0.0
        until = duration_s if following is None else (starts[following] or 0.0)
        while phone < len(phones) and phones[phone][0] < until:
            at, name = phones[phone]
            phone += 1
            if at >= start and name and not name.startswith(PAUSE):
                end = min(until, phones[phone][0] if phone < len(phones) else until)
        times[i] = (start, end)
    spans = filled(times, [len(token.group()) for token in tokens], 0.0, duration_s)
    return [SpokenWord(t.group(), *span) for t, span in zip(tokens, spans, strict=True)]


def _starts(tokens: list[re.Match[str]], events: list[list[Any]]) -> list[float | None]:
    starts: list[float | None] = [None] * len(tokens)
    at = 0
    for kind, position_ms, where in events:
        if kind != "word":
            continue
        while at < len(tokens) - 1 and where >= tokens[at].end():
            at += 1
        if tokens and tokens[at].start() <= where < tokens[at].end() and starts[at] is None:
            starts[at] = position_ms / 1000
    return starts
