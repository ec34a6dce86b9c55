"""Prefix sums with the tracks side by side, so that one window fills the vector lanes.

For each start the windows are visited by growing end: a running maximum gives the peaks, everything
else is the difference of two or four rows of sums. Starts are shared out in a fixed number of
pieces, so the answer does not depend on the number of threads. Only the search is shared out: to
wake a thread on a busy machine takes longer than the rest.
"""

import numpy as np
from numba import njit, prange

LANES = 8
PIECES = 64
BLOCK = 32
FLAT = 1e-6
UNKNOWN = -2.0  # below every scaled value, which lie in -1..1
# Nothing in the lanes is infinite; `x ** 0.5` then becomes a vector root, which np.sqrt does not.
FAST = {"reassoc", "contract", "nsz", "arcp", "ninf"}


def measure(tracks, first, last, edge):
    """Raw parts of given windows, [windows, parts, tracks], NaN where nothing was measured."""
    return _measured(_Table(tracks, edge), len(tracks), first, last)


def _measured(table, tracks, first, last):
    raw = np.empty((len(first), 7, len(table.centre)))
    blocks = _steps(table.values, BLOCK)
    _measure(table.values, blocks, table.sums, table.holes, table.ends, first, last, raw)
    gain, offset = table.units()
    return (raw * gain + offset)[:, :, :tracks]


def top(tracks, plan, terms, k, edge):
    """Starts, ends and raw parts of the k best windows."""
    table = _Table(tracks, edge)
    best, place = _searched(table, plan, terms, k, np.empty(0))
    found = place[..., 0].ravel() >= 0
    first, last = (place[..., axis].ravel()[found] for axis in range(2))
    order = np.lexsort((last, first, -best.ravel()[found]))[:k]
    first, last = first[order], last[order]
    return first, last, _measured(table, len(tracks), first, last)


def every(tracks, plan, terms, edge):
    """Scores of all windows."""
    scores = np.empty(plan.size)
    _searched(_Table(tracks, edge), plan, terms, 0, scores)
    return scores


def _searched(table, plan, terms, k, scores):
    """The k best of each piece, scores and places; every score where `scores` has room."""
    pieces = _pieces(plan)
    best = np.full((len(pieces) - 1, k), -np.inf)
    place = np.full((len(pieces) - 1, k, 2), -1)
    # Peaks grow from end to end, which are this many frames apart or a multiple of it.
    step = int(np.gcd.reduce(np.concatenate([plan.first, plan.offsets])))
    _search(
        _steps(table.values, step), step, table.sums, table.holes, table.ends, table.curves(terms),
        pieces, plan.first, plan.offsets, plan.relative, plan.begin, plan.stop, plan.places,
        best, place, scores,
    )  # fmt: skip
    return best, place


def _steps(values, step):
    """Peaks [steps, tracks] of every so many frames."""
    if step == 1:
        return values
    whole = values[: len(values) // step * step]
    return whole.reshape(-1, step, whole.shape[1]).max(1)


def _pieces(plan):
    """Bounds of pieces of the starts that hold about as many windows each."""
    total = np.append(plan.places, plan.size)
    cuts = np.searchsorted(total, np.linspace(0, plan.size, PIECES + 1)[1:-1])
    return np.unique(np.concatenate([[0], cuts, [len(plan.first)]]))


class _Table:
    """Tracks scaled to -1..1 around their mean, and their sums, frame by frame [.., tracks]."""

    def __init__(self, tracks, edge):
        tracks = np.asarray(tracks, dtype=np.float64)
        known = np.isfinite(tracks)
        count = np.maximum(known.sum(1), 1)
        # Scaled first, so that no sum overflows.
        size = np.abs(np.where(known, tracks, 0)).max(1, initial=0)
        size[size == 0] = 1
        values = np.where(known, tracks / size[:, None], 0)
        middle = values.sum(1) / count
        values = np.where(known, values - middle[:, None], 0)
        reach = np.abs(values).max(1, initial=0)
        reach[reach == 0] = 1
        padding = (0, -len(tracks) % LANES)
        self.centre = np.pad(middle * size, padding)
        self.scale = np.pad(reach * size, padding, constant_values=1)
        shape = tracks.shape[1], len(self.centre)
        self.values = np.zeros(shape)
        self.values[:, : len(tracks)] = np.where(known, values / reach[:, None], UNKNOWN).T
        complete = bool(known.all())
        self.sums = np.empty((shape[0] + 1, 4, shape[1]))
        self.holes = None if complete else np.empty((shape[0] + 1, 4, shape[1]))
        self.ends = np.empty((shape[0] + 1, shape[1]))
        _sum(self.values, self.sums, self.holes, self.ends, edge)

    def units(self):
        """Gain and offset [parts, tracks] that give scaled parts their units."""
        one, none = np.ones_like(self.scale), np.zeros_like(self.scale)
        gain = np.stack([*[self.scale] * 6, one])
        return gain, np.stack([self.centre, self.centre, none, none, none, -self.centre, none])

    def curves(self, terms):
        """What places and weights scaled parts: gain, offset, fold, soft, weight."""
        gain, offset = self.units()
        pad = ((0, 0), (0, gain.shape[1] - terms.weight.shape[1]))
        low, high = (np.pad(x, pad, constant_values=i) for i, x in enumerate(terms[1:3]))
        shape, weight = np.pad(terms.shape, pad), np.pad(terms.weight, pad)
        return np.stack(
            [gain / (high - low), (offset - low) / (high - low), shape == 0, shape != 1, weight],
            axis=1,
        )  # [parts, 5, tracks]


@njit(cache=True, nogil=True)
def _sum(values, sums, holes, ends, edge):
    """Sums up to each frame: of x, x^2, squared steps, time x; of known frames and times."""
    frames, tracks = values.shape
    for group in range(tracks // LANES):
        low, high = group * LANES, (group + 1) * LANES
        sums[0, :, low:high] = 0
        if holes is not None:
            holes[0, :, low:high] = 0
        for i in range(frames):
            for t in range(low, high):
                x = values[i, t]
                before = values[i - 1, t] if i else UNKNOWN
                known = 1.0 if x > -1.5 else 0.0
                both = known if before > -1.5 else 0.0
                x = x * known
                sums[i + 1, 0, t] = sums[i, 0, t] + x
                sums[i + 1, 1, t] = sums[i, 1, t] + x * x
                sums[i + 1, 2, t] = sums[i, 2, t] + both * (x - before) ** 2
                sums[i + 1, 3, t] = sums[i, 3, t] + i * x
                if holes is not None:
                    holes[i + 1, 0, t] = holes[i, 0, t] + known
                    holes[i + 1, 1, t] = holes[i, 1, t] + both
                    holes[i + 1, 2, t] = holes[i, 2, t] + known * i
                    holes[i + 1, 3, t] = holes[i, 3, t] + known * i * i
        for i in range(frames + 1):
            c, d = max(0, i - edge), min(frames, i + edge)
            for t in range(low, high):
                n = float(d - c) if holes is None else holes[d, 0, t] - holes[c, 0, t]
                near = (sums[d, 0, t] - sums[c, 0, t]) / max(n, 1.0)
                ends[i, t] = near if n > 0 else UNKNOWN


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _span(a, b, c, d):
    """What a window complete on all tracks shares: counts and times."""
    n = float(b - a)
    around = float(d - c) - n
    spread = n * (n * n - 1.0) / 12.0
    return (
        n, 1.0 / n, 1.0 / around if around > 0 else 0.0, n - 1.0,
        0.5 * (a + b - 1), 1.0 / spread if spread > 0 else 0.0,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _lane_span(holes, a, b, c, d, t):
    """The same where frames are missing, for one track."""
    n = holes[b, 0, t] - holes[a, 0, t]
    around = holes[d, 0, t] - holes[c, 0, t] - n
    pairs = holes[b, 1, t] - holes[a + 1, 1, t]
    each = 1.0 / max(n, 1.0)
    # Times from the window's start, so that their squares stay small.
    times = holes[b, 2, t] - holes[a, 2, t] - a * n
    squares = holes[b, 3, t] - holes[a, 3, t] - a * (2.0 * times + a * n)
    middle = times * each
    spread = squares - times * middle
    return (
        n, each, 1.0 / max(around, 1.0) if around > 0 else 0.0, pairs,
        middle + a, 1.0 / max(spread, 0.1) if n > 1 else 0.0,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _parts(sums, ends, a, b, c, d, t, peak, span):
    """The scaled parts of one window on one track."""
    _, each, each_around, pairs, middle, each_spread = span
    total = sums[b, 0, t] - sums[a, 0, t]
    mean = total * each
    outside = (sums[d, 0, t] - sums[c, 0, t] - total) * each_around
    power = max(0.0, sums[b, 1, t] - sums[a, 1, t] - total * mean)
    deviation = (power * each) ** 0.5
    steps = sums[b, 2, t] - sums[a + 1, 2, t]
    varies = deviation > FLAT
    slope = (sums[b, 3, t] - sums[a, 3, t] - middle * total) * each_spread
    alike = 1.0 - 0.5 * steps / (max(pairs, 1.0) * max(power * each, FLAT * FLAT))
    return (
        mean, peak, deviation if varies else 0.0, slope, mean - outside,
        -max(ends[a, t], ends[b, t]), alike if varies else 1.0,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _worth(raw, curves, part, t):
    """Weight x place on the curve of a scaled part."""
    x = raw * curves[part, 0, t] + curves[part, 1, t]
    x += curves[part, 2, t] * (1.0 - abs(2.0 * x - 1.0) - x)
    x = min(max(x, 0.0), 1.0)
    x += curves[part, 3, t] * (x * x * (3.0 - 2.0 * x) - x)
    return curves[part, 4, t] * x


@njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def _search(
    steps, step, sums, holes, ends, curves, pieces, first, offsets, relative, begin, stop, places,
    best, place, every,
):  # fmt: skip
    """Score all windows; keep the best of each piece in order, or every score."""
    for piece in prange(len(pieces) - 1):
        tracks = sums.shape[2]
        peaks = np.empty((len(offsets), tracks))
        for i in range(pieces[piece], pieces[piece + 1]):
            shift = relative * first[i]
            _running_peaks(steps, step, first[i], offsets, shift, begin[i], stop[i], peaks)
            for j in range(begin[i], stop[i]):
                score = _score(sums, holes, ends, curves, first[i], offsets[j] + shift, peaks, j)
                if len(every):
                    every[places[i] + j - begin[i]] = score
                elif score > best[piece, -1]:
                    _insert(best[piece], place[piece], score, first[i], offsets[j] + shift)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _score(sums, holes, ends, curves, a, b, peaks, j):
    frames, tracks = sums.shape[0] - 1, sums.shape[2]
    half = max(1, (b - a) // 2)
    c, d = max(0, a - half), min(frames, b + half)
    whole = _span(a, b, c, d)
    score = 0.0
    for t in range(tracks):
        span = whole if holes is None else _lane_span(holes, a, b, c, d, t)
        raw = _parts(sums, ends, a, b, c, d, t, peaks[j, t], span)
        inside = 1.0 if span[0] > 0 else 0.0
        around = inside if span[2] > 0 else 0.0
        near = 1.0 if raw[5] < 1.5 else 0.0
        score += (
            inside * (
                _worth(raw[0], curves, 0, t) + _worth(raw[1], curves, 1, t)
                + _worth(raw[2], curves, 2, t) + _worth(raw[3], curves, 3, t)
                + _worth(raw[6], curves, 6, t)
            )
            + around * _worth(raw[4], curves, 4, t)
            + near * _worth(raw[5], curves, 5, t)
        )  # fmt: skip
    return score


@njit(cache=True, nogil=True, fastmath=FAST)
def _running_peaks(steps, step, a, offsets, shift, begin, stop, peaks):
    """Peaks [ends, tracks] of the windows from one start on, from the peaks of each step."""
    if begin == stop:
        return
    tracks = steps.shape[1]
    peaks[begin] = UNKNOWN
    at = a // step
    for j in range(begin, stop):
        if j > begin:
            for t in range(tracks):
                peaks[j, t] = peaks[j - 1, t]
        end = (offsets[j] + shift) // step
        _raise(steps, at, end, peaks[j])
        at = end


@njit(cache=True, nogil=True)
def _insert(best, place, score, a, b):
    """Put a window in its place; among equals the earlier one stays ahead."""
    at = len(best) - 1
    while at > 0 and score > best[at - 1]:
        best[at] = best[at - 1]
        place[at] = place[at - 1]
        at -= 1
    best[at] = score
    place[at, 0], place[at, 1] = a, b


@njit(cache=True, nogil=True, error_model="numpy")
def _measure(values, blocks, sums, holes, ends, first, last, raw):
    frames, tracks = values.shape
    for i in range(len(first)):
        a, b = first[i], last[i]
        half = max(1, (b - a) // 2)
        c, d = max(0, a - half), min(frames, b + half)
        whole = _span(a, b, c, d)
        peaks = np.full(tracks, UNKNOWN)
        left, right = -(-a // BLOCK), b // BLOCK
        if left < right:
            _raise(values, a, left * BLOCK, peaks)
            _raise(blocks, left, right, peaks)
            _raise(values, right * BLOCK, b, peaks)
        else:
            _raise(values, a, b, peaks)
        for t in range(tracks):
            span = whole if holes is None else _lane_span(holes, a, b, c, d, t)
            parts = _parts(sums, ends, a, b, c, d, t, peaks[t], span)
            known = span[0] > 0
            for p in range(7):
                raw[i, p, t] = parts[p] if known else np.nan
            if span[2] == 0:
                raw[i, 4, t] = np.nan
            raw[i, 5, t] = parts[5] if parts[5] < 1.5 else np.nan


@njit(cache=True, nogil=True, fastmath=FAST)
def _raise(values, a, b, peaks):
    """Raise peaks [tracks] to those of rows a to b."""
    for i in range(a, b):
        for t in range(len(peaks)):
            x = values[i, t]
            peaks[t] = max(peaks[t], x)
