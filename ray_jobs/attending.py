"""A call that cannot be interrupted, waited for with an ear open for a cancellation."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

POLL_S = 0.25
T = TypeVar("T")


def attended(call: Callable[[], T], tick: Callable[[], None]) -> T:
    """What a call returns or raises; `tick` is called before it and several times a second during.

    When `tick` raises, nobody waits for the call any more, which then ends unheard on its own
    thread: give work to be done in pieces that are short.
    """
    tick()
    pool = ThreadPoolExecutor(1)
    try:
        return outcome(pool.submit(call), tick)
    finally:
        pool.shutdown(wait=False)


def outcome(begun: Future[T], tick: Callable[[], None]) -> T:
    """What comes of a call begun on another thread; `tick` is called several times a second."""
    while not wait([begun], timeout=POLL_S).done:
        tick()
    return begun.result()
