"""How a worker tells control what it does, and hears whether to go on."""

import logging
import threading
from collections.abc import Callable
from functools import cache
from time import monotonic
from typing import Protocol

import httpx
import stamina

from ray_jobs.contract import Directive, Order, Report, ReportAnswer
from ray_jobs.failures import Superseded

logger = logging.getLogger(__name__)

REFUSED = (401, 403, 404, 409, 410)
MIN_INTERVAL_S = 1.0
HEARTBEAT_S = 2.0
LAST_WORD_S = 600.0
# Work that ends sooner says so in its last word, and nothing before it.
FIRST_WORD_S = 0.1


class Line(Protocol):
    """The way to control: deliver a report, bring back its answer."""

    def send(self, report: Report, *, patience_s: float) -> Directive:
        """Raise `Superseded` where control refuses, `httpx.HTTPError` where it is not reached."""


class HttpLine:
    """`PATCH` of the order's `report_url` with its `X-Worker-Token`."""

    def __init__(self, order: Order) -> None:
        self.url = order.report_url
        self.headers = {
            "X-Worker-Token": order.worker_token, "Content-Type": "application/json",
        }  # fmt: skip

    def send(self, report: Report, *, patience_s: float) -> Directive:
        body = report.model_dump_json()
        for attempt in stamina.retry_context(
            on=_transient, attempts=None, timeout=patience_s, wait_initial=0.2, wait_max=10.0
        ):
            with attempt:
                response = _client().patch(self.url, content=body, headers=self.headers)
                if response.status_code in REFUSED:
                    raise Superseded(f"control answered {response.status_code}")
                response.raise_for_status()
        return ReportAnswer.model_validate_json(response.content).directive


@cache
def _client() -> httpx.Client:
    """One for all orders of a process: to make its TLS settings takes longer than a report."""
    return httpx.Client(timeout=httpx.Timeout(20.0, connect=5.0))


def _transient(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, httpx.TransportError)


class Reporter:
    """Sends the latest state at most once a second, and often enough to hear a cancel in time.

    `state` is called on the reporting thread and gives the report to send, already numbered.
    A control plane that cannot be reached for a while does not stop the work.
    """

    def __init__(self, line: Line, state: Callable[[], Report], *, lease_s: float) -> None:
        self.line = line
        self.state = state
        self.heartbeat_s = min(HEARTBEAT_S, lease_s / 3)
        self.directive = Directive.CONTINUE
        self.superseded = False
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="report", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def changed(self) -> None:
        self._wake.set()

    def close(self) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=30)

    def last_word(self, ending: Callable[[], Report]) -> None:
        """Deliver the final report; keep trying, because the work is done and must not be lost.

        It is numbered once no other report can be: control takes none that is not its newest.
        """
        self.close()
        if not self.superseded:
            self.line.send(ending(), patience_s=LAST_WORD_S)

    def _run(self) -> None:
        self._stop.wait(min(FIRST_WORD_S, self.heartbeat_s))
        while not self._stop.is_set():
            sent_at = monotonic()
            try:
                self.directive = self.line.send(self.state(), patience_s=self.heartbeat_s)
            except Superseded:
                self.superseded = True
                return
            except httpx.HTTPError as error:
                logger.warning("report not delivered: %s", error)
            self._stop.wait(max(0.0, MIN_INTERVAL_S - (monotonic() - sent_at)))
            self._wake.wait(timeout=max(0.0, self.heartbeat_s - MIN_INTERVAL_S))
            self._wake.clear()
