"""Recordings on their way in, with the worker's part played over HTTP."""

import json

import pytest

from control.jobs.models import Job
from ray_jobs.contract import JobKind
from tests.control.media_jobs import SHA, claimed, ingested


class TestIngest:
    async def test_an_upload_becomes_a_ready_video_with_what_the_probe_found(self, api):
        video = await api.ready()
        assert (video["status"], video["sha256"]) == ("ready", SHA)
        assert (video["frame_rate"], video["duration_s"], video["vfr"]) == ("25/1", 30.0, False)
        assert video["filename"] == "a 'b'; [v]\n☃.mp4"

    async def test_completing_before_the_bytes_are_there_is_refused(self, api):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        answer = await api.call(
            "POST", "/v1/videos:ingest", 202, project_id=project["id"], source="upload",
            filename="a.mp4", size_bytes=10,
        )  # fmt: skip
        path = f"/v1/videos/{answer['video']['id']}:complete-upload"
        assert (await api.call("POST", path, 409))["code"] == "not_uploaded"

    async def test_completing_twice_gives_the_same_job(self, api):
        video = await api.upload()
        path = f"/v1/videos/{video['id']}:complete-upload"
        first = await api.call("POST", path, 202)
        again = await api.call("POST", path, 202)
        assert first["id"] == again["id"]
        assert again["deduplicated"]
        await api.work(JobKind.INGEST, ingested)

    async def test_work_on_a_video_that_is_not_ready_is_refused(self, api):
        video = await api.upload()
        answer = await api.call("POST", f"/v1/videos/{video['id']}/transcripts", 409)
        assert answer["code"] == "video_not_ready"

    async def test_a_url_goes_straight_to_the_workers(self, api):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        answer = await api.call(
            "POST", "/v1/videos:ingest", 202, project_id=project["id"], source="url",
            url="https://example.org/talk.mp4",
        )  # fmt: skip
        assert (answer["job"]["kind"], answer["upload"]) == ("ingest", None)
        assert answer["video"]["filename"] == "talk.mp4"
        await api.work(JobKind.INGEST, ingested)

    async def test_an_address_inside_is_refused_at_once(self, api):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        hosts = ("127.0.0.1", "0x7f.1", "localhost", "user:pass@example.org", "example.org:22")
        for url in (f"http://{host}/v.mp4" for host in hosts):
            refused = await api.call(
                "POST", "/v1/videos:ingest", 422, project_id=project["id"], source="url", url=url
            )
            assert refused["errors"][0]["at"] == "url", url
        videos = await api.call("GET", f"/v1/projects/{project['id']}/videos")
        assert videos["count"] == 0

    @pytest.mark.media
    async def test_of_the_known_tricks_none_but_a_names_address_is_left_to_the_worker(
        self, api, media
    ):
        cases = json.loads((media / "security" / "ssrf_urls.json").read_text())["cases"]
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        taken = set()
        for case in cases:
            sent = {"project_id": project["id"], "source": "url", "url": case["url"]}
            answer = await api.client.post(
                "/v1/videos:ingest", headers=api.person.headers, json=sent
            )
            assert answer.status_code in (202, 422), case
            if answer.status_code == 202:
                taken.add(case["url"])
        allowed = {case["url"] for case in cases if case["expect"] != "refuse"}
        by_look_up = {
            "http://127.0.0.1.nip.io/v.mp4", "http://localtest.me/v.mp4",
            "http://a.b.c.d.e/..;/v.mp4",
        }  # fmt: skip
        await Job.all().delete()  # nobody shall work on these
        assert taken - by_look_up == allowed

    @pytest.mark.parametrize(
        "bad",
        [
            {"source": "ftp"},
            {"source": "url", "url": "ftp://example.org/a"},
            {"source": "upload", "filename": "", "size_bytes": 1},
            {"source": "upload", "filename": "a", "size_bytes": -1},
            {"source": "upload", "filename": "a", "size_bytes": 2**60},
            {"source": "upload", "filename": "a", "size_bytes": 1, "surprise": 1},
        ],
    )
    async def test_malformed_requests_are_422_and_say_where(self, api, bad):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        answer = await api.call("POST", "/v1/videos:ingest", 422, project_id=project["id"], **bad)
        assert answer["errors"]


class TestFailedIngest:
    async def test_fails_its_video_with_the_problem_and_nothing_else(self, api, client, app):
        other = await api.ready()
        video = await api.upload()
        await api.call("POST", f"/v1/videos/{video['id']}:complete-upload", 202)
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        problem = {"code": "corrupt_media", "detail": "No frame decodes.", "retryable": False}
        await hand.report("failed", problem=problem)
        video = await api.call("GET", f"/v1/videos/{video['id']}")
        assert (video["status"], video["problem"]) == ("failed", problem)
        assert (await api.call("GET", f"/v1/videos/{other['id']}"))["status"] == "ready"


async def test_an_upload_larger_than_it_said_is_refused_and_leaves_nothing(api, client):
    project = await api.call("POST", "/v1/projects", 201, name="Rivers")
    answer = await api.call(
        "POST", "/v1/videos:ingest", 202, project_id=project["id"], source="upload",
        filename="a.mp4", size_bytes=4,
    )  # fmt: skip
    sent = answer["upload"]
    put = await client.request(
        sent["method"], sent["url"], content=b"12345", headers=sent["headers"]
    )
    assert (put.status_code, put.json()["code"]) == (413, "too_large")
    path = f"/v1/videos/{answer['video']['id']}:complete-upload"
    assert (await api.call("POST", path, 409))["code"] == "not_uploaded"


async def test_links_that_were_changed_are_refused(api, client, app):
    url = await app.ctx.store.presign_download(
        "orgs/a/b", filename="x", content_type="text/plain", expires_s=60
    )
    assert (await client.get(url + "x")).json()["code"] == "ticket_invalid"
    old = await app.ctx.store.presign_download(
        "orgs/a/b", filename="x", content_type="text/plain", expires_s=-1
    )
    assert (await client.get(old)).json()["code"] == "ticket_expired"
    assert (await client.put(url, content=b"")).status_code == 403
