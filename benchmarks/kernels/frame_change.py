"""Frame change at analysis size, on the CPU and, where there is one, on the GPU.

On the GPU beside a copy that moves as many bytes, and beside torch's own ops. A short batch is
shown once more as the replay of a CUDA graph, without what launching costs.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.case import Case, Rival, Work
from kernels.frame_change import Stream, join
from kernels.frame_change.reference import frame_change

TESTS = "tests/kernels/test_frame_change.py"
FRAMES = (64, 256, 1024)
GPU_FRAMES = (64, 1024, 16_384)
HEIGHT, WIDTH = 90, 160
FRAME_BYTES = HEIGHT * WIDTH * 3 // 2


def film(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth pictures that move a little: luma [n, h, w], chroma [n, 2, h/2, w/2]."""
    random = np.random.default_rng(1)
    x, y = np.arange(WIDTH), np.arange(HEIGHT)
    phase = np.arange(frames)[:, None, None] / 9
    wave = 120 + 80 * np.sin(x / 17 + phase) * np.cos(y[:, None] / 11)
    luma = (wave + random.integers(0, 9, wave.shape)).astype(np.uint8)
    return luma, np.stack([luma[:, ::2, ::2], 255 - luma[:, ::2, ::2]], axis=1)


def cases(*, peers: bool) -> Iterator[Case]:  # noqa: ARG001 - nobody else's op does this
    """64 to 1,024 frames on the CPU; to 16,384, eleven minutes, on the GPU."""
    for frames in FRAMES:
        planes = film(frames)
        rivals = {"reference": Rival(partial(frame_change, *planes), 20.0)} if frames < 100 else {}
        yield Case(
            "frame_change", f"{frames} frames", frames, "frames",
            lambda planes=planes: Stream().push(*planes), rivals,
            Work(frames * FRAME_BYTES), partial(_agrees, *film(30)),
            series="cpu", growth_limit=1.02, clock="cpu",
        )  # fmt: skip
    yield from on_gpu("frame_change", Stream, _agrees)


def on_gpu(op: str, stream: type, agrees: Callable[[Any, Any], None]) -> Iterator[Case]:
    """Batches that lie on the GPU."""
    import torch

    if not torch.cuda.is_available():
        return
    from benchmarks.kernels.in_torch import TORCH, replayed, rivals

    # An op and its torch version go by one name.
    in_torch = getattr(import_module(f"benchmarks.kernels.in_torch.{op}"), op)
    for frames in GPU_FRAMES:
        drawn, few = (
            [torch.as_tensor(plane, device="cuda") for plane in film(n)]
            for n in (min(frames, FRAMES[-1]), 30)
        )
        planes = [plane.repeat(frames // len(plane), *[1] * (plane.ndim - 1)) for plane in drawn]
        # A copy reads and writes: half as long, it moves what reading the planes moves.
        moved = torch.empty(frames * FRAME_BYTES // 2, dtype=torch.uint8, device="cuda")

        def run(planes: list[Any] = planes) -> object:
            return stream().push(*planes)

        small = frames == GPU_FRAMES[0]
        copy = {} if small else {"copy": Rival(moved.clone, 0.7)}
        yield Case(
            op, f"{frames} frames on the GPU", frames, "frames", run,
            copy | rivals(in_torch, *planes, compiling=frames == GPU_FRAMES[-1]),
            Work(frames * FRAME_BYTES, launches=2), partial(agrees, *few),
            series="cuda", clock="cuda",
        )  # fmt: skip
        if small:
            yield Case(
                op, f"{frames} frames on the GPU, replayed", frames, "frames", replayed(run),
                {"torch, replayed": Rival(replayed(in_torch, *planes), TORCH)},
                Work(frames * FRAME_BYTES, launches=2), partial(agrees, *few), clock="cuda",
            )  # fmt: skip


def on_host(*planes: Any) -> list[np.ndarray]:
    """Arrays or tensors, wherever they lie, as arrays."""
    return [plane.cpu().numpy() if hasattr(plane, "cpu") else plane for plane in planes]


def _agrees(luma: Any, chroma: Any) -> None:
    stream = Stream()
    found = join([stream.push(luma[:7], chroma[:7]), stream.push(luma[7:], chroma[7:])])
    for name, wanted in frame_change(*on_host(luma, chroma)).items():
        np.testing.assert_allclose(getattr(found, name), wanted, rtol=2e-5, atol=2e-6, err_msg=name)
