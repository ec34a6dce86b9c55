"""Where a kind of job may run, and how many at once on a node of given resources.

A node advertises its capacity as Ray resources: `CPU`, `GPU`, and, where its owner wants to set
them apart, `cpu_encode` (concurrent x264 encodes) and `nvdec`, `nvenc` (engines). Actors reserve
no `CPU`: slots are counted here, because a job's threads outnumber any honest reservation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor

from ray_jobs.contract import JobKind

CPUS_PER_SLOT = 4


@dataclass(frozen=True)
class Need:
    """What one actor of a kind takes of a node; `gpu` is a share of one card."""

    gpu: float = 0.0
    resource: str | None = None


NEEDS: dict[JobKind, Need] = {
    JobKind.INGEST: Need(),
    JobKind.TRANSCODE: Need(resource="cpu_encode"),
    JobKind.ALIGN: Need(),
    JobKind.TRANSCRIBE: Need(gpu=0.5),
    JobKind.FIND_CLIPS: Need(gpu=0.5),
    JobKind.STYLE_SUBTITLES: Need(),
    JobKind.EXPORT: Need(resource="cpu_encode"),
    JobKind.NARRATE: Need(),
    JobKind.RETELL: Need(resource="cpu_encode"),
    JobKind.CHECK_ASSET: Need(),
}


def slots(kind: JobKind, node: Mapping[str, float], *, cluster_has_gpu: bool) -> int:
    """How many actors of `kind` the node carries.

    Kinds that infer go to GPU nodes alone, unless the cluster has none: then CPUs serve them. A
    node that advertises neither (a head without CPUs) carries nothing.
    """
    need, cpus, gpus = NEEDS[kind], node.get("CPU", 0.0), node.get("GPU", 0.0)
    if need.gpu and cluster_has_gpu:
        return int(gpus)
    if need.resource and need.resource in node:
        return int(node[need.resource])
    return max(1, int(cpus) // CPUS_PER_SLOT) if cpus else 0


def reservation(kind: JobKind, node: Mapping[str, float]) -> dict[str, float]:
    """Ray resources one actor of `kind` reserves on that node."""
    need = NEEDS[kind]
    reserved = {"GPU": need.gpu} if need.gpu and node.get("GPU") else {}
    if need.resource and need.resource in node:
        # Idle actors of every sharing kind must fit at once; the director counts who works.
        reserved[need.resource] = floor(1e4 / len(sharing(kind))) / 1e4
    return reserved


def sharing(kind: JobKind) -> list[JobKind]:
    """The kinds that take turns at the same named resource; the kind alone where it needs none."""
    resource = NEEDS[kind].resource
    return [other for other in JobKind if NEEDS[other].resource == resource] if resource else [kind]


def wanted(
    queued: Mapping[str, int], busy: Mapping[JobKind, int], free: Mapping[JobKind, int]
) -> dict[JobKind, int]:
    """How many jobs of each kind the cluster should carry at once; nothing where it is enough.

    What runs counts too: Ray's `request_resources` names the size of the whole cluster, and not
    what is to be added to it.
    """
    if all(count <= free[JobKind(kind)] for kind, count in queued.items()):
        return {}
    at_once = {kind: busy.get(kind, 0) + queued.get(kind, 0) for kind in JobKind}
    return {kind: count for kind, count in at_once.items() if count}


def demand(kind: JobKind) -> dict[str, float]:
    """What one queued job of `kind` asks of the autoscaler."""
    need = NEEDS[kind]
    return {"GPU": 1.0} if need.gpu else {"CPU": float(CPUS_PER_SLOT)}
