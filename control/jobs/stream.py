"""`WS /v1/jobs/{id}/events`: a snapshot, what was missed, then everything as it happens."""

import asyncio
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, ValidationError
from pydantic_core import to_json
from sanic import Blueprint, Request
from sanic.server.websockets.impl import WebsocketImplProtocol

from control.access import member_of
from control.bodies import In, query
from control.errors import ApiError, Forbidden
from control.events import Hub
from control.jobs.models import Job, JobEvent
from control.jobs.schemas import JobOut
from control.jobs.states import TERMINAL
from control.records import find

blueprint = Blueprint("job_events", url_prefix="/jobs")
ENDING = tuple(f"job.{state}" for state in TERMINAL)
CLOSED_NORMALLY = 1000
NOT_UTF8 = 1007
# Codes from 4000 up are an application's own (RFC 6455, section 7.4.2).
CLOSE_BASE = 4000
RECHECK_S = 10.0


class After(In):
    after_seq: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0


@blueprint.websocket("/<job_id:uuid>/events")
async def job_events(request: Request, socket: WebsocketImplProtocol, job_id: UUID) -> None:
    """Follow a job; `after_seq` replays what came after that event.

    Closes with 1000 after the event that ends the job, and with 4400 for a malformed query, 4401
    for a bad token, 4403 for a member who may not and for pages of other sites, 4404 for a job that
    is not theirs; a membership that ends meanwhile closes within RECHECK_S.
    """
    try:
        if request.ctx.refusal:
            raise request.ctx.refusal
        _check_origin(request)
        seen = query(request, After).after_seq
        job = await find(Job.of(request.ctx.member), job_id)
    except (ApiError, ValidationError) as error:
        await _refuse(socket, error)
        return
    _close_on_bad_text(socket)
    watch = asyncio.ensure_future(_until_refused(request, socket))
    try:
        await _follow(request.app.ctx.hub, socket, job, seen, watch)
    finally:
        watch.cancel()


async def _follow(
    hub: Hub, socket: WebsocketImplProtocol, job: Job, seen: int, watch: "asyncio.Future[None]"
) -> None:
    with hub.subscribed(job.id, seen) as queue:
        # Read again: what changed before the subscription is in no event to come.
        job = await Job.get(id=job.id)
        snapshot = JobOut.model_validate(job).model_dump(mode="json")
        await socket.send(to_json({"type": "snapshot", "seq": seen, "job": snapshot}).decode())
        if job.state in TERMINAL:
            for past in await JobEvent.filter(job_id=job.id, id__gt=seen).order_by("id"):
                await socket.send(_text(past))
            await socket.close(CLOSED_NORMALLY)
            return
        watch.add_done_callback(lambda _: queue.put_nowait(None))
        while (event := await queue.get()) and not watch.done():
            await socket.send(_text(event))
            if event.type in ENDING and not await _goes_on(event):
                await socket.close(CLOSED_NORMALLY)
                return


async def _goes_on(event: JobEvent) -> bool:
    """A job that was retried has ended before, in the middle of its log."""
    return await JobEvent.filter(job_id=event.job_id, id__gt=event.id).exists()


async def _until_refused(request: Request, socket: WebsocketImplProtocol) -> None:
    """Ends when the client has gone, or when its membership has."""
    gone = asyncio.ensure_future(_until_closed(socket))
    try:
        while not gone.done():
            await asyncio.wait({gone}, timeout=RECHECK_S)
            if not gone.done():
                await member_of(request)
    except ApiError as error:
        await _refuse(socket, error)
    finally:
        gone.cancel()


def _check_origin(request: Request) -> None:
    """Raise `Forbidden` for a page of another site; programs name no origin, and may."""
    settings, origin = request.app.ctx.settings, request.headers.get("origin")
    ours = {request.headers.get("host"), urlsplit(settings.base_url).netloc}
    allowed = {"*", origin} & set(settings.cors_origins)
    if origin and not allowed and urlsplit(origin).netloc not in ours:
        raise Forbidden("Pages of this site may not listen.", code="origin_not_allowed")


async def _refuse(socket: WebsocketImplProtocol, error: ApiError | ValidationError) -> None:
    if isinstance(error, ValidationError):
        await socket.close(CLOSE_BASE + 400, "malformed_query")
    else:
        await socket.close(CLOSE_BASE + error.status, error.code)


async def _until_closed(socket: WebsocketImplProtocol) -> None:
    async for _ in socket:
        pass


def _close_on_bad_text(socket: WebsocketImplProtocol) -> None:
    """Sanic stops reading at text that is not UTF-8; RFC 6455, section 8.1, wants it to close."""
    process = socket.process_events

    async def checked(events: Any) -> None:
        try:
            await process(events)
        except UnicodeDecodeError:
            socket.fail_connection(NOT_UTF8, "text must be UTF-8")

    socket.process_events = checked  # type: ignore[method-assign]


@lru_cache
def _text(event: JobEvent) -> str:
    """What is sent of an event, written once for all who follow the job."""
    plain = {
        "type": event.type,
        "seq": event.id,
        "job_id": event.job_id,
        "at": event.created_at,
        "data": event.data,
    }
    return to_json(plain).decode()
