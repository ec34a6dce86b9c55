"""Forced alignment of 2.5, 5 and 10 minutes at 50 frames a second, beside torchaudio's.

Both align one item on one thread, so processor time is what counts.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.case import Case, Rival, Work
from kernels.forced_align import align, reference

TESTS = "tests/kernels/test_forced_align.py"
CLASSES = 32
BAND = 256
SIZES = (7_500, 15_000, 30_000)
SEGMENTS, SEGMENT_FRAMES = 64, 1_500
LAUNCHES = 3


def cases(*, peers: bool) -> Iterator[Case]:
    for frames in SIZES:
        yield from _long(frames, peers=peers)
    if torch.cuda.is_available():
        yield _segments(peers=peers)


def _emissions(items: int, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(frames)
    raw = torch.randn((items, frames, CLASSES), generator=chance)
    targets = torch.randint(1, CLASSES, (items, frames // 10), generator=chance)
    return torch.log_softmax(2 * raw, dim=-1), targets


def _long(frames: int, *, peers: bool) -> Iterator[Case]:
    log_probs, targets = _emissions(1, frames)
    theirs = partial(_peer(), log_probs, targets, blank=0) if peers else None
    for name, band, target in (("exact", None, 20.0), ("banded", BAND, 50.0)):
        yield Case(
            op="forced_align",
            name=f"{name} {frames}",
            size=frames,
            unit="frames",
            run=partial(align, log_probs, targets, band=band),
            rivals={"torchaudio": Rival(theirs, target)} if theirs else {},
            work=Work(
                bytes_moved=log_probs.numel() * log_probs.element_size(),
                operations=5 * frames * (min(frames // 10, 2 * BAND) if band else frames // 10),
            ),
            agree=partial(_agree, log_probs, targets, band) if peers else partial(_defined, "cpu"),
            series=name,
            growth_limit=1.1 if band else 2.05,
            clock="cpu",
        )


def _peer() -> Callable[..., Any]:
    import torchaudio

    def theirs(*given: Any, **named: Any) -> object:
        # It clears its pointers on all threads, and those then spin while ours is timed.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return torchaudio.functional.forced_align(*given, **named)
        finally:
            torch.set_num_threads(threads)

    return theirs


def _defined(device: str) -> None:
    """The best path of a few seconds scores what it does by definition."""
    log_probs, targets = (values[:1] for values in _emissions(1, 400))
    found = align(log_probs.to(device), targets.to(device))
    _, scores = reference.align(log_probs[0].numpy(), targets[0].numpy(), 0)
    np.testing.assert_allclose(float(found.scores[0]), scores.sum(), rtol=2e-5)


def _agree(log_probs: torch.Tensor, targets: torch.Tensor, band: int | None) -> None:
    """Scores are equal, or ours is better: torchaudio 2.11 errs where two ways into a state tie."""
    _, scores = _peer()(log_probs, targets, blank=0)
    ours, theirs = (
        float(align(log_probs, targets, band=band).scores[0]),
        float(scores.double().sum()),
    )
    assert ours >= theirs - 1e-6 * abs(theirs), f"{ours} is a worse path than {theirs}"
    assert ours <= theirs + 1e-3 * abs(theirs), f"{ours} is no path: the best is near {theirs}"


def _segments(*, peers: bool) -> Case:
    from benchmarks.kernels.in_torch import TORCH, replayed
    from benchmarks.kernels.in_torch.forced_align import forced_align

    log_probs, targets = (values.cuda() for values in _emissions(SEGMENTS, SEGMENT_FRAMES))

    def one_by_one() -> None:
        for b in range(SEGMENTS):
            _peer()(log_probs[b : b + 1], targets[b : b + 1], blank=0)

    theirs = {
        "torch": Rival(partial(forced_align, log_probs, targets), TORCH),
        "torch, replayed": Rival(replayed(forced_align, log_probs, targets), TORCH),
    }
    if peers:
        theirs["torchaudio, one by one"] = Rival(one_by_one)
    return Case(
        op="forced_align",
        name="64 segments of 30 s",
        size=SEGMENTS,
        unit="segments",
        run=partial(align, log_probs, targets),
        rivals=theirs,
        work=Work(bytes_moved=log_probs.numel() * log_probs.element_size(), launches=LAUNCHES),
        agree=partial(_defined, "cuda"),
        within_s=0.003,
        clock="cuda",
    )
