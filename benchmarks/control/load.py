"""A load generator that costs less than any server it measures: keep-alive and nothing parsed."""

import asyncio
from dataclasses import dataclass
from time import perf_counter

import uvloop

CONNECTIONS = 16


@dataclass(frozen=True)
class Shot:
    """What is asked, where."""

    port: int
    path: str
    headers: dict[str, str]
    connections: int = CONNECTIONS

    @property
    def raw(self) -> bytes:
        lines = [f"GET {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


class Caller(asyncio.Protocol):
    """One connection that asks again as soon as it was answered, while there is something left."""

    def __init__(self, shot: Shot, left: list[int], latencies_s: list[float]) -> None:
        self.raw, self.left, self.latencies_s = shot.raw, left, latencies_s
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seen, self.wanted_bytes, self.answer = 0, 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        if not self.left:
            self.transport.close()
            self.done.set_result(None)
            return
        self.left.pop()
        self.seen, self.wanted_bytes = 0, 0
        self.began_s = perf_counter()
        self.transport.write(self.raw)

    def data_received(self, data: bytes) -> None:
        if not self.wanted_bytes:
            self.answer = data
            head, _, _ = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                self.done.set_exception(AssertionError(data[:500].decode()))
                self.transport.close()
                return
            length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
            self.wanted_bytes = len(head) + 4 + int(length)
        self.seen += len(data)
        if self.seen >= self.wanted_bytes:
            self.latencies_s.append(perf_counter() - self.began_s)
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the server hung up"))


async def _fire(shot: Shot, requests: int) -> list[float]:
    loop, left, latencies_s = asyncio.get_running_loop(), [0] * requests, []
    callers = [Caller(shot, left, latencies_s) for _ in range(shot.connections)]
    for caller in callers:
        await loop.create_connection(lambda c=caller: c, "127.0.0.1", shot.port)
    await asyncio.gather(*(caller.done for caller in callers))
    return latencies_s


def fire(shot: Shot, requests: int) -> list[float]:
    """Ask so many times over a few connections; returns how long each answer took, in seconds."""
    return uvloop.run(_fire(shot, requests))
