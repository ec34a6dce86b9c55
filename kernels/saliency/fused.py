"""On the GPU: one launch reads the planes into cells, a second one weighs a frame's cells.

What must move is every byte of luma and chroma once; the frame before comes from the cache.
"""

import torch
import triton
import triton.language as tl

from kernels.saliency import reference

ROWS = tl.constexpr(reference.ROWS)
COLUMNS = tl.constexpr(reference.COLUMNS)
CENTRE = tl.constexpr(reference.CENTRE)
SURROUND = tl.constexpr(reference.SURROUND)
ALIKE = tl.constexpr(reference.ALIKE)
BLANK = tl.constexpr(reference.BLANK)
PEAK = tl.constexpr(reference.PEAK)
REACH = tl.constexpr(reference.REACH)
CONTRAST = tl.constexpr(reference.CONTRAST)
MOTION_FLOOR = tl.constexpr(reference.MOTION_FLOOR)
CONTRAST_FLOOR = tl.constexpr(reference.CONTRAST_FLOOR)
CELLS = tl.constexpr(reference.ROWS * reference.COLUMNS)
SIDE = tl.constexpr(32)
TILE = 4096


def push(luma, chroma, before):
    """Rows [n, 3] of energy, x, y of the next frames, and the frame to compare the next with."""
    n, h, w = luma.shape
    before = luma[0].contiguous() if before is None else before
    cells = torch.empty((n, 4, ROWS.value, COLUMNS.value), device=luma.device)
    rows = torch.empty((n, 3), device=luma.device)
    luma_tile, chroma_tile = _tile(h, w), _tile(*chroma.shape[2:])
    _cells[(n, ROWS.value)](
        luma, chroma, before, cells,
        h, w, *luma.stride(), *chroma.shape[2:], *chroma.stride(), *luma_tile, *chroma_tile,
        num_warps=8,
    )  # fmt: skip
    _weigh[(n,)](cells, rows, num_warps=4)
    return rows, luma[-1].clone(memory_format=torch.contiguous_format)


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
def _means(columns_sum, x, w, high):
    """Means [COLUMNS] of one row of cells, as shares of 255, from the sums down its columns."""
    cell = tl.arange(0, COLUMNS)
    inside = ((x * COLUMNS // w)[:, None] == cell[None, :]) & (x < w)[:, None]
    sums = tl.sum(tl.where(inside, columns_sum[:, None], 0), axis=0)
    wide = _edge(cell + 1, w, COLUMNS) - _edge(cell, w, COLUMNS)
    return sums.to(tl.float32) / (255.0 * tl.maximum(high * wide, 1).to(tl.float32))


@triton.jit
def _cells(
    luma, chroma, before, cells,
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
    first, end = _edge(row, h, ROWS), _edge(row + 1, h, ROWS)
    for at in range(0, LINES, BH):
        y = first + at + tl.arange(0, BH)[:, None]
        here = (y < end) & (x < w)[None, :]
        value = tl.load(now + y * ly + x[None, :] * lx, here, 0).to(tl.int32)
        old = tl.load(then + y * ty + x[None, :] * tx, here, 0).to(tl.int32)
        total += value
        moved += tl.abs(value - old)
    out = cells + (4 * i * ROWS + row) * COLUMNS + tl.arange(0, COLUMNS)
    tl.store(out, _means(tl.sum(moved, axis=0), x, w, end - first))
    tl.store(out + CELLS, _means(tl.sum(total, axis=0), x, w, end - first))
    x = tl.arange(0, CW)
    first, end = _edge(row, ch, ROWS), _edge(row + 1, ch, ROWS)
    for plane in tl.static_range(2):
        colour = tl.zeros([CH, CW], tl.int32)
        for at in range(0, COLOUR_LINES, CH):
            y = first + at + tl.arange(0, CH)[:, None]
            here = (y < end) & (x < cw)[None, :]
            source = chroma + i * cn + plane * cp + y * cy + x[None, :] * cx
            colour += tl.load(source, here, 0).to(tl.int32)
        means = _means(tl.sum(colour, axis=0), x, cw, end - first)
        tl.store(out + (2 + plane) * CELLS, means)


@triton.jit
def _around(grid, RADIUS: tl.constexpr):
    """Mean over the cells within RADIUS: two products with bands of ones."""
    k, j = tl.arange(0, SIDE)[:, None], tl.arange(0, SIDE)[None, :]
    near = tl.abs(k - j) <= RADIUS
    down = (near & (k < ROWS) & (j < ROWS)).to(tl.float32)
    along = near.to(tl.float32)
    sums = tl.dot(tl.dot(down, grid, input_precision="ieee"), along, input_precision="ieee")
    return sums / tl.maximum(tl.sum(down, axis=1)[:, None] * tl.sum(along, axis=0)[None, :], 1.0)


@triton.jit
def _weigh(cells, rows):
    i = tl.program_id(0)
    y, x = tl.arange(0, SIDE)[:, None], tl.arange(0, SIDE)[None, :]
    shown = (y < ROWS) & (x >= 0)
    at = cells + i * 4 * CELLS + y * COLUMNS + x
    grid = tl.load(at, shown, 0.0)
    motion = tl.maximum(_around(grid, CENTRE) - _around(grid, SURROUND), 0.0)
    contrast = tl.zeros([SIDE, SIDE], tl.float32)
    for plane in tl.static_range(1, 4):
        grid = tl.load(at + plane * CELLS, shown, 0.0)
        apart = tl.abs(_around(grid, CENTRE) - _around(grid, SURROUND))
        contrast += apart if plane == 1 else 2.0 * apart
    moving, standing = tl.sum(motion) / CELLS, tl.sum(contrast) / CELLS
    across = (x.to(tl.float32) + 0.5) / COLUMNS
    down = (y.to(tl.float32) + 0.5) / ROWS
    prior = 1.0 - ((across - 0.5) * (across - 0.5) + (down - 0.5) * (down - 0.5))
    loud = motion / (moving + MOTION_FLOOR) + CONTRAST * contrast / (standing + CONTRAST_FLOOR)
    weight = tl.where(shown, loud * prior * loud * prior, 0.0)
    peaks = tl.where(shown, _around(weight, PEAK), -1.0)
    alike = tl.where(peaks >= ALIKE * tl.max(peaks), y * SIDE + x, SIDE * SIDE)
    best = tl.min(alike)
    thing = (tl.abs(y - best // SIDE) <= REACH) & (tl.abs(x - best % SIDE) <= REACH)
    share = tl.where(thing, weight, 0.0)
    blank = tl.sum(weight) <= BLANK
    total = tl.where(blank, 1.0, tl.sum(share))
    energy = tl.minimum(1.0, 8.0 * moving + standing)
    tl.store(rows + 3 * i, tl.where(blank, 0.0, energy))
    tl.store(rows + 3 * i + 1, tl.where(blank, 0.5, tl.sum(share * across) / total))
    tl.store(rows + 3 * i + 2, tl.where(blank, 0.5, tl.sum(share * down) / total))
