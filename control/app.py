"""`create_app(settings)`: wiring only; nothing happens at import."""

import logging
import re
import time
from functools import cache
from itertools import count
from pathlib import Path
from uuid import uuid4

from pydantic_core import to_json
from sanic import HTTPResponse, Request, Sanic, empty, html, json

from control import database, errors, openapi
from control.access import memberships
from control.api import DOORS
from control.billing import sandbox
from control.errors import BadRequest, Unavailable
from control.events import Hub
from control.gathered import Gathered
from control.observability import exposition
from control.play import routes as play
from control.settings import Settings
from control.storage import open_store
from control.store import routes as store

access_log = logging.getLogger("cutroom.access")
REQUEST_ID = re.compile(r"[A-Za-z0-9_.:=+/-]{1,128}")
SIGNED = re.compile(r"^(/(?:play|store|pay/[^/]+)/)[^/]+")
_numbers = count()

CORS_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, "
    "Range, X-Org-ID, X-Request-ID",
    "Access-Control-Expose-Headers": "Content-Range, ETag, Location, Retry-After, X-Request-ID, "
    "Idempotent-Replayed",
    "Access-Control-Max-Age": "600",
}


class TracedRequest(Request):
    """A request with an id that is safe to echo, log and store: the caller's, or a new one."""

    @property
    def id(self) -> str:
        if not self._id:
            given: str = self.headers.get("x-request-id", "")
            self._id = given if REQUEST_ID.fullmatch(given) else str(uuid4())
        return str(self._id)


def create_app(settings: Settings) -> Sanic:
    """A Sanic app for these settings; it connects to the database when it starts."""
    app = Sanic(
        f"cutroom-{next(_numbers)}",
        dumps=lambda value: to_json(value).decode(),
        request_class=TracedRequest,
        configure_logging=False,
    )
    app.config.ACCESS_LOG = False  # ours leaves out the query, where WebSockets carry tokens
    app.config.REQUEST_MAX_SIZE = settings.max_body_bytes
    app.config.KEEP_ALIVE_TIMEOUT = 75
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 5
    app.ctx.settings = settings
    errors.install(app)
    for door in DOORS.values():
        if door.blueprints:
            app.blueprint(door)
    app.blueprint(store.blueprint)
    app.blueprint(play.playlists)
    app.blueprint(sandbox.blueprint)
    app.on_request(_begin, priority=100)
    app.on_response(_end)
    app.before_server_start(_connect)
    app.after_server_stop(_disconnect)
    for handler in (healthz, readyz, docs):
        app.add_route(handler, f"/{handler.__name__}", name=handler.__name__)
    app.add_route(openapi_document, "/openapi.json", name="openapi")
    return app


async def _connect(app: Sanic) -> None:
    settings = app.ctx.settings
    await database.start(settings)
    app.ctx.memberships = Gathered(memberships)
    app.ctx.store = open_store(settings)
    app.ctx.hub = Hub(settings.database_url)
    app.ctx.hub.start()


async def _disconnect(app: Sanic) -> None:
    await app.ctx.hub.stop()
    await app.ctx.store.close()
    await database.stop()


async def _begin(request: Request) -> HTTPResponse | None:
    request.ctx.began_s = time.perf_counter()
    for name, value in request.headers.items():
        if not value.isascii() and not value.isprintable():  # bytes that were not UTF-8
            raise BadRequest(f"The header {name} is not text.", code="malformed_header")
    asks = request.method == "OPTIONS" and "access-control-request-method" in request.headers
    return empty() if asks and _cors_origin(request) else None


async def _end(request: Request, response: HTTPResponse) -> None:
    response.headers["X-Request-ID"] = str(request.id)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if origin := _cors_origin(request):
        response.headers.update(CORS_HEADERS)
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"
    began_s = getattr(request.ctx, "began_s", None)
    wall_s = 0.0 if began_s is None else time.perf_counter() - began_s
    exposition.count(request, response.status, wall_s)
    path = SIGNED.sub(r"\1…", request.path)
    access_log.info(
        "%s %s %d %.1f ms %s",
        request.method,
        path,
        response.status,
        wall_s * 1e3,
        request.id,
    )


def _cors_origin(request: Request) -> str | None:
    """The caller's site where it is one of those allowed; tokens travel in headers, no cookies."""
    origin = request.headers.get("origin")
    allowed = request.app.ctx.settings.cors_origins
    return origin if origin and (origin in allowed or "*" in allowed) else None


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


async def openapi_document(request: Request) -> HTTPResponse:
    """The API in the form of OpenAPI 3.1."""
    return json(_document(request.app))


@cache
def _document(app: Sanic) -> openapi.Json:
    return openapi.document(app)


async def docs(_: Request) -> HTTPResponse:
    """The API for people: one page of ours that reads `/openapi.json`."""
    return html((Path(__file__).parent / "docs.html").read_text())
