"""Claiming from the queue: what it costs where 10,000 jobs wait, beside 100."""

from collections.abc import Iterator
from time import perf_counter

import uvloop

from benchmarks.case import Call, Case, Rival
from benchmarks.control.stand import Stand, stand
from control import database
from control.jobs.lifecycle import release
from control.jobs.queue import claim

TESTS = "tests/control/test_jobs.py"
FEW, MANY = 100, 10_000
CLAIMS = 20
JOBS = """
INSERT INTO jobs (id, created_at, updated_at, organization_id, kind, state, priority, spec,
                  spec_sha256, attempt, max_attempts, report_seq, progress, steps, effective,
                  cached, metadata, queued_at)
SELECT gen_random_uuid(), now(), now(), $1, $2, 'queued', n % 5, '{}', md5(n::text), 0, 3, 0, 0,
       '[]', '{}', false, '{}', now() - n * interval '1 second'
  FROM generate_series(1, $3) AS n
"""


def cases(*, peers: bool) -> Iterator[Case]:  # noqa: ARG001 - it has no peer but itself
    """A call claims `CLAIMS` jobs one by one and gives each back."""
    with stand() as built:
        for kind, waiting in (("find_clips", MANY), ("transcribe", FEW)):
            built.query(JOBS, built.organization_id, kind, waiting)
        built.query("VACUUM ANALYZE jobs")
        yield Case(
            op="claim", name="of 10,000", size=MANY, unit="jobs",
            run=_claiming(built, "find_clips"),
            rivals={"of 100": Rival(_claiming(built, "transcribe"), 1 / 1.2)},
        )  # fmt: skip


def _claiming(built: Stand, kind: str) -> Call:
    async def run() -> float:
        await database.start(built.settings)
        try:
            began_s = perf_counter()
            for _ in range(CLAIMS):
                jobs = await claim({kind: 1}, lease_s=60)
                assert len(jobs) == 1
                await release(jobs)
            return (perf_counter() - began_s) / CLAIMS
        finally:
            await database.stop()

    return lambda: uvloop.run(run())
