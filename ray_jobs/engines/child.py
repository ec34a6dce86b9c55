"""Engines in processes of their own: one JSON line in, one JSON line out.

A child holds what must not live in the worker: a decoder that keeps the GIL, a library that is not
thread-safe or is GPL. It ends with its standard input, so it cannot outlive the worker.
"""

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray_jobs.contract import Json

POLL_S = 0.25
MOST_CHILDREN = 8
ROOT = Path(__file__).parents[2]


def _ignore(_fraction: float) -> None:
    return None


def children_for(requests: int) -> int:
    """How many children to give so many requests on this node."""
    return max(1, min(requests, len(os.sched_getaffinity(0)), MOST_CHILDREN))


def ask_all(
    module: str,
    requests: Sequence[Mapping[str, Any]],
    *,
    tick: Callable[[float], None] = _ignore,
) -> list[dict[str, Any] | None]:
    """Answers of children running `module`, in the order of the requests.

    Each request is answered on its own, so results do not depend on the number of children. A
    request whose child died (a native library may) is answered None, and a new child goes on.
    `tick` gets the share of answered requests several times a second; when it raises, the children
    are killed and the exception goes on.
    """
    answers: list[dict[str, Any] | None] = [None] * len(requests)
    waiting = list(enumerate(requests))[::-1]
    open_requests = len(requests)
    children: list[_Child] = []
    with selectors.DefaultSelector() as selector:
        try:
            for _ in range(children_for(len(requests)) if requests else 0):
                children.append(_start(module, selector))
                children[-1].ask(*waiting.pop())
            while open_requests:
                tick(1 - open_requests / len(requests))
                for key, _ in selector.select(POLL_S):
                    child: _Child = key.data
                    if not child.read():
                        continue
                    answers[child.at] = child.answer
                    open_requests -= 1
                    if child.answer is None:
                        children.remove(child)
                        _bury(child, selector)
                        children += [_start(module, selector)] if waiting else []
                    if waiting:
                        (child if child.answer else children[-1]).ask(*waiting.pop())
        finally:
            for child in children:
                child.end()
    return answers


def serve(answer: Callable[[Json], dict[str, Any]]) -> None:
    """The child's side: answer requests until standard input ends."""
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a native library prints must not get between the lines
    for line in sys.stdin:
        wire.write(json.dumps(answer(json.loads(line))) + "\n")
        wire.flush()


class _Child:
    def __init__(self, process: "subprocess.Popen[bytes]", stdout: int, stdin: int) -> None:
        self.process = process
        self.stdout = stdout
        self.stdin = stdin
        self.at = -1
        self.answer: dict[str, Any] | None = None
        self._received = bytearray()

    def ask(self, at: int, request: Mapping[str, Any]) -> None:
        self.at, self.answer = at, None
        self._received.clear()
        line = memoryview(json.dumps(dict(request)).encode() + b"\n")
        with suppress(BrokenPipeError):  # the end of its output tells that it died
            while line:
                line = line[os.write(self.stdin, line) :]

    def read(self) -> bool:
        """Take what came; true when the answer is whole, or (answer None) the child is gone."""
        chunk = os.read(self.stdout, 1 << 16)
        self._received += chunk
        if not chunk:
            return True
        if self._received.endswith(b"\n"):
            self.answer = json.loads(self._received)
            return True
        return False

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def _bury(child: _Child, selector: selectors.BaseSelector) -> None:
    selector.unregister(child.stdout)
    child.end()


def _start(module: str, selector: selectors.BaseSelector) -> _Child:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("a child was started without pipes")
    child = _Child(process, process.stdout.fileno(), process.stdin.fileno())
    selector.register(child.stdout, selectors.EVENT_READ, child)
    return child
