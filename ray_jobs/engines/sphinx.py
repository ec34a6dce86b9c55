"""Child process around pocketsphinx, whose decoder keeps the GIL for as long as it decodes.

Ask it through `child.ask_all`. Each request starts a stream (which forgets the noise of the last
one) and is normalised as a whole (`full_utt=True`), so neither the order of requests nor their
division among children changes anything.
"""

from functools import cache
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from pocketsphinx import Decoder, set_loglevel

from ray_jobs.contract import Json
from ray_jobs.engines.child import serve
from ray_jobs.engines.timing import mean_score

RATE_HZ = 16_000
FRAME_S = 0.01
FILLERS = ("<", "[", "++", "(NULL)")
LOG_BASE = log(1.0001)

LADDER: tuple[dict[str, float], ...] = (
    {},
    {"beam": 1e-80, "pbeam": 1e-80, "wbeam": 1e-60},
    {"beam": 1e-120, "pbeam": 1e-120, "wbeam": 1e-100},
    {"beam": 0.0, "pbeam": 0.0, "wbeam": 0.0},
)
"""Ever wider beams: a forced path that the first prunes away is found by a later one."""


def answer(request: Json) -> dict[str, Any]:
    """Answer `{"do": "recognise" | "align", "pcm", "start", "end", …}`, spans in samples."""
    start, end = int(str(request["start"])), int(str(request["end"]))
    sound = np.fromfile(str(request["pcm"]), "<i2", end - start, offset=2 * start).tobytes()
    if request["do"] == "recognise":
        return {"words": _recognise(sound, str(request.get("model") or ""))}
    words: Any = request["words"]
    believed, tries = float(str(request["believed"])), int(str(request.get("tries", len(LADDER))))
    clean = _align(sound, words, tries)
    if clean and mean_score(clean) >= believed:
        return {"words": clean}
    noisy = _align(_with_noise(sound), words, tries)
    return {"words": max((clean, noisy), key=lambda found: mean_score(found) if found else -1e9)}


def _with_noise(sound: bytes) -> bytes:
    """The sound 20 dB above white noise: a synthetic or gated voice has silences that no recording
    has, which spoil its cepstral mean and so the score of the right text.
    """
    samples = np.frombuffer(sound, "<i2").astype(np.float32)
    level = 0.1 * float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
    noise = np.random.default_rng(0).normal(0, max(level, 1.0), len(samples))
    return bytes(np.clip(samples + noise, -32768, 32767).astype("<i2").tobytes())


def _recognise(sound: bytes, model: str) -> list[list[Any]]:
    """[word, start_s, end_s, confidence 0..1] of what was heard, fillers left out."""
    decoder = _recogniser(model)
    _decode(decoder, sound)
    return [
        [_plain(seg.word), seg.start_frame * FRAME_S, (seg.end_frame + 1) * FRAME_S, seg.prob]
        for seg in decoder.seg() or ()
        if not seg.word.startswith(FILLERS)
    ]


def _align(sound: bytes, words: list[list[Any]], tries: int) -> list[list[float]] | None:
    """[start_s, end_s, score] of each `[word, [pronunciation, …]]`; the score is the log
    likelihood of a 10 ms frame against the best any sound could have. None where no path is found.
    """
    for rung in range(tries):
        decoder, known = _aligner(rung)
        for word, pronunciations in words:
            _learn(decoder, known, word, pronunciations)
        decoder.set_align_text(" ".join(word for word, _ in words))
        _decode(decoder, sound)
        heard = [seg for seg in decoder.seg() or () if not seg.word.startswith(FILLERS)]
        if len(heard) == len(words):
            return [_timed(seg) for seg in heard]
    return None


def _timed(seg: Any) -> list[float]:
    frames = seg.end_frame + 1 - seg.start_frame
    score = log(max(seg.ascore, 1e-300)) / LOG_BASE / frames
    return [seg.start_frame * FRAME_S, (seg.end_frame + 1) * FRAME_S, score]


def _decode(decoder: Any, sound: bytes) -> None:
    decoder.start_stream()
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()


def _learn(decoder: Any, known: dict[str, list[str]], word: str, pronunciations: list[str]) -> None:
    if not pronunciations or word in known:
        return
    known[word] = pronunciations
    for number, phones in enumerate(pronunciations, 1):
        decoder.add_word(word if number == 1 else f"{word}({number})", phones, update=False)


def _plain(word: str) -> str:
    return word.split("(", maxsplit=1)[0]


@cache
def _recogniser(model: str) -> Any:
    """The general English decoder, or one for the language model and dictionary in a folder."""
    set_loglevel("FATAL")
    own = (
        {"lm": str(Path(model, "text.lm")), "dict": str(Path(model, "text.dict"))} if model else {}
    )
    return Decoder(samprate=float(RATE_HZ), maxhmmpf=10_000, **own)


@cache
def _aligner(rung: int) -> tuple[Any, dict[str, list[str]]]:
    set_loglevel("FATAL")
    return Decoder(lm=None, samprate=float(RATE_HZ), bestpath=False, **LADDER[rung]), {}


if __name__ == "__main__":
    serve(answer)
