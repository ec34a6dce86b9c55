"""Empty jobs: one beside the least that could do it, many beside Celery with Redis.

One job is queued, claimed, run by a Ray actor, reported over HTTP and seen in the database. The
least is a call of a Ray actor and one commit. Celery keeps its queue and its results in Redis,
which forgets both when it falls.
"""

import socket
import subprocess
import sys
import tempfile
from asyncio import Runner
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from time import monotonic, sleep

import asyncpg

from benchmarks.case import Call, Case, Rival
from benchmarks.control.cluster import Customer, Idle, cluster, nothing
from benchmarks.control.stand import Stand, stand
from benchmarks.environment import ROOT

TESTS = "tests/control/test_jobs.py tests/ray_jobs/test_run.py"
MANY = 100
SLOTS = 2
START_S = 30.0


def cases(*, peers: bool) -> Iterator[Case]:
    """A call is one job, and `MANY` of them."""
    with stand() as built, built.connected() as runner, cluster(built, Idle, slots=SLOTS):
        customer = Customer(built)
        runner.run(customer.connect())
        runner.run(customer.ask(SLOTS))
        yield Case(
            op="empty job", name="one", size=1, unit="jobs",
            run=lambda: runner.run(customer.ask(1)),
            rivals={"actor and commit": Rival(_bare(built, runner), 1 / 5)},
        )  # fmt: skip
        with celery() if peers else no_celery() as ask:
            yield Case(
                op="empty job", name=f"{MANY} at once", size=MANY, unit="jobs",
                run=lambda: runner.run(customer.ask(MANY)),
                rivals={"celery": Rival(ask, 1.0)} if ask else {},
            )  # fmt: skip


def _bare(built: Stand, runner: Runner) -> Call:
    built.query("CREATE TABLE done (job int)")
    actor = nothing()
    connection = runner.run(_connection(built))

    async def run() -> None:
        await actor.run.remote()
        await connection.execute("INSERT INTO done VALUES (1)")

    return lambda: runner.run(run())


async def _connection(built: Stand) -> asyncpg.Connection:
    return await asyncpg.connect(built.database_url)


@contextmanager
def no_celery() -> Iterator[None]:
    yield None


@contextmanager
def celery() -> Iterator[Call]:
    """A Redis, and as many Celery workers as we have. Raises `ImportError` without either."""
    if which("redis-server") is None:
        raise ImportError("redis-server is not installed")
    from benchmarks.control.celery_twin import ask, connect

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"redis://127.0.0.1:{port}/0"
    with tempfile.TemporaryDirectory(prefix="cutroom-bench-") as name:
        log = (Path(name) / "log").open("wb")
        redis = [which("redis-server"), "--port", str(port), "--save", "", "--dir", name]
        worker = [
            sys.executable, "-m", "celery", "-A", "benchmarks.control.celery_twin", "-b", url,
            "--result-backend", url, "worker", "-c", str(SLOTS), "--without-gossip",
            "--without-mingle", "-l", "ERROR",
        ]  # fmt: skip
        children = [
            subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            for command in (redis, worker)
        ]
        try:
            connect(url)
            deadline = monotonic() + START_S
            while True:
                try:
                    ask(SLOTS)
                    break
                except Exception:
                    if monotonic() > deadline:
                        raise
                    sleep(0.2)
            yield lambda: ask(MANY)
        finally:
            for child in reversed(children):
                child.terminate()
                child.wait()
            log.close()
