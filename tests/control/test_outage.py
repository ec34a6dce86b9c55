"""A database that goes away: callers are told to come back, and are served when it is back."""

import asyncio
import contextlib
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest


class Line:
    """The line to PostgreSQL, over a port of its own, that a test can cut and mend."""

    def __init__(self, database_url: str) -> None:
        self.name = urlsplit(database_url).path.strip("/")
        self.socket = parse_qs(urlsplit(database_url).query)["host"][0] + "/.s.PGSQL.5432"
        self.port = 0
        self.ends = []

    async def mend(self) -> None:
        self.server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        self.server.close()
        for end in self.ends:
            end.close()
        self.ends = []
        await self.server.wait_closed()

    async def _carry(self, reader, writer) -> None:
        there, back = await asyncio.open_unix_connection(self.socket)
        self.ends += [writer, back]
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, reader, writer) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture(scope="module")
async def line(database_url):
    line = Line(database_url)
    await line.mend()
    yield line
    await line.cut()


@pytest.fixture(scope="module")
def settings(settings, line):
    url = f"postgresql://postgres:@127.0.0.1:{line.port}/{line.name}"
    return replace(settings, database_url=url)


async def test_an_outage_is_unavailable_and_passes(client, owner, line):
    project = await client.post("/v1/projects", headers=owner.headers, json={"name": "Rivers"})
    path = f"/v1/projects/{project.json()['id']}"
    told = {"order_id": "cut-1", "status_code": "200", "gross_amount": "1.00"}
    await line.cut()
    for method, where, body in (
        ("GET", path, None),
        ("GET", "/v1/projects", None),
        ("POST", "/v1/projects", {"name": "Lost"}),
        ("POST", "/v1/billing/payments/notifications", told),
    ):
        for _ in range(3):
            answer = await client.request(method, where, headers=owner.headers, json=body)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert (await client.get("/readyz")).status_code == 503
    await line.mend()
    assert (await client.get(path, headers=owner.headers)).status_code == 200
    listed = (await client.get("/v1/projects", headers=owner.headers)).json()["items"]
    assert [one["name"] for one in listed] == ["Rivers"]
