"""The sound of a recording as the speech engines want it, and where somebody speaks in it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ray_jobs.engines.activity import RATE_HZ, Listener, spans
from ray_jobs.engines.timing import Span
from ray_jobs.media.audio import audio_blocks

PAUSE_S = 0.15


def listen(
    path: Path, duration_s: float, pcm: Path, progress: Callable[[float], None]
) -> list[Span]:
    """Write `path`'s sound to `pcm` as 16-bit mono at 16 kHz; returns the spans with speech.

    Times count from the recording's start. `progress` gets the share done and may raise.
    """
    listener, heard, samples = Listener(), [], 0
    with pcm.open("wb") as out:
        for block in audio_blocks(path, rate_hz=RATE_HZ, channels=1):
            sound = block.reshape(-1)
            out.write((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
            heard.append(listener.push(sound))
            samples += len(sound)
            progress(min(1.0, samples / RATE_HZ / max(duration_s, 1e-3)))
    heard.append(listener.push(np.zeros(0, np.float32), last=True))
    end_s = min(samples / RATE_HZ, duration_s)
    return spans(np.concatenate(heard), end_s, min_silence_s=PAUSE_S)
