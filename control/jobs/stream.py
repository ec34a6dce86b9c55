"""`WS /v1/jobs/{id}/events`: a snapshot, what was missed, then everything as it happens."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from pydantic_core import to_json
from sanic import Blueprint, Request
from sanic.server.websockets.impl import WebsocketImplProtocol

from control.bodies import In, query
from control.events import Hub
from control.jobs.models import Job, JobEvent
from control.jobs.schemas import JobOut
from control.jobs.states import TERMINAL
from control.records import find

blueprint = Blueprint("job_events", url_prefix="/jobs")
ENDING = tuple(f"job.{state}" for state in TERMINAL)
CLOSED_NORMALLY = 1000


class After(In):
    after_seq: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0


@blueprint.websocket("/<job_id:uuid>/events")
async def job_events(request: Request, socket: WebsocketImplProtocol, job_id: UUID) -> None:
    """Follow a job; `after_seq` replays what came after that event."""
    job = await find(Job.of(request.ctx.member), job_id)
    seen = query(request, After).after_seq
    hub: Hub = request.app.ctx.hub
    with hub.subscribed(job_id, seen) as queue:
        snapshot = JobOut.model_validate(job).model_dump(mode="json")
        await _send(socket, {"type": "snapshot", "seq": seen, "job": snapshot})
        if job.state in TERMINAL:
            for event in await JobEvent.filter(job_id=job_id, id__gt=seen).order_by("id"):
                await _send(socket, _plain(event))
            await socket.close(CLOSED_NORMALLY)
            return
        gone = asyncio.ensure_future(_until_closed(socket))
        try:
            while not gone.done():
                following = asyncio.ensure_future(queue.get())
                await asyncio.wait({gone, following}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    return
                event = following.result()
                await _send(socket, _plain(event))
                # A job that was retried has ended before, in the middle of its log.
                later = JobEvent.filter(job_id=job_id, id__gt=event.id)
                if event.type in ENDING and not await later.exists():
                    await socket.close(CLOSED_NORMALLY)
                    return
        finally:
            gone.cancel()


async def _until_closed(socket: WebsocketImplProtocol) -> None:
    async for _ in socket:
        pass


async def _send(socket: WebsocketImplProtocol, message: dict[str, Any]) -> None:
    await socket.send(to_json(message).decode())


def _plain(event: JobEvent) -> dict[str, Any]:
    return {
        "type": event.type,
        "seq": event.id,
        "job_id": event.job_id,
        "at": event.created_at,
        "data": event.data,
    }
