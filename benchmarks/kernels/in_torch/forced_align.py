"""Forced alignment in torch: see `kernels.forced_align.reference`.

Frames follow from one another, so there is a loop over them, once forwards and once back, over all
items and states at once. Compiling would unroll it into thousands of steps; what its launches cost
is what a CUDA graph of it shows.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad


def forced_align(log_probs: Tensor, targets: Tensor, blank: int = 0) -> tuple[Tensor, Tensor]:
    """States [B, T] on the best path of each item, and its log-probability [B] in float64.

    `log_probs` is [B, T, C]; `targets` [B, L] int64 have as many classes in every item, none of
    them the blank and no stars, and 2 L <= T.
    """
    items, frames, _ = log_probs.shape
    classes = torch.full((items, 2 * targets.shape[1] + 1), blank, device=targets.device)
    classes[:, 1::2] = targets
    states = classes.shape[1]
    scores = log_probs.gather(2, classes[:, None].expand(items, frames, states))
    never = torch.full_like(scores[:, 0, 2:], -torch.inf)
    skips = classes[:, 2:] != classes[:, :-2]
    best = torch.full_like(scores[:, 0], -torch.inf)
    best[:, :2] = scores[:, 0, :2]
    came = []
    for t in range(1, frames):
        two = pad(torch.where(skips, best[:, :-2], never), (2, 0), value=-torch.inf)
        one = pad(best[:, :-1], (1, 0), value=-torch.inf)
        # The first of equals is taken, so that the path rises latest.
        ways, rise = torch.stack([best, one, two]).max(dim=0)
        best = ways + scores[:, t]
        came.append(rise.to(torch.int8))
    at_blank = best[:, -1] > best[:, -2]
    state = states - 2 + at_blank[:, None].long()
    path = [state]
    for rises in reversed(came):
        state = state - rises.gather(1, state)
        path.append(state)
    whole = torch.cat(path[::-1], dim=1)
    return whole, scores.gather(2, whole[:, :, None]).double().sum(dim=(1, 2))
