"""What a file really is: decoded, counted and measured in a child process of its own."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import av

from ray_jobs.contract import IngestLimits, MediaInfo
from ray_jobs.failures import Failure
from ray_jobs.media.survey import survey

MEMORY_BYTES = 2**30
POLL_S = 0.25
PATIENCE = 12
"""A file may take so much more time than processor time: other work is not its fault."""
ENDLESS = "Reading the recording takes absurdly long; export it again."
BASE_TIME_S = 10.0
# A packet scan reads the whole file once.
BYTES_PER_S = 50e6


def probe(path: Path, limits: IngestLimits, tick: Callable[[], None] = lambda: None) -> MediaInfo:
    """Measure an untrusted file in a child process with 1 GiB and about 10 s of processor time.

    Duration, frame count and frame rate come from the packets, size and orientation from a decoded
    picture; what headers claim is only compared. Sound alone, and pictures alone, are fine. `tick`
    is called several times a second and may raise to stop. A big file has more time.

    Raises
    ------
    Failure
        `empty_file`, `unsupported_media`, `corrupt_media`, `no_streams`, `too_large`, `too_small`,
        `too_long`, `too_short` or `zero_duration`.
    """
    size_bytes = path.stat().st_size
    if size_bytes > limits.max_size_bytes:
        raise Failure("too_large", f"The file is larger than {limits.max_size_bytes} bytes.")
    command = [sys.executable, "-m", "ray_jobs.media.probe", str(path), limits.model_dump_json()]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:
        try:
            answer = _answer(process, PATIENCE * (BASE_TIME_S + size_bytes / BYTES_PER_S), tick)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return _understood(answer, process.returncode)


def _answer(
    process: "subprocess.Popen[bytes]", patience_s: float, tick: Callable[[], None]
) -> bytes:
    deadline_s = monotonic() + patience_s
    while monotonic() < deadline_s:
        tick()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=POLL_S)[0]
    raise Failure("corrupt_media", ENDLESS, retryable=True)


def _understood(answer: bytes, exit_code: int) -> MediaInfo:
    try:
        said = json.loads(answer) if exit_code == 0 else {}
    except ValueError:
        said = {}
    if "media" in said:
        return MediaInfo.model_validate(said["media"])
    if "code" in said:
        raise Failure(said["code"], said["detail"])
    if exit_code == -signal.SIGXCPU:
        raise Failure("corrupt_media", ENDLESS)
    raise Failure("corrupt_media", "The recording is so damaged that reading it fails.")


def main(arguments: list[str]) -> None:
    """Child side: print `{"media": …}` or `{"code": …, "detail": …}` as JSON."""
    path, limits = Path(arguments[0]), IngestLimits.model_validate_json(arguments[1])
    time_s = int(BASE_TIME_S + path.stat().st_size / BYTES_PER_S)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    # At the soft limit it ends with SIGXCPU, which tells why; where both are one, with SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (time_s, time_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    av.logging.set_level(av.logging.PANIC)
    try:
        said: dict[str, Any] = {"media": survey(path, limits).model_dump(mode="json")}
    except Failure as failure:
        said = {"code": failure.code, "detail": failure.detail}
    except MemoryError:
        said = {"code": "too_large", "detail": "Reading the recording takes more than 1 GiB."}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1:])
