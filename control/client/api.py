"""The public API as the command line uses it: what any user's script could do, and nothing more."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import httpx
import stamina
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

Json = dict[str, Any]
ENDED = ("succeeded", "failed", "cancelled")
CHUNK_BYTES = 1 << 20
POLL_S = 2.0
TRANSFER = httpx.Timeout(120.0, write=None)


class ApiFailure(Exception):
    """The server refused a request or a job failed; the message is for people."""


class Api:
    """One user of one organisation on one server."""

    def __init__(self, url: str, token: str, organization_id: str) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.organization_id = organization_id
        self.http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}", "X-Org-ID": organization_id},
            timeout=60.0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, params=query)

    def post(self, path: str, body: Json | None = None) -> Any:
        return self.call("POST", path, json=body or {})

    @stamina.retry(on=httpx.TransportError, attempts=6, timeout=60)
    def call(self, method: str, path: str, **options: Any) -> Any:
        response = self.http.request(method, path, **options)
        if response.is_error:
            raise ApiFailure(_problem(response))
        return response.json() if response.content else None

    def items(self, path: str, **query: Any) -> Iterator[Json]:
        """Every item of a list, page after page."""
        offset: int | None = 0
        while offset is not None:
            page = self.get(path, limit=200, offset=offset, **query)
            yield from page["items"]
            offset = page["pagination"]["next_offset"]

    def upload(self, upload: Json, path: Path, progress: Callable[[float], None]) -> None:
        """Send a file straight to the object store with the credentials ingest gave."""
        for response in self._sent(upload, path, progress):
            if response.is_error:
                raise ApiFailure(f"upload of {path.name}: {_problem(response)}")

    def _sent(
        self, upload: Json, path: Path, progress: Callable[[float], None]
    ) -> Iterator[httpx.Response]:
        """The answer to each request that the upload needs."""
        size = path.stat().st_size
        if upload.get("fields"):
            with path.open("rb") as file:
                yield httpx.post(
                    upload["url"], data=upload["fields"], files={"file": file}, timeout=TRANSFER
                )
            return
        whole = {"url": upload["url"], "first_byte": 0, "size_bytes": size}
        for part in upload.get("parts") or [whole]:
            first, length = part["first_byte"], part["size_bytes"]
            yield httpx.request(
                upload["method"], part["url"], timeout=TRANSFER,
                content=_chunks(path, size, progress, first=first, length=length),
                headers={**upload.get("headers", {}), "Content-Length": str(length)},
            )  # fmt: skip

    def download(self, url: str, path: Path) -> None:
        """Fetch a signed URL into a file, whole or not at all."""
        temporary = path.with_name(f".{path.name}.part")
        with httpx.stream("GET", url, timeout=120.0, follow_redirects=True) as response:
            if response.is_error:
                response.read()
                raise ApiFailure(f"download of {path.name}: {_problem(response)}")
            with temporary.open("wb") as file:
                for chunk in response.iter_bytes(CHUNK_BYTES):
                    file.write(chunk)
        temporary.replace(path)

    def follow(self, job: Json, progress: Callable[[Json], None]) -> Json:
        """Wait for a job's end, telling `progress` its latest state; returns the finished job.

        Follows the event stream; while that cannot be had, asks every two seconds.

        Raises
        ------
        ApiFailure
            where the job failed or was cancelled, with its problem's code and detail.
        """
        while True:
            job = self.get(f"/v1/jobs/{job['id']}")
            progress(job)
            if job["state"] in ENDED:
                break
            try:
                for _ in self.events(job["id"]):
                    job = self.get(f"/v1/jobs/{job['id']}")
                    progress(job)
            except (OSError, WebSocketException):
                time.sleep(POLL_S)
        if job["state"] != "succeeded":
            problem = job.get("problem") or {"code": job["state"], "detail": "no detail"}
            raise ApiFailure(
                f"{job['kind']} {job['state']}: {problem['code']}: {problem['detail']}"
            )
        return job

    def events(self, job_id: str) -> Iterator[Json]:
        """The job's events until its end, as the WebSocket sends them."""
        query = urlencode({"token": self.token, "org_id": self.organization_id})
        scheme = "wss" if urlsplit(self.url).scheme == "https" else "ws"
        address = f"{scheme}://{urlsplit(self.url).netloc}/v1/jobs/{job_id}/events?{query}"
        with connect(address, open_timeout=10, max_size=2**24) as socket:
            try:
                while True:
                    yield json.loads(socket.recv())
            except ConnectionClosed:
                return


def _problem(response: httpx.Response) -> str:
    try:
        problem = response.json()
    except ValueError:
        return f"{response.status_code} {response.reason_phrase}"
    if not isinstance(problem, dict):
        return f"{response.status_code} {response.reason_phrase}"
    errors = "; ".join(f"{e.get('at')}: {e.get('message')}" for e in problem.get("errors") or [])
    detail = problem.get("detail") or problem.get("title") or response.reason_phrase
    return f"{problem.get('code', response.status_code)}: {detail}" + (
        f" ({errors})" if errors else ""
    )


def _chunks(
    path: Path, size: int, progress: Callable[[float], None], *, first: int, length: int
) -> Iterator[bytes]:
    at, end = first, first + length
    with path.open("rb") as file:
        file.seek(first)
        while chunk := file.read(min(CHUNK_BYTES, end - at)):
            yield chunk
            at += len(chunk)
            progress(at / max(size, 1))
