"""What is said: faster-whisper where its weights are on the node, else pocketsphinx (rough).

Sound is 16-bit mono PCM at 16 kHz in a file, worked on piece by piece, so that memory does not grow
with the recording and control is heard.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ray_jobs import models
from ray_jobs.engines import pronounce, whisper
from ray_jobs.engines.activity import RATE_HZ, pcm_duration_s, pieces
from ray_jobs.engines.child import ask_all
from ray_jobs.engines.text import TimedWord
from ray_jobs.engines.timing import Span
from ray_jobs.failures import Failure

SPHINX = "ray_jobs.engines.sphinx"
PIECE_S = 20.0
LONGEST_S = 1.5
"""No word of running speech lasts as long; what the embedded engine hears so long is a noise."""
ROUGH = (
    "Recognised by the embedded engine (pocketsphinx): about every third word is wrong. For better "
    "words fetch a model (cutroom models fetch whisper-small) or bring a transcript."
)

Tick = Callable[[float], None]


@dataclass(frozen=True)
class Choice:
    """An engine that can run here; `weights` is None for pocketsphinx."""

    engine: str
    model: str
    weights: Path | None = None
    rough: bool = False
    notes: tuple[str, ...] = ()


class Heard(NamedTuple):
    """`engine` names what really ran, with its model and device."""

    engine: str
    language: str
    words: list[TimedWord]
    notes: list[str]


def choose(engine: str, model: str, language: str | None) -> Choice:
    """The engine for a job on this node; the real one is preferred whenever it can run.

    Raises
    ------
    Failure
        `model_missing`, `engine_unavailable` or `language_unavailable`, saying what to do.
    """
    if engine in {"auto", "faster_whisper"} and find_spec("faster_whisper"):
        weights = models.path_of(model)
        if weights:
            return Choice("faster_whisper", model, weights)
        if engine == "auto":
            for other in reversed(models.listing()):
                if other.kind == "speech" and other.path:
                    note = f"{model} is not on this node; {other.name} was used."
                    return Choice("faster_whisper", other.name, Path(other.path), notes=(note,))
    if engine == "faster_whisper":
        raise Failure(
            "model_missing",
            f"The weights of {model} are not in {models.directory()}: "
            f"run `cutroom models fetch {model}` there, or choose the engine `auto`.",
        )
    if not pronounce.available():
        raise Failure(
            "engine_unavailable",
            f"No speech engine can run: fetch weights (cutroom models fetch {model}), or install "
            "pocketsphinx (Python 3.11), or give a transcript.",
        )
    if language and language.partition("-")[0].lower() != "en":
        raise Failure(
            "language_unavailable",
            f"The embedded engine knows English only, not {language!r}: run `cutroom models fetch "
            f"{model}`, or give a transcript of this recording.",
        )
    return Choice("pocketsphinx", "en-us", rough=True, notes=(ROUGH,))


def recognise(
    choice: Choice,
    pcm: Path,
    speech: Sequence[Span],
    *,
    language: str | None,
    hotwords: Sequence[str],
    prompt: str | None = None,
    tick: Tick,
) -> Heard:
    """Words with times and confidence, in order, none overlapping, only where somebody speaks."""
    if choice.weights is None:
        return Heard("pocketsphinx (en-us)", "en", _sphinx(pcm, speech, tick), list(choice.notes))
    heard = whisper.recognise(
        choice.weights,
        pcm,
        speech,
        language=language,
        hotwords=hotwords,
        prompt=prompt,
        tick=tick,
    )
    engine = f"faster-whisper ({choice.model}, {heard.device})"
    return Heard(engine, heard.language, heard.words, [*choice.notes, *heard.notes])


def _sphinx(pcm: Path, speech: Sequence[Span], tick: Tick) -> list[TimedWord]:
    spans = pieces(speech, pcm_duration_s(pcm), longest_s=PIECE_S, join_s=0.5)
    requests = [
        {
            "do": "recognise",
            "pcm": str(pcm),
            "start": round(start * RATE_HZ),
            "end": round(end * RATE_HZ),
        }
        for start, end in spans
    ]
    words = []
    for (start, end), reply in zip(spans, ask_all(SPHINX, requests, tick=tick), strict=True):
        for text, first, last, confidence in (reply or {"words": ()})["words"]:
            if last - first > LONGEST_S:
                continue
            times = (min(end, start + first), min(end, start + last))
            words.append(TimedWord(text, *times, round(min(1.0, max(0.0, confidence)), 3)))
    return words
