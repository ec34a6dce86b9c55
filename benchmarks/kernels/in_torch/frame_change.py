"""Frame change in torch: see `kernels.frame_change.reference`."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from benchmarks.kernels.in_torch.cells import means
from kernels.frame_change.reference import BINS, COLUMNS, LONG, ROWS, SKIP

BLOCKS = ROWS * COLUMNS


def frame_change(luma: Tensor, chroma: Tensor) -> Tensor:
    """The signals [7, n] of a recording, in the order of `FrameChange`.

    `luma` is [n, h, w] and `chroma` [n, 2, h2, w2], both uint8.
    """
    pixels = luma[0].numel()
    moved = (luma[1:].short() - luma[:-1].short()).abs().sum(dim=(1, 2), dtype=torch.int32)
    marks = torch.cat(
        [means(luma, ROWS, COLUMNS).flatten(1), means(chroma, ROWS, COLUMNS).flatten(1)], dim=1
    )
    marks = marks / 255
    shape = _histograms(luma).diff(dim=0).abs().sum(dim=1) / (2 * pixels)
    ends = _distance(marks[LONG:], marks[:-LONG])
    halves = (marks[LONG:] + marks[:-LONG]) / 2
    middle = marks[LONG // 2 : len(marks) - LONG // 2]
    bend = (_distance(middle, halves) / ends.clamp(min=1e-3)).clamp(max=1)
    columns = (
        luma.sum(dim=(1, 2), dtype=torch.int32) / (255 * pixels),
        moved / (255 * pixels),
        torch.maximum(_distance(marks[1:], marks[:-1]), 0.5 * shape),
        _distance(marks[SKIP:], marks[:-SKIP]),
        ends,
        bend,
        _swap(marks[LONG:, :BLOCKS], marks[:-LONG, :BLOCKS]),
    )
    return torch.stack([pad(column, (len(luma) - len(column), 0)) for column in columns])


def _histograms(luma: Tensor) -> Tensor:
    """Counts [n, BINS]: a comparison a bin, as adding where a value points to collides."""
    level = (luma >> 3).flatten(1)
    return torch.stack([(level == k).sum(dim=1, dtype=torch.int32) for k in range(BINS)], dim=1)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Of signatures [n, 3 * BLOCKS]; chroma's means over two planes count twice."""
    return (1.5 / BLOCKS * (a - b).abs().sum(dim=1)).clamp(max=1)


def _swap(a: Tensor, b: Tensor) -> Tensor:
    x, y = a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True)
    xx, yy = (x * x).sum(dim=1, keepdim=True), (y * y).sum(dim=1, keepdim=True)
    richer = xx > yy
    rich, flat = torch.where(richer, x, y), torch.where(richer, y, x)
    gain = (x * y).sum(dim=1, keepdim=True) / torch.maximum(xx, yy).clamp(min=1e-9)
    return (flat - gain * rich).abs().sqrt().mean(dim=1) ** 2
