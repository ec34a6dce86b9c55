"""Kernels are launched as often as the benchmarks state, counted in Triton's interpreter.

A launch more is what a change of an op costs first; times are for the benchmarks on a GPU.
"""

import os
import shutil
from collections.abc import Callable

import numpy as np
import pytest
import torch

if shutil.which("nvidia-smi") is None:
    # Read when Triton is first imported.
    os.environ.setdefault("TRITON_INTERPRET", "1")

from benchmarks.kernels import forced_align, loudness, mix, window_scores
from kernels import loudness as loudness_op
from kernels import mix as mix_op

pytestmark = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") != "1", reason="launches are counted in the interpreter"
)


@pytest.fixture
def launches(monkeypatch):
    """`launches(call)`: the names of the kernels that a call starts, in their order."""
    from triton.runtime import interpreter

    started: list[str] = []
    run = interpreter.GridExecutor.__call__

    def counted(self, *args, **options):
        started.append(self.fn.__name__)
        return run(self, *args, **options)

    monkeypatch.setattr(interpreter.GridExecutor, "__call__", counted)

    def count(call: Callable[[], object]) -> list[str]:
        started.clear()
        call()
        return list(started)

    return count


def test_a_batch_of_frames_is_two_launches_for_each_of_both_ops(launches):
    from kernels.frame_change import fused as change
    from kernels.saliency import fused as eye

    planes = [torch.zeros((2, *shape), dtype=torch.uint8)
              for shape in ((6, 8), (2, 3, 4))]  # fmt: skip
    assert len(launches(lambda: change.push(*planes, None))) == 2
    assert len(launches(lambda: eye.push(*planes, None))) == 2


@pytest.mark.parametrize("samples", [3_000, 4_000])
def test_a_sound_is_measured_with_as_many_launches_whatever_its_length(
    launches, monkeypatch, samples
):
    from kernels.loudness import fused

    monkeypatch.setattr(loudness_op, "_path_of", lambda _: fused)
    sound = torch.zeros(samples, 1)
    assert len(launches(lambda: loudness_op.measure(sound, 8_000))) == loudness.LAUNCHES


@pytest.mark.parametrize("frames", [20, 30])
def test_a_batch_is_aligned_in_as_many_launches_whatever_its_length(launches, frames):
    from kernels.forced_align import fused

    log_probs = torch.log_softmax(torch.randn(2, frames, 6), -1)
    sizes = np.array([frames] * 2), np.array([8] * 2)
    labels = np.tile([1, 2, 3, 4] * 2, (2, 1))
    started = launches(lambda: fused.align(log_probs, labels, *sizes, 0, -1))
    assert len(started) == forced_align.LAUNCHES


@pytest.mark.parametrize("every", [10, 5])
def test_all_windows_are_scored_in_one_of_four_launches(launches, every):
    from kernels.window_scores import Grid, Terms, fused
    from kernels.window_scores.layout import layout

    terms = Terms(np.ones((7, 1)), np.zeros((7, 1)), np.ones((7, 1)), np.full((7, 1), "ramp"))
    plan = layout(Grid(20, 60, every, every), 100)
    tracks = torch.randn(1, 100)
    started = launches(lambda: fused.top(tracks, plan, terms.over(1), 5, 3))
    assert started.count("_score_tiles") == 1
    assert len(started) == window_scores.LAUNCHES


@pytest.mark.parametrize("samples", [300, 700])
def test_a_mix_takes_as_many_launches_as_it_has_blocks(launches, monkeypatch, samples):
    from kernels.mix import fused

    monkeypatch.setattr(mix_op, "_path_of", lambda _: fused)
    monkeypatch.setattr(fused, "AT_ONCE", 300)
    sound, active = torch.zeros(samples, 1), torch.zeros(samples, dtype=torch.bool)
    started = launches(lambda: mix_op.mix(sound, sound, active, 1_000, mix.SHAPE, -3.0))
    assert len(started) == mix.launches(samples)
