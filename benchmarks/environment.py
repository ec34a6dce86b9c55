"""Where and when figures were measured: they mean nothing without it."""

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "numpy", "numba", "torch", "torchaudio", "triton", "av", "imageio-ffmpeg", "faster-whisper",
    "ray", "sanic", "tortoise-orm", "scenedetect-headless", "pyloudnorm", "librosa", "fastapi",
    "celery",
)  # fmt: skip
GPU_FIELDS = ("name", "driver_version", "memory.total", "clocks.sm", "clocks.max.sm",
              "clocks.mem", "power.limit")  # fmt: skip

Environment = dict[str, object]


def environment() -> Environment:
    """Commit, date (UTC), processor, memory, GPU where there is one, and versions."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "gpu": gpu(),
        **{name: found for name in PACKAGES if (found := _version(name))},
    }


def hardware_slug(where: Environment) -> str:
    """A file name for this hardware: the GPU where there is one, else processor and cores."""
    found = where["gpu"]
    name = (
        str(found["name"]) if isinstance(found, dict) else f"{where['cpu']} {where['cores']} cores"
    )
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((R|TM)\)", "", name).lower()).strip("-")


def commit() -> str | None:
    """The commit that was measured, with a `+` where files differ from it."""
    head = _said("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    changed = _said("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no")
    return head and head + ("+" if changed else "")


def cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text())
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine()


def gpu() -> dict[str, str] | None:
    """What the driver says about the first GPU."""
    said = _said("nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader")
    if not said:
        return None
    return dict(zip(GPU_FIELDS, re.split(r",\s*", said.splitlines()[0]), strict=False))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _said(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None
