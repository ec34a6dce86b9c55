"""Sums of the cells of a grid over many frames at once, in Triton, wherever planes lie.

A tile is `TALL` rows of cells by `WIDE` pixels. Rows of cells of several frames lie side by side in
it, so no lane idles however few rows a frame has, and a thread reads 16 pixels at once. Lines of a
row of cells are added up in registers; a product with a matrix of zeros and ones then adds up along
them. Numbers below 2048 are whole in float16, and the sums of the product are float32: exact.
"""

from typing import Any

import triton
import triton.language as tl

TALL = tl.constexpr(16)
WIDE = tl.constexpr(32)
WARPS = 1
BLANK = tl.constexpr(8388608.0)
BLANK_BITS = tl.constexpr(0x4B000000)


def lines_of(h: int, rows: int, at_once: int = 5) -> tuple[int, int, bool]:
    """Lines of the highest row of cells, how many are read at once, and whether their sums need two
    float16.
    """
    lines = triton.cdiv(h, rows)
    return lines, triton.cdiv(lines, triton.cdiv(lines, at_once)), lines * 255 > 2048


def side_by_side(chroma: Any) -> tuple[int, int]:
    """Planes that lie pixel by pixel in one (two in NV12), and the step from byte to byte."""
    return (2, 1) if chroma.stride(1) == 1 and chroma.stride(3) == 2 else (1, chroma.stride(3))


@triton.jit
def edge(cell, size, cells):
    """The first pixel of a cell: pixel x is in cell x * cells // size."""
    return (cell * size + cells - 1) // cells


@triton.jit
def tile_rows(n, h, ROWS: tl.constexpr):
    """[TALL] each: number, frame and row of the grid of this program's rows, and their lines.

    Rows after the last one have no lines.
    """
    place = tl.program_id(0) * TALL + tl.arange(0, TALL)
    row = place % ROWS
    first = edge(row, h, ROWS)
    return (
        place,
        place // ROWS,
        row,
        first,
        tl.where(place < n * ROWS, edge(row + 1, h, ROWS), first),
    )


@triton.jit
def light(pixel):
    """BLANK + pixel in float32, put together of bits: conversions are slow."""
    return (pixel.to(tl.int32) | BLANK_BITS).to(tl.float32, bitcast=True)


@triton.jit
def along(down, x, w, COLUMNS: tl.constexpr, SPLIT: tl.constexpr, PLANES: tl.constexpr = 1):
    """Sums [TALL, PLANES * COLUMNS] of cells, of sums [TALL, WIDE] down the columns of bytes x."""
    column = tl.arange(0, PLANES * COLUMNS)
    pixel = (x // PLANES * COLUMNS)[:, None]
    # One comparison does for both edges, as what is below 0 is large without its sign.
    inside = (pixel - (column % COLUMNS * w)[None, :]).to(tl.uint32) < tl.cast(w, tl.uint32)
    if PLANES > 1:
        inside = inside & ((x % PLANES)[:, None] == (column // COLUMNS)[None, :])
    inside = inside.to(tl.float16)
    if SPLIT:
        high = tl.floor(down * (1.0 / 1024.0))
        sums = tl.dot((down - 1024.0 * high).to(tl.float16), inside).to(tl.int32)
        return sums + (tl.dot(high.to(tl.float16), inside).to(tl.int32) << 10)
    return tl.dot(down.to(tl.float16), inside).to(tl.int32)


@triton.jit
def means(sums, row, column, h, w, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Means [TALL, columns] of cells, as shares of 255; of empty cells 0."""
    high = edge(row + 1, h, ROWS) - edge(row, h, ROWS)
    wide = edge(column + 1, w, COLUMNS) - edge(column, w, COLUMNS)
    return sums.to(tl.float32) / (
        255.0 * tl.maximum(high[:, None] * wide[None, :], 1).to(tl.float32)
    )


@triton.jit
def chroma_means(
    chroma, out, plane, n, h, w, cn, cp, cy, cx, lines,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, FRAME: tl.constexpr,
    STEP: tl.constexpr, SPLIT: tl.constexpr, PLANES: tl.constexpr,
):  # fmt: skip
    """Write the means of a plane, or of both where they lie in one, to `out`, FRAME a frame."""
    place, i, row, first, end = tile_rows(n, h, ROWS)
    source = chroma + i.to(tl.int64) * cn + plane * cp
    sums = tl.zeros([TALL, PLANES * COLUMNS], tl.int32)
    left = 0
    while left < w * PLANES:
        x = left + tl.arange(0, WIDE)
        down = tl.zeros([TALL, WIDE], tl.float32)
        top = 0
        while top < lines:
            for k in tl.static_range(STEP):
                y = first + top + k
                here = (y < end)[:, None] & (x < w * PLANES)[None, :]
                pixel = tl.load(source[:, None] + (y * cy)[:, None] + x[None, :] * cx, here, 0)
                down += light(pixel) - BLANK
            top += STEP
        sums += along(down, x, w, COLUMNS, SPLIT, PLANES)
        left += WIDE
    column = tl.arange(0, PLANES * COLUMNS)
    found = means(sums, row, column % COLUMNS, h, w, ROWS, COLUMNS)
    cell = (plane + column // COLUMNS) * (ROWS * COLUMNS) + column % COLUMNS
    into = out + i * FRAME + row * COLUMNS
    tl.store(into[:, None] + cell[None, :], found, (place < n * ROWS)[:, None])
