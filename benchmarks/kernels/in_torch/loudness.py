"""Loudness in torch: see `kernels.loudness.reference`.

A recursion over samples is no op of torch's, so the weighting is a product of spectra, piece by
piece: what it rings for is cut off after 100 ms, where it has fallen below 1e-10.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from kernels.loudness.reference import (
    ABSOLUTE_GATE_LUFS,
    OFFSET_LUFS,
    RANGE_GATE_LU,
    RELATIVE_GATE_LU,
    TAPS,
    biquad,
    k_weighting,
    peak_filter,
)

PIECE = 8
"""Hops of 100 ms that are weighted in one transform, with the one before them."""


def filters(rate_hz: int, device: str) -> tuple[Tensor, Tensor]:
    """The weighting's spectrum over a piece, and the phases that peaks are looked for in."""
    hop = rate_hz // 10
    struck = np.zeros(hop)
    struck[0] = 1.0
    shelf, high_pass = k_weighting(rate_hz)
    response = np.fft.rfft(biquad(biquad(struck, shelf), high_pass), (PIECE + 1) * hop)
    spectrum = torch.from_numpy(response.astype(np.complex64))
    return spectrum.to(device), torch.from_numpy(peak_filter()).to(device)


def loudness(samples: Tensor, rate_hz: int, spectrum: Tensor, phases: Tensor) -> tuple[Tensor, ...]:
    """Integrated, range, true peak, momentary and short-term, as in `LoudnessResult`.

    `samples` float32 [n, channels] are one or two front channels of 3 s or more, at a rate with
    whole samples in 100 ms; `spectrum` and `phases` come from `filters`.
    """
    line = torch.nan_to_num(samples.T, nan=0.0, posinf=0.0, neginf=0.0)
    energies = _energies(line, rate_hz // 10, spectrum)
    momentary, short = _means(energies, 4), _means(energies, 30)
    levels = _levels(momentary)
    loud = levels > ABSOLUTE_GATE_LUFS
    kept = loud & (levels > _levels(_mean(momentary, loud)) + RELATIVE_GATE_LU)
    whole = torch.where(loud.any(), _levels(_mean(momentary, kept)), -torch.inf)
    return (
        whole,
        _range(short),
        20 * torch.log10(_peak(line, phases)),
        pad(levels, (3, 0), value=-torch.inf),
        pad(_levels(short), (29, 0), value=-torch.inf),
    )


def _energies(line: Tensor, hop: int, spectrum: Tensor) -> Tensor:
    """Weighted mean squares [hops], float64, of a line [channels, n]."""
    channels, length = line.shape
    hops = length // hop
    pieces = -(-hops // PIECE)
    filled = pad(line[:, : hops * hop], (hop, (pieces * PIECE - hops) * hop))
    spectra = torch.fft.rfft(filled.unfold(1, (PIECE + 1) * hop, PIECE * hop))
    weighted = torch.fft.irfft(spectra * spectrum, n=(PIECE + 1) * hop)[..., hop:]
    squares = (weighted * weighted).unflatten(-1, (PIECE, hop)).mean(dim=-1).double()
    return squares.reshape(channels, -1).sum(dim=0)[:hops]


def _peak(line: Tensor, phases: Tensor) -> Tensor:
    between = conv1d(pad(line, (TAPS - 1, TAPS - 1))[:, None], phases[:, None])
    return torch.maximum(line.abs().amax(), between.abs().amax())


def _range(short: Tensor) -> Tensor:
    levels = _levels(short)
    loud = levels > ABSOLUTE_GATE_LUFS
    kept = loud & (levels > _levels(_mean(short, loud)) + RANGE_GATE_LU)
    ranked = torch.where(kept, levels, torch.inf).sort().values
    low, high = (_percentile(ranked, kept.sum(), share) for share in (0.1, 0.95))
    return torch.where(kept.any(), high - low, 0.0)


def _percentile(ranked: Tensor, count: Tensor, share: float) -> Tensor:
    """Of the first `count` values; torch's own waits for the device to look at the share."""
    last = (count - 1).clamp(min=0)
    place = share * last
    below = place.long()
    low, high = ranked.gather(0, torch.stack([below, torch.minimum(below + 1, last)]))
    return torch.lerp(low, high, (place - below).to(low.dtype))


def _means(energies: Tensor, width: int) -> Tensor:
    return energies.unfold(0, width, 1).mean(dim=-1)


def _mean(values: Tensor, kept: Tensor) -> Tensor:
    return torch.where(kept, values, 0.0).sum() / kept.sum()


def _levels(energies: Tensor) -> Tensor:
    return OFFSET_LUFS + 10 * torch.log10(energies)
