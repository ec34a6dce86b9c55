"""Memory that an op asks for beside its result is counted: no array of a careless size.

It is what Python and NumPy ask for (tracemalloc), the same on every machine.
"""

import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from kernels import frame_change, saliency
from kernels.forced_align import align
from kernels.loudness import Meter
from kernels.mix import Ducker, DuckShape, Limiter
from kernels.select_clips import select
from kernels.window_scores import Grid, Terms, top_windows
from kernels.window_scores.layout import layout

CHANCE = np.random.default_rng(7)
SHAPE = DuckShape(12.0, 0.1, 0.2, 0.3)


def height(call: Callable[[], object]) -> int:
    """Bytes held at the height of a call that is warm, beyond what was held before."""
    call()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def terms(tracks: int) -> Terms:
    size = (7, tracks)
    low = CHANCE.normal(0, 1, size)
    return Terms(CHANCE.random(size), low, low + 1, np.full(size, "ramp"))


def test_memory_is_seen():
    assert height(lambda: np.empty(1_000_000)) >= 8_000_000


def test_scoring_holds_nothing_for_each_window():
    tracks, weights = CHANCE.normal(0, 1, (4, 2_000)), terms(4)
    few, many = Grid(150, 900, 50, 50), Grid(150, 900)
    assert layout(many, 2_000).size > 1_000 * layout(few, 2_000).size
    held = [height(partial(top_windows, tracks, grid, weights, 10)) for grid in (few, many)]
    assert held[1] - held[0] < layout(many, 2_000).size / 8, "an eighth of a byte a window"


def test_selection_holds_two_bytes_a_window_that_comes_by_start():
    starts, ends = layout(Grid(150, 900, 5, 5), 9_000).windows()
    scores = CHANCE.random(len(starts))
    assert height(partial(select, starts, ends, scores, 10)) < 2 * len(starts)


@pytest.mark.parametrize("band", [None, 64])
def test_alignment_holds_an_eighth_of_a_trellis_of_bytes(band):
    labels = CHANCE.integers(1, 32, (1, 300))
    log_probs = np.log(CHANCE.dirichlet(np.ones(32), (1, 3_000))).astype(np.float32)
    trellis = 3_000 * (2 * 300 + 1)
    assert height(partial(align, log_probs, labels, band=band)) < trellis / 8


def test_a_meter_keeps_less_than_a_hundredth_of_what_it_heard():
    second = CHANCE.normal(0, 0.1, (48_000, 2)).astype(np.float32)

    def listen(seconds: int) -> None:
        meter = Meter(48_000, 2)
        for _ in range(seconds):
            meter.push(second)
        meter.results()

    growth = height(partial(listen, 40)) - height(partial(listen, 10))
    assert growth < 30 * second.nbytes / 100


def test_mixing_holds_no_block_more_for_six_blocks_more():
    block, active = np.ones((12_000, 2), np.float32), np.zeros(12_000, bool)

    def play(blocks: int) -> None:
        ducker, limiter = Ducker(48_000, SHAPE), Limiter(48_000, -3.0)
        for _ in range(blocks):
            limiter.push(ducker.push(block, block, active))
        limiter.push(ducker.finish())
        limiter.finish()

    assert height(partial(play, 10)) < height(partial(play, 4)) + block.nbytes


@pytest.mark.parametrize("op", [frame_change, saliency])
def test_watching_holds_the_same_for_any_length_but_for_its_rows(op):
    planes = [CHANCE.integers(0, 255, shape).astype(np.uint8)
              for shape in ((16, 90, 160), (16, 2, 45, 80))]  # fmt: skip

    def watch(batches: int) -> None:
        stream = op.Stream()
        for _ in range(batches):
            stream.push(*planes)

    assert height(partial(watch, 20)) < 1.1 * height(partial(watch, 4))
