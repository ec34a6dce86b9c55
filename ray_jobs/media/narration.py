"""A voice over a bed: levels, ducking, and how far the one lies over the other."""

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernels import mix
from ray_jobs.attending import attended
from ray_jobs.contract import Ducking
from ray_jobs.engines.narrator import Speech
from ray_jobs.media.audio import read_audio
from ray_jobs.media.sound import CHANNELS, RATE_HZ, Samples, Tick, measured

Span = tuple[float, float]
PHRASE_GAP_S = 0.4
"""Words nearer than this are one phrase; the bed is measured phrase by phrase."""
MOST_DEPTH_DB = 40.0
MOST_BED_GAIN_DB = 12.0
RATIO_MARGIN_LU = 0.3
SHORTEST_MEASURE_S = 0.4


@dataclass(frozen=True)
class Mixed:
    """A mix, how far the bed was ducked, and the least the voice lies over it in any phrase."""

    sound: Samples
    depth_db: float
    narration_to_bed_lu: float | None


def write_speech(speech: Speech, target: Path) -> None:
    """Write speech as 16-bit mono WAV at its own rate."""
    write_wav(target, speech.samples, speech.rate_hz)


def write_wav(target: Path, mono: npt.NDArray[np.float32], rate_hz: int) -> None:
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes((np.clip(mono, -1, 1) * 32767).astype("<i2").tobytes())


def read_speech(path: Path, *, tick: Tick = lambda: None) -> Samples:
    """Speech as delivery takes it: [n, 2] at 48 kHz."""
    return read_audio(path, rate_hz=RATE_HZ, channels=CHANNELS, tick=tick)


def placed(parts: Sequence[tuple[float, Samples]], length: int) -> Samples:
    """Sounds laid on a silent line of `length` samples, each at its time in seconds."""
    line = np.zeros((length, CHANNELS), np.float32)
    for at_s, sound in parts:
        at = round(at_s * RATE_HZ)
        line[at : at + len(sound)] += sound[: max(0, length - at)]
    return line


def phrases(spans: Sequence[Span]) -> list[Span]:
    """Spans of words joined over gaps in which nobody would call the voice silent."""
    joined: list[Span] = []
    for start_s, end_s in spans:
        if joined and start_s - joined[-1][1] <= PHRASE_GAP_S:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        else:
            joined.append((start_s, end_s))
    return joined


def loudness_gain_db(
    sound: Samples, target_lufs: float, *, most_db: float = 60.0, tick: Tick = lambda: None
) -> float:
    """Gain that brings a sound to a loudness; 0 for silence."""
    heard = measured(sound, peaks=False, tick=tick).integrated_lufs
    return min(most_db, target_lufs - heard) if np.isfinite(heard) else 0.0


def mixed(
    narration: Samples,
    bed: Samples | None,
    words: Sequence[Span],
    ducking: Ducking,
    lufs: float,
    *,
    tick: Tick = lambda: None,
) -> Mixed:
    """The narration over the bed, both [n, 2] and first brought to the loudness `lufs`.

    The bed goes down by `depth_db`, or further where the voice would lie less than `min_ratio_lu`
    over it in some phrase, but never by more than MOST_DEPTH_DB. `tick` may raise to stop.
    """
    voice = narration * _linear(loudness_gain_db(narration, lufs, tick=tick))
    spoken = phrases(words)
    if bed is None or not bed.any() or not spoken:
        return Mixed(voice if bed is None else voice + bed, 0.0, None)
    bed = bed * _linear(loudness_gain_db(bed, lufs, most_db=MOST_BED_GAIN_DB, tick=tick))
    ratios = _ratios_lu(voice, bed, spoken, tick)
    lacking_db = ducking.min_ratio_lu + RATIO_MARGIN_LU - min(ratios, default=0.0)
    depth_db = max(ducking.depth_db, min(MOST_DEPTH_DB, lacking_db)) if ratios else ducking.depth_db
    shape = mix.DuckShape(depth_db, ducking.attack_s, ducking.hold_s, ducking.release_s)
    bed = attended(partial(mix.duck, bed, _activity(spoken, len(bed)), RATE_HZ, shape), tick)
    reached = _ratios_lu(voice, bed, spoken, tick)
    least = round(min(reached), 2) if reached else None
    return Mixed(voice + bed, round(depth_db, 2), least)


def _activity(spoken: Sequence[Span], length: int) -> npt.NDArray[np.bool_]:
    """Whether somebody speaks, sample by sample."""
    active = np.zeros(length, bool)
    for start_s, end_s in spoken:
        active[max(0, round(start_s * RATE_HZ)) : max(0, round(end_s * RATE_HZ))] = True
    return active


def _ratios_lu(voice: Samples, bed: Samples, spoken: Sequence[Span], tick: Tick) -> list[float]:
    """How far the voice lies over the bed in each span in which that can be measured."""
    ratios = []
    for span in spoken:
        tick()
        ratios.append(_ratio_lu(voice, bed, span))
    return [ratio for ratio in ratios if ratio is not None]


def _ratio_lu(voice: Samples, bed: Samples, span: Span) -> float | None:
    """Loudness of the voice over the bed in a span; None where either cannot be measured."""
    middle_s, half_s = sum(span) / 2, max(span[1] - span[0], SHORTEST_MEASURE_S + 0.02) / 2
    first, last = max(0, round((middle_s - half_s) * RATE_HZ)), round((middle_s + half_s) * RATE_HZ)
    over, under = (
        measured(sound[first:last], peaks=False).integrated_lufs for sound in (voice, bed)
    )
    return float(over - under) if np.isfinite(over) and np.isfinite(under) else None


def _linear(gain_db: float) -> np.float32:
    return np.float32(10 ** (gain_db / 20))
