"""The definition: the likeliest path through the CTC trellis, in float64, one state at a time.

Source: Graves et al., "Connectionist temporal classification" (ICML 2006), with the maximum in
place of the sum over paths (Viterbi).
"""

import numpy as np
from numpy.typing import NDArray

STAR = -1
"""A target that stands for any label: in each frame it scores like the best class but blank."""


def align(
    log_probs: NDArray[np.floating], targets: NDArray[np.integer], blank: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """State of every frame, and its log-probability, on the best path of one item.

    `log_probs` is [T, C], `targets` [L]. Of the 2 L + 1 states the even ones are blanks, and state
    2 j + 1 is target j. A path rises by one state at a time, or by two where it leaves out the
    blank between two targets that differ; it begins in the first two states and ends in the last
    two. Of paths that score alike the one that rises latest wins, seen from the end.
    """
    log_probs = np.asarray(log_probs, dtype=np.float64)
    frames, states = len(log_probs), 2 * len(targets) + 1
    scores = np.empty((frames, states))
    for state in range(states):
        target = targets[state // 2] if state % 2 else blank
        others = np.delete(log_probs, blank, axis=1)
        scores[:, state] = others.max(axis=1) if target == STAR else log_probs[:, target]
    best = np.full((frames, states), -np.inf)
    came = np.zeros((frames, states), dtype=np.int64)
    best[:1, :2] = scores[:1, :2]
    for t in range(1, frames):
        for state in range(states):
            label = state // 2
            skips = state % 2 and label > 0 and targets[label] != targets[label - 1]
            ways = [best[t - 1, state - rise] for rise in range(min(state, 2 if skips else 1) + 1)]
            came[t, state] = np.argmax(ways)
            best[t, state] = max(ways) + scores[t, state]
    path = np.empty(frames, dtype=np.int64)
    state = states - 1 if states == 1 or not frames or best[-1, -1] > best[-1, -2] else states - 2
    for t in reversed(range(frames)):
        path[t] = state
        state -= came[t, state]
    return path, scores[np.arange(frames), path]
