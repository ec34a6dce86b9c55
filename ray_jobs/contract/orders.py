"""What the director hands to a worker, and what the worker says while it works."""

import hashlib
import json
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from ray_jobs.contract.results import Result
from ray_jobs.contract.specs import Spec
from ray_jobs.contract.vocabulary import Plain, Seconds, Share, Snake, Truth


class Order(Plain):
    """What the director hands to a worker. `report_url` takes PATCH with `X-Worker-Token`."""

    job_id: UUID
    organization_id: UUID
    attempt: int = Field(ge=1)
    lease_s: float = Field(gt=0)
    report_url: str
    worker_token: str
    spec: Spec


class Problem(Plain):
    """Why a job failed: a stable code, a sentence for people, whether another try may help."""

    code: Snake
    detail: str = Field(max_length=4000)
    retryable: Truth = False


class StepReport(Plain):
    name: str
    state: Literal["running", "done", "failed"]
    cached: Truth = False
    wall_s: Seconds = 0.0


class ReportState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class Report(Plain):
    """A worker's word on its attempt; `seq` grows by one, a repeated `seq` changes nothing.

    `effective` says what ran: engine, decoder, encoder, with the reason of any fallback.
    """

    attempt: int = Field(ge=1)
    seq: int = Field(ge=1)
    state: ReportState
    progress: Share = 0.0
    step: str | None = None
    steps: list[StepReport] = Field(default_factory=list, max_length=1000)
    effective: dict[str, str] = Field(default_factory=dict)
    cached: Truth = False
    result: Result | None = None
    problem: Problem | None = None


class Directive(StrEnum):
    """Control's answer to a report."""

    CONTINUE = "continue"
    PAUSE = "pause"
    CANCEL = "cancel"


class ReportAnswer(Plain):
    directive: Directive


def spec_hash(spec: Plain) -> str:
    """Hash of a spec's every value: equal work has equal hashes."""
    canonical = json.dumps(spec.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def object_key(organization_id: UUID, *parts: str) -> str:
    """Key of an object in an organisation's namespace: `orgs/<id>/<part>/…`."""
    return "/".join(("orgs", str(organization_id), *parts))
