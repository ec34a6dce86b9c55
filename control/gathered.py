"""Look-ups that many requests make at once, asked of the database together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Gathered(Generic[K, V]):
    """One statement at a time; whatever is asked for while it runs shares the next one.

    So an answer is never older than its question, and under load a look-up costs a share of a
    round trip. `read` gives what it found of the keys; what it raises, all who share it raise.
    """

    def __init__(self, read: Callable[[AbstractSet[K]], Awaitable[Mapping[K, V]]]) -> None:
        self.read = read
        self.asked: list[tuple[K, asyncio.Future[V | None]]] = []
        self.reading: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """What the database has under the key now."""
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self.asked.append((key, answer))
        if self.reading is None:
            # In a context of its own, not in a transaction of whoever happens to ask first.
            self.reading = asyncio.create_task(self._read(), context=Context())
        return await answer

    async def _read(self) -> None:
        while self.asked:
            asked, self.asked = self.asked, []
            try:
                found = await self.read({key for key, _ in asked})
            except Exception as error:  # noqa: BLE001 - raised where it was asked for
                for _, answer in asked:
                    if not answer.done():
                        answer.set_exception(error)
            else:
                for key, answer in asked:
                    if not answer.done():  # its caller has gone
                        answer.set_result(found.get(key))
        self.reading = None
