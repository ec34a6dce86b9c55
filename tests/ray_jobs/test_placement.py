"""How many actors of a kind a node carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.contract import JobKind
from ray_jobs.placement import NEEDS, demand, reservation, slots, wanted

HEAD = {"CPU": 0.0}
LAPTOP = {"CPU": 2.0}
GPU_NODE = {"CPU": 16.0, "GPU": 2.0, "cpu_encode": 3.0}
INFERRING = [kind for kind in JobKind if NEEDS[kind].gpu]


@pytest.mark.parametrize("kind", JobKind)
def test_a_laptop_carries_every_kind_and_a_head_none(kind):
    assert slots(kind, LAPTOP, cluster_has_gpu=False) == 1
    assert slots(kind, HEAD, cluster_has_gpu=True) == 0


@pytest.mark.parametrize("kind", INFERRING)
def test_inference_stays_on_the_gpu_nodes_of_a_cluster_that_has_some(kind):
    assert slots(kind, GPU_NODE, cluster_has_gpu=True) == 2
    assert slots(kind, LAPTOP, cluster_has_gpu=True) == 0


def test_encodes_are_bounded_by_what_the_node_advertises_and_hold_no_gpu():
    assert slots(JobKind.EXPORT, GPU_NODE, cluster_has_gpu=True) == 3
    assert reservation(JobKind.EXPORT, GPU_NODE) == {"cpu_encode": pytest.approx(1 / 3, abs=1e-4)}


@given(cpus=st.integers(0, 256), gpus=st.integers(0, 8), encodes=st.none() | st.integers(0, 32))
def test_what_a_full_node_reserves_never_exceeds_what_it_has(cpus, gpus, encodes):
    node = {"CPU": float(cpus), "GPU": float(gpus)}
    if encodes is not None:
        node["cpu_encode"] = float(encodes)
    reserved: dict[str, float] = {}
    for kind in JobKind:
        for name, amount in reservation(kind, node).items():
            count = slots(kind, node, cluster_has_gpu=gpus > 0)
            reserved[name] = reserved.get(name, 0.0) + count * amount
    assert all(amount <= node[name] for name, amount in reserved.items())


@pytest.mark.parametrize("kind", JobKind)
def test_the_autoscaler_is_asked_for_a_node_that_would_carry_the_job(kind):
    asked = demand(kind)
    assert slots(kind, asked, cluster_has_gpu="GPU" in asked) >= 1


def test_a_cluster_is_asked_for_what_runs_and_waits_only_where_it_is_too_small():
    free = dict.fromkeys(JobKind, 0) | {JobKind.TRANSCODE: 2}
    busy = {JobKind.ALIGN: 1, JobKind.FIND_CLIPS: 4}
    assert wanted({"transcode": 2}, busy, free) == {}
    assert wanted({"transcode": 2, "find_clips": 3}, busy, free) == {
        JobKind.ALIGN: 1, JobKind.FIND_CLIPS: 7, JobKind.TRANSCODE: 2,
    }  # fmt: skip
