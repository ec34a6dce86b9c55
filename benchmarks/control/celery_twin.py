"""The same empty job in Celery: its worker runs this module, and so does who asks."""

from celery import Celery

app = Celery("twin")
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=4)


@app.task
def nothing() -> None:
    """Do nothing; that it did is kept as its result."""


def connect(url: str) -> None:
    """Where the queue and the results are."""
    app.conf.update(broker_url=url, result_backend=url)


def ask(jobs: int) -> None:
    """So many jobs, until the results of all have come."""
    for one in [nothing.delay() for _ in range(jobs)]:
        one.get(timeout=10)
