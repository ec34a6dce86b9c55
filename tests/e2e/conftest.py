"""The whole product as a user starts it: `cutroom serve` on a directory and a port of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from control.client.api import Api
from ray_jobs.media.ffmpeg import ffmpeg

CUTROOM = [sys.executable, "-m", "control"]
START_S = 120
SCRIPT = """1
00:00:00,500 --> 00:00:05,500
Why does every river bend? Nobody told you the reason.

2
00:00:06,500 --> 00:00:12,000
The water carries stones from one bank to the other bank.

3
00:00:13,000 --> 00:00:19,500
Remember that the first cities were built where rivers slow down.
"""


class Running:
    """A server process on `home`; start and stop it as often as a test wants."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = {
            **os.environ, "CUTROOM_HOME": str(home), "CUTROOM_LEASE_S": "12",
            "CUTROOM_OFFLINE": "1", "CUTROOM_ALLOW_PRIVATE_HOSTS": "1", **environment,
        }  # fmt: skip
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        command = [*CUTROOM, "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + START_S
        while not (self.home / "server.json").exists():
            assert self.process.poll() is None, self.process.stdout.read().decode()
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.2)
        time.sleep(0.2)
        self.facts = json.loads((self.home / "server.json").read_text())

    def stop(self, name=signal.SIGTERM) -> list[psutil.Process]:
        """End the server; returns the processes of it that are still there."""
        ours = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(name)
        self.process.wait(timeout=60)
        _, alive = psutil.wait_procs(ours, timeout=20)
        return alive

    def api(self) -> Api:
        return Api(self.facts["url"], self.facts["token"], self.facts["organization_id"])

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*CUTROOM, *arguments], env=self.environment, capture_output=True, text=True,
            timeout=280, check=False,
        )  # fmt: skip


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("home"))
    running.start()
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture(scope="session")
def recording(tmp_path_factory) -> Path:
    """Twenty seconds, four scenes, a tone; and a transcript that is given."""
    folder = tmp_path_factory.mktemp("media")
    path = folder / "a 'talk'; [v] ☃.mp4"
    scenes = [f"testsrc2=size=320x180:rate=25:duration=5,hue=h={90 * n}[v{n}]" for n in range(4)]
    graph = ";".join([*scenes, "[v0][v1][v2][v3]concat=n=4:v=1:a=0[v]"])
    ffmpeg([
        "-f", "lavfi", "-i", "sine=frequency=220:duration=20:sample_rate=48000",
        "-filter_complex", graph, "-map", "[v]", "-map", "0:a", "-c:v", "libx264",
        "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", f"file:{path}",
    ])  # fmt: skip
    path.with_suffix(".srt").write_text(SCRIPT)
    return path
