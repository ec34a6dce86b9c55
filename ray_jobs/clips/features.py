"""What can be measured of a recording in one pass over its pictures and one over its sound."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kernels import frame_change, saliency
from kernels.loudness import Meter
from ray_jobs.contract import Json, MediaInfo
from ray_jobs.engines.activity import Listener
from ray_jobs.media.audio import audio_blocks
from ray_jobs.media.decode import AnalysisBatch, analysis_frames
from ray_jobs.settings import Decoder

RATE_HZ = 10
QUIETEST_LUFS = -70.0
SOUND_RATE_HZ = 48_000
SPEECH_RATE_HZ = 16_000
SPEECH_FRAME_S = 0.032
VIDEO_TRACKS = ("luma", "motion", "change", "saliency")
AUDIO_TRACKS = ("loudness_lufs", "speech")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Tracks at 10 Hz, frame i covering [i, i + 1) / 10 s; NaN where nothing was measured."""

    tracks: dict[str, Floats]
    centroid: Floats
    """[n, 2], x and y of the eye's centre as shares of the picture, at 10 Hz."""
    shots: list[Json]
    duration_s: float

    @property
    def frames(self) -> int:
        return len(self.centroid)

    def save(self, path: Path) -> None:
        np.savez(path, centroid=self.centroid, **cast("dict[str, Any]", self.tracks))

    @classmethod
    def load(cls, path: Path, value: Json) -> "Features":
        with np.load(path) as arrays:
            tracks = {name: arrays[name] for name in arrays.files if name != "centroid"}
            shots = cast("list[Json]", value["shots"])
            return cls(tracks, arrays["centroid"], shots, float(cast("float", value["duration_s"])))

    def curves(self) -> Json:
        """The tracks for plots: `rate_hz`, `tracks` by name (null where unknown), `shots`."""
        plain = {
            name: [None if not np.isfinite(v) else round(float(v), 4) for v in track]
            for name, track in self.tracks.items()
            if np.isfinite(track).any()
        }
        return cast("Json", {"rate_hz": RATE_HZ, "tracks": plain, "shots": self.shots})


def measure(
    path: Path,
    media: MediaInfo,
    progress: Callable[[float], None],
    *,
    decoder: Decoder = "auto",
    say: Callable[[str], None] = lambda _name: None,
) -> Features:
    """Measure a recording; either its pictures or its sound may be missing.

    `say` hears what decodes its pictures.
    """
    frames = max(1, int(np.ceil(media.duration_s * RATE_HZ)))
    tracks = {name: np.full(frames, np.nan) for name in VIDEO_TRACKS + AUDIO_TRACKS}
    centroid = np.full((frames, 2), 0.5)
    shots: list[Json] = []
    sounds = bool(media.audio)
    if media.video_codec:
        share = 0.8 if sounds else 1.0
        batches = analysis_frames(path, media, decoder=decoder, say=say)
        seen, centroid, shots = _pictures(batches, media, frames, lambda f: progress(share * f))
        tracks |= seen
    if sounds:
        begin = 0.8 if media.video_codec else 0.0
        tracks |= _sound(path, media, frames, lambda f: progress(begin + (1 - begin) * f))
    return Features(tracks, centroid, shots, media.duration_s)


def _pictures(
    batches: Iterator[AnalysisBatch],
    media: MediaInfo,
    frames: int,
    progress: Callable[[float], None],
) -> tuple[dict[str, Floats], Floats, list[Json]]:
    change, eye = frame_change.Stream(), saliency.Stream()
    changes, eyes, times = [], [], []
    for batch in batches:
        changes.append(change.push(batch.luma, batch.chroma))
        eyes.append(eye.push(batch.luma, batch.chroma))
        times.append(batch.times_s.copy())
        progress(min(1.0, float(batch.times_s[-1]) / max(media.duration_s, 1e-3)))
    signal, seen, times_s = frame_change.join(changes), saliency.join(eyes), np.concatenate(times)
    bins = np.minimum((times_s * RATE_HZ).astype(np.int64), frames - 1)
    sampled = {
        "luma": at_rate(signal.luma_mean, bins, frames),
        "motion": at_rate(signal.motion, bins, frames),
        "change": at_rate(frame_change.cut_probability(signal), bins, frames, peak=True),
        "saliency": at_rate(seen.energy, bins, frames),
    }
    x, y = (at_rate(seen.centroid[:, axis], bins, frames) for axis in range(2))
    shots = [
        cast("Json", {
            "first_frame": shot.first_frame, "last_frame": shot.last_frame,
            "start_s": round(shot.start_s, 6), "end_s": round(shot.end_s, 6),
            "transition": shot.transition,
        })
        for shot in frame_change.shots(signal, times_s)
    ]  # fmt: skip
    return sampled, np.stack([x, y], axis=1), shots


def at_rate(
    values: NDArray[np.floating], bins: NDArray[np.int64], frames: int, *, peak: bool = False
) -> Floats:
    """Mean (or peak) of the samples of each bin; a bin without samples repeats the one before."""
    counts = np.bincount(bins, minlength=frames)
    if peak:
        out = np.full(frames, -np.inf)
        np.maximum.at(out, bins, values.astype(np.float64))
    else:
        out = np.bincount(bins, values.astype(np.float64), frames) / np.maximum(counts, 1)
    last = np.maximum.accumulate(np.where(counts > 0, np.arange(frames), 0))
    return np.where(counts[last] > 0, out[last], np.nan)


def _sound(
    path: Path, media: MediaInfo, frames: int, progress: Callable[[float], None]
) -> dict[str, Floats]:
    meter = Meter(SOUND_RATE_HZ, 2, peaks=False)
    done_s = 0.0
    for block in audio_blocks(path, rate_hz=SOUND_RATE_HZ, channels=2):
        meter.push(block)
        done_s += len(block) / SOUND_RATE_HZ
        progress(0.5 * min(1.0, done_s / max(media.duration_s, 1e-3)))
    listener, parts, done_s = Listener(), [], 0.0
    for block in audio_blocks(path, rate_hz=SPEECH_RATE_HZ, channels=1):
        parts.append(listener.push(block[:, 0]))
        done_s += len(block) / SPEECH_RATE_HZ
        progress(0.5 + 0.5 * min(1.0, done_s / max(media.duration_s, 1e-3)))
    parts.append(listener.push(np.zeros(0, np.float32), last=True))
    speech = np.concatenate(parts)
    loudness = np.maximum(meter.result().momentary_lufs, QUIETEST_LUFS)
    heard = np.minimum((np.arange(len(speech)) * SPEECH_FRAME_S * RATE_HZ), frames - 1)
    return {
        # A momentary value covers the 400 ms before it: moved back so that it stands in the middle.
        "loudness_lufs": _fitted(loudness[2:], frames, QUIETEST_LUFS),
        "speech": at_rate(speech, heard.astype(np.int64), frames)
        if len(speech)
        else np.zeros(frames),
    }


def _fitted(values: Floats, frames: int, fill: float) -> Floats:
    out = np.full(frames, fill)
    out[: min(frames, len(values))] = values[:frames]
    return out
