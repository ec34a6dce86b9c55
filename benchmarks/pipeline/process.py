"""`cutroom process` beside the unavoidable: one decode, the speech engine, five encodes.

The server is the embedded one, warm. The recording is `CUTROOM_BENCH_RECORDING` (with its `.srt`,
where there is one beside it, given as transcript) or the talk of `ray_jobs.sample`, repeated or cut
to each of `CUTROOM_BENCH_MINUTES` ("10,60"; the talk as it is, some two minutes, where unset).
`CUTROOM_BENCH_REPEATS` measures more than once. A first run works on a copy whose bytes the server
has never seen, so that no cache knows it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.case import VIDEO, Case, Rival
from control.client.api import Api
from ray_jobs.contract import IngestLimits
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.probe import probe

TESTS = (
    "tests/e2e/test_whole.py::test_process_writes_clips_subtitles_transcript_sheet_and_report "
    "tests/e2e/test_whole.py::test_a_second_run_decides_the_same_and_repeats_no_work"
)
CLIPS, HEIGHT = 5, 1280
CRF, SPEED = "20", "veryfast"
START_S = 300.0
UNAVOIDABLE, AGAIN = 0.8, 20.0
HOUR_OVER_TEN_MINUTES = 1.027
"""6.3 x for 6 x the length, as an exponent."""

Json = dict[str, Any]


@dataclass
class Server:
    """`cutroom serve` on a directory of its own, and one recording on it."""

    home: Path
    environment: dict[str, str]
    facts: Json
    pid: int
    numbers: Iterator[int] = field(default_factory=count)

    def process(self, recording: Path) -> Json:
        """Run the command as a user would; returns its report."""
        out = self.home.parent / f"out-{next(self.numbers)}"
        script = recording.with_suffix(".srt")
        given = ["--transcript", str(script), "--language", "en"] if script.exists() else []
        self._run(
            "process", str(recording), "--out", str(out), "--clips", str(CLIPS),
            "--height", str(HEIGHT), "--url", self.facts["url"], *given,
        )  # fmt: skip
        return dict(json.loads((out / "report.json").read_text(encoding="utf-8")))

    def first(self, recording: Path) -> Json:
        return self.process(self.unseen(recording))

    def unseen(self, recording: Path) -> Path:
        return copied(recording, next(self.numbers))

    def api(self) -> Api:
        return Api(self.facts["url"], self.facts["token"], self.facts["organization_id"])

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "control", *arguments], env=self.environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr.strip() or f"cutroom {arguments[0]} failed")


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    home = folder / "home"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "CUTROOM_HOME": str(home), "CUTROOM_OFFLINE": "1"}
    command = [sys.executable, "-m", "control", "serve", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            facts = home / "server.json"
            deadline = time.monotonic() + START_S
            while not facts.exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "server.log").read_text(errors="replace"))
                time.sleep(0.2)
            yield Server(home, environment, json.loads(facts.read_text()), server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)


def cases(*, peers: bool) -> Iterator[Case]:  # noqa: ARG001 - ffmpeg comes with us
    """The whole job, a second run of it, and a change of style, for every length asked for."""
    minutes = [float(m) for m in os.environ.get("CUTROOM_BENCH_MINUTES", "").split(",") if m]
    repeats = int(os.environ.get("CUTROOM_BENCH_REPEATS", "1"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(serving(folder))
        source = _recording(folder)
        for wanted in minutes or [None]:
            recording = source if wanted is None else lasting(source, wanted * 60)
            yield from _cases(server, recording, repeats)


def _cases(server: Server, recording: Path, repeats: int) -> Iterator[Case]:
    report = server.process(recording)
    duration_s = report["source"]["duration_s"]
    given: Json = {"size": duration_s, "unit": VIDEO, "repeats": repeats, "whose": "tree"}
    name = f"{duration_s / 60:.3g} min"
    first = partial(server.first, recording)
    unavoidable = partial(alone, recording, report)
    yield Case(
        "process", name, run=first, series="length", growth_limit=HOUR_OVER_TEN_MINUTES,
        rivals={"decode + speech + encodes alone": Rival(unavoidable, UNAVOIDABLE)}, **given,
    )  # fmt: skip
    again = partial(server.process, recording)
    yield Case(
        "process", f"{name}, again", run=again, rivals={"first run": Rival(first, AGAIN)}, **given
    )
    yield from _restyled(server, name, given)


def alone(recording: Path, report: Json) -> None:
    """What no product can leave out, each by the fastest tool at hand, one after the other."""
    ffmpeg(["-i", str(recording), "-map", "0:v", "-f", "null", "-"])
    hear(recording, report["source"]["duration_s"])
    for clip in report["clips"]:
        width, height = clip["width"], clip["height"]
        graph = f"crop=ih*{width}/{height}:ih,scale={width}:{height}"
        ffmpeg([
            "-ss", str(clip["start_s"]), "-t", str(clip["end_s"] - clip["start_s"]),
            "-i", str(recording), "-vf", graph, "-c:v", "libx264", "-preset", SPEED, "-crf", CRF,
            "-c:a", "aac", "-movflags", "+faststart", "-f", "mp4", os.devnull,
        ])  # fmt: skip


def hear(recording: Path, duration_s: float) -> None:
    """The speech engine as a job runs it: alignment of a given script, else recognition."""
    from ray_jobs.contract import GivenTranscript
    from ray_jobs.engines import aligners, given, speech
    from ray_jobs.engines.aligner import align
    from ray_jobs.engines.listening import listen

    def tick(_share: float) -> None:
        pass

    script = recording.with_suffix(".srt")
    with tempfile.TemporaryDirectory() as folder:
        pcm = Path(folder) / "sound.pcm"
        spans = listen(recording, duration_s, pcm, tick)
        if script.exists():
            text = GivenTranscript(format="srt", text=script.read_text(encoding="utf-8"))
            lines = given.parse(text, duration_s).lines
            choice = aligners.choose("auto", "en")
            align(lines, pcm, spans, duration_s, choice=choice, language="en", tick=tick)
        else:
            heard_by = speech.choose("auto", "whisper-small", None)
            speech.recognise(heard_by, pcm, spans, language=None, hotwords=(), tick=tick)


# ---- styles --------------------------------------------------------------------------------------


def _restyled(server: Server, name: str, given: Json) -> Iterator[Case]:
    """A new colour, beside everything new; burned in it draws the picture again, else nothing."""
    numbers = count(1)
    for burned in (False, True):

        def style(*, burned: bool = burned) -> Json:
            return exported(server, next(numbers), burned=burned)

        def whole(*, burned: bool = burned) -> Json:
            return exported(server, next(numbers), burned=burned, anew=True)

        def agree(*, burned: bool = burned) -> None:
            exported(server, 0, burned=burned)
            steps = {
                s["name"]: s["cached"] for s in exported(server, 1 << 20, burned=burned)["steps"]
            }
            done = {step for step, cached in steps.items() if not cached}
            assert "sound" not in done, steps
            assert ("picture" in done) == burned, steps

        label = f"{name}, {'burned-in' if burned else 'separate'} subtitles of another colour"
        rivals = {"full export": Rival(whole)}
        yield Case("process", label, run=style, rivals=rivals, agree=agree, **given)


def exported(server: Server, number: int, *, burned: bool, anew: bool = False) -> Json:
    """Export the best clip of the newest video in the `number`th colour; the finished job."""
    with server.api() as api:
        project = next(p for p in api.items("/v1/projects") if p["name"] == "cutroom process")
        video = next(iter(api.items(f"/v1/projects/{project['id']}/videos")))
        clips = sorted(api.items(f"/v1/videos/{video['id']}/clips"), key=lambda c: c["rank"])
        body: Json = {
            "clip_ids": [clips[0]["id"]], "height": HEIGHT, "burn_subtitles": burned,
            "overrides": {"active_color": f"#{number:06X}"},
        }  # fmt: skip
        if anew:
            body |= {"crf": 21 + number % 4, "loudness": {"target_lufs": -15 - number / 1000}}
        return api.follow(api.post(f"/v1/projects/{project['id']}/export", body), lambda _: None)


# ---- recordings ----------------------------------------------------------------------------------


def copied(recording: Path, number: int) -> Path:
    """The same recording in other bytes: a comment tells copies apart."""
    path = recording.with_name(f"{recording.stem}-{number}{recording.suffix}")
    ffmpeg(["-i", str(recording), "-map", "0", "-c", "copy",
            "-metadata", f"comment=copy {number}", str(path)])  # fmt: skip
    script = recording.with_suffix(".srt")
    if script.exists():
        path.with_suffix(".srt").write_bytes(script.read_bytes())
    return path


def _recording(folder: Path) -> Path:
    if given := os.environ.get("CUTROOM_BENCH_RECORDING"):
        return Path(given)
    from ray_jobs.sample import make_sample

    return make_sample(folder / "talk.mp4", folder / "made").path


def lasting(recording: Path, duration_s: float) -> Path:
    """The recording, and its script, from the start and over again until it lasts this long."""
    target = recording.with_name(f"{recording.stem}-{duration_s:g}s.mp4")
    ffmpeg(["-stream_loop", "-1", "-i", str(recording), "-t", f"{duration_s:g}", "-c", "copy",
            str(target)])  # fmt: skip
    script = recording.with_suffix(".srt")
    if script.exists():
        import pysubs2

        once = pysubs2.load(str(script))
        turn_ms = round(probe(recording, IngestLimits()).duration_s * 1000)
        events = []
        for turn in range(int(duration_s * 1000 // turn_ms) + 1):
            for event in once:
                moved = event.copy()
                moved.shift(ms=turn * turn_ms)
                events.append(moved)
        once.events = [event for event in events if event.end <= duration_s * 1000]
        once.save(str(target.with_suffix(".srt")))
    return target
