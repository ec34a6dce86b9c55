"""Saliency at analysis size and the crop path, on the CPU and, where there is one, on the GPU."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.case import Case, Rival, Work
from benchmarks.kernels.frame_change import FRAME_BYTES, FRAMES, film, on_gpu, on_host
from kernels.saliency import Stream, crop_track, join
from kernels.saliency.reference import saliency

TESTS = "tests/kernels/test_saliency.py"
TRACK_S = (60, 600, 3600)
TRACK_HZ = 10


def cases(*, peers: bool) -> Iterator[Case]:  # noqa: ARG001 - nobody else's op does this
    """64 to 1,024 frames; crop paths of a minute to an hour at 10 Hz."""
    for frames in FRAMES:
        planes = film(frames)
        rivals = {"reference": Rival(partial(_defined, *planes), 20.0)} if frames < 100 else {}
        yield Case(
            "saliency", f"{frames} frames", frames, "frames",
            lambda planes=planes: Stream().push(*planes), rivals,
            Work(frames * FRAME_BYTES), partial(_agrees, *film(5)),
            series="cpu", growth_limit=1.02, clock="cpu",
        )  # fmt: skip
    for length_s in TRACK_S:
        count = length_s * TRACK_HZ
        yield Case(
            "saliency", f"crop path of {length_s} s", length_s, "s", partial(_path, count),
            series="track", growth_limit=1.02, clock="cpu",
        )  # fmt: skip
    yield from on_gpu("saliency", Stream, _agrees)


def _path(count: int) -> np.ndarray:
    """Shots of 20 s whose subject walks through the picture."""
    x = 0.5 + 0.35 * np.sin(np.arange(count) / 37)
    return crop_track(
        np.stack([x, np.full(count, 0.5)], axis=1), np.ones(count), np.arange(count) / TRACK_HZ,
        np.arange(0, count, 20 * TRACK_HZ), window=(0.316, 1.0),
    )  # fmt: skip


def _defined(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    before = [luma[0], *luma[:-1]]
    return np.array([saliency(*planes) for planes in zip(luma, chroma, before, strict=True)])


def _agrees(luma: Any, chroma: Any) -> None:
    found = join([Stream().push(luma, chroma)])
    rows = np.column_stack([found.energy, found.centroid])
    np.testing.assert_allclose(rows, _defined(*on_host(luma, chroma)), rtol=2e-5, atol=2e-6)
