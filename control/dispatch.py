"""Queue to cluster: claim what the director has room for, hand it over, give back what it refuses.

The one module of the control plane that imports ray, run in a process of its own.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import ray
from ray.exceptions import RayError

from control.events import listening
from control.jobs.lifecycle import release, worker_token
from control.jobs.models import Job
from control.jobs.queue import backlog, claim
from control.settings import Settings
from ray_jobs.contract import Order

logger = logging.getLogger(__name__)

NAMESPACE, DIRECTOR = "cutroom", "director"
POLL_S = 2.0
MAX_RETRY_S = 30.0
# A new worker's process loads its libraries before its first word; that costs no attempt.
START_S = 60.0


async def run(settings: Settings) -> None:
    """Dispatch until cancelled; while the cluster is away, jobs stay queued."""
    wake = asyncio.Event()

    def heard(_: str | None) -> None:
        wake.set()

    listener = asyncio.create_task(listening(settings.database_url, heard))
    retry_s = 1.0
    try:
        while True:
            try:
                director = await asyncio.to_thread(connect, settings)
                async for _ in rounds(settings, director, wake):
                    retry_s = 1.0
            except (RayError, ConnectionError, ValueError, RuntimeError, OSError) as error:
                logger.warning(
                    "the cluster cannot be reached, next try in %.0f s: %s", retry_s, error
                )
                await asyncio.to_thread(ray.shutdown)
                await asyncio.sleep(retry_s)
                retry_s = min(MAX_RETRY_S, retry_s * 2)
    finally:
        listener.cancel()


async def rounds(settings: Settings, director: Any, wake: asyncio.Event) -> AsyncIterator[None]:
    """Dispatch whenever something happened to a job, a worker became idle, or time has passed."""
    told: dict[str, int] = {}
    freed: asyncio.Future[None] | None = None
    while True:
        wake.clear()
        if freed is None or freed.done():
            # Asked before the room is: nobody becomes idle unnoticed in between.
            freed = asyncio.ensure_future(_freed(director, wake))
        waiting = await backlog()
        if waiting or told:
            await once(settings, director, waiting)
        told = waiting
        yield
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), POLL_S)
        if freed.done():
            freed.result()


async def _freed(director: Any, wake: asyncio.Event) -> None:
    try:
        await director.freed.remote()
    finally:
        wake.set()


def connect(settings: Settings) -> Any:
    if not ray.is_initialized():
        ray.init(address=settings.ray_address or "auto", namespace=NAMESPACE, log_to_driver=False)
    return ray.get_actor(DIRECTOR, namespace=NAMESPACE)


async def once(settings: Settings, director: Any, waiting: dict[str, int]) -> None:
    """One round: as much of what waits as there is room for."""
    free: dict[str, int] = await director.room.remote(waiting)
    wanted = {kind: min(free.get(kind, 0), count) for kind, count in waiting.items()}
    if not any(wanted.values()):
        return
    jobs = await claim(wanted, lease_s=settings.lease_s + START_S)
    orders = [order_of(settings, job).model_dump_json() for job in jobs]
    answers = await director.submit.remote(orders)
    await release([job for job, answer in zip(jobs, answers, strict=True) if answer != "accepted"])


def order_of(settings: Settings, job: Job) -> Order:
    return Order.model_validate(
        {
            "job_id": job.id,
            "organization_id": job.organization_id,
            "attempt": job.attempt,
            "lease_s": settings.lease_s,
            "report_url": f"{settings.report_base_url}/v1/jobs/{job.id}/worker-status",
            "worker_token": worker_token(settings, job),
            "spec": job.spec,
        }
    )
