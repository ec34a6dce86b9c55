"""How soon a job of each kind is over once it is cancelled, and what is left running of it."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.pipeline.process import lasting, serving
from benchmarks.quality import Row
from control.client.api import Api, ApiFailure

TITLE = "Cancelling"
LENGTH_S = 120.0
MOMENTS_S = (0.2, 1.5, 4.0)
"""How long a job is let run before it is cancelled."""
WITHIN_S = 2.0
GRACE_S = 5.0
POLL_S = 0.03
PATIENCE_S = 600.0
ENDED = {"succeeded", "failed", "cancelled"}
WORKING = ("ffmpeg", "espeak")
TEXT = "The river carries stones from one bank to the other, and the town was built on them. " * 40

Json = dict[str, Any]


class Cancelled(NamedTuple):
    """How a job ended that was cancelled in its step `step`, or before a worker had begun it.

    `left` are the command lines of what still runs of it GRACE_S later: a worker that was about to
    begin learns only from its first report that nobody waits for it.
    """

    step: str
    seconds: float
    left: list[str]


def rows(media: Path) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="cutroom-bench-") as name:
        folder = Path(name)
        for suffix in (".mp4", ".srt"):
            shutil.copy(media / "composed" / f"talk_a{suffix}", folder / f"talk{suffix}")
        recording = lasting(folder / "talk.mp4", LENGTH_S)
        where = f"composed/talk_a.mp4, repeated to {LENGTH_S:g} s"
        with serving(folder) as server, server.api() as api:
            root = psutil.Process(server.pid)
            for kind, begin in orders(api, recording, server.unseen):
                yield _row(kind, [cancel(api, root, begin, after) for after in MOMENTS_S], where)


def _row(kind: str, tries: list[Cancelled | None], where: str) -> Row:
    met = [one for one in tries if one]
    if not met:
        return Row(f"cancel of {kind}", "s", None, where, note="it was over before")
    slowest = max(met, key=lambda one: one.seconds)
    left = [line for one in met for line in one.left]
    note = f"in {slowest.step}" if slowest.step else "before its first step"
    note += f"; left: {left[0]}" if left else ""
    return Row(
        f"cancel of {kind}, slowest of {len(met)}", "s", slowest.seconds, where,
        target=f"≤ {WITHIN_S:g}, nothing left running", note=note,
        met=slowest.seconds <= WITHIN_S and not left,
    )  # fmt: skip


Begin = Callable[[], Json]


def orders(
    api: Api, recording: Path, unseen: Callable[[Path], Path]
) -> Iterator[tuple[str, Begin]]:
    """Each kind with what begins a job of it; what a kind needs is made before it is given.

    A job that is begun again does its work again. `unseen` gives the recording in other bytes.
    """
    project = api.post("/v1/projects", {"name": "Cancelling"})["id"]

    def uploaded(path: Path) -> Json:
        body = {"project_id": project, "source": "upload", "filename": path.name,
                "size_bytes": path.stat().st_size}  # fmt: skip
        answer = api.post("/v1/videos:ingest", body)
        api.upload(answer["upload"], path, lambda _: None)
        return dict(api.post(f"/v1/videos/{answer['video']['id']}:complete-upload"))

    yield "ingest", lambda: uploaded(unseen(recording))
    video = done(api, uploaded(recording))["video_id"]
    path = f"/v1/videos/{video}"
    numbers = iter(range(1, 1000))

    def transcode() -> Json:
        return dict(api.post(f"{path}:transcode", {"profiles": ["480p"], "force": True}))

    yield "transcode", transcode
    heard = {"language": "en", "diarize": True, "force": True}
    yield "transcribe", lambda: api.post(f"{path}/transcripts", {**heard, "prompt": _new(numbers)})
    given = {"format": "srt", "text": recording.with_suffix(".srt").read_text(encoding="utf-8")}
    done(api, api.post(f"{path}/transcripts", {"language": "en", "given": given}))
    transcript = next(iter(api.items(f"{path}/transcripts")))["id"]
    yield (
        "align",
        lambda: api.post(f"{path}/transcripts/{transcript}:align", {"anew": True, "force": True}),
    )
    yield (
        "find_clips",
        lambda: api.post(f"{path}/generate-clips", {"keywords": [_new(numbers)], "force": True}),
    )
    done(api, api.post(f"{path}/generate-clips", {"max_clips": 3, "min_duration_s": 40}))
    clip = next(iter(api.items(f"{path}/clips")))["id"]
    yield (
        "style_subtitles",
        lambda: api.post(
            f"/v1/clips/{clip}/subtitles:style",
            {"overrides": {"active_color": f"#{next(numbers):06X}"}, "force": True},
        ),
    )
    yield (
        "narrate",
        lambda: api.post(f"/v1/clips/{clip}/tts", {"text": _new(numbers) + TEXT, "fit": "none"}),
    )
    yield (
        "retell",
        lambda: api.post(
            f"/v1/projects/{project}/retell", {"ratio": 0.3, "video_id": video, "force": True}
        ),
    )
    yield (
        "export",
        lambda: api.post(
            f"/v1/projects/{project}/export",
            {"clip_ids": [clip], "height": 1920, "crf": 10 + next(numbers) % 20, "force": True},
        ),
    )


def _new(numbers: Iterator[int]) -> str:
    return f"Number {next(numbers)}. "


def done(api: Api, job: Json) -> Json:
    return api.follow(job, lambda _: None)


def cancel(api: Api, root: psutil.Process, begin: Begin, after_s: float) -> Cancelled | None:
    """Begin a job, cancel it so long after it began to run; None where it was over before that."""
    job = begin()
    _until(api, job["id"], ENDED | {"running"})
    time.sleep(after_s)
    shown = api.get(f"/v1/jobs/{job['id']}")
    if shown["state"] in ENDED:
        return _over(shown)
    asked_s = time.monotonic()
    try:
        api.post(f"/v1/jobs/{job['id']}:cancel")
    except ApiFailure:
        shown = api.get(f"/v1/jobs/{job['id']}")
        if shown["state"] not in ENDED:
            raise
        return _over(shown)  # between the question and the cancellation
    ended = _until(api, job["id"], ENDED)
    seconds = time.monotonic() - asked_s
    if ended["state"] != "cancelled":
        return _over(ended)
    return Cancelled(shown["step"] or "", seconds, _left(root))


def _over(job: Json) -> None:
    if job["state"] == "failed":
        raise RuntimeError(f"{job['kind']} failed: {job['problem']}")


def _until(api: Api, job_id: str, states: set[str]) -> Json:
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        job: Json = api.get(f"/v1/jobs/{job_id}")
        if job["state"] in states:
            return job
        time.sleep(POLL_S)
    raise TimeoutError(f"job {job_id} is still {job['state']}")


def _left(root: psutil.Process) -> list[str]:
    deadline_s = time.monotonic() + GRACE_S
    while (found := at_work(root)) and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
    return found


def at_work(root: psutil.Process) -> list[str]:
    """Command lines of the processes below `root` that do the work of some job."""
    found = []
    for process in root.children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        child = any(part.startswith("ray_jobs.engines.") for part in command)
        if child or any(name in Path(command[0]).name for name in WORKING if command):
            found.append(" ".join(command)[:200])
    return found
