"""Means over a grid of cells, in torch."""

import torch
from torch import Tensor


def means(planes: Tensor, rows: int, columns: int) -> Tensor:
    """Means [..., rows, columns] of planes [..., h, w], float32; pixel y is in row y * rows // h.

    A cell that holds no pixel is 0.
    """
    h, w = planes.shape[-2:]
    if h % rows == 0 and w % columns == 0:
        split = planes.unflatten(-2, (rows, h // rows)).unflatten(-1, (columns, w // columns))
        return split.sum(dim=(-3, -1), dtype=torch.int32) / (h // rows * (w // columns))
    down, along = _shares(h, rows, planes.device), _shares(w, columns, planes.device)
    return down @ (planes.float() @ along.T)


def _shares(pixels: int, cells: int, device: torch.device) -> Tensor:
    """What each pixel adds to the mean of each cell, [cells, pixels]."""
    of = torch.arange(pixels, device=device) * cells // pixels
    inside = (of == torch.arange(cells, device=device)[:, None]).float()
    return inside / inside.sum(dim=1, keepdim=True).clamp(min=1)
