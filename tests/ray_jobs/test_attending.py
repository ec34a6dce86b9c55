"""A call is waited for with an open ear, and nobody waits for it who is told to stop."""

import threading

import pytest

from ray_jobs.attending import attended
from ray_jobs.failures import Cancelled

PATIENCE_S = 60


def nothing():
    pass


def test_what_a_call_returns_and_raises_comes_through():
    assert attended(lambda: 7, nothing) == 7
    with pytest.raises(TimeoutError, match="of its own"):
        attended(lambda: exec("raise TimeoutError('of its own')"), nothing)


def test_nothing_is_begun_for_somebody_who_is_told_to_stop():
    begun = []

    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        attended(lambda: begun.append(1), stop)
    assert begun == []


def test_a_stop_is_heard_while_the_call_goes_on():
    asked, over = threading.Event(), threading.Event()

    def call():
        asked.set()
        over.wait(PATIENCE_S)

    def tick():
        if asked.is_set():
            raise Cancelled

    try:
        with pytest.raises(Cancelled):
            attended(call, tick)
        assert not over.is_set()
    finally:
        over.set()
