"""On the GPU: one launch reads the planes into cells, a second one weighs a frame's cells.

What must move is every byte of luma and chroma once; the frame before comes from the cache.
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
from kernels.saliency import reference

ROWS = tl.constexpr(reference.ROWS)
COLUMNS = tl.constexpr(reference.COLUMNS)
CENTRE = tl.constexpr(reference.CENTRE)
SURROUND = tl.constexpr(reference.SURROUND)
ALIKE = tl.constexpr(reference.ALIKE)
QUIET = tl.constexpr(reference.BLANK)
PEAK = tl.constexpr(reference.PEAK)
REACH = tl.constexpr(reference.REACH)
CONTRAST = tl.constexpr(reference.CONTRAST)
MOTION_FLOOR = tl.constexpr(reference.MOTION_FLOOR)
CONTRAST_FLOOR = tl.constexpr(reference.CONTRAST_FLOOR)
CELLS = tl.constexpr(reference.ROWS * reference.COLUMNS)
SIDE = tl.constexpr(32)
# Cells are weighed as numbers up to this: float16 has few bits of very small ones.
SCALE = tl.constexpr(1024.0)
WEIGH_WARPS = 1


def push(luma, chroma, before):
    """Rows [n, 3] of energy, x, y of the next frames, and the frame to compare the next with."""
    n, h, w = luma.shape
    ch, cw = chroma.shape[2:]
    before = luma[0] if before is None else before
    kept = torch.empty((h, w), dtype=torch.uint8, device=luma.device)
    cells = torch.empty((n, 4, ROWS.value, COLUMNS.value), device=luma.device)
    rows = torch.empty((n, 3), device=luma.device)
    lines, step, split = lines_of(h, ROWS.value)
    colour_lines, colour_step, colour_split = lines_of(ch, ROWS.value)
    planes, cx = side_by_side(chroma)
    _cells[(triton.cdiv(n * ROWS.value, TALL.value), 1 + 2 // planes)](
        luma, chroma, before, cells, kept,
        n, h, w, *luma.stride(), *before.stride(), ch, cw, *chroma.stride()[:3], cx,
        lines, colour_lines, step, split, colour_step, colour_split, planes,
        num_warps=WARPS, num_stages=1,
    )  # fmt: skip
    _weigh[(n,)](cells, rows, num_warps=WEIGH_WARPS)
    return rows, kept


@triton.jit
def _cells(
    luma, chroma, before, cells, kept,
    n, h, w, ln, ly, lx, by, bx, ch, cw, cn, cp, cy, cx, lines, colour_lines,
    STEP: tl.constexpr, SPLIT: tl.constexpr,
    COLOUR_STEP: tl.constexpr, COLOUR_SPLIT: tl.constexpr, PLANES: tl.constexpr,
):  # fmt: skip
    if tl.program_id(1) == 0:
        _luma_cells(
            luma, before, cells, kept, n, h, w, ln, ly, lx, by, bx, lines, STEP, SPLIT
        )  # fmt: skip
    else:
        chroma_means(
            chroma, cells + 2 * CELLS, tl.program_id(1) - 1,
            n, ch, cw, cn, cp, cy, cx, colour_lines,
            ROWS, COLUMNS, 4 * CELLS, COLOUR_STEP, COLOUR_SPLIT, PLANES,
        )  # fmt: skip


@triton.jit
def _luma_cells(
    luma, before, cells, kept, n, h, w, ln, ly, lx, by, bx, lines,
    STEP: tl.constexpr, SPLIT: tl.constexpr,
):  # fmt: skip
    place, i, row, first, end = tile_rows(n, h, ROWS)
    now = luma + i.to(tl.int64) * ln
    then = tl.where(i > 0, now - ln, before)
    ty, tx = tl.where(i > 0, ly, by), tl.where(i > 0, lx, bx)
    total = tl.zeros([TALL, COLUMNS], tl.int32)
    moved = tl.zeros([TALL, COLUMNS], tl.int32)
    left = 0
    while left < w:
        x = left + tl.arange(0, WIDE)
        level, change = tl.zeros([TALL, WIDE], tl.float32), tl.zeros([TALL, WIDE], tl.float32)
        top = 0
        while top < lines:
            for k in tl.static_range(STEP):
                y = first + top + k
                here = (y < end)[:, None] & (x < w)[None, :]
                pixel = tl.load(now[:, None] + (y * ly)[:, None] + x[None, :] * lx, here, 0)
                old = tl.load(then[:, None] + (y * ty)[:, None] + x[None, :] * tx[:, None], here, 0)
                into = kept + (y * w)[:, None] + x[None, :]
                tl.store(into, pixel, here & (i == n - 1)[:, None])
                level += light(pixel) - BLANK
                change += tl.abs(light(pixel) - light(old))
            top += STEP
        total += along(level, x, w, COLUMNS, SPLIT)
        moved += along(change, x, w, COLUMNS, SPLIT)
        left += WIDE
    column, known = tl.arange(0, COLUMNS), (place < n * ROWS)[:, None]
    into = (cells + i * (4 * CELLS) + row * COLUMNS)[:, None] + column[None, :]
    tl.store(into, means(moved, row, column, h, w, ROWS, COLUMNS), known)
    tl.store(into + CELLS, means(total, row, column, h, w, ROWS, COLUMNS), known)


@triton.jit
def _share(RADIUS: tl.constexpr, SIZE: tl.constexpr):
    """[SIDE]: one over how many of SIZE cells in a row lie within RADIUS of each; 0 beyond them."""
    k = tl.arange(0, SIDE)
    near = tl.minimum(k + RADIUS, SIZE - 1) - tl.maximum(k - RADIUS, 0) + 1
    return tl.where(k < SIZE, 1.0 / tl.maximum(near, 1).to(tl.float32), 0.0)


@triton.jit
def _around(grid, RADIUS: tl.constexpr):
    """Mean over the cells within RADIUS, of numbers up to SCALE: products with bands of ones, along
    and then down.
    """
    k = tl.arange(0, SIDE)
    band = (tl.abs(k[:, None] - k[None, :]) <= RADIUS).to(tl.float16)
    coarse, fine = _halves(grid)
    along = tl.dot(fine, band, tl.dot(coarse, band)) * _share(RADIUS, COLUMNS)[None, :]
    coarse, fine = _halves(along)
    return tl.dot(band, fine, tl.dot(band, coarse)) * _share(RADIUS, ROWS)[:, None]


@triton.jit
def _halves(grid):
    """Two float16 of 11 bits each that add up to float32, as tensor cores take them."""
    coarse = grid.to(tl.float16)
    return coarse, (grid - coarse.to(tl.float32)).to(tl.float16)


@triton.jit
def _weigh(cells, rows):
    i = tl.program_id(0)
    y, x = tl.arange(0, SIDE)[:, None], tl.arange(0, SIDE)[None, :]
    shown = (y < ROWS) & (x >= 0)
    at = cells + i * 4 * CELLS + y * COLUMNS + x
    motion = tl.zeros([SIDE, SIDE], tl.float32)
    contrast = tl.zeros([SIDE, SIDE], tl.float32)
    for plane in range(4):
        grid = SCALE * tl.load(at + plane * CELLS, shown, 0.0)
        apart = (_around(grid, CENTRE) - _around(grid, SURROUND)) * (1.0 / SCALE)
        motion += tl.where(plane == 0, tl.maximum(apart, 0.0), 0.0)
        contrast += tl.abs(apart) * tl.minimum(plane, 2)
    moving, standing = tl.sum(motion) / CELLS, tl.sum(contrast) / CELLS
    across = (x.to(tl.float32) + 0.5) / COLUMNS
    down = (y.to(tl.float32) + 0.5) / ROWS
    prior = 1.0 - ((across - 0.5) * (across - 0.5) + (down - 0.5) * (down - 0.5))
    loud = motion * (1.0 / (moving + MOTION_FLOOR))
    loud += contrast * (CONTRAST / (standing + CONTRAST_FLOOR))
    weight = tl.where(shown, loud * prior * loud * prior, 0.0)
    level = weight * (SCALE / tl.maximum(tl.max(weight), QUIET / CELLS))
    peaks = tl.where(shown, _around(level, PEAK), -1.0)
    alike = tl.where(peaks >= ALIKE * tl.max(peaks), y * SIDE + x, SIDE * SIDE)
    best = tl.min(alike)
    thing = (tl.abs(y - best // SIDE) <= REACH) & (tl.abs(x - best % SIDE) <= REACH)
    share = tl.where(thing, weight, 0.0)
    blank = tl.sum(weight) <= QUIET
    total = tl.where(blank, 1.0, tl.sum(share))
    energy = tl.minimum(1.0, 8.0 * moving + standing)
    tl.store(rows + 3 * i, tl.where(blank, 0.0, energy))
    tl.store(rows + 3 * i + 1, tl.where(blank, 0.5, tl.sum(share * across) / total))
    tl.store(rows + 3 * i + 2, tl.where(blank, 0.5, tl.sum(share * down) / total))
