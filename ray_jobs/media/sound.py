"""A clip's sound at its delivery loudness, by a closed loop over what the decoder will play."""

import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernels.loudness import LoudnessResult, Meter
from kernels.mix import Limiter
from ray_jobs.attending import attended
from ray_jobs.contract import Loudness
from ray_jobs.media.audio import read_audio
from ray_jobs.media.cut import Cut
from ray_jobs.media.ffmpeg import ffmpeg

RATE_HZ = 48_000
CHANNELS = 2
BITRATE = "192k"
FADE_S = 0.015
JOIN_S = 0.012
BLOCK_S = 10
MAX_PASSES = 6
MAX_GAIN_DB = 40.0
CODEC_MARGIN_DB = 0.25
BITEXACT = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact")

Samples = npt.NDArray[np.float32]
Tick = Callable[[], None]


@dataclass(frozen=True)
class Levelled:
    """What the loop reached, measured on the decoded file; None for silence."""

    loudness_lufs: float | None
    true_peak_dbtp: float | None
    passes: int
    reached: bool


def clip_samples(
    source: Path, start_s: float, duration_s: float, *, tick: Tick = lambda: None
) -> Samples:
    """Exactly the clip's samples, stereo at 48 kHz, with ends that do not click."""
    wanted = round(duration_s * RATE_HZ)
    sound = read_audio(
        source, rate_hz=RATE_HZ, channels=CHANNELS, start_s=start_s, end_s=start_s + duration_s,
        tick=tick,
    )[:wanted]  # fmt: skip
    sound = np.pad(sound, ((0, wanted - len(sound)), (0, 0)))
    ramp = min(round(FADE_S * RATE_HZ), len(sound) // 2)
    if ramp:
        rise = np.linspace(0, 1, ramp, endpoint=False, dtype=np.float32)[:, None]
        sound[:ramp] *= rise
        sound[-ramp:] *= rise[::-1]
    return sound


def cut_samples(source: Path, cut: Cut, *, tick: Tick = lambda: None) -> Samples:
    """The samples of a cut, crossfaded where something is left out, as long as its pictures."""
    zero, end = cut.kept[0][0], cut.kept[-1][1]
    start_s = cut.start_s + float(zero / cut.rate)
    sound = clip_samples(source, start_s, float((end - zero) / cut.rate), tick=tick)
    edges = [tuple(_sample_at(edge - zero, cut) for edge in span) for span in cut.kept]
    parts = [sound[first:last] for first, last in edges]
    for number, (first, last) in enumerate(pairwise(edges)):
        # Either side goes on for half the fade into what is left out.
        before, after, half = first[1], last[0], round(JOIN_S * RATE_HZ / 2)
        half = min(half, (after - before) // 2, *(len(part) // 2 for part in parts[number:][:2]))
        if half:
            mix = np.linspace(0, 1, 2 * half, endpoint=False, dtype=np.float32)[:, None]
            faded = sound[before - half : before + half] * (1 - mix)
            faded += sound[after - half : after + half] * mix
            parts[number] = np.concatenate([parts[number][:-half], faded[:half]])
            parts[number + 1] = np.concatenate([faded[half:], parts[number + 1][half:]])
    return np.concatenate(parts)


def _sample_at(frame: int, cut: Cut) -> int:
    return round(frame / cut.rate * RATE_HZ)


def write_wave(sound: Samples, target: Path) -> None:
    """Write samples [n, channels] as a 16-bit WAV at RATE_HZ."""
    with wave.open(str(target), "wb") as out:
        out.setnchannels(sound.shape[1])
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def deliver_sound(
    target: Path,
    sound: Samples,
    wanted: Loudness,
    *,
    progress: Callable[[float], None] = lambda _: None,
) -> Levelled:
    """Encode `sound` as AAC in MP4 at the wanted loudness.

    Each pass encodes, decodes, measures and corrects: loudness within the tolerance, and the true
    peak of the decoded file never above its ceiling. Where both cannot be had within MAX_PASSES the
    nearest pass that keeps the ceiling stays, and `reached` says so. Silence, and sound so quiet
    that more than MAX_GAIN_DB would be asked of it, is noise: it keeps its level.
    """
    before = measured(sound, peaks=False, tick=partial(progress, 0.0))
    gain_db = wanted.target_lufs - before.integrated_lufs
    lifts = gain_db <= MAX_GAIN_DB
    gain_db = gain_db if lifts else 0.0
    ceiling_db = wanted.max_true_peak_dbtp - CODEC_MARGIN_DB
    best, rank = Levelled(None, None, 0, reached=False), (False, float("-inf"))
    for number in range(1, MAX_PASSES + 1):
        trial = target.with_name(f"pass-{number}.m4a")
        tick = partial(progress, (number - 1) / MAX_PASSES)
        encode(limited(sound, gain_db, ceiling_db, tick=tick), trial, tick=tick)
        heard = measured(decoded(trial, len(sound), tick=tick), tick=tick)
        under = heard.true_peak_dbtp <= wanted.max_true_peak_dbtp
        # Under the ceiling before over it, then nearer to the target.
        order = under, -float(abs(heard.integrated_lufs - wanted.target_lufs))
        if number == 1 or order > rank:
            best, rank = _judged(heard, wanted, number, under=under), order
            trial.replace(target)
        else:
            trial.unlink()
        progress(number / MAX_PASSES)
        if best.reached or (under and not lifts):
            break
        if not under:
            ceiling_db -= heard.true_peak_dbtp - wanted.max_true_peak_dbtp + 0.05
        if lifts:
            gain_db = min(gain_db + wanted.target_lufs - heard.integrated_lufs, MAX_GAIN_DB)
    return best


def _judged(heard: LoudnessResult, wanted: Loudness, number: int, *, under: bool) -> Levelled:
    if not np.isfinite(heard.integrated_lufs):
        return Levelled(None, None, number, reached=False)
    off_lu = abs(heard.integrated_lufs - wanted.target_lufs)
    return Levelled(
        round(heard.integrated_lufs, 3),
        round(heard.true_peak_dbtp, 3),
        number,
        reached=under and off_lu <= wanted.tolerance_lu * 0.8,
    )


def measured(sound: Samples, *, peaks: bool = True, tick: Tick = lambda: None) -> LoudnessResult:
    """Loudness of samples [n, channels] at RATE_HZ, as `kernels.loudness.measure` has it."""
    meter = Meter(RATE_HZ, sound.shape[1], peaks=peaks)
    for block in _blocks(sound):
        attended(partial(meter.push, block), tick)
    return meter.result()


def limited(
    sound: Samples, gain_db: float, ceiling_dbtp: float, *, tick: Tick = lambda: None
) -> Samples:
    """The sound louder by a gain, its true peaks under a ceiling."""
    gain, limiter = np.float32(10 ** (gain_db / 20)), Limiter(RATE_HZ, ceiling_dbtp)
    parts = [attended(partial(limiter.push, block * gain), tick) for block in _blocks(sound)]
    return np.concatenate([*parts, limiter.finish()])


def _blocks(sound: Samples) -> Iterator[Samples]:
    for first in range(0, len(sound), BLOCK_S * RATE_HZ):
        yield sound[first : first + BLOCK_S * RATE_HZ]


def encode(sound: Samples, target: Path, *, tick: Tick = lambda: None) -> None:
    raw = target.with_suffix(".f32")
    try:
        with raw.open("wb") as file:
            for block in _blocks(sound):
                tick()
                file.write(block.astype("<f4").tobytes())
        ffmpeg(
            [
                *("-f", "f32le", "-ar", str(RATE_HZ), "-ac", str(CHANNELS), "-i", str(raw)),
                *("-c:a", "aac", "-b:a", BITRATE, *BITEXACT, "-f", "mp4", str(target)),
            ],
            progress=lambda _: tick(),
        )
    finally:
        raw.unlink()


def decoded(path: Path, count: int, *, tick: Tick = lambda: None) -> Samples:
    """What a player plays of a file, `count` samples of it."""
    sound = read_audio(path, rate_hz=RATE_HZ, channels=CHANNELS, tick=tick)[:count]
    return np.pad(sound, ((0, count - len(sound)), (0, 0)))
