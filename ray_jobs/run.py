"""One attempt at one job: its files, its steps, its reports, its end."""

import errno
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from pydantic import BaseModel

from ray_jobs.cache import NodeCache, StepCache, StepRecord, step_hash
from ray_jobs.contract import (
    Directive,
    Json,
    ObjectRef,
    Order,
    Problem,
    Report,
    ReportState,
    Result,
    StepReport,
)
from ray_jobs.failures import Cancelled, Failure, Paused, Superseded
from ray_jobs.report import HttpLine, Line, Reporter
from ray_jobs.settings import WorkerSettings
from ray_jobs.storage import open_store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """A finished step: the value its work returned, and the files it left, by name."""

    record: StepRecord
    cached: bool
    node: NodeCache

    @property
    def value(self) -> Json:
        return self.record.value

    def path(self, name: str) -> Path:
        return self.node.fetch(self.record.files[name])

    def ref(self, name: str) -> ObjectRef:
        return self.record.files[name]


class JobRun:
    """What a job's work may use. Made by `execute`, or by a test with a line of its own.

    `progress` is a share of the current step; the job's progress counts finished steps by weight,
    against the total weight the kind declares with `plan` (more work found later never makes the
    reported progress go back).
    """

    def __init__(self, order: Order, settings: WorkerSettings, line: Line, workdir: Path) -> None:
        self.order = order
        self.workdir = workdir
        self.decoder = settings.decoder
        self.store = open_store(
            settings.store_url, s3_endpoint_url=settings.s3_endpoint_url, tick=self.tick
        )
        self.node = NodeCache(
            settings.cache_dir, self.store, max_bytes=settings.cache_max_bytes, tick=self.tick
        )
        self.cache = StepCache(order.organization_id, self.store, self.node)
        self.reporter = Reporter(line, self._running, lease_s=order.lease_s)
        self.effective: dict[str, str] = {}
        self.steps: list[StepReport] = []
        self._seq = 0
        self._reported = 0.0
        self._total_weight = 0.0
        self._done_weight = 0.0
        self._step_weight = 0.0
        self._fraction = 0.0
        self._step_effective: dict[str, str] = {}

    def plan(self, total_weight: float) -> None:
        """Say how much step weight the whole job has, so that progress tells the truth."""
        self._total_weight = total_weight

    def check(self) -> None:
        """Raise `Cancelled` or `Superseded` when control has said so."""
        if self.reporter.superseded:
            raise Superseded("a newer attempt owns this job")
        if self.reporter.directive is Directive.CANCEL:
            raise Cancelled

    def progress(self, fraction: float) -> None:
        """Note how much of the current step is done (0..1), and hear control."""
        self.check()
        self._fraction = min(1.0, max(self._fraction, fraction))
        self.reporter.changed()

    def tick(self) -> None:
        """Hear control where there is no telling how much is done."""
        self.progress(0.0)

    def used(self, **effective: str) -> None:
        """Record what really ran, with the reason of a fallback; cache hits restore it."""
        self._step_effective.update(effective)
        self.effective.update(effective)

    def fetch(self, ref: ObjectRef) -> Path:
        """Local, verified copy of an object."""
        self.check()
        return self.node.fetch(ref)

    def adopt(self, path: Path, content_type: str) -> ObjectRef:
        """Store a local file under its own hash in the organisation's namespace."""
        self.check()
        return self.cache.adopt(path, content_type)

    def step(
        self,
        name: str,
        work: Callable[[Path], Json],
        *,
        version: int,
        params: BaseModel | Json,
        inputs: Sequence[str],
        weight: float = 1.0,
    ) -> Step:
        """Do a piece of work once per `(name, version, params, inputs)`, whichever node asks.

        `work` gets an empty directory, leaves its files there and returns a JSON object. Pausing
        takes effect here, before the step starts.
        """
        self.check()
        if self.reporter.directive is Directive.PAUSE:
            raise Paused
        key_hash = step_hash(name, version, params, inputs)
        started = monotonic()
        self._step_weight, self._fraction, self._step_effective = weight, 0.0, {}
        self.steps.append(StepReport(name=name, state="running"))
        self.reporter.changed()
        try:
            record = self.cache.load(name, key_hash, self.workdir)
            cached = record is not None
            if record is None:
                record = self._work(name, version, key_hash, work)
        except BaseException:
            self._close_step(name, "failed", started, cached=False)
            raise
        self.effective.update(record.effective)
        self._close_step(name, "done", started, cached=cached)
        return Step(record, cached, self.node)

    def knows(
        self, name: str, *, version: int, params: BaseModel | Json, inputs: Sequence[str]
    ) -> bool:
        """Whether a step was done before, so that `step` would not do it again."""
        key_hash = step_hash(name, version, params, inputs)
        return self.cache.load(name, key_hash, self.workdir) is not None

    def _work(
        self, name: str, version: int, key_hash: str, work: Callable[[Path], Json]
    ) -> StepRecord:
        directory = Path(tempfile.mkdtemp(dir=self.workdir, prefix=f"{name}-"))
        try:
            value = work(directory)
            self.check()
            return self.cache.save(name, version, key_hash, directory, value, self._step_effective)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _close_step(self, name: str, state: Any, started: float, *, cached: bool) -> None:
        wall_s = round(monotonic() - started, 3)
        self.steps[-1] = StepReport(name=name, state=state, cached=cached, wall_s=wall_s)
        if state == "done":
            self._done_weight += self._step_weight
        self._step_weight = self._fraction = 0.0
        self.reporter.changed()

    def _running(self) -> Report:
        return self.report(ReportState.RUNNING)

    def report(self, state: ReportState, **ending: Any) -> Report:
        """How the job stands, as the next report."""
        self._seq += 1
        done = self._done_weight + self._step_weight * self._fraction
        total = max(self._total_weight, self._done_weight + self._step_weight, 1e-9)
        share = 1.0 if state is ReportState.SUCCEEDED else min(0.999, done / total)
        self._reported = max(self._reported, share)
        steps = list(self.steps)
        return Report(
            attempt=self.order.attempt,
            seq=self._seq,
            state=state,
            progress=round(self._reported, 4),
            step=steps[-1].name if steps else None,
            steps=steps,
            effective=dict(self.effective),
            cached=bool(steps) and all(step.cached for step in steps),
            **ending,
        )


def execute(
    order: Order,
    work: Callable[[JobRun, Any], Result],
    settings: WorkerSettings,
    line: Line | None = None,
) -> ReportState:
    """Run one attempt to its end and report it; no exception of the work leaves this function."""
    with _scratch() as workdir:
        run = JobRun(order, settings, line or HttpLine(order), workdir)
        run.reporter.start()
        ending: dict[str, Any] = {}
        try:
            state = ReportState.SUCCEEDED
            ending["result"] = work(run, order.spec)
        except Superseded:
            run.reporter.close()
            return ReportState.CANCELLED
        except Cancelled:
            state = ReportState.CANCELLED
        except Paused:
            state = ReportState.PAUSED
        except Exception as error:  # noqa: BLE001 - a job's failure must not end its worker
            state = ReportState.FAILED
            ending["problem"] = problem_of(error)
        try:
            run.reporter.last_word(lambda: run.report(state, **ending))
        except Superseded:
            return ReportState.CANCELLED
        return state


def problem_of(error: Exception) -> Problem:
    """What to tell the user of an exception; unknown ones are logged here and stay private."""
    match error:
        case Failure():
            return Problem(code=error.code, detail=error.detail[:4000], retryable=error.retryable)
        case MemoryError():
            return Problem(
                code="out_of_memory", detail="The worker ran out of memory.", retryable=True
            )
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Problem(
                code="no_space",
                detail="The worker's disk is full; free space and retry.",
                retryable=True,
            )
        case _:
            logger.error("job failed unexpectedly", exc_info=error)
            return Problem(
                code="internal_error",
                detail=f"Unexpected {type(error).__name__}; see the worker's log.",
                retryable=True,
            )


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cutroom-", ignore_cleanup_errors=True) as name:
        yield Path(name)
