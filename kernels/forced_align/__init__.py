"""Batched CTC forced alignment: which frames each token of a known text is said in.

The likeliest path is exact (Viterbi), or searched in a band around the diagonal that is widened as
long as the path touches its edge. NumPy arrays and CPU tensors run compiled on all processors, one
item each; CUDA tensors run in Triton, one program an item.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.forced_align.reference import STAR

__all__ = ["STAR", "Alignment", "align"]

NARROWEST = 8
"""The narrowest band, in labels to either side."""


class Alignment(NamedTuple):
    """Arrays where arrays were given, tensors on the same device where tensors were."""

    starts: Any
    """[B, L] int32: first frame of each token, -1 beyond an item's length."""
    ends: Any
    """[B, L] int32: the frame after a token's last, -1 beyond an item's length."""
    token_scores: Any
    """[B, L] float32: mean log-probability over a token's frames, NaN beyond an item's length."""
    scores: Any
    """[B] float64: log-probability of the path, blanks included."""
    bands: Any
    """[B] int64: half the band that the path lies inside of without touching it, -1 where every
    state was weighed."""


def align(
    log_probs: Any,
    targets: Any,
    *,
    input_lengths: Any = None,
    target_lengths: Any = None,
    blank: int = 0,
    band: int | None = None,
) -> Alignment:
    """Align each item's targets to its frames.

    Parameters
    ----------
    log_probs : [B, T, C] natural logarithms, any strides; computed in float32. -inf is allowed.
    targets : [B, L] classes, none of them blank, or `STAR` for what the alphabet lacks: it scores
        like the frame's best class but blank. What lies beyond an item's length is not looked at.
    input_lengths, target_lengths : [B] frames and targets of each item, all by default.
    band : labels to either side of the diagonal to weigh, at least 8. A path that touches the edge
        is searched again in twice the band, in the end without one. A better path that lies wholly
        elsewhere is not ruled out; without a band (the default) it is.

    Raises
    ------
    ValueError
        For shapes, classes and lengths out of range, NaN or +inf among the log-probabilities, and
        an item without a path: one that has fewer frames than targets and repeats (equal targets
        in a row need a blank between them), or whose every path has probability zero. The message
        names the item.
    """
    if log_probs.ndim != 3:
        raise ValueError(f"log_probs must be [B, T, C], not {tuple(log_probs.shape)}")
    items, frames, classes = log_probs.shape
    wanted = _host(targets)
    if wanted.ndim != 2 or len(wanted) != items or wanted.dtype.kind not in "iu":
        raise ValueError(f"targets must be [{items}, L] integers, not {wanted.shape}")
    wanted = wanted.astype(np.int64)
    if not 0 <= blank < classes:
        raise ValueError(f"blank must be 0 to {classes - 1}, not {blank}")
    if band is not None and band < NARROWEST:
        raise ValueError(f"band must be at least {NARROWEST}, not {band}")
    lengths = _lengths("input_lengths", input_lengths, items, frames)
    counts = _lengths("target_lengths", target_lengths, items, wanted.shape[1])
    _check(wanted, lengths, counts, classes, blank)
    half = -1 if band is None else band
    if not items:
        return _given_back(log_probs, _empty(wanted.shape))
    if getattr(log_probs, "is_cuda", False):
        from kernels.forced_align import fused

        return Alignment(*fused.align(log_probs, wanted, lengths, counts, blank, half))
    from kernels.forced_align import cpu

    found = cpu.align(_float32(log_probs), wanted, lengths, counts, blank, half)
    return _given_back(log_probs, found)


def _check(
    targets: NDArray[np.int64], lengths: NDArray[np.int64], counts: NDArray[np.int64],
    classes: int, blank: int,
) -> None:  # fmt: skip
    inside = np.arange(targets.shape[1]) < counts[:, None]
    wrong = (targets != STAR) & ((targets < 0) | (targets >= classes) | (targets == blank))
    wrong &= inside
    needed = counts + (inside[:, 1:] & (targets[:, 1:] == targets[:, :-1])).sum(axis=1)
    for b in np.flatnonzero(wrong.any(axis=1) | (lengths < needed)):
        if wrong[b].any():
            target = targets[b][wrong[b]][0]
            raise ValueError(f"item {b}: target {target} is no class, or is the blank")
        raise ValueError(
            f"item {b}: {counts[b]} targets need {needed[b]} frames, it has {lengths[b]}"
        )


def _lengths(name: str, given: Any, items: int, most: int) -> NDArray[np.int64]:
    lengths = np.full(items, most) if given is None else _host(given).astype(np.int64)
    if lengths.shape != (items,) or (lengths < 0).any() or (lengths > most).any():
        raise ValueError(f"{name} must be [{items}] numbers from 0 to {most}")
    return lengths


def _host(values: Any) -> NDArray[Any]:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def _float32(values: Any) -> NDArray[np.float32]:
    if hasattr(values, "detach"):
        values = values.detach().float().numpy()
    return np.asarray(values, dtype=np.float32)


def _empty(shape: tuple[int, ...]) -> tuple[NDArray[Any], ...]:
    spans = np.empty(shape, np.int32)
    return spans, spans, np.empty(shape, np.float32), np.empty(0), np.empty(0, np.int64)


def _given_back(like: Any, found: tuple[NDArray[Any], ...]) -> Alignment:
    if not hasattr(like, "detach"):
        return Alignment(*found)
    import torch

    return Alignment(*(torch.from_numpy(values).to(like.device) for values in found))
