"""Tickets for WebSockets: a browser must put its token into the URL, and this one is worth little.

A ticket opens one socket once, within a minute, as its member; only its SHA-256 is kept.
"""

import secrets
from datetime import timedelta

from tortoise.transactions import in_transaction

from control.access import Member
from control.auth.keys import KeyHolder, digest_of
from control.auth.models import StreamTicket
from control.errors import Unauthorized
from control.records import now

MARK = "tk_"
LIFE_S = 60


async def issue(member: Member) -> str:
    """A new ticket for this member, with at most the member's role."""
    text = MARK + secrets.token_urlsafe(32)
    await StreamTicket.create(
        organization_id=member.organization_id, user_id=member.user_id, role=member.role,
        digest=digest_of(text), expires_at=now() + timedelta(seconds=LIFE_S),
    )  # fmt: skip
    return text


async def redeem(text: str) -> KeyHolder:
    """Whom the ticket stands for; `Unauthorized` for one that was used, ran out or is none."""
    async with in_transaction() as tx:
        rows = StreamTicket.filter(digest=digest_of(text)).using_db(tx).select_for_update()
        ticket = await rows.get_or_none()
        if ticket:
            await ticket.delete(using_db=tx)
    if ticket is None or ticket.expires_at <= now():
        raise Unauthorized("The ticket is not valid.", code="token_invalid")
    return KeyHolder(ticket.user_id, ticket.organization_id, ticket.role)
