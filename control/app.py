"""`create_app(settings)`: wiring only; nothing happens at import."""

import logging
import time
from itertools import count

from pydantic_core import to_json
from sanic import HTTPResponse, Request, Sanic, json

from control import database, errors
from control.api import DOORS
from control.errors import Unavailable
from control.settings import Settings

access_log = logging.getLogger("cutroom.access")
_numbers = count()


def create_app(settings: Settings) -> Sanic:
    """A Sanic app for these settings; it connects to the database when it starts."""
    app = Sanic(
        f"cutroom-{next(_numbers)}",
        dumps=lambda value: to_json(value).decode(),
        configure_logging=False,
    )
    app.config.ACCESS_LOG = False  # ours leaves the query out, where WebSockets carry tokens
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.REQUEST_ID_HEADER = "X-Request-ID"
    app.config.REQUEST_MAX_SIZE = settings.max_body_bytes
    app.config.KEEP_ALIVE_TIMEOUT = 75
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 5
    app.ctx.settings = settings
    errors.install(app)
    for door in DOORS.values():
        if door.blueprints:
            app.blueprint(door)
    app.on_request(_begin, priority=100)
    app.on_response(_end)
    app.before_server_start(_connect)
    app.after_server_stop(_disconnect)
    app.add_route(healthz, "/healthz", name="healthz")
    app.add_route(readyz, "/readyz", name="readyz")
    return app


async def _connect(app: Sanic) -> None:
    await database.start(app.ctx.settings)


async def _disconnect(_: Sanic) -> None:
    await database.stop()


async def _begin(request: Request) -> None:
    request.ctx.began_s = time.perf_counter()


async def _end(request: Request, response: HTTPResponse) -> None:
    response.headers["X-Request-ID"] = str(request.id)
    began_s = getattr(request.ctx, "began_s", None)
    wall_ms = 0.0 if began_s is None else (time.perf_counter() - began_s) * 1e3
    access_log.info(
        "%s %s %d %.1f ms %s", request.method, request.path, response.status, wall_ms, request.id
    )


async def healthz(_: Request) -> HTTPResponse:
    """The process answers."""
    return json({"status": "ok"})


async def readyz(_: Request) -> HTTPResponse:
    """The process answers and so does its database."""
    try:
        await database.default().execute_query("SELECT 1")
    except Exception as error:
        raise Unavailable("The database does not answer.") from error
    return json({"status": "ready"})
