"""Jobs that sleep, on one node, on two and on four: what a node adds, the processors aside.

A call is `JOBS_A_NODE` jobs for each node. Its rival is the sleep that is in it, which takes as
long on any number of nodes: the ratio is the efficiency, and no report is forgiven.
"""

import time
from collections.abc import Iterator

from benchmarks.case import Call, Case, Rival
from benchmarks.control.cluster import NODE, Customer, Sleeping, cluster
from benchmarks.control.stand import stand

TESTS = "tests/control/test_jobs.py tests/ray_jobs/test_placement.py"
JOBS_A_NODE = 2
# A call takes as long as its jobs sleep: there is little to gain from more of them.
REPEATS = 3
EFFICIENCY = 0.95


def cases(*, peers: bool) -> Iterator[Case]:  # noqa: ARG001 - it has no peer but itself
    """The time of so many nodes' work, beside the sleeping that is in it."""
    with stand() as built, built.connected() as runner, cluster(built, Sleeping, slots=1) as nodes:
        customer = Customer(built)
        runner.run(customer.connect())

        def work(of: int) -> Call:
            return lambda: runner.run(customer.ask(of * JOBS_A_NODE))

        for count in (1, 2, 4):
            while len(nodes.list_all_nodes()) < count:
                nodes.add_node(**NODE, resources={"cpu_encode": 1})
            work(count)()
            yield Case(
                op="sleeping jobs", name=f"{count} nodes", size=count, unit="nodes",
                run=work(count), repeats=REPEATS,
                rivals={"sleep alone": Rival(_sleep, EFFICIENCY)},
            )  # fmt: skip


def _sleep() -> None:
    time.sleep(JOBS_A_NODE * Sleeping.sleep_s)
