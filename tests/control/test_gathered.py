"""Look-ups made together: fewer statements, and never an answer older than its question."""

import asyncio

import pytest

from control.gathered import Gathered


class Reading:
    """A read that waits until it is told to go on, and notes what it was asked."""

    def __init__(self):
        self.asked = []
        self.go_on = asyncio.Event()

    async def __call__(self, keys):
        self.asked.append(set(keys))
        await self.go_on.wait()
        return {key: f"{key}, read {len(self.asked)}" for key in keys if key != "nothing"}


async def soon(gathered, *keys):
    tasks = [asyncio.create_task(gathered.get(key)) for key in keys]
    await asyncio.sleep(0.01)
    return tasks


async def test_what_is_asked_while_a_read_is_under_way_shares_the_next_one():
    read = Reading()
    gathered = Gathered(read)
    first = await soon(gathered, "a")
    later = await soon(gathered, "b", "c", "b", "nothing")
    assert read.asked == [{"a"}]
    read.go_on.set()
    assert await asyncio.gather(*first) == ["a, read 1"]
    assert await asyncio.gather(*later) == ["b, read 2", "c, read 2", "b, read 2", None]
    assert read.asked == [{"a"}, {"b", "c", "nothing"}]


async def test_a_read_that_had_begun_answers_nobody_who_asked_after_it():
    read = Reading()
    gathered = Gathered(read)
    first, second = [*await soon(gathered, "a"), *await soon(gathered, "a")]
    read.go_on.set()
    assert (await first, await second) == ("a, read 1", "a, read 2")


async def test_a_failure_reaches_all_who_share_it_and_nobody_else():
    failing = iter([RuntimeError("the database is away"), None])

    async def read(keys):
        await asyncio.sleep(0.02)
        if error := next(failing):
            raise error
        return dict.fromkeys(keys, "found")

    gathered = Gathered(read)
    first = await soon(gathered, "a", "b")
    second = await soon(gathered, "a")
    for task in first:
        with pytest.raises(RuntimeError, match="away"):
            await task
    assert await second[0] == "found"


async def test_a_caller_that_goes_away_costs_the_others_nothing():
    read = Reading()
    gathered = Gathered(read)
    gone, stays = await soon(gathered, "a", "b")
    gone.cancel()
    read.go_on.set()
    assert await stays == "b, read 1"
    assert await gathered.get("c") == "c, read 2"
