"""Kernels are tested with poisoned memory: on the CPU, Triton's on a GPU or in its interpreter."""

import os
import shutil

import numpy as np
import pytest

if shutil.which("nvidia-smi") is None:
    # Read when Triton is first imported.
    os.environ.setdefault("TRITON_INTERPRET", "1")

TOLERANCES = {
    "float64": {"rtol": 1e-9, "atol": 1e-12},
    "float32": {"rtol": 2e-5, "atol": 2e-6},
    "float16": {"rtol": 2e-3, "atol": 2e-3},
    "bfloat16": {"rtol": 1.6e-2, "atol": 1e-2},
    "uint8": {"rtol": 0.0, "atol": 0.0},
    "int64": {"rtol": 0.0, "atol": 0.0},
}
"""How far an op may lie from its reference, by the dtype it computes in."""


@pytest.fixture(scope="session")
def device():
    """Where tensors lie that Triton kernels are given: a GPU if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture
def close():
    """`close(found, wanted, dtype="float32")` holds a result to the table of tolerances."""

    def check(found, wanted, dtype="float32"):
        found = found.cpu() if hasattr(found, "cpu") else found
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), **TOLERANCES[dtype])

    return check


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    """Memory asked for without content is full of NaN (or of the largest integer)."""
    import torch

    empty, empty_like = torch.empty, torch.empty_like

    def poison(tensor):
        if tensor.is_floating_point():
            return tensor.fill_(float("nan"))
        return tensor.fill_(torch.iinfo(tensor.dtype).max if tensor.dtype != torch.bool else 1)

    monkeypatch.setattr(torch, "empty", lambda *a, **k: poison(empty(*a, **k)))
    monkeypatch.setattr(torch, "empty_like", lambda *a, **k: poison(empty_like(*a, **k)))
