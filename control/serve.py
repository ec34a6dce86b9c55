"""`cutroom serve`: every process of one server, started in order, watched, and stopped as one."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic, sleep

import httpx

from control.embedded import CannotStart, check_port, home_lock, local_ray, postgres, stop
from control.settings import Settings

PROCESSES: dict[str, list[str]] = {
    "http": [sys.executable, "-m", "control.tasks", "http"],
    "dispatch": [sys.executable, "-m", "control.background", "dispatch"],
    "sweep": [sys.executable, "-m", "control.background", "sweep"],
    "deliver": [sys.executable, "-m", "control.background", "deliver"],
}
READY_S = 60.0
STOP_S = 10.0
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """A process of ours; it is started again when it ends by itself, ever more slowly."""

    name: str
    environment: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[str] | None" = None
    failures: int = 0
    start_after_s: float = field(default=0.0)

    def keep(self) -> None:
        if self.process and self.process.poll() is None:
            return
        if self.process and not self.start_after_s:
            self.failures += 1
            self.start_after_s = monotonic() + min(30.0, 0.5 * 2**self.failures)
        if monotonic() < self.start_after_s:
            return
        self.start_after_s = 0.0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                PROCESSES[self.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                env=self.environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl, no lock, no allocation
            )


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(frozen=True)
class Server:
    """A running server: what a script needs to talk to it, and how to watch it."""

    url: str
    token: str | None
    organization_id: str | None
    dashboard_url: str | None
    children: list[Child]

    def watch(self, stopped: Event) -> None:
        while not stopped.wait(0.5):
            for child in self.children:
                child.keep()


@contextmanager
def running(settings: Settings, *, say: Callable[[str], None]) -> Iterator[Server]:
    """Run a whole server on `settings.home` until the block ends; nothing is left behind.

    Raises
    ------
    CannotStart
        with a sentence for the user: port taken, directory in use, disk full, package missing.
    """
    home = settings.home
    with ExitStack() as stack:
        stack.enter_context(home_lock(home))
        check_port(settings.host, settings.port)
        logs = home / "logs"
        logs.mkdir(exist_ok=True)
        environment = {**os.environ, **settings.as_environment()}
        if not settings.database_url:
            say("starting PostgreSQL")
            environment["DATABASE_URL"] = stack.enter_context(postgres(home))
        say("migrating the database")
        _run_once("migrate", environment)
        dashboard_url = None
        if not settings.ray_address:
            say("starting Ray")
            log = stack.enter_context((logs / "ray.log").open("ab"))
            ray = stack.enter_context(local_ray(home, environment, log))
            environment.update(ray.environment)
            dashboard_url = ray.dashboard_url
            _run_once("release", environment)
        if settings.http_workers > 1:
            environment["PROMETHEUS_MULTIPROC_DIR"] = str(_emptied(home / "metrics"))
        say("starting the API and the background processes")
        names = [*PROCESSES, *["http"] * (settings.http_workers - 1)]
        children = [Child(name, environment, logs / f"{name}.log") for name in names]
        stack.callback(_stop_all, children)
        for child in children:
            child.keep()
        _wait_ready(settings, children)
        credentials = json.loads(_run_once("bootstrap", environment))
        server = Server(
            settings.local_url,
            credentials.get("token"),
            credentials.get("organization_id"),
            dashboard_url,
            children,
        )
        stack.enter_context(_server_file(home, server))
        yield server


def _emptied(folder: Path) -> Path:
    """A folder in which the HTTP processes count requests together, without former ones' counts."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _run_once(name: str, environment: Mapping[str, str]) -> str:
    """Run a short task to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "control.tasks", name],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CannotStart(f"{name} failed: {last}")
    return done.stdout


def _wait_ready(settings: Settings, children: list[Child]) -> None:
    deadline = monotonic() + READY_S
    while monotonic() < deadline:
        for child in children:
            if child.process and child.process.poll() is not None:
                raise CannotStart(f"{child.name} ended at once: see {child.log}.")
        try:
            if httpx.get(f"{settings.local_url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        sleep(0.1)
    raise CannotStart(f"The API was not ready within {READY_S:.0f} s: see {children[0].log}.")


def _stop_all(children: list[Child]) -> None:
    stop(*(child.process for child in children if child.process), grace_s=STOP_S)


@contextmanager
def _server_file(home: Path, server: Server) -> Iterator[None]:
    """`server.json` for scripts: readable by the owner alone, gone when the server is."""
    path = home / "server.json"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(
        json.dumps(
            {
                "url": server.url,
                "token": server.token,
                "organization_id": server.organization_id,
                "dashboard_url": server.dashboard_url,
                "pid": os.getpid(),
            },
            indent=2,
        )
    )
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
