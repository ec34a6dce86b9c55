"""Claiming from the queue: what it costs where 10,000 jobs wait, beside 100."""

from asyncio import Runner
from collections.abc import Iterator

from benchmarks.case import Call, Case, Rival
from benchmarks.control.stand import stand
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
    with stand() as built, built.connected() as runner:
        for kind, waiting in (("find_clips", MANY), ("transcribe", FEW)):
            built.query(JOBS, built.organization_id, kind, waiting)
        built.query("VACUUM ANALYZE jobs")
        yield Case(
            op="claim", name="of 10,000", size=MANY, unit="jobs",
            run=_claiming(runner, "find_clips"),
            rivals={"of 100": Rival(_claiming(runner, "transcribe"), 1 / 1.2)},
        )  # fmt: skip


def _claiming(runner: Runner, kind: str) -> Call:
    async def run() -> None:
        for _ in range(CLAIMS):
            jobs = await claim({kind: 1}, lease_s=60)
            assert len(jobs) == 1
            await release(jobs)

    return lambda: runner.run(run())
