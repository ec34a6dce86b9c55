"""A voice behind an OpenAI-compatible speech endpoint; its words are timed by aligning them."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ray_jobs.contract import SpeechEndpoint
from ray_jobs.engines.aligner import align
from ray_jobs.engines.aligners import choose
from ray_jobs.engines.endpoint import posted
from ray_jobs.engines.given import Line
from ray_jobs.engines.listening import listen
from ray_jobs.engines.voice import Spoken, SpokenWord
from ray_jobs.failures import Failure
from ray_jobs.media.audio import read_audio

KEY_VARIABLE = "CUTROOM_TTS_KEY"
RATE_HZ = 24_000
SILENT = 0.003
MARGIN_S = 0.02


def speak(
    text: str,
    endpoint: SpeechEndpoint,
    *,
    voice: str,
    speed: float,
    language: str,
    tick: Callable[[float], None],
) -> Spoken:
    """Have a text spoken; its words are its whitespace-separated tokens, in order.

    Raises
    ------
    Failure
        `voice_unavailable` where the endpoint does not answer, or not with sound.
    """
    answer = posted(
        endpoint.url.rstrip("/") + "/audio/speech",
        {
            "model": endpoint.model, "input": text, "voice": voice, "response_format": "wav",
            "speed": round(speed, 3),
        },
        key_variable=KEY_VARIABLE, failure="voice_unavailable", tick=lambda: tick(0.0),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="cutroom-voice-") as folder:
        heard, pcm = Path(folder) / "speech.wav", Path(folder) / "speech.pcm"
        heard.write_bytes(answer.content)
        try:
            samples = read_audio(heard, rate_hz=RATE_HZ, channels=1)[:, 0]
        except Failure as error:
            raise Failure(
                "voice_unavailable", "The speech endpoint did not answer with sound."
            ) from error
        loud = np.flatnonzero(np.abs(samples) > SILENT)
        if not len(loud):
            raise Failure("voice_unavailable", "The speech endpoint answered with silence.")
        duration_s = len(samples) / RATE_HZ
        speech = listen(heard, duration_s, pcm, tick)
        lines = [Line(text.split())]
        choice = choose("auto", language)
        timed = align(lines, pcm, speech, duration_s, choice=choice, language=language, tick=tick)
    # What is silent before the voice would be a pause that nobody asked for.
    first = max(0, int(loud[0]) - round(MARGIN_S * RATE_HZ))
    last_s = (int(loud[-1]) - first) / RATE_HZ
    words = [
        SpokenWord(
            word.text,
            min(last_s, max(0.0, word.start_s - first / RATE_HZ)),
            min(last_s, max(0.0, word.end_s - first / RATE_HZ)),
        )
        for word in timed
    ]
    return Spoken(samples[first : int(loud[-1]) + 1], RATE_HZ, words)
