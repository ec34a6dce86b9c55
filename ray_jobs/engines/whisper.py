"""faster-whisper on local weights: batched over pieces of speech, with guards against invention."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ray_jobs.engines.activity import RATE_HZ, pieces
from ray_jobs.engines.text import TimedWord, is_unspaced, tokens
from ray_jobs.engines.timing import Span, filled
from ray_jobs.failures import Failure

PIECE_S = 28.0
BATCH = 8
BATCHES_AT_ONCE = 4
LANGUAGE_PIECES = 4
REPEATS = 2.4
"""Text that compresses better than this repeats itself (Radford et al. 2022, section 4.5)."""
UNLIKELY = -1.0
NO_SPEECH = 0.6
FASTEST = 50.0
"""Letters a second; the quickest talkers say about 30."""
REPEATED = 3
"""Times in a row that a passage comes when it is believed no more."""

Tick = Callable[[float], None]


class Found(NamedTuple):
    language: str
    words: list[TimedWord]
    device: str
    notes: list[str]


def recognise(
    weights: Path,
    pcm: Path,
    speech: Sequence[Span],
    *,
    language: str | None,
    hotwords: Sequence[str],
    prompt: str | None = None,
    tick: Tick,
) -> Found:
    """Words of the speech in 16 kHz 16-bit mono PCM; the language is detected unless it is given.

    `prompt` is text in the manner wanted (names, spelling, punctuation), as if said before. A piece
    whose text repeats itself is decoded again under a penalty, and dropped if it still does; so is
    what the model itself takes for silence, what would be said faster than anybody speaks, and a
    passage from its third time in a row on. The same sound gives the same words wherever it stands,
    to the sample.

    Raises
    ------
    Failure
        `language_unavailable` where the model does not know the language, `model_damaged` where
        the weights do not load.
    """
    sound = np.memmap(pcm, "<i2", mode="r")
    spans = pieces(speech, len(sound) / RATE_HZ, longest_s=PIECE_S)
    model, device, note = _loaded(weights)
    code = _language(model, sound, spans, language)
    options = {
        "language": code,
        "hotwords": ", ".join(hotwords) or None,
        "initial_prompt": prompt,
    }
    words: list[TimedWord] = []
    last: list[str] = []
    dropped = 0
    step = BATCH * BATCHES_AT_ONCE
    for at in range(0, len(spans), step):
        share = at / len(spans)
        for segment, origin in _segments(model, sound, spans[at : at + step], options):
            tick(share)
            last = [*last, " ".join(segment.text.lower().split())][-REPEATED:]
            if _invented(segment) or (len(last) == REPEATED and len(set(last)) == 1):
                dropped += 1
            else:
                words += _words(segment, origin)
    notes = [note] if note else []
    if dropped:
        notes.append(f"{dropped} passages were dropped: repetitions, or no speech to the model.")
    return Found(code, _ordered(words, len(sound) / RATE_HZ), device, notes)


def _segments(
    model: Any, sound: np.ndarray, spans: Sequence[Span], options: dict[str, Any]
) -> Iterator[tuple[Any, float]]:
    """Segments of the pieces in order, with the time their own times count from."""
    first = round(spans[0][0] * RATE_HZ)
    origin = first / RATE_HZ
    part = _samples(sound, origin, spans[-1][1])
    length_s = len(part) / RATE_HZ
    # Half a sample more, because faster-whisper cuts fractions off.
    edges = [[(round(time * RATE_HZ) - first + 0.5) / RATE_HZ for time in span] for span in spans]
    clips = [{"start": start, "end": end} for start, end in edges]
    for segment in _decoded(model, part, clips, options):
        if segment.compression_ratio <= REPEATS:
            yield segment, origin
            continue
        clip = {"start": segment.start, "end": min(max(segment.end, segment.start + 0.1), length_s)}
        strict = {**options, "no_repeat_ngram_size": 3, "repetition_penalty": 1.1}
        for again in _decoded(model, part, [clip], strict):
            yield again, origin


def _decoded(
    model: Any, part: np.ndarray, clips: list[dict[str, float]], options: dict[str, Any]
) -> Iterator[Any]:
    from faster_whisper import BatchedInferencePipeline

    segments, _ = BatchedInferencePipeline(model).transcribe(
        part,
        clip_timestamps=clips,
        vad_filter=False,
        word_timestamps=True,
        batch_size=BATCH,
        temperature=0.0,
        **options,
    )
    yield from segments


def _invented(segment: Any) -> bool:
    silence = segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < UNLIKELY
    letters = sum(sign.isalnum() for sign in segment.text)
    hurried = letters > FASTEST * max(segment.end - segment.start, 0.5)
    return bool(segment.compression_ratio > REPEATS or silence or hurried)


def _words(segment: Any, origin_s: float) -> list[TimedWord]:
    """Whisper's words as written tokens: what follows without a space belongs to the token."""
    words: list[TimedWord] = []
    for word in segment.words or ():
        text = str(word.word)
        start, end = origin_s + float(word.start), origin_s + float(word.end)
        probability = round(min(1.0, max(0.0, float(word.probability))), 3)
        glued = words and not text.startswith(" ") and not is_unspaced(text)
        if glued and text.strip():
            before = words.pop()
            confidence = min(before.confidence, probability)
            whole = f"{before.text}{text.strip()}"
            words.append(TimedWord(whole, before.start_s, end, confidence))
        elif text.strip():
            words += [TimedWord(token, start, end, probability) for token in tokens(text)]
    return words


def _ordered(words: list[TimedWord], duration_s: float) -> list[TimedWord]:
    times = [(word.start_s, word.end_s) for word in words]
    spans = filled(times, [1.0] * len(words), 0.0, duration_s)
    return [word._replace(start_s=a, end_s=b) for word, (a, b) in zip(words, spans, strict=True)]


def _language(model: Any, sound: np.ndarray, spans: Sequence[Span], wanted: str | None) -> str:
    known = model.supported_languages
    if wanted:
        code = wanted.partition("-")[0].lower()
        if code in known:
            return code
        raise Failure(
            "language_unavailable",
            f"The model does not know the language {wanted!r}: fetch a multilingual one (cutroom "
            "models fetch whisper-small), or give a transcript.",
        )
    if not model.model.is_multilingual:
        return "en"
    first = [_samples(sound, start, end) for start, end in spans[:LANGUAGE_PIECES]]
    code, _, _ = model.detect_language(
        np.concatenate(first), language_detection_segments=LANGUAGE_PIECES
    )
    return str(code)


def _samples(sound: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    part = sound[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
    return part.astype(np.float32) / 32768


@lru_cache(maxsize=2)
def _loaded(weights: Path) -> tuple[Any, str, str | None]:
    """The model, the device it runs on, and why that is not the GPU if there is one."""
    import ctranslate2  # type: ignore[import-untyped]
    from faster_whisper import WhisperModel

    reason = None
    try:
        if ctranslate2.get_cuda_device_count():
            try:
                model = WhisperModel(str(weights), device="cuda", compute_type="float16")
                model.encode(np.zeros((model.feature_extractor.mel_filters.shape[0], 3000), "f4"))
            except RuntimeError as error:
                reason = f"Speech ran on the CPU: the GPU refused ({error})."
            else:
                return model, "cuda float16", None
        threads = len(os.sched_getaffinity(0))
        model = WhisperModel(str(weights), device="cpu", compute_type="int8", cpu_threads=threads)
    except (RuntimeError, ValueError, OSError) as error:
        raise Failure(
            "model_damaged",
            f"The speech model in {weights} does not load ({error}): run `cutroom models verify`.",
        ) from error
    return model, "cpu int8", reason
