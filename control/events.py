"""What happened, told in the transaction in which it happened, and heard by whoever listens.

PostgreSQL is the bus: an event is a row and a NOTIFY of its job's id. `Hub` keeps one LISTEN per
process and hands each new row to every subscriber of that job.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from tortoise.backends.base.client import BaseDBAsyncClient

from control.jobs.models import Job, JobEvent

logger = logging.getLogger(__name__)

CHANNEL = "cutroom_jobs"
QUEUE_EVENTS = 1000
POLL_S = 5.0
PUBLISH = """
WITH event AS (
    INSERT INTO job_events (job_id, type, data, created_at)
    VALUES ($1, $2, $3::jsonb, clock_timestamp()) RETURNING job_id)
SELECT pg_notify($4, $5) FROM event"""


async def publish(tx: BaseDBAsyncClient, job: Job, kind: str, **data: Any) -> None:
    """Add an event to the job's log and tell the listeners, when `tx` commits."""
    await tx.execute_query(PUBLISH, [job.id, kind, to_json(data).decode(), CHANNEL, str(job.id)])


class Hub:
    """One LISTEN, many subscribers. A lost connection is made again and what was missed is read."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        # Each subscriber's queue and the last event put into it.
        self.queues: dict[UUID, dict[asyncio.Queue[JobEvent | None], int]] = defaultdict(dict)
        self.changed: asyncio.Queue[UUID] = asyncio.Queue()
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._deliver())]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @contextlib.contextmanager
    def subscribed(self, job_id: UUID, after_seq: int) -> Iterator[asyncio.Queue[JobEvent | None]]:
        """A queue of the job's events after `after_seq`, in order, each once.

        When a consumer is slow, progress is dropped, never a change of state.
        """
        queue: asyncio.Queue[JobEvent | None] = asyncio.Queue()
        self.queues[job_id][queue] = after_seq
        self.changed.put_nowait(job_id)
        try:
            yield queue
        finally:
            del self.queues[job_id][queue]
            if not self.queues[job_id]:
                del self.queues[job_id]

    async def _listen(self) -> None:
        await listening(self.database_url, self._heard)

    def _heard(self, payload: str | None) -> None:
        for job_id in [UUID(payload)] if payload else list(self.queues):
            if job_id in self.queues:
                self.changed.put_nowait(job_id)

    async def _deliver(self) -> None:
        while True:
            job_id = await self.changed.get()
            try:
                await self._hand_out(job_id)
            except Exception:
                logger.exception("events of job %s could not be read", job_id)
                await asyncio.sleep(1)

    async def _hand_out(self, job_id: UUID) -> None:
        if job_id not in self.queues:
            return
        # Who subscribes during the read may want older events than it finds, at the next read.
        waiting = dict(self.queues[job_id])
        events = await JobEvent.filter(job_id=job_id, id__gt=min(waiting.values())).order_by("id")
        for queue, seen in waiting.items():
            for event in events:
                drop = event.type == "job.progress" and queue.qsize() >= QUEUE_EVENTS
                if event.id > seen and not drop:
                    queue.put_nowait(event)
            if events and queue in self.queues.get(job_id, ()):
                self.queues[job_id][queue] = max(seen, events[-1].id)


async def listening(
    database_url: str, heard: Callable[[str | None], None], *, channel: str = CHANNEL
) -> None:
    """Call `heard` with each payload, and with None every few seconds and after a reconnection."""
    while True:
        connection = None
        try:
            connection = await asyncpg.connect(database_url)
            await connection.add_listener(channel, lambda *message: heard(str(message[3])))
            while not connection.is_closed():
                heard(None)
                await asyncio.sleep(POLL_S)
        except (OSError, asyncpg.PostgresError) as error:
            logger.warning("cannot listen to the database: %s", error)
            await asyncio.sleep(1)
        finally:
            if connection:
                with contextlib.suppress(Exception):
                    await connection.close(timeout=1)
