"""The WebSocket's wire (RFC 6455), frame by frame: what is sound is taken, what is not is closed.

The reactions wanted are those of the Autobahn test suite's groups of the same numbers.
"""

import asyncio
import base64
import json
import os
import struct
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.media
PONG, CLOSE = 0xA, 0x8
REACTION_S = 2.0


@pytest.fixture
async def dialled(app, client, owner):
    """Opens a bare socket that has shaken hands on a job that waits."""
    project = await client.post("/v1/projects", headers=owner.headers, json={"name": "Rivers"})
    ingest = await client.post(
        "/v1/videos:ingest", headers=owner.headers,
        json={"project_id": project.json()["id"], "source": "url", "url": "https://e.org/v.mp4"},
    )  # fmt: skip
    job_id = ingest.json()["job"]["id"]
    address = urlsplit(app.ctx.settings.local_url)
    opened = []

    async def dial():
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        opened.append(writer)
        key = base64.b64encode(os.urandom(16)).decode()
        query = f"token={owner.token}&org_id={owner.organization_id}"
        writer.write(
            f"GET /v1/jobs/{job_id}/events?{query} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head.split(b"\r\n")[0]
        _, payload = await frame(reader)
        assert json.loads(payload)["type"] == "snapshot"
        return reader, writer

    yield dial
    for writer in opened:
        writer.close()


async def frame(reader):
    """Opcode and payload of the next frame of a server, which masks nothing."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    return first & 0xF, await reader.readexactly(size)


async def reaction(reader):
    """The pongs that come, and the code of the close that does, if one does."""
    pongs = []
    try:
        async with asyncio.timeout(REACTION_S):
            while True:
                opcode, payload = await frame(reader)
                if opcode == PONG:
                    pongs.append(payload)
                if opcode == CLOSE:
                    return pongs, int.from_bytes(payload[:2]) if payload else 0
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        return pongs, None


def sent(case):
    frames = [bytes.fromhex(text) for text in case["hex"]]
    if "10000" in case["name"]:
        first, *empty, last = frames
        return [first, *(empty * 10_000)[:10_000], last]
    return frames


def accepted(case, pongs, code):
    """Whether a reaction is among those the case allows."""
    wanted = case["expect"]
    if wanted.startswith("pong "):
        return pongs == [wanted.removeprefix("pong ").encode()] and code is None
    if wanted == "10 pongs in order":
        return len(pongs) == 10 and pongs == sorted(pongs) and code is None
    if wanted == "ignore pong":
        return len(pongs) <= 1 and code is None
    if wanted == "close":
        return code is not None
    codes = {int(word) for word in wanted.replace(",", " ").split() if word.isdigit()}
    if wanted == "close (same code)":
        codes = {CODES_SENT[case["name"]]}
    open_too = "accept" in wanted or "time" in wanted
    return code in codes or (open_too and code is None)


CODES_SENT = {"close code 1001": 1001, "close code 1011": 1011, "close code 4999": 4999}


async def test_every_frame_gets_the_reaction_of_the_standard(dialled, media):
    cases = json.loads((media / "security" / "ws_frames.json").read_text())["cases"]
    wrong = []

    async def held(case):
        reader, writer = await dialled()
        slow = case["name"].startswith("slow")
        for one in sent(case):
            for part in [bytes([byte]) for byte in one] if slow else [one]:
                writer.write(part)
                if slow:
                    await asyncio.sleep(0.05)
        pongs, code = await reaction(reader)
        if not accepted(case, pongs, code):
            wrong.append((case["name"], case["expect"], pongs, code))

    await asyncio.gather(*map(held, cases))
    assert len(cases) >= 30
    assert not wrong
