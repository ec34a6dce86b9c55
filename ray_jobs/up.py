"""Start the director: in the cluster at `RAY_ADDRESS`, or in a local Ray owned by this process.

`python -m ray_jobs.up` joins a cluster, starts the director there and leaves. With `--local` it
starts a Ray of its own, prints one line of JSON (`address`, `dashboard_url`) when the director
answers, and stops that Ray when it gets SIGTERM or its standard input closes.
"""

import json
import os
import signal
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

import click
import ray
import stamina

from ray_jobs.director import NAMESPACE, start
from ray_jobs.settings import WorkerSettings

OBJECT_STORE_BYTES = 128 * 2**20
SOCKET_PATH_BUDGET = 40
TRIES = 4


@click.command()
@click.option("--local", is_flag=True, help="Start a Ray of our own and keep it while we run.")
def main(*, local: bool) -> None:
    """Start the director."""
    settings = WorkerSettings.from_environment()
    if not local:
        ray.init(address=os.environ.get("RAY_ADDRESS", "auto"), namespace=NAMESPACE)
        ray.get(start(settings).free.remote())
        return
    stop = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    context = start_local(Path(os.environ["CUTROOM_HOME"]))
    ray.get(start(settings).free.remote())
    address = ray.get_runtime_context().gcs_address
    dashboard_url = f"http://{context.dashboard_url}" if context.dashboard_url else None
    click.echo(json.dumps({"address": address, "dashboard_url": dashboard_url}))
    stop.wait()
    ray.shutdown()


def _too_late(error: Exception) -> bool:
    """Whether Ray gave up on its own processes after its fixed 30 s; a busy machine needs more."""
    if "timed out during startup" not in str(error):
        return False
    ray.shutdown()
    return True


@stamina.retry(on=_too_late, attempts=TRIES, timeout=None, wait_initial=1.0)
def start_local(home: Path) -> Any:
    """Start a one-node Ray on loopback; its logs lie in `home/ray` where socket paths allow it."""
    logs = home.absolute() / "ray"
    return ray.init(
        address="local",
        namespace=NAMESPACE,
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        **({"_temp_dir": str(logs)} if len(str(logs)) <= SOCKET_PATH_BUDGET else {}),
    )


def _stop_at_end_of_input(stop: Event) -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    main()
