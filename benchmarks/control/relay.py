"""The least that brings a NOTIFY to many sockets: one LISTEN, and a line to each of them."""

import asyncio
import os

import asyncpg
import uvloop

CHANNEL = "bare"
READY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
HELLO = b"hello\n"


class Door(asyncio.Protocol):
    """A connection that says `HELLO` once it is known, and then what is heard."""

    def __init__(self, known: set[asyncio.WriteTransport]) -> None:
        self.known = known

    def connection_made(self, transport: asyncio.WriteTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /readyz"):
            self.transport.write(READY)
            self.transport.close()
            return
        self.known.add(self.transport)
        self.transport.write(HELLO)

    def connection_lost(self, _: Exception | None) -> None:
        self.known.discard(self.transport)


async def main() -> None:
    known: set[asyncio.WriteTransport] = set()

    def heard(*message: object) -> None:
        line = f"{message[3]}\n".encode()
        for transport in known:
            transport.write(line)

    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.add_listener(CHANNEL, heard)
    server = await asyncio.get_running_loop().create_server(
        lambda: Door(known), "127.0.0.1", int(os.environ["CUTROOM_PORT"]), backlog=2048
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
