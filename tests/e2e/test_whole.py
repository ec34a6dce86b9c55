"""A recording goes in, clips come out, whatever dies on the way."""

import hashlib
import json
import os
import signal
import time
from collections import Counter

import psutil
import pytest

from control.client.api import Api, ApiFailure
from ray_jobs.media.verify import starts_fast

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
DECISIONS = ("rank", "start_s", "end_s", "score", "parts", "title", "text")


@pytest.fixture(scope="session")
def first(server, recording, tmp_path_factory):
    """The report and folder of the first run."""
    out = tmp_path_factory.mktemp("first")
    done = process(server, recording, out)
    return json.loads((out / "report.json").read_text()), out, done


def process(server, recording, out, *more):
    done = server.run(
        "process", str(recording), "--out", str(out), "--clips", "2", "--height", "640",
        "--transcript", str(recording.with_suffix(".srt")), "--language", "en",
        "--url", server.facts["url"], *more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def test_process_writes_clips_subtitles_transcript_sheet_and_report(first, recording):
    report, out, _ = first
    assert report["source"]["sha256"] == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert (report["source"]["frame_rate"], report["source"]["vfr"]) == ("25/1", False)
    assert report["source"]["video_codec"] == "h264"
    assert report["source"]["audio"][0]["sample_rate_hz"] == 48_000
    assert report["transcript"]["given"]
    assert report["clips"]
    for clip in report["clips"]:
        assert (clip["width"], clip["height"]) == (360, 640)
        assert starts_fast(out / clip["file"])
        assert abs(clip["loudness_lufs"] + 14) <= 0.5
        assert clip["true_peak_dbtp"] <= -1.0
        total = sum(part["contribution"] for part in clip["parts"])
        assert clip["score"] == pytest.approx(total, abs=1e-9)
        assert all((out / file).stat().st_size for file in clip["subtitles"].values())
    kinds = Counter(job["kind"] for job in report["jobs"])
    assert set(kinds) == {"ingest", "transcribe", "find_clips", "style_subtitles", "export"}
    assert all(job["attempts"] == 1 for job in report["jobs"])
    for name in ("transcript.json", "transcript.srt", "transcript.vtt", "index.html"):
        assert (out / name).stat().st_size


def test_a_second_run_decides_the_same_and_repeats_no_work(server, recording, first, tmp_path):
    process(server, recording, tmp_path)
    again = json.loads((tmp_path / "report.json").read_text())
    assert all(job["cached"] for job in again["jobs"])
    for before, now in zip(first[0]["clips"], again["clips"], strict=True):
        assert {k: before[k] for k in DECISIONS} == {k: now[k] for k in DECISIONS}
        files = (first[1] / before["file"], tmp_path / now["file"])
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_start_beside_a_running_server_says_where_it_is(server):
    done = server.run("serve", "--port", "1")
    assert done.returncode != 0
    assert server.facts["url"] in done.stderr


def test_a_recording_that_is_none_fails_its_own_job_with_a_code(server, tmp_path, first):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no film" * 100)
    done = server.run("process", str(broken), "--out", str(tmp_path), "--url", server.facts["url"])
    assert done.returncode == 1
    assert "unsupported_media" in done.stderr
    with server.api() as api:
        assert api.get("/readyz")["status"] == "ready"


@pytest.fixture(scope="module")
def exports(recording):
    """`exports(api, crf)` queues an export of the recording's first clip."""
    clip_id = {}

    def queue(api: Api, crf: int):
        if api.organization_id not in clip_id:
            clip_id[api.organization_id] = prepared(api, recording)
        project_id, clip = clip_id[api.organization_id]
        return api.post(
            f"/v1/projects/{project_id}/export",
            {"clip_ids": [clip], "height": 1920, "crf": crf},
        )

    return queue


@pytest.fixture(scope="module")
def untouched(server, exports):
    """What the export gives when nothing dies, by crf, in an organisation of its own."""
    with server.api() as api:
        organization = api.post("/v1/organizations", {"name": "Quiet"})
    quiet = Api(server.facts["url"], server.facts["token"], organization["id"])
    return {crf: shas(quiet.follow(exports(quiet, crf), lambda _: None)) for crf in (24, 25)}


class TestDeath:
    """The same export, uninterrupted in one organisation and interrupted in another."""

    def test_a_killed_worker_costs_an_attempt_and_nothing_else(self, server, exports, untouched):
        with server.api() as api:
            job = exports(api, 24)
            wait_for_step(api, job["id"], "picture")
            kill_worker(server)
            done = api.follow(job, lambda _: None)
            assert done["attempt"] == 2
            assert shas(done) == untouched[24]
            once_registered(api, done)

    def test_a_server_that_stops_in_mid_job_goes_on_where_it_was(self, server, exports, untouched):
        with server.api() as api:
            job = exports(api, 25)
            wait_for_step(api, job["id"], "picture")
        assert server.stop() == []
        server.start()
        with server.api() as api:
            done = api.follow(api.get(f"/v1/jobs/{job['id']}"), lambda _: None)
            assert done["attempt"] == 2
            assert shas(done) == untouched[25]
            once_registered(api, done)

    def test_a_killed_server_leaves_nothing_running_and_starts_again(self, server):
        children = psutil.Process(server.process.pid).children(recursive=True)
        ours = [p for p in children if "postgres" not in p.name()]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        _, alive = psutil.wait_procs(ours, timeout=45)
        assert [p.cmdline() for p in alive if p.is_running()] == []
        server.home.joinpath("server.json").unlink()
        server.start()
        with server.api() as api:
            assert list(api.items("/v1/projects"))


def prepared(api: Api, recording):
    """Bring the recording in and find a clip; returns its project and the clip's id."""
    project = api.post("/v1/projects", {"name": "Deaths"})
    answer = api.post(
        "/v1/videos:ingest",
        {"project_id": project["id"], "source": "upload", "filename": "a.mp4",
         "size_bytes": recording.stat().st_size},
    )  # fmt: skip
    api.upload(answer["upload"], recording, lambda _: None)
    video_id = answer["video"]["id"]
    api.follow(api.post(f"/v1/videos/{video_id}:complete-upload"), lambda _: None)
    job = api.post(f"/v1/videos/{video_id}/generate-clips", {"max_clips": 1})
    clips = api.follow(job, lambda _: None)["result"]["clips"]
    return project["id"], clips[0]["clip_id"]


def shas(job) -> list[str]:
    return [d["video"]["object"]["sha256"] for d in job["result"]["deliverables"]]


def once_registered(api: Api, job) -> None:
    clip_id = job["result"]["deliverables"][0]["clip_id"]
    rows = [a for a in api.items(f"/v1/clips/{clip_id}/artifacts") if a["job_id"] == job["id"]]
    assert Counter(a["kind"] for a in rows)["export"] == 1


def wait_for_step(api: Api, job_id: str, step: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        job = api.get(f"/v1/jobs/{job_id}")
        assert job["state"] in ("queued", "running"), job
        if job["step"] == step:
            return
        time.sleep(0.05)
    pytest.fail(f"{step} did not begin")


def kill_worker(server) -> None:
    for process in psutil.Process(server.process.pid).children(recursive=True):
        if process.cmdline()[:1] == ["ray::Worker.run"]:
            os.kill(process.pid, signal.SIGKILL)
            return
    pytest.fail("no worker is at work")


def test_a_job_that_never_was_is_not_found(server):
    with server.api() as api, pytest.raises(ApiFailure, match="not_found"):
        api.get("/v1/jobs/00000000-0000-4000-8000-000000000000")
