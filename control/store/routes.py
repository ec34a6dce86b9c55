"""The embedded object store's signed URLs: PUT once, GET with Range, for whoever has the ticket."""

import asyncio
import errno
import os
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sanic import Blueprint, HTTPResponse, Request, empty

from control.errors import ApiError, BadRequest, Forbidden, NotFound, TooLarge, UnsupportedMediaType
from control.storage import disposition
from control.store.directory import BadTicket, DirectoryStore

blueprint = Blueprint("store", url_prefix="/store")
NEW_LINK = "This link has run out, or is not as it was given: ask the API for a new one."
CHUNK_BYTES = 1 << 20
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class NoSpace(ApiError):
    status, code, title = 507, "no_space", "The object store is full"


class RangeNotSatisfiable(ApiError):
    status, code, title = 416, "range_not_satisfiable", "The object has no such bytes"


def ticket_of(request: Request, ticket: str, operation: str) -> tuple[dict[str, Any], Path]:
    store = request.app.ctx.store
    if not isinstance(store, DirectoryStore):
        raise NotFound("This server keeps its objects elsewhere: ask the API for a new link.")
    try:
        read = store.read(ticket, operation)
        return read, store.path(read["key"])
    except BadTicket as error:
        raise Forbidden(NEW_LINK, code=error.code) from None
    except (ValueError, KeyError):
        raise Forbidden(NEW_LINK, code="ticket_invalid") from None


@blueprint.put("/<ticket:str>", stream=True)
async def put_object(request: Request, ticket: str) -> HTTPResponse:
    """Take the bytes of one object: all of them or none."""
    read, path = ticket_of(request, ticket, "put")
    if request.headers.get("content-type", "") != read["type"]:
        raise UnsupportedMediaType(f"This link takes {read['type']} alone.", code="wrong_type")
    declared = int(request.headers.get("content-length") or 0)
    if declared > read["max"]:
        raise TooLarge(f"This link takes at most {read['max']} bytes.")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".put-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            size = 0
            async for chunk in _chunks(request):
                size += len(chunk)
                if size > read["max"]:
                    raise TooLarge(f"This link takes at most {read['max']} bytes.")
                await asyncio.to_thread(file.write, chunk)
            if declared and size != declared:
                raise BadRequest("The upload broke off.", code="incomplete_body")
            await asyncio.to_thread(_flush, file)
        etag = await asyncio.to_thread(_settle, temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace("Free space on the server, then upload again.") from error
        raise
    finally:
        await asyncio.to_thread(temporary.unlink, missing_ok=True)
    return empty(headers={"ETag": etag})


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _settle(temporary: Path, path: Path) -> str:
    """Put a whole file in its place; returns its tag."""
    temporary.chmod(0o644)
    temporary.replace(path)
    return _etag(path.stat())


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    stream: Any = request.stream
    while stream is not None:
        chunk = await stream.read()
        if chunk is None:
            return
        yield chunk


@blueprint.route("/<ticket:str>", methods=["GET", "HEAD"])
async def get_object(request: Request, ticket: str) -> HTTPResponse | None:
    """Give the object's bytes, or the one range that was asked for."""
    read, path = ticket_of(request, ticket, "get")
    try:
        stat = await asyncio.to_thread(path.stat)
    except FileNotFoundError:
        raise NotFound("The bytes of this object are gone.", code="object_missing") from None
    headers = {
        "ETag": _etag(stat),
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(read.get("name", "object")),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
        "Content-Security-Policy": "sandbox; default-src 'none'; media-src 'self'",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return empty(304, headers)
    span = _span(request, stat.st_size, headers["ETag"])
    first, last = span or (0, stat.st_size - 1)
    if span:
        headers["Content-Range"] = f"bytes {first}-{last}/{stat.st_size}"
    status = 206 if span else 200
    headers["Content-Length"] = str(last - first + 1)
    response = await request.respond(status=status, headers=headers, content_type=read["type"])
    if request.method == "GET":
        with path.open("rb") as file:
            file.seek(first)
            left = last - first + 1
            while left > 0 and (
                chunk := await asyncio.to_thread(file.read, min(left, CHUNK_BYTES))
            ):
                left -= len(chunk)
                await response.send(chunk)
    await response.eof()
    return None


def _span(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """First and last byte wanted (RFC 9110 section 14), None for the whole object.

    Several ranges, and a range of a version that is no more, mean the whole object.
    """
    match = RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or request.headers.get("if-range", etag) != etag:
        return None
    start, end = match.groups()
    if not start and not end:
        return None
    first, last = (max(0, size - int(end)), size - 1) if not start else (int(start), size - 1)
    if start and end:
        last = min(int(end), size - 1)
    if first > last or first >= size:
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return first, last


def _etag(stat: os.stat_result) -> str:
    return f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
