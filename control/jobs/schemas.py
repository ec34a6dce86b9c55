"""What a job looks like from outside."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, JsonValue, computed_field

from control.bodies import In, Out, Patch
from control.jobs.models import Job, JobState
from control.jobs.states import ACTIVE
from control.records import now
from ray_jobs.contract import JobKind, Problem, StepReport

STALLED = timedelta(minutes=10)
COMPUTED = {"wait_s", "run_s", "stalled"}


class JobOut(Out):
    """`wait_s` and `run_s` are of the last attempt, null while it waits for another; `stalled` says
    that it runs and has not got any further for ten minutes.

    `deduplicated` says it was there already.
    """

    id: UUID
    kind: JobKind
    state: JobState
    project_id: UUID | None
    video_id: UUID | None
    clip_id: UUID | None
    priority: int
    attempt: int
    max_attempts: int
    progress: float
    step: str | None
    steps: list[StepReport]
    effective: dict[str, str]
    cached: bool
    problem: Problem | None
    metadata: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime
    queued_at: datetime
    started_at: datetime | None
    moved_at: datetime | None
    finished_at: datetime | None
    deduplicated: bool = False

    @computed_field
    def wait_s(self) -> float | None:
        if self.started_at is None or self.started_at < self.queued_at:
            return None  # it waits, for the first time or again
        return round((self.started_at - self.queued_at).total_seconds(), 3)

    @computed_field
    def run_s(self) -> float | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at).total_seconds(), 3)

    @computed_field
    def stalled(self) -> bool:
        since = self.moved_at if self.state in ACTIVE else None
        return since is not None and now() - since > STALLED


class JobDetail(JobOut):
    """A job with all that it found."""

    result: dict[str, Any] | None = None


class JobQuery(In):
    state: JobState | None = None
    kind: JobKind | None = None


class JobPatch(Patch):
    """What a user may change of a job."""

    priority: Annotated[int, Field(ge=-100, le=100)] | None = None
    metadata: Annotated[dict[str, JsonValue], Field(max_length=50)] | None = None


def accepted(job: Job, *, deduplicated: bool = False) -> JobOut:
    return JobOut.model_validate(job).model_copy(update={"deduplicated": deduplicated})
