"""How much more memory a call holds at its height than before it, in bytes.

tracemalloc sees what Python and NumPy ask for, not what compiled code and libraries do, so the
kernel's own record of resident memory is read (Linux: `VmHWM` in /proc/PID/status, reset through
/proc/PID/clear_refs).
"""

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

POLL_S = 0.05
RESET_PEAK = "5"


class Peak:
    """`start()`, the call, `stop()` → bytes, or None where the system keeps no such record."""

    def __init__(self, whose: str = "process") -> None:
        self.whose = whose
        self.ended = Event()
        self.thread: Thread | None = None
        self.highest = 0
        self.before: int | None = None

    def start(self) -> None:
        gc.collect()
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)  # what was freed long ago is no baseline
        if self.whose == "cuda":
            import torch

            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
            return
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text(RESET_PEAK)
            self.before = _own("VmRSS")
        if self.whose == "tree" and self.before is not None:
            # What the tree holds anyway, a warm server say, is part of what the call needs.
            self.before = 0
            self.thread = Thread(target=self._watch, daemon=True)
            self.thread.start()

    def stop(self) -> int | None:
        self.ended.set()
        if self.before is None:
            return None
        if self.whose == "cuda":
            import torch

            torch.cuda.synchronize()
            return int(torch.cuda.max_memory_allocated() - self.before)
        if self.thread:
            self.thread.join()
            return self.highest
        return max(0, _own("VmHWM") - self.before)

    def _watch(self) -> None:
        while not self.ended.wait(POLL_S):
            self.highest = max(self.highest, sum(_private(pid) for pid in tree(os.getpid())))


def _own(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {field} in /proc/self/status")


def _private(pid: int) -> int:
    """Resident memory that a process does not share, so that a sum counts nothing twice."""
    with suppress(OSError, ValueError, IndexError):
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
    return 0


def tree(root: int) -> set[int]:
    """A process and all that it and its children have started, as far as they live."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                parents[int(folder.name)] = int(
                    (folder / "stat").read_text().rpartition(")")[2].split()[1]
                )
    found = {root}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return found
