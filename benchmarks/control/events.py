"""An event on its way to 1,000 WebSockets, beside a bare NOTIFY on its way to 1,000 plain sockets.

All follow one job. A call is over when 99 % have the event, so that its time is the 99th
percentile; both are heard by the same client, which only counts what arrives.
"""

import asyncio
import resource
from asyncio import Runner
from collections.abc import Iterator

import asyncpg
from tortoise.transactions import in_transaction

from benchmarks.case import Call, Case, Rival
from benchmarks.control.relay import CHANNEL, HELLO
from benchmarks.control.stand import OURS, Stand, stand
from control.events import publish
from control.jobs.models import Job

TESTS = "tests/control/test_stream.py"
SUBSCRIBERS = 1_000
P99 = SUBSCRIBERS * 99 // 100
OPENING = 50
UPGRADE = (
    "GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n\r\n"
)


def cases(*, peers: bool) -> Iterator[Case]:  # noqa: ARG001 - it has no peer
    """A call is one event, from before its commit until 99 % of the subscribers have it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with stand() as built, built.connected() as runner:
        job = runner.run(_job(built))
        headers = "\r\n".join(f"{name}: {value}" for name, value in built.headers.items())
        upgrade = UPGRADE.format(job_id=job.id, headers=headers).encode()
        ours = Audience(built.start(*OURS)[0], upgrade, b'"snapshot"')
        bare = Audience(built.start("benchmarks.control.relay")[0], b"me too\n", HELLO)
        for audience in (ours, bare):
            runner.run(audience.gather())
        yield Case(
            op="event", name=f"to {SUBSCRIBERS:,} sockets, p99", size=SUBSCRIBERS, unit="sockets",
            run=_published(runner, ours, job),
            rivals={"bare NOTIFY": Rival(_notified(built, runner, bare), 1 / 5)},
        )  # fmt: skip


async def _job(built: Stand) -> Job:
    return await Job.create(
        organization_id=built.organization_id, kind="transcode", state="running", spec={},
        spec_sha256="0" * 64,
    )  # fmt: skip


def _published(runner: Runner, audience: "Audience", job: Job) -> Call:
    async def run() -> None:
        audience.begin()
        async with in_transaction() as tx:
            await publish(tx, job, "job.progress", progress=0.5)
        await audience.most.wait()

    return lambda: runner.run(run())


def _notified(built: Stand, runner: Runner, audience: "Audience") -> Call:
    connection = runner.run(_connection(built))

    async def run() -> None:
        audience.begin()
        await connection.execute(f"NOTIFY {CHANNEL}, 'progress'")
        await audience.most.wait()

    return lambda: runner.run(run())


async def _connection(built: Stand) -> asyncpg.Connection:
    return await asyncpg.connect(built.database_url)


class Audience:
    """Open sockets of one server, and how many of them have heard something since `begin`."""

    def __init__(self, port: int, greeting: bytes, answer: bytes) -> None:
        self.port, self.greeting, self.answer = port, greeting, answer
        self.most = asyncio.Event()
        self.ready = asyncio.Semaphore(0)
        self.count = SUBSCRIBERS

    async def gather(self) -> None:
        loop = asyncio.get_running_loop()
        for at in range(SUBSCRIBERS):
            if at >= OPENING:
                await self.ready.acquire()
            await loop.create_connection(lambda: Ear(self), "127.0.0.1", self.port)
        for _ in range(OPENING):
            await self.ready.acquire()

    def begin(self) -> None:
        # Those who are late with the last event are not to count for this one.
        self.count -= SUBSCRIBERS
        self.most.clear()

    def heard(self) -> None:
        self.count += 1
        if self.count == P99:
            self.most.set()


class Ear(asyncio.Protocol):
    """One socket; what comes after the server's answer counts."""

    def __init__(self, audience: Audience) -> None:
        self.audience, self.answered = audience, False

    def connection_made(self, transport: asyncio.WriteTransport) -> None:
        transport.write(self.audience.greeting)

    def data_received(self, data: bytes) -> None:
        if self.answered:
            self.audience.heard()
        elif self.audience.answer in data:
            self.answered = True
            self.audience.ready.release()
