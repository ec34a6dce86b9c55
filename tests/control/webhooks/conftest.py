"""A receiver of webhooks on loopback, and an endpoint that leads to it."""

import asyncio
from types import SimpleNamespace

import pytest

from control.webhooks.models import WebhookEndpoint


class Receiver:
    """A real HTTP server on loopback that answers what a test tells it to."""

    def __init__(self) -> None:
        self.heard: list[SimpleNamespace] = []
        self.answers: list[tuple[int, dict[str, str]]] = []

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    async def _serve(self, reader, writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in lines[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.heard.append(SimpleNamespace(line=lines[0], headers=headers, body=body))
        status, more = self.answers.pop(0) if self.answers else (200, {})
        extra = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        head = f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n{extra}\r\n"
        writer.write(head.encode() + b"ok")
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver():
    receiver = Receiver()
    await receiver.start()
    yield receiver
    receiver.server.close()


@pytest.fixture(autouse=True)
async def nothing_owed(app):
    await WebhookEndpoint.all().delete()


@pytest.fixture
def intranet(configured):
    return configured(allow_private_hosts=True)


@pytest.fixture
async def endpoint(client, owner, receiver, intranet):
    """An endpoint at the receiver, with its secret."""
    answer = await client.post(
        "/v1/webhooks/endpoints", headers=owner.headers, json={"url": receiver.url}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()
