"""What the fused kernels are held against on a GPU: the same definitions, in torch's own ops.

Each is written as one would without a kernel of one's own: over all frames, windows or samples at
once, float32 but where a definition needs more, and without waiting for the device. What it gives
is held to the definition on the CPU by `tests/benchmarks/test_in_torch.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.case import Rival

# A convolution in TF32 keeps ten bits: less than the definitions are held to.
torch.backends.cudnn.allow_tf32 = False

TORCH, COMPILED = 5.0, 1.5
"""How many times faster than these a fused kernel has to be."""


def rivals(function: Callable[..., Any], *given: Any, compiling: bool = True) -> dict[str, Rival]:
    """The function as it is, and compiled; that takes long, so that one size of an op will do."""
    found = {"torch": Rival(partial(function, *given), TORCH)}
    if compiling:
        found["torch.compile"] = Rival(partial(compiled(function), *given), COMPILED)
    return found


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled at its first call, in one graph and for these very sizes.

    It raises `ImportError`, which leaves a rival out with a note, where torch cannot compile it.
    """
    whole: Callable[..., Any] | None = None

    def call(*given: Any) -> Any:
        nonlocal whole
        # It imports the compiler, which takes seconds.
        from torch._dynamo.exc import TorchDynamoException

        whole = whole or torch.compile(function, dynamic=False, fullgraph=True)
        try:
            return whole(*given)
        except TorchDynamoException as error:
            raise ImportError(str(error).strip().partition("\n")[0]) from error

    return call


def replayed(function: Callable[..., Any], *given: Any) -> Callable[[], None]:
    """A call that repeats what the function launched when it was first called, as one CUDA graph.

    The tensors given are read where they lie at every call; the function may not wait for the
    device.
    """
    graph = torch.cuda.CUDAGraph()
    recorded = False

    def call() -> None:
        nonlocal recorded
        if not recorded:
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                function(*given)  # compiles, and asks for what may not be asked for in a graph
            torch.cuda.current_stream().wait_stream(aside)
            with torch.cuda.graph(graph):
                function(*given)
            recorded = True
        graph.replay()

    return call
