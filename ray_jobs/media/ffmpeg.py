"""The one way to run ffmpeg: a child process group that can be watched and stopped."""

import ctypes
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from select import select
from typing import IO

import imageio_ffmpeg

from ray_jobs.failures import Failure

FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
POLL_S = 0.25
LOG_BYTES = 64 * 1024


def _ignore(_fraction: float) -> None:
    return None


def ffmpeg(
    arguments: Sequence[str],
    *,
    duration_s: float | None = None,
    progress: Callable[[float], None] = _ignore,
    failure: str = "encode_failed",
    env: Mapping[str, str] | None = None,
) -> str:
    """Run ffmpeg and return the end of its log (at most 64 KiB).

    `progress` is called several times a second with the share of `duration_s` written so far, even
    while nothing moves; when it raises, ffmpeg is killed and the exception goes on: nobody reads
    what is half written.

    Raises
    ------
    Failure
        with the code `failure` and the last lines of the log, on a non-zero exit.
    """
    command = [FFMPEG, "-nostdin", "-y", "-hide_banner", "-nostats", "-progress", "pipe:1"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl, no lock, no allocation
            env={**os.environ, **(env or {})},
        )
        try:
            _watch(process, duration_s, progress)
        finally:
            _end(process)
        text = _tail(log)
    if process.returncode != 0:
        raise Failure(failure, "ffmpeg failed: " + " | ".join(text.strip().splitlines()[-4:]))
    return text


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(
    process: "subprocess.Popen[bytes]",
    duration_s: float | None,
    progress: Callable[[float], None],
) -> None:
    pipe = process.stdout
    if pipe is None:
        raise AssertionError("ffmpeg was started without a progress pipe")
    fraction, rest = 0.0, b""
    while True:
        ready, _, _ = select([pipe], [], [], POLL_S)
        if ready:
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                process.wait()
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                key, _, value = line.partition(b"=")
                if key == b"out_time_us" and duration_s and value.strip().isdigit():
                    fraction = min(1.0, int(value) / 1e6 / duration_s)
        progress(fraction)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.stdout:
        process.stdout.close()
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - LOG_BYTES))
    return log.read().decode("utf-8", "replace")
