"""Two passes, compiled: forward without pointers, then back through blocks that are run again.

A row is kept every `STRIDE` frames. From the end, each block is run again from its kept row, this
time noting pointers, and the path is read back. So the long pass writes nothing but its row, and
memory grows with T L / STRIDE. A path can cross as many labels in a block as it has frames, but few
do: what is run again are the last `NEAR` labels first, and all of them only where that does not
bring the score that the long pass came to.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import njit

from kernels.forced_align.reference import STAR
from kernels.forced_align.vector import (
    SMALL,
    WIDTH,
    advance,
    advance_noting,
    advance_noting_small,
    advance_small,
)

STRIDE = 128
NEAR = 24
WORST = np.float32(-np.inf)
UNKNOWN = np.uint32(STAR & 0xFFFFFFFF)
"""`STAR` among unsigned classes, which numba reads without asking for negative ones."""


class Item(NamedTuple):
    """One item's trellis; position j stands for label j and the blank before it."""

    log_probs: np.ndarray  # [T, C]
    known: np.ndarray  # [K] classes, the star first; where `plain` all of them, the star last
    places: np.ndarray  # [strips * WIDTH] each label's place in `known`
    apart: np.ndarray  # [strips] a bit for each label that differs from the one before it
    count: int
    blank: int
    half: int
    """Half the width of the band; below 0 there is none."""
    plain: bool
    """Whether `known` are all classes in order, so that a frame's scores are copied as they lie."""


class Row(NamedTuple):
    """States of one frame, after a strip of padding, and its scores by place."""

    blanks: np.ndarray
    labels: np.ndarray
    table: np.ndarray


def align(log_probs, targets, input_lengths, target_lengths, blank, half):
    """The items on all processors; arguments are checked in `kernels.forced_align.align`."""
    shape = targets.shape
    starts, ends = np.full(shape, -1, np.int32), np.full(shape, -1, np.int32)
    token_scores, scores = np.full(shape, np.nan, np.float32), np.empty(len(targets))
    bands = np.empty(len(targets), np.int64)

    def one(b):
        frames, count = input_lengths[b], target_lengths[b]
        out = starts[b, :count], ends[b, :count], token_scores[b, :count]
        try:
            scores[b], bands[b] = _one(log_probs[b, :frames], targets[b, :count], blank, half, out)
        except ValueError as error:
            raise ValueError(f"item {b}: {error}") from None

    if len(targets) == 1:  # waking a thread takes longer than aligning a minute
        one(0)
    else:
        threads = min(len(targets), len(os.sched_getaffinity(0)))
        with ThreadPoolExecutor(max_workers=threads) as pool:
            list(pool.map(one, range(len(targets))))
    return starts, ends, token_scores, scores, bands


def _one(log_probs, targets, blank, half, out):
    if len(log_probs) and not log_probs.max() < np.inf:
        raise ValueError("its log-probabilities hold NaN or +inf")
    log_probs = np.ascontiguousarray(log_probs)
    known, places, plain = _known(targets, log_probs.shape[1])
    while True:
        half = -1 if half >= len(targets) else half
        score, bound = _align(_item(log_probs, known, places, blank, half, plain), *out)
        if not bound:
            break
        half *= 2
    if score == -np.inf:
        raise ValueError("every path has probability zero")
    return score, half


def _known(targets, classes):
    """The classes to look up, each target's place among them, and whether they are all in order."""
    star = targets == STAR
    if classes + star.any() > SMALL:
        return *np.unique(targets, return_inverse=True), False
    known = np.arange(classes + star.any())
    known[classes:] = STAR
    return known, np.where(star, classes, targets), True


def _item(log_probs, known, places, blank, half, plain):
    count = len(places)
    strips = count // WIDTH + 1
    padded = _lined(np.zeros(strips * WIDTH + WIDTH, dtype=np.int32))
    padded[:count] = places
    differs = np.zeros(strips * WIDTH, dtype=np.bool_)
    differs[1:count] = places[1:] != places[:-1]
    apart = np.packbits(differs, bitorder="little").view("<u2").astype(np.uint16)
    return Item(
        log_probs, known.astype(np.uint32), padded, apart, count, int(blank), int(half), plain
    )


@njit(cache=True, nogil=True)
def _lined(array):
    """The array less up to a strip, so that no strip lies across two cache lines (64 bytes)."""
    return array[(-(array.ctypes.data // 4)) % WIDTH :]


@njit(cache=True, nogil=True)
def _strips(frames, count, half, t):
    """Strips of positions to weigh at frame t, `first` to `last`, both rising with t.

    Weighed is what leaves time enough to begin and to end, and in a band what lies within `half`
    of the diagonal.
    """
    low, high = max(0, count - frames + t), min(t + 1, count) + 1
    if half >= 0:
        middle = max(0, t) * (count + 1) // frames
        low, high = max(low, middle - half), min(high, middle + half + 1)
    return low // WIDTH, (high + WIDTH - 1) // WIDTH


@njit(cache=True, nogil=True)
def _score(log_probs, t, known, blank):
    if known != UNKNOWN:
        return log_probs[t, known]
    best = WORST
    for c in range(log_probs.shape[1]):
        if c != blank and log_probs[t, c] > best:
            best = log_probs[t, c]
    return best


@njit(cache=True, nogil=True)
def _look_up(log_probs, t, known, blank, plain, table):
    if plain:
        classes = log_probs.shape[1]
        for k in range(classes):
            table[k] = log_probs[t, k]
        if len(known) > classes:
            table[classes] = _score(log_probs, t, UNKNOWN, blank)
        return
    starred = int(len(known) > 0 and known[0] == UNKNOWN)
    if starred:
        table[0] = _score(log_probs, t, UNKNOWN, blank)
    for k in range(starred, len(known)):
        table[k] = log_probs[t, known[k]]


@njit(cache=True, nogil=True)
def _keep(row, first, last, kept):
    """Keep a row, then level it by its best state so that float32 stays fine however long the item.

    Gives the best state, -inf where none is possible.
    """
    best = WORST
    for i in range(first * WIDTH, last * WIDTH):
        best = max(best, row.blanks[WIDTH + i], row.labels[WIDTH + i])
    if best == WORST:
        return best
    for i in range(first * WIDTH, last * WIDTH):
        kept[0, i - first * WIDTH] = row.blanks[WIDTH + i]
        kept[1, i - first * WIDTH] = row.labels[WIDTH + i]
        row.blanks[WIDTH + i] -= best
        row.labels[WIDTH + i] -= best
    return best


@njit(cache=True, nogil=True)
def _align(item, starts, ends, token_scores):
    """Fill one item's tokens; returns its score and whether its band was in the way."""
    frames, count, half = len(item.log_probs), item.count, item.half
    ends[:] = -1
    size = (len(item.apart) + 1) * WIDTH
    table = np.zeros(max(len(item.known), SMALL), dtype=np.float32)
    blanks, labels = np.full(size + WIDTH, WORST), np.full(size + WIDTH, WORST)
    row = Row(_lined(blanks), _lined(labels), table)
    row.blanks[WIDTH] = 0.0
    wide = len(item.apart) if half < 0 else min(len(item.apart), 2 * half // WIDTH + 3)
    kept = np.empty(((frames + STRIDE - 1) // STRIDE, 2, wide * WIDTH), dtype=np.float32)
    levels = np.empty(len(kept), dtype=np.float32)
    if not _forward(item, row, kept, levels):
        return -np.inf, half >= 0
    at_blank = count == 0 or row.blanks[WIDTH + count] > row.labels[WIDTH + count - 1]
    if (row.blanks if at_blank else row.labels)[WIDTH + count - (not at_blank)] == WORST:
        return -np.inf, half >= 0
    return _back(item, row, kept, levels, at_blank, starts, ends, token_scores)


@njit(cache=True, nogil=True)
def _forward(item, row, kept, levels):
    # Fields are read once: numba counts references each time.
    log_probs, known, places, apart, count, blank, half, plain = item
    blanks, labels, table = row
    frames, small = len(log_probs), len(known) <= SMALL
    none = np.empty(0, dtype=np.uint16)
    first, last = _strips(frames, count, half, -1)
    for t in range(frames):
        if t % STRIDE == 0:
            level = _keep(row, first, last, kept[t // STRIDE])
            levels[t // STRIDE] = level
            if level == WORST:
                return False
        below = first
        first, last = _strips(frames, count, half, t)
        _look_up(log_probs, t, known, blank, plain, table)
        score = log_probs[t, blank]
        if small:
            advance_small(blanks, labels, places, apart, table, score, first, last, none)
        else:
            advance(blanks, labels, places, apart, table, score, first, last, none)
        if first > below:  # what stays behind was true for this frame, and is not for the next
            labels[(first + 1) * WIDTH - 1] = WORST
    return True


@njit(cache=True, nogil=True)
def _again(item, row, kept, level, begin, end, j, reach, came):
    """Run frames `begin` to `end` again over position j and `reach` labels below it.

    Notes where each state came from, and returns the strip at which the notes begin. States near
    the lower edge miss what lies below.
    """
    log_probs, known, places, apart, count, blank, half, plain = item
    frames, small, table = len(log_probs), len(known) <= SMALL, row.table
    first, last = _strips(frames, count, half, begin - 1)
    base, top = max(first, (j - reach) // WIDTH), j // WIDTH + 1
    blanks, labels = row.blanks[base * WIDTH :], row.labels[base * WIDTH :]
    places, apart = places[base * WIDTH :], apart[base:]
    blanks[: (top - base + 1) * WIDTH] = WORST
    labels[: (top - base + 1) * WIDTH] = WORST
    inside = slice((base - first) * WIDTH, (min(top, last) - first) * WIDTH)
    if inside.stop > inside.start:
        until = WIDTH + inside.stop - inside.start
        blanks[WIDTH:until], labels[WIDTH:until] = kept[0, inside] - level, kept[1, inside] - level
    low = 0
    for t in range(begin, end):
        first, last = _strips(frames, count, half, t)
        below, low, high = low, max(low, first - base), min(last, top) - base
        _look_up(log_probs, t, known, blank, plain, table)
        score, note = log_probs[t, blank], came[t - begin]
        if small:
            advance_noting_small(blanks, labels, places, apart, table, score, low, high, note)
        else:
            advance_noting(blanks, labels, places, apart, table, score, low, high, note)
        if low > below:
            labels[(low + 1) * WIDTH - 1] = WORST
    return base


@njit(cache=True, nogil=True)
def _back(item, row, kept, levels, at_blank, starts, ends, token_scores):
    log_probs, known, places, _, count, blank, half, _ = item
    frames = len(log_probs)
    came = np.empty((STRIDE, 3 * (STRIDE // WIDTH + 2)), dtype=np.uint16)
    j = count if at_blank else count - 1
    total, token, bound = 0.0, 0.0, False
    wanted = (row.blanks if at_blank else row.labels)[WIDTH + j]
    for block in range(len(kept) - 1, -1, -1):
        begin = block * STRIDE
        end = min(frames, begin + STRIDE)
        for reach in (NEAR, STRIDE):
            base = _again(item, row, kept[block], levels[block], begin, end, j, reach, came)
            reached = row.blanks if at_blank else row.labels
            # Paths are left out, none is added: the same score was reached by a best path.
            if reached[WIDTH + j] == wanted:
                break
        for t in range(end - 1, begin - 1, -1):
            if half >= 0:
                middle = t * (count + 1) // frames
                bound |= (0 < j <= middle - half) or (middle + half <= j < count)
            at, bit = 3 * (j // WIDTH - base), j % WIDTH
            if at_blank:
                total += log_probs[t, blank]
                if (came[t - begin, at] >> bit) & 1:
                    at_blank = False
                    j -= 1
                continue
            score = _score(log_probs, t, known[places[j]], blank)
            total += score
            token += score
            starts[j] = t
            if ends[j] < 0:
                ends[j] = t + 1
            skipped = (came[t - begin, at + 2] >> bit) & 1
            if skipped or (came[t - begin, at + 1] >> bit) & 1:
                token_scores[j] = token / (ends[j] - t)
                token = 0.0
                at_blank = not skipped
                j -= skipped
        first, _ = _strips(frames, count, half, begin - 1)
        wanted = kept[block, int(not at_blank), j - first * WIDTH]
    return total, bound
