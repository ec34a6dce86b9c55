"""An event that is owed, and its next attempt."""

from tortoise.transactions import in_transaction

from control.records import now
from control.webhooks.models import WebhookDelivery
from control.webhooks.outbox import emit


async def tell(owner, kind="video.ingested", **data):
    async with in_transaction() as tx:
        await emit(tx, owner.organization_id, kind, data)


async def due_now():
    await WebhookDelivery.filter(status="pending").update(next_attempt_at=now())
