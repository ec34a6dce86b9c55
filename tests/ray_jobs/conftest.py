"""A job run without a cluster: a directory as object store, reports kept in a list."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ray_jobs.contract import Directive, Order, Report
from ray_jobs.run import JobRun
from ray_jobs.settings import WorkerSettings

ORGANIZATION = UUID("11111111-1111-4111-8111-111111111111")


class Notebook:
    """A line to nobody: remembers reports and answers with the directive a test has set."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.directive = Directive.CONTINUE

    def send(self, report: Report, *, patience_s: float) -> Directive:
        self.reports.append(report)
        return self.directive


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    (tmp_path / "objects").mkdir()
    return WorkerSettings(store_url=(tmp_path / "objects").as_uri(), cache_dir=tmp_path / "cache")


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def order() -> Callable[..., Order]:
    def make(spec, attempt: int = 1) -> Order:
        return Order(
            job_id=uuid4(),
            organization_id=ORGANIZATION,
            attempt=attempt,
            lease_s=30,
            report_url="http://127.0.0.1:9/unused",
            worker_token="unused",
            spec=spec,
        )

    return make


@pytest.fixture
def job_run(settings, notebook, order, tmp_path) -> Iterator[Callable[..., JobRun]]:
    """`job_run(spec)` gives a run on an empty store; call it again for a second attempt."""
    runs: list[JobRun] = []

    def make(spec, attempt: int = 1) -> JobRun:
        workdir = tmp_path / f"work-{len(runs)}"
        workdir.mkdir()
        run = JobRun(order(spec, attempt), settings, notebook, workdir)
        run.reporter.start()
        runs.append(run)
        return run

    yield make
    for run in runs:
        run.reporter.close()
