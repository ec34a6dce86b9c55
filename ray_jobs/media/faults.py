"""What can be wrong with a finished picture or sound: measures of decoded planes and samples.

Every limit has its reason beside it; nothing here reads a file.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ray_jobs.contract import Box, SafeArea, Word

DARK_LEVEL = 25
"""Of 255: a tenth of the range, where ffmpeg's `blackdetect` draws its line too."""
DARK_SHARE = 0.98
"""A few lit pixels, a clock or noise, do not make a black picture one that shows something."""
BLACK_S = 0.5
"""A shorter dip to black reads as a cut or a blink, a longer one as a fault in a short clip."""
STILL_LEVELS = 0.25
"""Mean change of 255, -60 dB, as ffmpeg's `freezedetect` has it: below the noise of any camera."""
FREEZE_S = 2.0
"""Nobody holds still for two seconds down to the noise."""
WINDOW_S = 0.1
SILENCE_DBFS = -60.0
"""Digital silence with its dither; the quietest room of a recording lies 10 dB above."""
SILENCE_S = 2.0
"""Longer than any pause for effect, and long enough to make a listener check the device."""
FULL_SCALE = 0.999
FLAT_SAMPLES = 3
"""One sample at full scale may be a true peak; three in a row are a wave that was cut off."""
CLIPS_APART_S = 0.5
MID_WORD_S = 0.05
"""Aligned words are this exact; a cut nearer to a word's edge is heard as at its edge."""
DRIFT_S = 0.04
"""EBU R 37: sound may come 40 ms early at the most (60 ms late)."""
HAIR = 1e-6
"""What touches an edge does not cross it, however its place was rounded."""
ENVELOPE_HZ = 1000
MAX_LAG_S = 0.5
LIKENESS = 0.6
"""Correlation of envelopes from which on two sounds are the same one."""

Luma = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Samples = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float64]


class Span(NamedTuple):
    start_s: float
    end_s: float


def runs(flags: Mask, at_least: int) -> list[tuple[int, int]]:
    """First and end of every run of true [n] that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(int(first), int(end)) for first, end in pairs if end - first >= at_least]


def spans(flags: Mask, rate_hz: float, at_least_s: float) -> list[Span]:
    """The same in time."""
    found = runs(flags, max(1, round(at_least_s * rate_hz)))
    return [Span(first / rate_hz, end / rate_hz) for first, end in found]


# ---- pictures ----------------------------------------------------------------------------------


def left_of(shape: tuple[int, int], boxes: Iterable[Box]) -> Mask:
    """The pixels [h, w] outside the boxes: what we drew ourselves says nothing of the picture."""
    height, width = shape
    left = np.ones(shape, np.bool_)
    for x, y, w, h in boxes:
        rows = slice(int(y * height), int(np.ceil((y + h) * height)))
        left[rows, int(x * width) : int(np.ceil((x + w) * width))] = False
    return left if left.any() else np.ones(shape, np.bool_)


def is_dark(luma: Luma, left: Mask) -> bool:
    """Whether a picture [h, w], full range, is black where it counts."""
    return bool(np.mean(luma[left] < DARK_LEVEL) >= DARK_SHARE)


def is_still(luma: Luma, before: Luma, left: Mask, *, levels: float = STILL_LEVELS) -> bool:
    """Whether nothing moved between two pictures [h, w] where it counts."""
    apart = np.abs(luma.astype(np.int16) - before)[left]
    return bool(apart.mean() < levels)


# ---- places ------------------------------------------------------------------------------------


def clipped_box(left: float, top: float, right: float, bottom: float) -> Box:
    """The part of a rectangle, in shares of the picture, that lies in the picture."""
    x, y = min(1.0, max(0.0, left)), min(1.0, max(0.0, top))
    w, h = max(0.0, min(1.0, right) - x), max(0.0, min(1.0, bottom) - y)
    return (round(x, 4), round(y, 4), round(w, 4), round(h, 4))


def overhang(edges: tuple[float, float, float, float], area: SafeArea) -> float:
    """By how much a rectangle (left, top, right, bottom) leaves the area; 0 where it lies in it."""
    left, top, right, bottom = edges
    over = area.left - left, area.top - top, right - 1 + area.right, bottom - 1 + area.bottom
    worst = max(over)
    return worst if worst > HAIR else 0.0


# ---- sound -------------------------------------------------------------------------------------


def levels_dbfs(samples: Samples, rate_hz: int) -> Levels:
    """RMS of each WINDOW_S of samples [n, channels], of the loudest channel; the rest is left."""
    size = round(WINDOW_S * rate_hz)
    whole = len(samples) // size
    parts = samples[: whole * size].reshape(whole, size, samples.shape[1]).astype(np.float64)
    power = np.mean(parts**2, axis=1).max(axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def silent_spans(levels: Levels) -> list[Span]:
    return spans(levels < SILENCE_DBFS, 1 / WINDOW_S, SILENCE_S)


def clipped_spans(samples: Samples, rate_hz: int, *, at_s: float = 0.0) -> list[Span]:
    """Where a channel stays at full scale; moments near each other are one span."""
    found: list[Span] = []
    for channel in samples.T:
        for side in (channel >= FULL_SCALE, channel <= -FULL_SCALE):
            if not side.any():
                continue
            for first, end in runs(side, FLAT_SAMPLES):
                found.append(Span(at_s + first / rate_hz, at_s + end / rate_hz))
    return joined(found, CLIPS_APART_S)


def joined(found: Iterable[Span], apart_s: float) -> list[Span]:
    """Spans in order, those less than `apart_s` apart made one."""
    whole: list[Span] = []
    for span in sorted(found):
        if whole and span.start_s - whole[-1].end_s < apart_s:
            whole[-1] = Span(whole[-1].start_s, max(whole[-1].end_s, span.end_s))
        else:
            whole.append(span)
    return whole


def envelope(samples: Samples, rate_hz: int) -> Samples:
    """Loudness over time [m] at ENVELOPE_HZ of samples [n, channels]."""
    size = rate_hz // ENVELOPE_HZ
    whole = len(samples) // size
    mono = np.abs(samples[: whole * size]).mean(axis=1)
    return np.asarray(mono.reshape(whole, size).mean(axis=1), np.float32)


def lag_s(heard: Samples, wanted: Samples) -> float | None:
    """How much later `heard` [n] comes than `wanted` [n]; None where they are not the same sound.

    The best of all lags within MAX_LAG_S, by normalised cross-correlation of the envelopes.
    """
    size = min(len(heard), len(wanted))
    if size < ENVELOPE_HZ:
        return None
    a, b = (each[:size] - each[:size].mean() for each in (heard, wanted))
    power = float(np.linalg.norm(a) * np.linalg.norm(b))
    if power < 1e-9:
        return None
    reach = min(round(MAX_LAG_S * ENVELOPE_HZ), size // 2)
    length = 1 << (2 * size - 1).bit_length()
    product = np.fft.rfft(a, length) * np.conj(np.fft.rfft(b, length))
    whole = np.fft.irfft(product, length)
    near = np.concatenate((whole[-reach:], whole[: reach + 1]))
    best = int(np.argmax(near))
    return (best - reach) / ENVELOPE_HZ if near[best] / power >= LIKENESS else None


# ---- words -------------------------------------------------------------------------------------


def cut_words(words: Sequence[Word], edges_s: Sequence[float]) -> list[tuple[Word, float]]:
    """Words that a cut at one of the times goes through, and which it is."""
    return [
        (word, edge_s)
        for edge_s in edges_s
        for word in words
        if word.start_s + MID_WORD_S < edge_s < word.end_s - MID_WORD_S
    ]
