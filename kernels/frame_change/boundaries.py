"""From signals to shots: cuts that tower over their surroundings, dissolves that run straight."""

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kernels.frame_change.reference import LONG, SKIP

if TYPE_CHECKING:
    from kernels.frame_change import FrameChange

CONTEXT = 12
PIECE = 4096
"""Frames whose surroundings are sorted at a time, so that an hour needs no more than a minute."""
MIN_SHOT_S = 0.2
DIP_S = 0.6

Transition = Literal["start", "cut", "dissolve", "fade"]


class Thresholds(NamedTuple):
    """What decides; `cut_probability`, `fades` and `dissolves` say how. Shares of full scale."""

    floor: float = 0.045
    ratio: float = 3.5
    isolation: float = 2.5
    unrest: float = 0.012
    returned: float = 0.55
    transient: float = 0.57
    black: float = 0.03
    dissolve_change: float = 0.12
    dissolve_bend: float = 0.16
    dissolve_swap: float = 0.025


USUAL = Thresholds()


class Shot(NamedTuple):
    """Frames `first_frame` to `last_frame`, both included; `transition` is how it begins."""

    first_frame: int
    last_frame: int
    start_s: float
    end_s: float
    transition: Transition


def cut_probability(
    signal: "FrameChange", limits: Thresholds = USUAL, held: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """How surely a shot begins at each frame, [n] in 0..1, 0.5 at the decision.

    A cut changes the picture by more than `floor`, by `ratio` times what is usual within CONTEXT
    frames around it and by `isolation` times what the frame on its calmer side does, which fast
    motion does not; and for good: SKIP frames later the picture is still unlike the one before
    the cut, which is what tells it from a flash; nor is LONG frames later the picture from before
    back, or the one of LONG frames ago come back, as around an explosion.

    Where frames were left out and the picture before them was `held` [n] instead, the next one
    changes by as much as all of them would have; what is usual is measured as if they had shared
    it.
    """
    change = signal.change.astype(np.float64)
    n = len(change)
    if not n:
        return np.empty(0, np.float32)
    shared = change if held is None else _shared(change, held)
    padded = np.pad(shared, CONTEXT, mode="reflect" if n > CONTEXT else "edge")
    usual = np.concatenate([
        _usual(padded[at : at + PIECE + 2 * CONTEXT]) for at in range(0, n, PIECE)
    ])  # fmt: skip
    calmer = np.minimum(padded[CONTEXT - 1 :][:n], padded[CONTEXT + 1 :][:n])
    calm = np.maximum(
        limits.ratio * (usual + limits.unrest), limits.isolation * (calmer + limits.unrest / 2)
    )
    strength = change / np.maximum(limits.floor, calm)
    # Where there is no frame to compare with it is not known, and counts as staying.
    skip, long = (x.astype(np.float64) for x in (signal.skip_change, signal.long_change))
    soon = np.pad(skip, (0, SKIP), mode="edge")
    late = np.pad(long[LONG - 1 :], (0, LONG - 1), constant_values=np.inf)[:n]
    fresh = np.where(np.arange(n) >= LONG, long, np.inf) / np.maximum(
        np.maximum(change, skip), 1e-6
    )
    stays = np.minimum(
        np.minimum(soon[1 : n + 1], soon[2 : n + 2]) / np.maximum(limits.returned * change, 1e-6),
        np.minimum(late / np.maximum(change, 1e-6), fresh) / limits.transient,
    )
    probability = np.clip(0.5 * np.minimum(strength, stays), 0.0, 1.0)
    return np.asarray(probability, dtype=np.float32)


def _shared(change: NDArray[np.float64], held: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Each frame's change in equal parts for it and the held ones before it."""
    real = np.flatnonzero(~held)
    span = np.diff(real, prepend=-1)
    shared = np.zeros(len(change))
    shared[: span.sum()] = np.repeat(change[real] / span, span)
    return shared


def _usual(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """What change is usual around each frame, but for CONTEXT at either end that only surround."""
    around = np.delete(
        sliding_window_view(change, 2 * CONTEXT + 1), [CONTEXT - 1, CONTEXT, CONTEXT + 1], axis=1
    )
    return np.asarray(np.mean(np.sort(around, axis=1)[:, : 2 * CONTEXT - 4], axis=1))


def shots(
    signal: "FrameChange",
    times_s: NDArray[np.float64],
    limits: Thresholds = USUAL,
    held: NDArray[np.bool_] | None = None,
) -> list[Shot]:
    """The shots of a recording, in order and without gaps; `end_s` is the next one's start.

    `times_s` [n] are the frames' presentation times, strictly growing; `held` [n] says which of
    them only repeat the picture before, in place of frames that were left out.
    """
    n = len(times_s)
    if not n:
        return []
    starts: dict[int, Transition] = dict.fromkeys(cuts(signal, limits, held), "cut")
    dark = signal.luma_mean <= limits.black
    starts |= dict.fromkeys(fades(dark, times_s, list(starts)), "fade")
    for frame in dissolves(signal, limits):
        if all(abs(frame - other) > 2 * LONG for other in starts):
            starts[frame] = "dissolve"
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


def cuts(
    signal: "FrameChange", limits: Thresholds, held: NDArray[np.bool_] | None = None
) -> list[int]:
    """The first frames after hard cuts, the surest where several are near."""
    probability = cut_probability(signal, limits, held)
    rank = np.pad(probability * signal.change, SKIP)
    surest = sliding_window_view(rank, 2 * SKIP + 1).max(axis=1) if len(probability) else rank
    return [int(f) for f in np.flatnonzero((probability >= 0.5) & (rank[SKIP:-SKIP] >= surest))]


def fades(dark: NDArray[np.bool_], times_s: NDArray[np.float64], known: list[int]) -> list[int]:
    """Where the picture goes into the dark and comes out of it; once for a short dip.

    Black before the first picture and after the last parts nothing; where a cut goes into black
    or out of it, the cut is the boundary.
    """
    found: list[int] = []
    for first, end in np.flatnonzero(np.diff(np.pad(dark, 1))).reshape(-1, 2).tolist():
        if first == 0 or end == len(times_s):
            continue
        gradual = [f for f in (first, end) if all(abs(f - cut) > SKIP for cut in known)]
        if times_s[end] - times_s[first] >= DIP_S:
            found += gradual
        elif len(gradual) == 2:
            found.append((first + end) // 2)
    return found


def dissolves(signal: "FrameChange", limits: Thresholds) -> list[int]:
    """Middle frames of gradual transitions.

    Between two still pictures a dissolve runs along a straight line: the middle frame is the mean
    of the ends. Motion and camera moves do not; nor does a span that has a cut in it. A picture
    that brightens does, but stays the same picture.
    """
    straight = signal.long_change >= limits.dissolve_change
    straight &= signal.bend <= limits.dissolve_bend
    frames = np.flatnonzero(straight & (signal.swap >= limits.dissolve_swap))
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > LONG) + 1)
    return [int(run[np.argmax(signal.swap[run])]) - LONG // 2 for run in runs if len(run) >= 3]
