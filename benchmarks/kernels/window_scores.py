"""Every window of up to an hour over 16 tracks, all parts on all tracks, and the best ten of them.

`numpy` computes the same parts of all windows track by track, 65,536 windows at a time; `window by
window` is the definition.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.case import Case, Rival, Work
from kernels.window_scores import SHAPES, Bound, Grid, Parts, Terms, placed, top_windows
from kernels.window_scores.layout import layout
from kernels.window_scores.reference import FLAT, score, top

TESTS = "tests/kernels/test_window_scores.py"
TRACKS, K, EDGE, CHUNK = 16, 10, 3, 65_536
HALF_SECONDS = Grid(150, 900, 5, 5)
LENGTHS = (9_000, 18_000, 36_000)
SHORT = 600
"""Frames beside the definition, which needs a second for every few thousand windows."""
LAUNCHES = 4
"""Sums, boundaries, the search, and the parts of the windows that are kept."""
OPERATIONS = 100
"""Of one track in one window: seven parts, each placed and weighted."""


def cases(*, peers: bool) -> Iterator[Case]:  # noqa: ARG001 - nobody else's op does this
    """A quarter of an hour to an hour at 10 Hz; a minute beside the definition."""
    for frames in LENGTHS:
        tracks, terms = _recording(frames)
        yield Case(
            "window_scores", f"{frames // 600} min", frames, "frames",
            partial(top_windows, tracks, HALF_SECONDS, terms, K),
            {"numpy": Rival(partial(_vectorised, tracks, HALF_SECONDS, terms), 10.0)},
            _work(frames, HALF_SECONDS), partial(_agrees, tracks, terms),
            series="cpu", growth_limit=1.15, repeats=5,
        )  # fmt: skip
    tracks, terms = _recording(SHORT)
    yield Case(
        "window_scores", f"{SHORT // 10} s", SHORT, "frames",
        partial(top_windows, tracks, HALF_SECONDS, terms, K),
        {"window by window": Rival(partial(_defined, tracks, HALF_SECONDS, terms), 500.0)},
        _work(SHORT, HALF_SECONDS), agree=partial(_as_defined, tracks, terms), repeats=5,
    )  # fmt: skip
    if torch.cuda.is_available():
        yield from _on_gpu()


def _on_gpu() -> Iterator[Case]:
    from benchmarks.kernels import in_torch
    from benchmarks.kernels.in_torch.window_scores import of_track
    from benchmarks.kernels.in_torch.window_scores import top_windows as best_in_torch

    every, compiled = Grid(150, 900), in_torch.compiled(of_track)
    for frames in LENGTHS:
        tracks, terms = _recording(frames)
        on_device = torch.from_numpy(tracks).cuda()
        theirs = partial(best_in_torch, on_device, every, terms.over(TRACKS), K, EDGE)
        yield Case(
            "window_scores", f"{frames // 600} min, every 0.1 s, gpu", frames, "frames",
            partial(top_windows, on_device, every, terms, K),
            {"torch": Rival(theirs, in_torch.TORCH)} | (
                {"torch.compile": Rival(partial(theirs, scored=compiled), in_torch.COMPILED)}
                if frames == LENGTHS[-1] else {}
            ),
            _work(frames, every, LAUNCHES),
            agree=partial(_as_defined, on_device[:, :SHORT], terms),
            series="gpu", growth_limit=1.15, clock="cuda",
            within_s=0.002 if frames == LENGTHS[-1] else None,
        )  # fmt: skip


def _recording(frames: int) -> tuple[np.ndarray, Terms]:
    chance = np.random.default_rng(frames)
    size = len(Parts._fields), TRACKS
    low = chance.normal(0, 1, size)
    shapes = chance.choice(SHAPES, size)
    return chance.normal(0, 1, (TRACKS, frames)), Terms(chance.random(size), low, low + 1, shapes)


def _work(frames: int, grid: Grid, launches: int = 0) -> Work:
    windows = layout(grid, frames).size
    return Work(8 * TRACKS * frames, OPERATIONS * TRACKS * windows, launches)


def _agrees(tracks: np.ndarray, terms: Terms) -> None:
    ours = top_windows(tracks, HALF_SECONDS, terms, K)
    first, last, scores = _vectorised(tracks, HALF_SECONDS, terms)
    np.testing.assert_array_equal([ours.starts, ours.ends], [first, last])
    np.testing.assert_allclose(ours.scores, scores, rtol=1e-9)


def _as_defined(tracks: Any, terms: Terms) -> None:
    """The kept windows score what they do by definition, and none of the others more."""
    host = tracks.cpu().numpy() if hasattr(tracks, "cpu") else tracks
    bound, ours = terms.over(len(host)), top_windows(tracks, HALF_SECONDS, terms, K)
    with np.errstate(invalid="ignore"):  # the window that nothing is around
        _, _, best = _vectorised(host, HALF_SECONDS, terms)
    scored = [score(host, a, b, bound, EDGE) for a, b in zip(ours.starts, ours.ends, strict=True)]
    np.testing.assert_allclose(ours.scores, scored, rtol=1e-4)
    np.testing.assert_allclose(ours.scores, best, rtol=1e-4)


def _defined(tracks: np.ndarray, grid: Grid, terms: Terms) -> list[tuple[int, int]]:
    return top(tracks, layout(grid, tracks.shape[1]), terms.over(len(tracks)), K, EDGE)


def _vectorised(
    tracks: np.ndarray, grid: Grid, terms: Terms
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best windows of complete tracks in NumPy."""
    first, last = layout(grid, tracks.shape[1]).windows()
    bound, scores = terms.over(len(tracks)), np.zeros(len(first))
    for t, track in enumerate(tracks):
        of_track = Bound(*(x[:, t, None] for x in bound))
        sums = _sums(track)
        for at in range(0, len(first), CHUNK):
            chunk = slice(at, at + CHUNK)
            raw = _parts(track, sums, first[chunk], last[chunk])
            scores[chunk] += (of_track.weight * placed(raw, of_track)).sum(0)
    kept = np.argpartition(-scores, K)[:K]
    kept = kept[np.lexsort((last[kept], first[kept], -scores[kept]))]
    return first[kept], last[kept], scores[kept]


def _sums(track: np.ndarray) -> tuple[np.ndarray, ...]:
    centred = track - track.mean()
    steps = np.append(0, np.diff(track)) ** 2
    moments = np.arange(len(track)) * centred
    sums = [np.append(0, np.cumsum(x)) for x in (centred, centred**2, steps, moments)]
    levels, width = [track], 1
    while 2 * width <= len(track):
        longer = levels[-1].copy()
        longer[:-width] = np.maximum(levels[-1][:-width], levels[-1][width:])
        levels.append(longer)
        width *= 2
    frames = np.arange(len(track) + 1)
    c, d = np.maximum(frames - EDGE, 0), np.minimum(frames + EDGE, len(track))
    ends = (sums[0][d] - sums[0][c]) / (d - c) + track.mean()
    return *sums, np.stack(levels), ends


def _parts(
    track: np.ndarray, sums: tuple[np.ndarray, ...], a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """[parts, windows] of one track."""
    one, two, steps, moments, levels, ends = sums
    n, half = b - a, np.maximum(1, (b - a) // 2)
    c, d = np.maximum(0, a - half), np.minimum(len(track), b + half)
    total = one[b] - one[a]
    mean = total / n
    variance = np.maximum(0, (two[b] - two[a]) / n - mean**2)
    deviation = np.sqrt(variance)
    flat = deviation <= FLAT * np.abs(track - track.mean()).max()
    level = np.frexp(n)[1] - 1
    slope = (moments[b] - moments[a] - (a + b - 1) / 2 * total) / (n * (n * n - 1) / 12)
    alike = 1 - (steps[b] - steps[a + 1]) / (n - 1) / np.where(flat, 1, variance) / 2
    return np.stack([
        mean + track.mean(), np.maximum(levels[level, a], levels[level, b - (1 << level)]),
        np.where(flat, 0, deviation), slope, mean - (one[d] - one[c] - total) / (d - c - n),
        -np.maximum(ends[a], ends[b]), np.where(flat, 1, alike),
    ])  # fmt: skip
