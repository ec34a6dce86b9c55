"""On the GPU: planes are read once, where they lie and as they are strided, in two launches.

A program adds up sixteen rows of blocks of one plane, so every block mean has one owner and nothing
is added up across programs but a frame's nine rows; a second, small kernel compares frames. The
frame before is read too, but it was read a moment ago and comes from the cache: what must move is
every byte of luma and chroma once.

Pixels are binned without memory: a pixel is a bit in a word that has a bit for every bin, and words
are added bit by bit, as the digits of 32 binary numbers that lie side by side.
"""

import torch
import triton
import triton.language as tl

from kernels.cells import (
    BLANK,
    TALL,
    WARPS,
    WIDE,
    along,
    chroma_means,
    light,
    lines_of,
    means,
    side_by_side,
    tile_rows,
)  # fmt: skip
from kernels.frame_change import reference

ROWS = tl.constexpr(reference.ROWS)
COLUMNS = tl.constexpr(reference.COLUMNS)
SIGNATURE = tl.constexpr(reference.SIGNATURE)
BINS = tl.constexpr(reference.BINS)
SKIP = tl.constexpr(reference.SKIP)
LONG = tl.constexpr(reference.LONG)
# More lines at once take more registers, and fewer programs are under way.
LINES_AT_ONCE = 2
COMPARE_WARPS = 1


def push(luma, chroma, state):
    """Signals [7, n] of the next frames, in the order of `FrameChange`, and the new state."""
    n, h, w = luma.shape
    ch, cw = chroma.shape[2:]
    on = luma.device
    kept = torch.empty((h, w), dtype=torch.uint8, device=on)
    newest = torch.empty(BINS.value, dtype=torch.int32, device=on)
    recent = torch.empty((LONG.value, SIGNATURE.value), device=on)
    # Of a first batch nothing is used that is compared with what came before.
    before, histogram, past, seen = state or (luma[0], newest, recent, 0)
    lines, step, split = lines_of(h, ROWS.value, LINES_AT_ONCE)
    colour_lines, colour_step, colour_split = lines_of(ch, ROWS.value)
    planes, cx = side_by_side(chroma)
    visited = triton.cdiv(lines, step) * step * triton.cdiv(w, WIDE.value) * WIDE.value
    digits = visited.bit_length()
    parts = torch.empty((n, ROWS.value, 2 + digits), dtype=torch.int32, device=on)
    marks = torch.empty((n, SIGNATURE.value), device=on)
    signals = torch.empty((7, n), device=on)
    _measure[(triton.cdiv(n * ROWS.value, TALL.value), 1 + 2 // planes)](
        luma, chroma, before, parts, marks, kept,
        n, h, w, *luma.stride(), *before.stride(), ch, cw, *chroma.stride()[:3], cx,
        lines, colour_lines, step, split, digits, colour_step, colour_split, planes,
        num_warps=WARPS, num_stages=1,
    )  # fmt: skip
    _compare[(n,)](
        parts, marks, histogram, newest, past, recent, signals, n, h, w, seen, visited, digits,
        num_warps=COMPARE_WARPS,
    )  # fmt: skip
    return signals, (kept, newest, recent, seen + n)


@triton.jit
def _plus(a, b, DIGITS: tl.constexpr):
    """Sum of two numbers that are tuples of binary digits, in every bit of their words."""
    carry = tl.zeros_like(b[0])
    digits = ()
    for k in tl.static_range(DIGITS):
        if k < len(b):
            digits += (a[k] ^ b[k] ^ carry,)
            carry = (a[k] & b[k]) | (carry & (a[k] ^ b[k]))
        elif k < len(a):
            digits += (a[k] ^ carry,)
            carry = a[k] & carry
        else:
            digits += (carry,)
    return digits


@triton.jit
def _folded(number, SIZE: tl.constexpr):
    """Numbers [TALL, SIZE // 2], the sums of pairs of neighbours, with a digit more."""
    left, right = (), ()
    for k in tl.static_range(len(number)):
        a, b = tl.split(tl.reshape(number[k], [TALL, SIZE // 2, 2]))
        left += (a,)
        right += (b,)
    return _plus(left, right, len(number) + 1)


@triton.jit
def _binned(pixel):
    """Counts [TALL, 2] of 16 pixels in each bin, with five digits."""
    one = tl.full([TALL, WIDE], 1, tl.uint32) << (pixel.to(tl.uint32) >> 3)
    return _folded(_folded(_folded(_folded((one,), WIDE), WIDE // 2), WIDE // 4), WIDE // 8)


@triton.jit
def _measure(
    luma, chroma, before, parts, marks, kept,
    n, h, w, ln, ly, lx, by, bx, ch, cw, cn, cp, cy, cx, lines, colour_lines,
    STEP: tl.constexpr, SPLIT: tl.constexpr, DIGITS: tl.constexpr,
    COLOUR_STEP: tl.constexpr, COLOUR_SPLIT: tl.constexpr, PLANES: tl.constexpr,
):  # fmt: skip
    if tl.program_id(1) == 0:
        _measure_luma(
            luma, before, parts, marks, kept, n, h, w, ln, ly, lx, by, bx, lines,
            STEP, SPLIT, DIGITS,
        )  # fmt: skip
    else:
        chroma_means(
            chroma, marks + ROWS * COLUMNS, tl.program_id(1) - 1,
            n, ch, cw, cn, cp, cy, cx, colour_lines,
            ROWS, COLUMNS, SIGNATURE, COLOUR_STEP, COLOUR_SPLIT, PLANES,
        )  # fmt: skip


@triton.jit
def _measure_luma(
    luma, before, parts, marks, kept, n, h, w, ln, ly, lx, by, bx, lines,
    STEP: tl.constexpr, SPLIT: tl.constexpr, DIGITS: tl.constexpr,
):  # fmt: skip
    place, i, row, first, end = tile_rows(n, h, ROWS)
    now = luma + i.to(tl.int64) * ln
    then = tl.where(i > 0, now - ln, before)
    ty, tx = tl.where(i > 0, ly, by), tl.where(i > 0, lx, bx)
    total = tl.zeros([TALL, COLUMNS], tl.int32)
    moved = tl.zeros([TALL, WIDE], tl.float32)
    counts = ()
    for _ in tl.static_range(DIGITS - 1):
        counts += (tl.zeros([TALL, 2], tl.uint32),)
    left = 0
    while left < w:
        x = left + tl.arange(0, WIDE)
        down = tl.zeros([TALL, WIDE], tl.float32)
        top = 0
        while top < lines:
            for k in tl.static_range(STEP):
                y = first + top + k
                here = (y < end)[:, None] & (x < w)[None, :]
                pixel = tl.load(now[:, None] + (y * ly)[:, None] + x[None, :] * lx, here, 0)
                old = tl.load(then[:, None] + (y * ty)[:, None] + x[None, :] * tx[:, None], here, 0)
                into = kept + (y * w)[:, None] + x[None, :]
                tl.store(into, pixel, here & (i == n - 1)[:, None])
                down += light(pixel) - BLANK
                moved += tl.abs(light(pixel) - light(old))
                counts = _plus(counts, _binned(pixel), DIGITS - 1)
            top += STEP
        total += along(down, x, w, COLUMNS, SPLIT)
        left += WIDE
    known = place < n * ROWS
    part = parts + place * (2 + DIGITS)
    tl.store(part, tl.sum(total, axis=1), known)
    tl.store(part + 1, tl.sum(moved.to(tl.int32), axis=1), known)
    counts = _folded(counts, 2)
    for k in tl.static_range(DIGITS):
        tl.store(part + 2 + k, tl.reshape(counts[k], [TALL]).to(tl.int32, bitcast=True), known)
    column = tl.arange(0, COLUMNS)
    found = means(total, row, column, h, w, ROWS, COLUMNS)
    mark = marks + i * SIGNATURE + row * COLUMNS
    tl.store(mark[:, None] + column[None, :], found, known[:, None])


@triton.jit
def _distance(a, b):
    return tl.minimum(1.0, tl.sum(tl.abs(a - b)) * (1.5 / (ROWS * COLUMNS)))


@triton.jit
def _swap(a, b, luma):
    x = tl.where(luma, a - tl.sum(tl.where(luma, a, 0.0)) / (ROWS * COLUMNS), 0.0)
    y = tl.where(luma, b - tl.sum(tl.where(luma, b, 0.0)) / (ROWS * COLUMNS), 0.0)
    xx, yy = tl.sum(x * x), tl.sum(y * y)
    gain = tl.sum(x * y) / tl.maximum(tl.maximum(xx, yy), 1e-9)
    left = tl.where(xx > yy, y - gain * x, x - gain * y)
    root = tl.sum(tl.sqrt(tl.abs(left))) / (ROWS * COLUMNS)
    return root * root


@triton.jit
def _histogram(parts, i, known, padding, DIGITS: tl.constexpr):
    """Counts [BINS] of a frame: those of its rows of blocks, less the pixels put beside them."""
    row, bins = tl.arange(0, 16), tl.arange(0, BINS)
    digit = parts + (i * ROWS + row) * (2 + DIGITS) + 2
    counts = tl.zeros([16, BINS], tl.int32)
    for k in tl.static_range(DIGITS):
        bits = tl.load(digit + k, (row < ROWS) & known, 0)
        counts += ((bits[:, None] >> bins[None, :]) & 1) << k
    return tl.sum(counts, axis=0) - tl.where((bins == 0) & known, padding, 0)


@triton.jit
def _mark(marks, past, i, k):
    """Signature of frame i of this batch; those before the first are of the batches before."""
    mark = tl.where(i >= 0, marks + i * SIGNATURE, past + (LONG + i) * SIGNATURE)
    return tl.load(mark + k, k < SIGNATURE, 0.0)


@triton.jit
def _compare(
    parts, marks, histogram, newest, past, recent, signals, n, h, w, seen, visited,
    DIGITS: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0)
    number = seen + i
    row = tl.arange(0, 16)
    part = parts + (i * ROWS + row) * (2 + DIGITS)
    area = tl.cast(h * w, tl.float32) * 255.0
    total = tl.sum(tl.load(part, row < ROWS, 0).to(tl.int64)).to(tl.float32)
    moved = tl.sum(tl.load(part + 1, row < ROWS, 0).to(tl.int64)).to(tl.float32)
    bins, padding = tl.arange(0, BINS), visited * ROWS - h * w
    counts = _histogram(parts, i, i >= 0, padding, DIGITS)
    earlier = _histogram(parts, i - 1, i > 0, padding, DIGITS)
    earlier += tl.load(histogram + bins, bins < tl.where((i == 0) & (seen > 0), BINS, 0), 0)
    shape = tl.sum(tl.abs(counts - earlier)).to(tl.float32) / (2.0 * tl.cast(h * w, tl.float32))
    tl.store(newest + bins, counts, bins < tl.where(i == n - 1, BINS, 0))
    k = tl.arange(0, 512)
    here, last = _mark(marks, past, i, k), _mark(marks, past, i - 1, k)
    skipped, old = _mark(marks, past, i - SKIP, k), _mark(marks, past, i - LONG, k)
    middle = _mark(marks, past, i - LONG // 2, k)
    tl.store(recent + (i - n + LONG) * SIGNATURE + k, here, (k < SIGNATURE) & (i >= n - LONG))
    ends = _distance(here, old)
    bend = tl.minimum(1.0, _distance(middle, (here + old) * 0.5) / tl.maximum(ends, 1e-3))
    change = tl.maximum(_distance(here, last), 0.5 * shape)
    out = signals + i
    tl.store(out, total / area)
    tl.store(out + n, tl.where(number >= 1, moved / area, 0.0))
    tl.store(out + 2 * n, tl.where(number >= 1, change, 0.0))
    tl.store(out + 3 * n, tl.where(number >= SKIP, _distance(here, skipped), 0.0))
    tl.store(out + 4 * n, tl.where(number >= LONG, ends, 0.0))
    tl.store(out + 5 * n, tl.where(number >= LONG, bend, 0.0))
    tl.store(out + 6 * n, tl.where(number >= LONG, _swap(here, old, k < ROWS * COLUMNS), 0.0))
    while i < LONG - n:
        tl.store(recent + i * SIGNATURE + k, _mark(marks, past, i + n - LONG, k), k < SIGNATURE)
        i += n
