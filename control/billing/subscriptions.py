"""What an organisation has subscribed to, and whether its plan covers one recording more."""

from datetime import datetime, timedelta
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from control.billing.models import Subscription
from control.billing.plans import DEFAULT, PLANS
from control.billing.usage import used
from control.errors import Forbidden
from control.jobs.models import Job
from control.jobs.states import TERMINAL
from control.organizations.models import Organization
from control.records import now
from ray_jobs.contract import JobKind

PERIOD = timedelta(days=30)
MINUTES = "processed_minutes"
# A recording's length is known when it has been probed; until then it holds this much.
HOLD_MINUTES = 10


async def current(organization_id: UUID, tx: BaseDBAsyncClient | None = None) -> Subscription:
    """The subscription as it is now: a due change of plan applied, though not yet stored."""
    found = await Subscription.get_or_none(organization_id=organization_id, using_db=tx)
    if found is None:
        organization = await Organization.get(id=organization_id, using_db=tx)
        found, _ = await Subscription.get_or_create(
            using_db=tx,
            organization_id=organization_id,
            defaults={"plan": DEFAULT, "period_start": organization.created_at},
        )
    while now() >= found.period_start + PERIOD:
        found.period_start += PERIOD
        if found.next_plan:
            found.plan, found.seats = found.next_plan, found.next_seats or found.seats
            found.next_plan = found.next_seats = found.next_from = None
    return found


def prorated(found: Subscription, plan: str, seats: int, moment: datetime) -> int:
    """What the rest of the period costs more after a change at `moment`, in whole rupiah."""
    left = max(0.0, (found.period_start + PERIOD - moment) / PERIOD)
    before = PLANS[found.plan].price_idr * found.seats
    return round((PLANS[plan].price_idr * seats - before) * left)


async def reserve(tx: BaseDBAsyncClient, organization_id: UUID) -> None:
    """Hold minutes for one more recording.

    The hold is the unfinished ingest job itself: success commits the real length to the ledger,
    any other end releases it.

    Raises
    ------
    Forbidden
        403 `plan_limit_reached` with `reset_at` (not 429: waiting a moment does not help).
    """
    found = await current(organization_id, tx)
    allowed = PLANS[found.plan].processed_minutes
    if allowed is None:
        return
    await Subscription.filter(id=found.id).using_db(tx).select_for_update()
    held = await (
        Job.filter(organization_id=organization_id, kind=JobKind.INGEST)
        .exclude(state__in=TERMINAL).using_db(tx).count()
    )  # fmt: skip
    spent = await used(tx, organization_id, MINUTES, found.period_start)
    if spent + HOLD_MINUTES * held >= allowed:
        raise Forbidden(
            f"The plan {found.plan} covers {allowed} minutes of recordings a period, of which "
            f"{spent:.0f} are used and {HOLD_MINUTES * held} are held by recordings on their way.",
            code="plan_limit_reached",
            reset_at=(found.period_start + PERIOD).isoformat(),
        )
