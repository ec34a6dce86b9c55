"""The one door into the cluster: takes an order or says "busy".

A named, detached Ray actor without a queue and without state worth saving: if it dies, its workers
die with it, their leases run out and control queues the jobs again.
"""

import asyncio
import importlib
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Any, Literal

import ray
from ray.autoscaler.sdk import request_resources
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ray_jobs.contract import JobKind, Order
from ray_jobs.placement import NEEDS, demand, reservation, sharing, slots, wanted
from ray_jobs.run import JobRun, execute
from ray_jobs.settings import WorkerSettings

logger = logging.getLogger(__name__)

NAMESPACE = "cutroom"
NAME = "director"
# Ray itself takes longer to tell that a node is gone, and asking it takes as long as handing over.
NODES_S = 1.0
Answer = Literal["accepted", "busy"]
Nodes = dict[str, dict[str, float]]


def work_of(kind: JobKind) -> Callable[[JobRun, Any], Any]:
    """The function that does a kind of job; it bears the kind's name, in a module of that name."""
    module = importlib.import_module(f"ray_jobs.{kind}")
    work: Callable[[JobRun, Any], Any] = getattr(module, kind)
    return work


class Worker:
    """A process that does one kind of job, one order at a time; loaded models stay in it."""

    def __init__(self, kind: str, settings: WorkerSettings) -> None:
        self.kind = JobKind(kind)
        self.settings = settings

    def run(self, order: str) -> str:
        return execute(Order.model_validate_json(order), work_of(self.kind), self.settings)


@dataclass
class Seat:
    """An actor on a node and the attempt it is busy with."""

    actor: Any
    node_id: str
    attempt: str | None = None


@dataclass
class Director:
    """Pools of workers by kind, filled on first use and kept."""

    settings: WorkerSettings
    worker: type[Worker] = Worker
    pools: dict[JobKind, list[Seat]] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    asked: dict[JobKind, int] = field(default_factory=dict)
    nodes: Nodes = field(default_factory=dict)
    nodes_at: float = -inf
    vacated: asyncio.Event = field(default_factory=asyncio.Event)

    async def free(self) -> dict[JobKind, int]:
        """How many orders of each kind would be accepted now."""
        nodes = self._alive()
        return {kind: self._free(kind, nodes) for kind in JobKind}

    async def room(self, queued: dict[str, int]) -> dict[JobKind, int]:
        """What `free` says; tells the autoscaler of what is queued beyond it."""
        free = await self.free()
        asked = wanted(queued, {kind: len(self._busy(kind)) for kind in JobKind}, free)
        if asked != self.asked:
            self.asked = asked
            request_resources(
                bundles=[demand(kind) for kind, count in asked.items() for _ in range(count)]
            )
        return free

    async def freed(self) -> None:
        """Return as soon as the next order is done with."""
        await self.vacated.wait()

    async def submit(self, orders: list[str]) -> list[Answer]:
        """Give each order to an idle worker of its kind, or answer "busy" to it."""
        nodes = self._alive()
        return [self._submit(order, nodes) for order in orders]

    def _alive(self) -> Nodes:
        if monotonic() - self.nodes_at > NODES_S:
            self.nodes, self.nodes_at = alive_nodes(), monotonic()
        return self.nodes

    def _submit(self, order: str, nodes: Nodes) -> Answer:
        parsed = Order.model_validate_json(order)
        kind = JobKind(parsed.spec.kind)
        seat = self._seat(kind, nodes) if self._free(kind, nodes) else None
        if seat is None:
            return "busy"
        seat.attempt = f"{parsed.job_id}:{parsed.attempt}"
        task = asyncio.create_task(self._serve(kind, seat, order))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return "accepted"

    async def running(self) -> list[str]:
        """`job:attempt` of every order being worked on."""
        return [s.attempt for pool in self.pools.values() for s in pool if s.attempt]

    async def _serve(self, kind: JobKind, seat: Seat, order: str) -> None:
        try:
            await seat.actor.run.remote(order)
        except RayError as error:
            logger.warning("a %s worker died in %s: %s", kind, seat.attempt, error)
            self.pools[kind].remove(seat)
            ray.kill(seat.actor)
        finally:
            seat.attempt = None
            self.vacated.set()
            self.vacated = asyncio.Event()

    def _seat(self, kind: JobKind, nodes: Nodes) -> Seat | None:
        pool = self.pools.setdefault(kind, [])
        pool[:] = [seat for seat in pool if seat.node_id in nodes or seat.attempt]
        idle = next((seat for seat in pool if seat.attempt is None), None)
        if idle:
            return idle
        for node_id, node in nodes.items():
            used = sum(seat.node_id == node_id for seat in pool)
            if used < slots(kind, node, cluster_has_gpu=has_gpu(nodes)):
                pool.append(self._hire(kind, node_id, node))
                return pool[-1]
        return None

    def _hire(self, kind: JobKind, node_id: str, node: dict[str, float]) -> Seat:
        reserved = reservation(kind, node)
        host = next((key[5:] for key in node if key.startswith("node:")), node_id[:8])
        actor = (
            ray.remote(self.worker)
            .options(
                name=f"{kind}@{host}#{next(self.numbers)}",
                num_cpus=0,
                num_gpus=reserved.pop("GPU", 0),
                resources=reserved,
                max_restarts=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
            )
            .remote(kind, self.settings)
        )
        return Seat(actor, node_id)

    def _free(self, kind: JobKind, nodes: Nodes) -> int:
        rivals = [kind]
        if any(NEEDS[kind].resource in node for node in nodes.values()):
            rivals = sharing(kind)
        return max(0, self._capacity(kind, nodes) - sum(len(self._busy(k)) for k in rivals))

    def _busy(self, kind: JobKind) -> list[Seat]:
        return [seat for seat in self.pools.get(kind, []) if seat.attempt]

    def _capacity(self, kind: JobKind, nodes: Nodes) -> int:
        gpu = has_gpu(nodes)
        return sum(slots(kind, node, cluster_has_gpu=gpu) for node in nodes.values())


def alive_nodes() -> Nodes:
    """Resources of every node that is up, by node id, in a stable order."""
    nodes = {n["NodeID"]: n["Resources"] for n in ray.nodes() if n["Alive"]}
    return dict(sorted(nodes.items()))


def has_gpu(nodes: Nodes) -> bool:
    return any(node.get("GPU") for node in nodes.values())


def start(settings: WorkerSettings, worker: type[Worker] = Worker) -> Any:
    """Start the director in the cluster this process is connected to, or find it running."""
    return (
        ray.remote(Director)
        .options(
            name=NAME,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
        )
        .remote(settings, worker)
    )
