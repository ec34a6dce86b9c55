"""The best ten of every window of up to an hour, beside sorting the scores and beside greedy.

The target is for the hour's million of windows: sorting grows faster than selecting.

Nobody uses a second thread here, so processor time is what counts.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.case import Case, Rival, Work
from kernels.select_clips import select
from kernels.select_clips.reference import greedy
from kernels.window_scores import Grid
from kernels.window_scores.layout import layout

TESTS = "tests/kernels/test_select_clips.py"
K = 10
LENGTHS = (9_000, 18_000, 36_000)
ORDERS = ("by start", "in any order", "in seconds")


def cases(*, peers: bool) -> Iterator[Case]:  # noqa: ARG001 - nobody else's op does this
    """Windows of 15 to 90 s every 0.5 s, of a quarter of an hour to an hour at 10 Hz."""
    for order in ORDERS:
        for frames in LENGTHS:
            starts, ends, scores = _windows(frames, order)
            yield Case(
                "select_clips", f"{frames // 600} min {order}", len(scores), "windows",
                partial(select, starts, ends, scores, K),
                {
                    "argsort": Rival(
                        partial(np.argsort, scores),
                        5.0 if (frames, order) == (LENGTHS[-1], ORDERS[0]) else None,
                    ),
                    "greedy": Rival(partial(greedy, starts, ends, scores, K)),
                },
                Work(24 * len(scores), 2 * K * len(scores)),
                partial(_agrees, starts, ends, scores),
                series=order, growth_limit=1.15 if order == "by start" else 1.3, clock="cpu",
            )  # fmt: skip


def _windows(frames: int, order: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts, ends = layout(Grid(150, 900, 5, 5), frames).windows()
    chance = np.random.default_rng(frames)
    scores = chance.random(len(starts))
    if order == "in any order":
        mixed = chance.permutation(len(starts))
        return starts[mixed], ends[mixed], scores[mixed]
    return (starts / 10, ends / 10, scores) if order == "in seconds" else (starts, ends, scores)


def _agrees(starts: np.ndarray, ends: np.ndarray, scores: np.ndarray) -> None:
    chosen = select(starts, ends, scores, K)
    assert (starts[chosen][1:] >= ends[chosen][:-1]).all(), "the chosen windows overlap"
    found, heuristic = scores[chosen].sum(), greedy(starts, ends, scores, K)
    assert found >= heuristic - 1e-9, f"{found} is less than greedy's {heuristic}"
