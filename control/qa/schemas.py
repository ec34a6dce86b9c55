"""What QA looks like from outside."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, model_validator

from control.bodies import In, Moment, Out, Patch
from control.qa.models import FindingStatus, ReviewState, RunStatus, Severity
from ray_jobs.contract import Like, Truth

Share = Annotated[float, Field(ge=0, le=1)]
Coverage = Annotated[dict[Annotated[str, Field(max_length=64)], Share], Field(max_length=200)]
Metadata = Annotated[dict[str, JsonValue], Field(max_length=50)]
Text = Annotated[str, Field(max_length=10_000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[float, Field(ge=0, le=1e6)]
Url = Annotated[
    str, Field(max_length=2048), Like(r"^https?://[^\x00]*$", "must begin with https:// or http://")
]
Box = Annotated[list[Share], Field(min_length=4, max_length=4)]
"""Left, top, width, height as shares of the picture."""


class CreateRun(In):
    """`locale_coverage` and `genre_coverage` say which share of each was looked at."""

    suite: Name
    commit: Annotated[str, Field(max_length=64)] | None = None
    build: Name | None = None
    author_may_approve: Truth = True
    locale_coverage: Coverage = {}
    genre_coverage: Coverage = {}
    frame_diff_count: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    reference_artifact_ids: Annotated[list[UUID], Field(max_length=100)] = []
    metadata: Metadata = {}


class RunPatch(Patch):
    """`finished` closes the run for good and gives its verdict."""

    locale_coverage: Coverage | None = None
    genre_coverage: Coverage | None = None
    frame_diff_count: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    metadata: Metadata | None = None
    status: Literal["finished"] | None = None


class RunOut(Out):
    id: UUID
    suite: str
    commit: str | None
    build: str | None
    author_id: UUID
    author_may_approve: bool
    locale_coverage: dict[str, float]
    genre_coverage: dict[str, float]
    frame_diff_count: int
    reference_artifact_ids: list[UUID]
    metadata: dict[str, JsonValue]
    status: RunStatus
    verdict: str | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime


class _Found(In):
    """What a finding says of a fault."""

    @model_validator(mode="after")
    def in_order(self) -> Self:
        start_s, end_s = getattr(self, "start_s", None), getattr(self, "end_s", None)
        if start_s is not None and end_s is not None and end_s < start_s:
            raise ValueError("end_s must not lie before start_s")
        return self


class CreateFinding(_Found):
    """`fingerprint` is made of suite, category, title, locale and genre where none is given."""

    title: Annotated[str, Field(min_length=1, max_length=300)]
    description: Text = ""
    category: Annotated[str, Field(min_length=1, max_length=64)]
    severity: Severity
    locale: Annotated[str, Field(max_length=35)] | None = None
    genre: Annotated[str, Field(max_length=64)] | None = None
    start_s: Seconds | None = None
    end_s: Seconds | None = None
    frame: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    bbox: Box | None = None
    overlay_url: Url | None = None
    overlay_artifact_id: UUID | None = None
    evidence_artifact_id: UUID | None = None
    expected: Text | None = None
    actual: Text | None = None
    assignee_id: UUID | None = None
    due_at: Moment | None = None
    metadata: Metadata = {}
    fingerprint: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class FindingPatch(Patch):
    """Null takes the assignee, the due date and what is optional of a finding away."""

    clears = frozenset({"overlay_url", "expected", "actual", "assignee_id", "due_at"})

    title: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    description: Text | None = None
    severity: Severity | None = None
    status: FindingStatus | None = None
    overlay_url: Url | None = None
    expected: Text | None = None
    actual: Text | None = None
    assignee_id: UUID | None = None
    due_at: Moment | None = None
    metadata: Metadata | None = None
    note: Annotated[str, Field(max_length=1000)] | None = None


class Change(Out):
    """One change: who, when, what it was and what it became."""

    at: datetime
    by: UUID
    before: dict[str, JsonValue]
    after: dict[str, JsonValue]
    note: str | None = None


class FindingOut(Out):
    id: UUID
    run_id: UUID
    title: str
    description: str
    category: str
    severity: Severity
    status: FindingStatus
    locale: str | None
    genre: str | None
    start_s: float | None
    end_s: float | None
    frame: int | None
    bbox: list[float] | None
    overlay_url: str | None
    overlay_artifact_id: UUID | None
    evidence_artifact_id: UUID | None
    expected: str | None
    actual: str | None
    assignee_id: UUID | None
    due_at: datetime | None
    metadata: dict[str, JsonValue]
    fingerprint: str
    first_seen_run_id: UUID
    occurrences: int
    regression: bool
    history: list[Change]
    created_at: datetime
    updated_at: datetime


class FindingQuery(In):
    status: FindingStatus | None = None
    severity: Severity | None = None
    assignee_id: UUID | None = None


class CreateReview(In):
    """`reviewer_id` is the caller where it is left out."""

    reviewer_id: UUID | None = None
    state: ReviewState = ReviewState.PENDING
    comment: Text = ""


class ReviewPatch(Patch):
    state: ReviewState | None = None
    comment: Text | None = None


class ReviewOut(Out):
    id: UUID
    run_id: UUID
    reviewer_id: UUID
    state: ReviewState
    comment: str
    created_at: datetime
    updated_at: datetime
