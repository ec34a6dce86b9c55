"""Three ways to time a call, and the bandwidth that its bytes are held against."""

import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.case import Call, Case
from benchmarks.memory import tree

FLUSH_BYTES = 256 << 20
"""More than any L2 holds (the H200's has 50 MB)."""
COPY_BYTES = 256 << 20


class Sample(NamedTuple):
    """What one call took. On a device `wall_s` is the device's own time."""

    wall_s: float
    cpu_s: float


Sampler = Callable[[Call, int], Callable[[], Sample]]
"""Starts `calls` calls; the answer gives the time of one, and may wait for the device for it."""


def cpu_time_s() -> float:
    """Processor time of all threads of this process and of the children it has waited for."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def tree_cpu_time_s() -> float:
    """The same of this process and everything below it, a server's workers too (Linux)."""
    ticks = 0
    for pid in tree(os.getpid()):
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, stat[11:15]))  # utime, stime, and of children waited for
    return ticks / os.sysconf("SC_CLK_TCK")


def on_host(call: Call, calls: int) -> Callable[[], Sample]:
    return _timed(call, calls, cpu_time_s)


def on_tree(call: Call, calls: int) -> Callable[[], Sample]:
    return _timed(call, calls, tree_cpu_time_s)


def _timed(call: Call, calls: int, used_s: Callable[[], float]) -> Callable[[], Sample]:
    cpu, wall = used_s(), time.perf_counter()
    for _ in range(calls):
        call()
    sample = Sample((time.perf_counter() - wall) / calls, (used_s() - cpu) / calls)
    return lambda: sample


def on_device(call: Call, calls: int) -> Callable[[], Sample]:
    """Between two device events, after the L2 was overwritten; waits for nothing in between."""
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    _scratch().zero_()
    cpu = cpu_time_s()
    begin.record()
    for _ in range(calls):
        call()
    end.record()
    cpu_s = (cpu_time_s() - cpu) / calls

    def read() -> Sample:
        end.synchronize()
        return Sample(begin.elapsed_time(end) / 1e3 / calls, cpu_s)

    return read


@cache
def _scratch():  # noqa: ANN202 - torch may not be installed
    import torch

    return torch.empty(FLUSH_BYTES, dtype=torch.uint8, device="cuda")


def sampler(case: Case) -> Sampler:
    if case.clock == "cuda":
        return on_device
    return {"process": on_host, "tree": on_tree}[case.whose]


def copy_bandwidth(clock: str) -> float:
    """Bytes read and written a second by a plain copy, on the host's cores or on the device."""
    return _device_copy() if clock == "cuda" else _host_copy()


@cache
def _host_copy() -> float:
    import numpy as np

    cores = len(os.sched_getaffinity(0))
    source = np.ones(COPY_BYTES, np.uint8)
    target = np.zeros_like(source)
    pieces = list(zip(np.array_split(target, cores), np.array_split(source, cores), strict=True))
    with ThreadPoolExecutor(cores) as pool:
        return _rate(lambda: list(pool.map(lambda pair: np.copyto(*pair), pieces)), on_host)


@cache
def _device_copy() -> float:
    import torch

    source = torch.ones(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.zeros_like(source)
    return _rate(lambda: target.copy_(source), on_device)


def _rate(copy: Call, sample: Sampler) -> float:
    copy()
    return 2 * COPY_BYTES / median(sample(copy, 1)().wall_s for _ in range(9))
