"""Engines in processes of their own: answers in order, deaths survived, cancel obeyed."""

import pytest

from ray_jobs.engines import child
from ray_jobs.engines.child import ask_all
from ray_jobs.failures import Cancelled

ECHO = """
import os, sys, time
from ray_jobs.engines.child import serve

def answer(request):
    print("noise of a native library")
    if request.get("die"):
        os._exit(3)
    time.sleep(request.get("sleep", 0))
    return {"twice": 2 * request["number"], "text": request.get("text")}

serve(answer)
"""


@pytest.fixture
def echo(tmp_path, monkeypatch):
    (tmp_path / "echo_engine.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "echo_engine"


def test_answers_come_in_the_order_of_the_requests(echo):
    answers = ask_all(echo, [{"number": n, "sleep": 0.02 * (n % 3)} for n in range(12)])
    assert [answer["twice"] for answer in answers] == [2 * n for n in range(12)]


def test_nothing_asked_starts_nothing():
    assert ask_all("no.such.module", []) == []


def test_long_and_foreign_text_survives_the_wire(echo):
    text = "Überfluß 河 \n" * 20_000
    assert ask_all(echo, [{"number": 1, "text": text}])[0]["text"] == text


def test_a_request_that_kills_its_child_is_answered_none_and_the_others_are_served(echo):
    requests = [{"number": n, "die": n in {0, 3}} for n in range(6)]
    answers = ask_all(echo, requests)
    assert [a and a["twice"] for a in answers] == [None, 2, 4, None, 8, 10]


def test_a_module_that_cannot_start_answers_nothing():
    assert ask_all("no.such.module", [{"number": 1}, {"number": 2}]) == [None, None]


def test_cancel_kills_the_children(echo, monkeypatch):
    started = []
    start = child._start
    monkeypatch.setattr(child, "_start", lambda *a: started.append(start(*a)) or started[-1])
    calls = []

    def cancel(share):
        calls.append(share)
        if len(calls) > 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        ask_all(echo, [{"number": 1, "sleep": 60}], tick=cancel)
    assert all(one.process.returncode is not None for one in started)
