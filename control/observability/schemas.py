"""What metrics, their summary and the objective look like from outside."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from control.bodies import In, Moment, Out
from ray_jobs.contract import Like

Name = Annotated[
    str,
    Like(
        r"^[a-zA-Z_][a-zA-Z0-9_.:/-]{0,99}$",
        "must be the name of a metric of at most 100 letters, digits and _ . : / -, as in qa.score",
    ),
]
LabelName = Annotated[
    str,
    Like(
        r"^[a-zA-Z_][a-zA-Z0-9_]{0,62}$",
        "must be the name of a label of at most 63 letters, digits and _, as in shard",
    ),
]
LabelFilter = Annotated[
    str, Field(max_length=164), Like(r"^[a-zA-Z0-9_]+:", "is written name:value, as in shard:3")
]
LabelValue = Annotated[str, Field(max_length=100)]
Labels = Annotated[
    dict[LabelName, LabelValue],
    Field(max_length=8, json_schema_extra={"additionalProperties": False}),
]
WindowS = Annotated[int, Field(ge=60, le=90 * 86400)]
MAX_POINTS = 1000
MOST = 1e150
"""A mean of larger values overflows: PostgreSQL sums their squares beside them."""


class Point(In):
    """`at` is now where it is left out."""

    name: Name
    value: float = Field(ge=-MOST, le=MOST)
    labels: Labels = {}
    at: Moment | None = None


class SendMetrics(In):
    points: Annotated[list[Point], Field(min_length=1, max_length=MAX_POINTS)]


class MetricsSent(Out):
    accepted: int


class MetricQuery(In):
    """`label` is `name:value`, as often as wanted; with `step_s` points become buckets."""

    name: Annotated[str, Field(max_length=100)] | None = None
    label: Annotated[list[LabelFilter], Field(max_length=8)] = []
    since: Moment | None = None
    until: Moment | None = None
    step_s: Annotated[int, Field(ge=1, le=86400)] | None = None


class PointOut(Out):
    """A point, or a bucket of `count` points with `value` as their mean."""

    name: str
    labels: dict[str, str]
    at: datetime
    value: float
    count: int = 1
    minimum: float
    maximum: float


class SummaryQuery(In):
    window_s: WindowS = 3600
    name: Annotated[str, Field(max_length=100)] | None = None


class SummaryOut(Out):
    """One series over the window; `job.run_s`, `job.wait_s` and `job.step_s`, which leaves out the
    steps that were found in the cache, are measured by the server.
    """

    name: str
    labels: dict[str, str]
    count: int
    mean: float
    minimum: float
    maximum: float
    p50: float
    p95: float
    p99: float


class SloQuery(In):
    """`target_s` is the longest from queue to end; without it any success is good."""

    window_s: WindowS = 28 * 86400
    objective: Annotated[float, Field(ge=0.5, lt=1)] = 0.99
    target_s: Annotated[float, Field(gt=0, le=7 * 86400)] | None = None


class KindSlo(Out):
    kind: str
    eligible: int
    good: int
    sli: float | None


class SloOut(Out):
    """`burn_rates` by window: 1 spends the error budget exactly over the objective's window."""

    window_s: int
    objective: float
    target_s: float | None
    eligible: int
    good: int
    excluded: int
    sli: float | None
    met: bool | None
    error_budget_left: float | None
    burn_rates: dict[str, float | None]
    kinds: list[KindSlo]
