"""Sound as float32 samples on the recording's own time line."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from ray_jobs.failures import Failure
from ray_jobs.media.container import (
    Clock,
    audio_streams,
    decoded_audio,
    open_media,
    resets_clock,
)

Samples = npt.NDArray[np.float32]

# Timestamps of 1 ms precision and encoder jitter stay below this; a real gap does not.
TOLERANCE_S = 0.03
RUN_S = 1.0
MAX_AMPLITUDE = 10.0
# Long enough for the longest preroll (Opus 80 ms, MP3 bit reservoir) after a seek.
PREROLL_S = 1.0
_HALF = 0.5**0.5
_STEREO = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_HALF, _HALF),
    "LFE": (0.0, 0.0),
    "BL": (_HALF, 0.0),
    "BR": (0.0, _HALF),
    "SL": (_HALF, 0.0),
    "SR": (0.0, _HALF),
    "FLC": (1.0, 0.0),
    "FRC": (0.0, 1.0),
    "BC": (0.5, 0.5),
    "DL": (1.0, 0.0),
    "DR": (0.0, 1.0),
}


def read_audio(
    path: Path,
    *,
    rate_hz: int,
    channels: int | None = 1,
    start_s: float = 0.0,
    end_s: float | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Samples:
    """Samples [n, channels] of the first sound stream between two times of the recording.

    Sample 0 is `start_s` of the file's time line, so a late sound starts with silence, an early one
    is cut, gaps are silence, and NaN or infinity become 0. It is shorter than asked for where the
    sound ends before `end_s`. `channels=None` keeps the stream's own; else ITU-R BS.775 downmix,
    scaled so that it cannot clip. `tick` is called for every second of sound and may raise.

    Raises
    ------
    Failure
        `no_audio_stream`, or `corrupt_media` if nothing decodes.
    """
    blocks = []
    for block in _line(path, rate_hz=rate_hz, channels=channels, start_s=start_s, end_s=end_s):
        tick()
        blocks.append(block)
    samples = np.concatenate(blocks)
    return samples if end_s is None else samples[: max(0, round((end_s - start_s) * rate_hz))]


def audio_blocks(
    path: Path, *, rate_hz: int, channels: int | None = 1, block_s: float = 10.0
) -> Iterator[Samples]:
    """The whole sound as `read_audio` gives it, in blocks of `block_s`, the last one shorter."""
    size = max(1, round(block_s * rate_hz))
    held: list[Samples] = []
    count = 0
    for piece in _line(path, rate_hz=rate_hz, channels=channels, start_s=0.0, end_s=None):
        held.append(piece)
        count += len(piece)
        if count >= size:
            joined = np.concatenate(held)
            whole = count // size * size
            for start in range(0, whole, size):
                yield joined[start : start + size]
            held, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(held)


def _line(
    path: Path, *, rate_hz: int, channels: int | None, start_s: float, end_s: float | None
) -> Iterator[Samples]:
    """Samples from `start_s` on at `rate_hz`, without gap or overlap, until at least `end_s`."""
    with open_media(path) as container:
        streams = audio_streams(container)
        if not streams:
            raise Failure("no_audio_stream", "The recording has no sound.")
        width = channels or streams[0].codec_context.channels
        rate = streams[0].codec_context.rate
        runs = _runs_from(container, streams[0], start_s)
        yield np.empty((0, width), np.float32)
        yield from _resampled(_placed(runs, rate, width, start_s, end_s), rate, rate_hz)


class _Run(NamedTuple):
    """Frames of one form that follow each other without a gap."""

    time_s: float
    frames: list[AudioFrame]

    @property
    def samples(self) -> int:
        return sum(frame.samples for frame in self.frames)


def _runs_from(container: InputContainer, stream: AudioStream, start_s: float) -> Iterator[_Run]:
    """Runs that cover `start_s` onwards: sought where seeking is exact, else from the start."""
    zero_us = container.start_time or 0
    if start_s > 2 * PREROLL_S and not resets_clock(container):
        with suppress(av.FFmpegError):
            container.seek(zero_us + int((start_s - PREROLL_S) * 1_000_000), backward=True)
            runs = _runs(container, stream)
            first = next(runs, None)
            if first and first.time_s <= start_s:
                yield first
                yield from runs
                return
            container.seek(zero_us, backward=True)
    yield from _runs(container, stream)


def _runs(container: InputContainer, stream: AudioStream) -> Iterator[_Run]:
    clock = Clock(container)
    run: _Run | None = None
    form: tuple[int, str, str] | None = None
    for frame in decoded_audio(container, stream):
        length_s = frame.samples / frame.sample_rate
        time_s = clock.place(frame, length_s)
        previous, form = form, (frame.sample_rate, frame.layout.name, frame.format.name)
        if run and form == previous:
            held_s = run.samples / frame.sample_rate
            if held_s < RUN_S and abs(time_s - run.time_s - held_s) <= TOLERANCE_S:
                run.frames.append(frame)
                continue
        if run:
            yield run
        run = _Run(time_s, [frame])
    if run:
        yield run


def _placed(
    runs: Iterator[_Run], rate: int, width: int, start_s: float, end_s: float | None
) -> Iterator[Samples]:
    """The runs at the stream's rate, each where its time says; silence where there is none."""
    start = round(start_s * rate)
    end = None if end_s is None else round(end_s * rate)
    position: int | None = None
    for run in runs:
        time = round(run.time_s * rate)
        if position is None:
            position = min(start, time)
            offset = time - position
        else:
            offset = time - position
            offset = 0 if abs(offset) <= TOLERANCE_S * rate else offset
        gap_end = position + offset if end is None else min(end, position + offset)
        for at in range(max(start, position), gap_end, rate):
            yield np.zeros((min(rate, gap_end - at), width), np.float32)
        samples = _mixed(run, rate, width)[max(0, -offset) :]
        position += max(0, offset)
        yield samples[max(0, start - position) :]
        position += len(samples)
        if end is not None and position >= end:
            return
    if position is None and start == 0:
        raise Failure("corrupt_media", "The recording's sound cannot be decoded.")


def _mixed(run: _Run, rate: int, width: int) -> Samples:
    """Finite float samples [n, width] at `rate`."""
    first = run.frames[0]
    channels = first.layout.nb_channels
    arrays = [frame.to_ndarray() for frame in run.frames]
    if first.format.is_planar:
        samples = np.concatenate(arrays, axis=1)
    else:
        samples = np.concatenate([each.reshape(-1, channels) for each in arrays]).T
    sound = downmix(first.layout, width) @ _finite(samples)
    if first.sample_rate != rate:
        pieces = _resampled(iter([sound.T]), first.sample_rate, rate)
        return np.concatenate(list(pieces))
    return sound.T


def _finite(samples: npt.NDArray[Any]) -> Samples:
    """Any sample format as float32 with full scale 1, absurd values bounded."""
    if samples.dtype.kind == "f":
        sound = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        return np.asarray(np.clip(sound, -MAX_AMPLITUDE, MAX_AMPLITUDE), np.float32)
    full_scale = np.float32(2.0 ** (8 * samples.dtype.itemsize - 1))
    centred = samples.astype(np.float32) - (full_scale if samples.dtype.kind == "u" else 0)
    return np.asarray(centred / full_scale, np.float32)


def downmix(layout: AudioLayout, width: int) -> Samples:
    """Matrix [width, channels] to mono or stereo after ITU-R BS.775, rows summing to at most 1.

    Channels without a known place are averaged; other widths keep the first channels.
    """
    names = [channel.name for channel in layout.channels]
    if len(names) == width or width > 2:
        return np.eye(width, len(names), dtype=np.float32)
    if len(names) == 1:
        return np.ones((width, 1), np.float32)
    matrix = np.array([_STEREO.get(name, (0.0, 0.0)) for name in names], np.float32).T
    if not all(name in _STEREO for name in names) or not matrix.any():
        return np.full((width, len(names)), 1 / len(names), np.float32)
    if width == 1:
        matrix = matrix.mean(axis=0, keepdims=True)
    return matrix / max(1.0, float(matrix.sum(axis=1).max()))


def _resampled(pieces: Iterator[Samples], rate: int, rate_hz: int) -> Iterator[Samples]:
    if rate == rate_hz:
        yield from pieces
        return
    resampler: AudioResampler | None = None
    for piece in pieces:
        if not len(piece):
            continue
        layout = f"{piece.shape[1]}C"
        resampler = resampler or AudioResampler("flt", layout, rate_hz)
        flat = np.ascontiguousarray(piece).reshape(1, -1)
        frame = AudioFrame.from_ndarray(flat, "flt", layout)
        frame.sample_rate = rate
        for made in resampler.resample(frame):
            yield _interleaved(made)
    if resampler:
        for made in resampler.resample(None):
            yield _interleaved(made)


def _interleaved(frame: AudioFrame) -> Samples:
    samples = frame.to_ndarray().reshape(-1, frame.layout.nb_channels)
    return samples.astype(np.float32, copy=False)
