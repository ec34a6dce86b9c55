"""What billing looks like from outside."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from control.billing.models import PaymentStatus
from control.bodies import In, Moment, Out
from ray_jobs.contract import Like, Snake

PlanName = Literal["unlimited", "starter", "team", "studio"]
EventId = Annotated[
    str, Like(r"^[!-~]{1,200}$", "must be 1 to 200 visible ASCII characters without spaces")
]
Unit = Annotated[
    str,
    Like(
        r"^[A-Za-z0-9/_-]{1,16}$",
        "must be a unit of at most 16 letters, digits and / _ -, as in min or GB/month",
    ),
]
MOST = 99_999_999.999999
DIGITS = "[0-9]{1,8}([.][0-9]{1,6})?$"
Quantity = Annotated[
    Decimal,
    Field(max_digits=14, decimal_places=6, allow_inf_nan=False),
    WithJsonSchema(
        {
            "description": "At most 8 digits before the point and 6 after it.",
            "anyOf": [
                {"type": "number", "minimum": -MOST, "maximum": MOST, "multipleOf": 1e-6},
                {"type": "string", "pattern": f"^[+-]?{DIGITS}", "description": "As in -12.5."},
            ],
        }
    ),
]
NOT_NEGATIVE: JsonDict = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": f"^[+]?{DIGITS}", "description": "As in 12.5."},
    ]
}
NOT_A_JOBS: JsonDict = {"not": {"pattern": "^job:", "description": "Names of jobs' own events."}}


class PutSubscription(In):
    """`now` changes at once and prorates; `next_period` when the paid period ends."""

    plan: PlanName
    seats: Annotated[int, Field(ge=1, le=10_000)] = 1
    when: Literal["now", "next_period"] = "now"


class Entitlements(Out):
    max_seats: int | None
    processed_minutes: int | None


class SubscriptionOut(Out):
    """`proration_idr` is what the rest of the period costs more (or less) after this change."""

    plan: str
    seats: int
    seats_used: int
    period_start: datetime
    period_end: datetime
    next_plan: str | None
    next_seats: int | None
    next_from: datetime | None
    entitlements: Entitlements
    proration_idr: int = 0
    updated_at: datetime


class WriteUsage(In):
    """A negative quantity must name the event it `corrects`; ids with `job:` are those of jobs."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"quantity": NOT_NEGATIVE}},
                {"required": ["corrects"], "properties": {"corrects": {"type": "string"}}},
            ]
        }
    )

    event_id: Annotated[EventId, Field(json_schema_extra=NOT_A_JOBS)]
    meter: Snake
    quantity: Quantity
    unit: Unit
    occurred_at: Moment | None = None
    project_id: UUID | None = None
    job_id: UUID | None = None
    corrects: EventId | None = None


class UsageWritten(Out):
    event_id: str
    meter: str
    quantity: Decimal
    unit: str
    occurred_at: datetime
    corrects: str | None
    created_at: datetime


class UsageQuery(In):
    """Sums by meter, and by project or day where asked; of the present period by default."""

    since: Moment | None = None
    until: Moment | None = None
    meter: Annotated[str, Field(max_length=64)] | None = None
    group_by: Literal["meter", "project", "day"] = "meter"


class UsageSum(Out):
    meter: str
    unit: str
    quantity: Decimal
    events: int
    project_id: UUID | None = None
    day: datetime | None = None


class CreatePayment(In):
    amount_idr: Annotated[int, Field(ge=1, le=999_999_999_999)]
    description: Annotated[str, Field(max_length=255)] = ""


class SimulatePayment(In):
    transaction_status: PaymentStatus


class Move(Out):
    at: datetime
    status: PaymentStatus
    note: str | None = None


class PaymentOut(Out):
    order_id: str
    amount_idr: int
    description: str
    gateway: str
    status: PaymentStatus
    redirect_url: str | None
    token: str | None
    expires_at: datetime
    history: list[Move]
    created_at: datetime
    updated_at: datetime


class NotificationSeen(Out):
    """What came in the order's name; `verdict` says what was made of it, and why not more."""

    received_at: datetime
    verdict: str


class PaymentDetail(PaymentOut):
    """A payment with the notifications of the gateway, newest first, the last hundred."""

    notifications: list[NotificationSeen]


class NotificationTaken(Out):
    """`duplicate` and `stale` notifications are kept and change nothing."""

    status: Literal["applied", "duplicate", "stale"]
