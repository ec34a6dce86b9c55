"""From signals to shots: cuts that tower over their surroundings, dissolves that run straight."""

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kernels.frame_change.reference import LONG, SKIP

if TYPE_CHECKING:
    from kernels.frame_change import FrameChange

CONTEXT = 12
FLOOR = 0.08
RATIO = 4.0
RETURN = 0.55
DISSOLVE_CHANGE = 0.14
DISSOLVE_BEND = 0.2
MIN_SHOT_S = 0.2
BLACK = 0.07
DIP_S = 0.6

Transition = Literal["start", "cut", "dissolve", "fade"]


class Shot(NamedTuple):
    """Frames `first_frame` to `last_frame`, both included; `transition` is how it begins."""

    first_frame: int
    last_frame: int
    start_s: float
    end_s: float
    transition: Transition


def cut_probability(signal: "FrameChange") -> NDArray[np.float32]:
    """How surely a shot begins at each frame, [n] in 0..1, 0.5 at the decision.

    A cut changes the picture by more than FLOOR, by RATIO times what is usual within CONTEXT
    frames around it, and for good: SKIP frames later the picture is still unlike the one before
    the cut, which is what tells it from a flash.
    """
    change = signal.change.astype(np.float64)
    n = len(change)
    if not n:
        return np.empty(0, np.float32)
    padded = np.pad(change, CONTEXT, mode="reflect" if n > CONTEXT else "edge")
    around = np.delete(
        sliding_window_view(padded, 2 * CONTEXT + 1), [CONTEXT - 1, CONTEXT, CONTEXT + 1], axis=1
    )
    usual = np.mean(np.sort(around, axis=1)[:, : 2 * CONTEXT - 4], axis=1)
    strength = np.minimum(change / FLOOR, change / (RATIO * (usual + 0.012)))
    later = np.pad(signal.skip_change.astype(np.float64), (0, SKIP), mode="edge")
    stays = np.minimum(later[1 : n + 1], later[2 : n + 2]) / np.maximum(RETURN * change, 1e-6)
    probability = np.clip(0.5 * np.minimum(strength, stays), 0.0, 1.0)
    return np.asarray(probability, dtype=np.float32)


def shots(signal: "FrameChange", times_s: NDArray[np.float64]) -> list[Shot]:
    """The shots of a recording, in order and without gaps; `end_s` is the next one's start.

    `times_s` [n] are the frames' presentation times, strictly growing.
    """
    n = len(times_s)
    if not n:
        return []
    starts: dict[int, Transition] = dict.fromkeys(fades(signal, times_s), "fade")
    opening = int(np.argmax(signal.luma_mean > BLACK))
    for frame in dissolves(signal):
        apart = all(abs(frame - other) > 2 * LONG for other in starts)
        if apart and not 0 < opening > frame - LONG:
            starts[frame] = "dissolve"
    probability = cut_probability(signal)
    for frame in np.flatnonzero(probability >= 0.5).tolist():
        near = slice(max(0, frame - SKIP), frame + SKIP + 1)
        rank = probability[near] * signal.change[near]
        if rank[frame - near.start] >= rank.max():
            for other in [f for f in starts if abs(f - frame) <= LONG and starts[f] != "cut"]:
                del starts[other]
            starts[frame] = "cut"
    kept: list[int] = [0]
    for frame in sorted(starts):
        if times_s[frame] - times_s[kept[-1]] >= MIN_SHOT_S:
            kept.append(frame)
    frame_s = float(np.median(np.diff(times_s))) if n > 1 else 0.0
    ends = [*kept[1:], n]
    return [
        Shot(
            first, last - 1, float(times_s[first]),
            float(times_s[last]) if last < n else float(times_s[-1]) + frame_s,
            "start" if first == 0 else starts[first],
        )
        for first, last in zip(kept, ends, strict=True)
    ]  # fmt: skip


def fades(signal: "FrameChange", times_s: NDArray[np.float64]) -> list[int]:
    """Where the picture goes into black and comes out of it; once for a short dip."""
    dark = np.concatenate([[False], signal.luma_mean <= BLACK, [False]])
    if not dark.any():
        return []
    found: list[int] = []
    last = len(times_s) - 1
    for first, end in np.flatnonzero(np.diff(dark)).reshape(-1, 2):
        if first == 0:
            # The recording comes out of black: its first shot began there.
            continue
        if times_s[end - 1] - times_s[first] < DIP_S:
            found.append(int(first + end) // 2)
        else:
            found += [int(first), int(min(end, last))]
    return [frame for frame in found if 0 < frame < last]


def dissolves(signal: "FrameChange") -> list[int]:
    """Middle frames of gradual transitions.

    Between two still pictures a dissolve runs along a straight line: the middle frame is the mean
    of the ends. Motion and camera moves do not; nor does a span that has a cut in it.
    """
    straight = (signal.long_change >= DISSOLVE_CHANGE) & (signal.bend <= DISSOLVE_BEND)
    found: list[int] = []
    frames = np.flatnonzero(straight)
    for run in np.split(frames, np.flatnonzero(np.diff(frames) > LONG) + 1) if len(frames) else []:
        best = int(run[np.argmax(signal.long_change[run] * (1 - signal.bend[run]))])
        if len(run) >= 3:
            found.append(best - LONG // 2)
    return found
