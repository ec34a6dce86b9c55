"""Saliency in torch: see `kernels.saliency.reference`."""

import torch
from torch import Tensor

from benchmarks.kernels.in_torch.cells import means
from kernels.saliency.reference import (
    ALIKE,
    BLANK,
    CENTRE,
    COLUMNS,
    CONTRAST,
    CONTRAST_FLOOR,
    MOTION_FLOOR,
    PEAK,
    REACH,
    ROWS,
    SURROUND,
)


def saliency(luma: Tensor, chroma: Tensor) -> Tensor:
    """Rows [n, 3] of energy, x and y of a recording: uint8 [n, h, w] and [n, 2, h2, w2]."""
    before = torch.cat([luma[:1], luma[:-1]])
    moved = means((luma.short() - before.short()).abs(), ROWS, COLUMNS)
    planes = torch.stack([moved, means(luma, ROWS, COLUMNS)], dim=1)
    planes = torch.cat([planes, means(chroma, ROWS, COLUMNS)], dim=1) / 255
    apart = _around(planes, CENTRE) - _around(planes, SURROUND)
    motion = apart[:, 0].clamp(min=0)
    contrast = apart[:, 1].abs() + 2 * apart[:, 2:].abs().sum(dim=1)
    moving, standing = (x.mean(dim=(1, 2), keepdim=True) for x in (motion, contrast))
    y = (torch.arange(ROWS, device=luma.device) + 0.5)[:, None] / ROWS
    x = (torch.arange(COLUMNS, device=luma.device) + 0.5)[None, :] / COLUMNS
    prior = 1 - ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    loud = motion / (moving + MOTION_FLOOR) + CONTRAST * contrast / (standing + CONTRAST_FLOOR)
    weight = (loud * prior) ** 2
    thing = weight * _near(_first_peak(weight))
    total = thing.sum(dim=(1, 2))
    blank = weight.sum(dim=(1, 2)) <= BLANK
    energy = (8 * moving + standing).flatten().clamp(max=1)
    return torch.stack([
        torch.where(blank, 0.0, energy),
        torch.where(blank, 0.5, (thing * x).sum(dim=(1, 2)) / total),
        torch.where(blank, 0.5, (thing * y).sum(dim=(1, 2)) / total),
    ], dim=1)  # fmt: skip


def _around(grid: Tensor, radius: int) -> Tensor:
    """Means over the cells within a radius: products with bands of ones."""
    down, along = _band(ROWS, radius, grid.device), _band(COLUMNS, radius, grid.device)
    return down @ grid @ along / (down.sum(dim=1)[:, None] * along.sum(dim=0)[None, :])


def _band(size: int, radius: int, device: torch.device) -> Tensor:
    at = torch.arange(size, device=device)
    return ((at[:, None] - at[None, :]).abs() <= radius).float()


def _first_peak(weight: Tensor) -> Tensor:
    """The first cell [n] whose surroundings weigh as much as any."""
    peaks = _around(weight, PEAK).flatten(1)
    alike = peaks >= ALIKE * peaks.amax(dim=1, keepdim=True)
    cell = torch.arange(ROWS * COLUMNS, device=weight.device)
    return torch.where(alike, cell, ROWS * COLUMNS).amin(dim=1)


def _near(cell: Tensor) -> Tensor:
    """Which cells [n, ROWS, COLUMNS] lie within REACH of a cell [n]."""
    y, x = (torch.arange(size, device=cell.device) for size in (ROWS, COLUMNS))
    down = (y - cell[:, None] // COLUMNS).abs() <= REACH
    along = (x - cell[:, None] % COLUMNS).abs() <= REACH
    return down[:, :, None] & along[:, None, :]
