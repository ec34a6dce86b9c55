"""A cluster of the benchmark's own: nodes, the real director, the dispatcher, and an HTTP server.

Its workers do nothing, or sleep, instead of transcoding; all around the work is the product's own.
"""

import os
import secrets
import time
from asyncio import Event, timeout
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import asyncpg

# Ray reads these when it is imported; the nodes may be reached from elsewhere while they are up.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
import ray
from ray.cluster_utils import Cluster

from benchmarks.control.stand import OURS, Stand
from benchmarks.environment import ROOT
from control.access import Member, Role
from control.events import CHANNEL
from control.jobs.queue import enqueue
from ray_jobs.contract import RENDITIONS, JobKind, ObjectRef, Order, Source, Transcode, Transcoded
from ray_jobs.contract import MediaInfo as Media
from ray_jobs.director import NAMESPACE, Worker, start
from ray_jobs.run import execute
from ray_jobs.settings import WorkerSettings

KIND = JobKind.TRANSCODE
PATIENCE_S = 60.0
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
DONE = "SELECT count(*) FROM jobs WHERE state = 'succeeded' AND id = ANY($1)"


class Idle(Worker):
    """Does nothing; `Sleeping` takes its time over it."""

    sleep_s = 0.0

    def run(self, order: str) -> str:
        return execute(Order.model_validate_json(order), self._work, self.settings)

    def _work(self, _run: Any, _spec: Any) -> Transcoded:
        time.sleep(self.sleep_s)
        return Transcoded(renditions=[])


class Sleeping(Idle):
    """Takes as long as work that needs no processor of ours."""

    sleep_s = 2.0


@contextmanager
def cluster(built: Stand, worker: type[Worker], *, slots: int) -> Iterator[Cluster]:
    """One node with so many workers, and all that brings queued jobs to them and back."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}
    nodes = Cluster(True, head_node_args={**NODE, "resources": {"cpu_encode": slots}})
    try:
        ray.init(nodes.address, namespace=NAMESPACE, log_to_driver=False)
        store = built.home / "objects"
        store.mkdir(exist_ok=True)
        settings = WorkerSettings(store.as_uri(), built.home / "cache")
        ray.get(start(settings, worker).free.remote())
        port, _ = built.start(*OURS)
        built.spawn(
            "control.background", "dispatch", RAY_ADDRESS=nodes.address, CUTROOM_PORT=str(port)
        )
        yield nodes
    finally:
        ray.shutdown()
        nodes.shutdown()


class Customer:
    """Queues empty jobs and waits until the database shows that they succeeded."""

    def __init__(self, built: Stand) -> None:
        self.built = built
        self.member = Member(built.user_id, built.organization_id, Role.OWNER, uuid4())
        self.heard = Event()
        ref = ObjectRef(key="orgs/x/none", sha256="0" * 64, size_bytes=1, content_type="video/mp4")
        media = Media(container="mp4", duration_s=1.0)
        self.spec = Transcode(
            source=Source(video_id=uuid4(), object=ref, media=media),
            renditions=[RENDITIONS["480p"]],
        )

    async def connect(self) -> None:
        self.connection = await asyncpg.connect(self.built.database_url)
        await self.connection.add_listener(CHANNEL, lambda *_: self.heard.set())

    async def ask(self, jobs: int) -> None:
        """So many jobs, from queueing the first until all are seen to be done."""
        ids = [(await enqueue(self.member, self.spec, force=True))[0].id for _ in range(jobs)]
        async with timeout(PATIENCE_S):
            while await self.connection.fetchval(DONE, ids) < jobs:
                await self.heard.wait()
                self.heard.clear()


class Nothing:
    """The least that an actor can do."""

    def run(self) -> None:
        pass


def nothing() -> Any:
    """An actor of `Nothing`."""
    return ray.remote(Nothing).options(num_cpus=0).remote()
