"""On the GPU: planes are read once, where they lie and as they are strided, in two launches.

One program measures one row of blocks of one frame, so every block mean has one owner and nothing
is added up across programs but nine rows of numbers; a second, small kernel compares frames. The
frame before is read too, but it was read a moment ago and comes from the cache: what must move is
every byte of luma and chroma once.
"""

import torch
import triton
import triton.language as tl

from kernels.frame_change import reference

ROWS = tl.constexpr(reference.ROWS)
COLUMNS = tl.constexpr(reference.COLUMNS)
SIGNATURE = tl.constexpr(reference.SIGNATURE)
BINS = tl.constexpr(reference.BINS)
SKIP = tl.constexpr(reference.SKIP)
LONG = tl.constexpr(reference.LONG)
PART = tl.constexpr(2 + reference.BINS)
TILE = 4096


def push(luma, chroma, state):
    """Signals [7, n] of the next frames, in the order of `FrameChange`, and the new state."""
    n, h, w = luma.shape
    on = luma.device
    if state is None:
        bare = torch.zeros(BINS.value, dtype=torch.int32, device=on)
        past = torch.zeros((LONG.value, SIGNATURE.value), device=on)
        state = (luma[0].contiguous(), bare, past, 0)
    before, histogram, past, seen = state
    history = torch.empty((LONG.value + n, SIGNATURE.value), device=on)
    history[: LONG.value] = past
    parts = torch.empty((n, ROWS.value, PART.value), dtype=torch.int32, device=on)
    signals = torch.empty((7, n), device=on)
    newest = torch.empty_like(histogram)
    luma_tile, chroma_tile = _tile(h, w), _tile(*chroma.shape[2:])
    _measure[(n, ROWS.value)](
        luma, chroma, before, parts, history,
        h, w, *luma.stride(), *chroma.shape[2:], *chroma.stride(), *luma_tile, *chroma_tile,
        num_warps=8,
    )  # fmt: skip
    _compare[(n,)](parts, history, histogram, newest, signals, n, h, w, seen, num_warps=4)
    return signals, (
        luma[-1].clone(memory_format=torch.contiguous_format),
        newest,
        history[n:].clone(),
        seen + n,
    )


def _tile(h, w):
    """Lines of a row of cells, and how many of them and how wide (powers of two) are read at once.

    The lines are a constant of the compiled code, as loops over run-time bounds are not pipelined.
    """
    lines, wide = triton.cdiv(h, ROWS.value), triton.next_power_of_2(w)
    return lines, min(triton.next_power_of_2(lines), max(1, TILE // wide)), wide


@triton.jit
def _edge(cell, size, cells):
    """The first pixel of a cell: pixel x is in cell x * cells // size."""
    return (cell * size + cells - 1) // cells


@triton.jit
def _block_means(columns_sum, x, w, high):
    """Means [COLUMNS] of one row of blocks, from the sums down its columns."""
    block = tl.arange(0, COLUMNS)
    inside = (x * COLUMNS // w)[:, None] == block[None, :]
    sums = tl.sum(tl.where(inside & (x < w)[:, None], columns_sum[:, None], 0), axis=0)
    wide = _edge(block + 1, w, COLUMNS) - _edge(block, w, COLUMNS)
    return sums.to(tl.float32) / (255.0 * tl.maximum(high * wide, 1).to(tl.float32))


@triton.jit
def _measure(
    luma, chroma, before, parts, history,
    h, w, ln, ly, lx, ch, cw, cn, cp, cy, cx,
    LINES: tl.constexpr, BH: tl.constexpr, BW: tl.constexpr,
    COLOUR_LINES: tl.constexpr, CH: tl.constexpr, CW: tl.constexpr,
):  # fmt: skip
    i, row = tl.program_id(0).to(tl.int64), tl.program_id(1)
    now = luma + i * ln
    then, ty, tx = now - ln, ly, lx
    if i == 0:
        then, ty, tx = before, w, 1
    x = tl.arange(0, BW)
    total, moved = tl.zeros([BH, BW], tl.int32), tl.zeros([BH, BW], tl.int32)
    counts = tl.zeros([BINS], tl.int32)
    first, end = _edge(row, h, ROWS), _edge(row + 1, h, ROWS)
    for at in range(0, LINES, BH):
        y = first + at + tl.arange(0, BH)[:, None]
        here = (y < end) & (x < w)[None, :]
        value = tl.load(now + y * ly + x[None, :] * lx, here, 0).to(tl.int32)
        old = tl.load(then + y * ty + x[None, :] * tx, here, 0).to(tl.int32)
        total += value
        moved += tl.abs(value - old)
        level = tl.reshape(value >> 3, [BH * BW])
        counts += tl.histogram(level, BINS, mask=tl.reshape(here, [BH * BW]))
    part = parts + (i * ROWS + row) * PART
    tl.store(part, tl.sum(total))
    tl.store(part + 1, tl.sum(moved))
    tl.store(part + 2 + tl.arange(0, BINS), counts)
    mark = history + (LONG + i) * SIGNATURE + row * COLUMNS + tl.arange(0, COLUMNS)
    tl.store(mark, _block_means(tl.sum(total, axis=0), x, w, end - first))
    x = tl.arange(0, CW)
    first, end = _edge(row, ch, ROWS), _edge(row + 1, ch, ROWS)
    for plane in tl.static_range(2):
        colour = tl.zeros([CH, CW], tl.int32)
        for at in range(0, COLOUR_LINES, CH):
            y = first + at + tl.arange(0, CH)[:, None]
            here = (y < end) & (x < cw)[None, :]
            source = chroma + i * cn + plane * cp + y * cy + x[None, :] * cx
            colour += tl.load(source, here, 0).to(tl.int32)
        means = _block_means(tl.sum(colour, axis=0), x, cw, end - first)
        tl.store(mark + (plane + 1) * ROWS * COLUMNS, means)


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
def _compare(parts, history, histogram, newest, signals, n, h, w, seen):
    i = tl.program_id(0)
    number = seen + i
    row = tl.arange(0, 16)
    part = parts + (i * ROWS + row) * PART
    known = row < ROWS
    area = (h * w).to(tl.float32) * 255.0
    total = tl.sum(tl.load(part, known, 0).to(tl.int64)).to(tl.float32)
    moved = tl.sum(tl.load(part + 1, known, 0).to(tl.int64)).to(tl.float32)
    bins = tl.arange(0, BINS)
    cells = part[:, None] + 2 + bins[None, :]
    counts = tl.sum(tl.load(cells, known[:, None], 0), axis=0)
    earlier = tl.sum(tl.load(cells - ROWS * PART, known[:, None] & (i > 0), 0), axis=0)
    earlier += tl.load(histogram + bins, bins < tl.where(i == 0, BINS, 0), 0)
    shape = tl.sum(tl.abs(counts - earlier)).to(tl.float32) / (2.0 * (h * w).to(tl.float32))
    tl.store(newest + bins, counts, bins < tl.where(i == n - 1, BINS, 0))
    k = tl.arange(0, 512)
    inside = k < SIGNATURE
    mark = history + (LONG + i) * SIGNATURE + k
    here = tl.load(mark, inside, 0.0)
    last = tl.load(mark - SIGNATURE, inside, 0.0)
    skipped = tl.load(mark - SKIP * SIGNATURE, inside, 0.0)
    old = tl.load(mark - LONG * SIGNATURE, inside, 0.0)
    middle = tl.load(mark - LONG // 2 * SIGNATURE, inside, 0.0)
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
