"""Loudness in stretches that know nothing of each other, put right exactly afterwards.

The shelf forgets within milliseconds, so it is run in over `warm` samples before a stretch. The
high pass (38 Hz) takes 0.2 s: its state at the start of a stretch is the sum of what the stretches
before have left, each decayed. The answer to a state s is linear, so a stretch's energy is
own + 2 cross · s + sᵀ gram s: `own` after silence, `cross` its products with the two ringing
responses, `gram` their products with each other. So stretches can be measured side by side, and
the result does not depend on how a stream was cut.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kernels.loudness.reference import TAPS, Array, channel_weights, k_weighting, peak_filter

FORGOTTEN = 45.0
"""Decay, in nepers, beyond what a double can tell."""


class Hops:
    """What does not change while signals of one rate and width are measured.

    A hop is 100 ms, in `parts` stretches; stretch k begins at sample k · rate / (10 · parts),
    rounded down.
    """

    def __init__(self, rate_hz: int, channels: int, parts: int) -> None:
        shelf, high_pass = k_weighting(rate_hz)
        self.rate_hz, self.parts = rate_hz, parts
        self.weights = channel_weights(channels)
        self.taps = (*shelf[:3], *-shelf[3:], *-high_pass[3:], -2.0)
        self.phases = np.ascontiguousarray(peak_filter().T)  # [taps, phases]
        self.loudest = float(np.abs(self.phases).sum(axis=0).max()) * 1.0001
        """No output of the phases exceeds this many times the largest sample under them."""
        self.warm = math.ceil(-2 * FORGOTTEN / math.log(shelf[4]))
        self.context = max(self.warm, 2 * TAPS)
        shortest = rate_hz // (10 * parts)
        self.reach = 1 + math.ceil(-2 * FORGOTTEN / math.log(high_pass[4]) / shortest)
        self.ringing = _ringing(high_pass, self.reach * (shortest + 1) + 2)
        g, h = self.ringing[: shortest + 1].T
        self.gram = np.cumsum([[g * g, g * h, h * h]], axis=-1)[0].T
        self.gram = np.concatenate([np.zeros((1, 3)), self.gram])
        self.turn = -high_pass[3]

    def edges(self, first: int, last: int) -> NDArray[np.int64]:
        """Sample at which each of the stretches first, .. last begins."""
        return np.arange(first, last + 1, dtype=np.int64) * self.rate_hz // (10 * self.parts)

    def energies(self, sums: Array, left: Array, first: int) -> Array:
        """Mean squares [batch, hops], channels weighted, of the stretches from `first` on.

        Parameters
        ----------
        sums : [batch, stretches, channels, 5] of state left, own energy and cross products.
        left : [batch, reach, channels, 2], the states that the stretches before these left.
        """
        count = sums.shape[1]
        left = np.concatenate([left, sums[..., :2]], axis=1)
        edges = self.edges(first - self.reach, first + count)
        s, t = np.zeros((2, *sums.shape[:3]))
        for back in range(self.reach):
            ago = edges[self.reach : -1] - edges[self.reach - back : len(edges) - 1 - back]
            now, then = self.ringing[ago], self.ringing[ago + 1]
            was = left[:, self.reach - 1 - back :][:, :count]
            s += (was * now[:, None]).sum(axis=-1)
            t += (was * (then - self.turn * now)[:, None]).sum(axis=-1)
        g = self.gram[np.diff(edges[self.reach :])][:, None]
        total = sums[..., 2] + 2 * (sums[..., 3] * s + sums[..., 4] * t)
        total += g[..., 0] * s * s + 2 * g[..., 1] * s * t + g[..., 2] * t * t
        heard = (np.maximum(total, 0.0) * self.weights).sum(axis=-1)
        hops = heard.reshape(len(heard), -1, self.parts).sum(axis=-1)
        return np.asarray(hops / np.diff(edges[self.reach :: self.parts]))


@lru_cache(maxsize=16)
def hops_of(rate_hz: int, channels: int, parts: int) -> Hops:
    return Hops(rate_hz, channels, parts)


def _ringing(high_pass: Array, count: int) -> Array:
    """What the high pass puts out [count, 2] after each of its two states, with silence coming."""
    step = np.array([[-high_pass[3], 1.0], [-high_pass[4], 0.0]])
    out = np.array([[1.0, 0.0]])
    while len(out) < count:
        out = np.concatenate([out, out @ np.linalg.matrix_power(step, len(out))])
    return out[:count]
