"""The processes beside the API: `python -m control.background dispatch|sweep|deliver`."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import count

from control import database
from control.settings import Settings

logger = logging.getLogger(__name__)
SWEEP_S = 1.0
FORGET_EVERY = 60


async def dispatch(settings: Settings) -> None:
    """Hand queued jobs to the cluster."""
    from control.dispatch import run

    await run(settings)


async def sweep(settings: Settings) -> None:
    """Take back the jobs of workers that fell silent, and end what has run out of time."""
    from control import idempotency
    from control.audit import chain, checkpoints
    from control.auth import sessions
    from control.dmca import notices
    from control.jobs.lifecycle import end_overlong
    from control.jobs.lifecycle import sweep as sweep_once
    from control.storage import open_store
    from control.videos import uploads

    store = open_store(settings)
    for round_ in count():
        try:
            await sweep_once()
            if round_ % FORGET_EVERY == 0:
                await sessions.forget_expired()
                await idempotency.forget_expired()
                await notices.restore_due()
                await uploads.expire(store)
                await end_overlong(settings.job_max_s)
                await checkpoints.sign_due(settings)
            await chain.extend()
        except Exception:
            logger.exception("the sweep failed; it will run again")
        await asyncio.sleep(SWEEP_S)


async def deliver(settings: Settings) -> None:
    """Send the webhooks that are owed."""
    from control.webhooks.delivery import run

    await run(settings)


async def main(work: Callable[[Settings], Awaitable[None]], settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    await database.start(settings)
    task = asyncio.ensure_future(work(settings))
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await database.stop()


PROCESSES = {"dispatch": dispatch, "sweep": sweep, "deliver": deliver}

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main(PROCESSES[sys.argv[1]], Settings.from_environment()))
