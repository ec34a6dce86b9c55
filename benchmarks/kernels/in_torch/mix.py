"""Ducking and limiting in torch: see `kernels.mix.reference`. Nothing in it is recursive."""

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from kernels.mix.reference import (
    BEFORE,
    TAPS,
    UNIT,
    DuckShape,
    ceiling_of,
    duck_tables,
    peak_filter,
    reach_of,
)


def tables(rate_hz: int, shape: DuckShape, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Gains before and after a voice, and the phases that peaks are looked for in."""
    rise, fall, phases = (
        torch.from_numpy(table).to(device)
        for table in (*duck_tables(rate_hz, shape), peak_filter())
    )
    return rise, fall, phases


def mix(
    voice: Tensor, bed: Tensor, active: Tensor, rate_hz: int, ceiling_dbtp: float,
    rise: Tensor, fall: Tensor, phases: Tensor,
) -> Tensor:  # fmt: skip
    """The voice over the ducked bed, both float32 [n, channels], under a ceiling.

    `active` is [n] bool; the last three come from `tables`.
    """
    voice, bed = (torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0) for x in (voice, bed))
    summed = voice + bed * _ducking(active, rise, fall)[:, None]
    return summed * _limiting(summed, reach_of(rate_hz), ceiling_of(ceiling_dbtp), phases)[:, None]


def _ducking(active: Tensor, rise: Tensor, fall: Tensor) -> Tensor:
    at = torch.arange(len(active), device=active.device)
    far = len(active) + len(rise) + len(fall)
    last = torch.where(active, at, -far).cummax(dim=0).values
    following = torch.where(active, at, far).flip(0).cummin(dim=0).values.flip(0)
    return torch.minimum(
        rise[(following - at).clamp(max=len(rise) - 1)], fall[(at - last).clamp(max=len(fall) - 1)]
    )


def _limiting(samples: Tensor, reach: int, ceiling: float, phases: Tensor) -> Tensor:
    line = pad(samples.T, (2 * reach, 2 * reach))
    held = _lowest(_needed(line, ceiling, phases), 2 * reach + 1)
    summed = _boxed(_boxed(held, reach + 1), reach + 1)
    return (summed.double() * (1 / (UNIT * (reach + 1) ** 2))).float()


def _needed(line: Tensor, ceiling: float, phases: Tensor) -> Tensor:
    """Gain [n] in UNITs that brings the peaks of a line [channels, n] down to the ceiling."""
    rung = pad(line, (BEFORE + 1, TAPS - BEFORE - 1))
    between = conv1d(rung[:, None], phases[:, None]).abs().amax(dim=(0, 1))
    at = rung[:, BEFORE : BEFORE + line.shape[1] + 1].abs().amax(dim=0)
    peak = torch.maximum(between, at)
    beside = torch.maximum(peak[:-1], peak[1:]).double().clamp(min=1e-30)
    return torch.floor((ceiling / beside).clamp(max=1.0) * UNIT).long()


def _lowest(values: Tensor, width: int) -> Tensor:
    """Minima of `width` values each, by windows that double."""
    span = 1
    while 2 * span <= width:
        values = torch.minimum(values[:-span], values[span:])
        span *= 2
    rest = width - span
    return torch.minimum(values[: len(values) - rest], values[rest:])


def _boxed(values: Tensor, width: int) -> Tensor:
    """Sums of `width` values each, exact in integers."""
    sums = pad(values.cumsum(dim=0), (1, 0))
    return sums[width:] - sums[:-width]
