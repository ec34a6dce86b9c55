"""How an upload ends when its bytes do not come, and what is left of those that did."""

from datetime import timedelta

import pytest

from control.records import now
from control.videos import uploads
from control.videos.models import Video
from ray_jobs.contract import JobKind
from tests.control.media_jobs import ingested


@pytest.fixture
def begin(api):
    async def upload(**more):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        return await api.call(
            "POST", "/v1/videos:ingest", 202, project_id=project["id"], source="upload",
            filename="a.mp4", size_bytes=9, **more,
        )  # fmt: skip

    return upload


async def overdue(video, by=timedelta(seconds=1)):
    await Video.filter(id=video["id"]).update(upload_until=now() - uploads.GRACE - by)


async def listed(api, video, **query):
    path = f"/v1/projects/{video['project_id']}/videos"
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return [one["id"] for one in (await api.call("GET", f"{path}?{asked}"))["items"]]


async def test_a_video_is_listed_once_its_bytes_are_there(api):
    video = await api.upload()
    assert await listed(api, video) == []
    assert await listed(api, video, status="awaiting_upload") == [video["id"]]
    await api.call("POST", f"/v1/videos/{video['id']}:complete-upload", 202)
    assert await listed(api, video) == [video["id"]]
    await api.work(JobKind.INGEST, ingested)


async def test_an_upload_can_be_given_up(api, begin, app):
    video = (await begin())["video"]
    path = f"/v1/videos/{video['id']}"
    given_up = await api.call("POST", f"{path}:cancel-upload")
    assert (given_up["status"], given_up["problem"]["code"]) == ("failed", "upload_cancelled")
    assert await listed(api, video) == []
    assert (await api.call("POST", f"{path}:complete-upload", 409))["code"] == "upload_ended"
    again = await api.call("POST", f"{path}:cancel-upload", 409)
    assert (again["code"], again["allowed"]) == ("move_not_allowed", [])
    project = await api.call("GET", f"/v1/projects/{video['project_id']}")
    assert (project["status"], project["videos"]) == ("empty", {})


async def test_what_was_sent_and_given_up_is_removed(api, app):
    video = await api.upload()
    await api.call("POST", f"/v1/videos/{video['id']}:cancel-upload")
    key = (await Video.get(id=video["id"])).upload_key
    await uploads.expire(app.ctx.store)
    assert await app.ctx.store.head(key)  # the link still works: more could come
    await overdue(video)
    await uploads.expire(app.ctx.store)
    assert await app.ctx.store.head(key) is None
    kept = await api.call("GET", f"/v1/videos/{video['id']}")
    assert kept["problem"]["code"] == "upload_cancelled"


async def test_bytes_that_never_come_fail_the_video_and_no_other(api, begin, app):
    late, in_time = (await begin())["video"], (await begin())["video"]
    await overdue(late)
    await overdue(in_time, by=-timedelta(minutes=1))
    assert await uploads.expire(app.ctx.store) >= 1
    ended = await api.call("GET", f"/v1/videos/{late['id']}")
    assert (ended["status"], ended["problem"]["code"]) == ("failed", "upload_timed_out")
    waiting = await api.call("GET", f"/v1/videos/{in_time['id']}")
    assert waiting["status"] == "awaiting_upload"


async def test_what_was_taken_in_is_kept_once(api, app):
    video = await api.upload()
    key = (await Video.get(id=video["id"])).upload_key
    await api.call("POST", f"/v1/videos/{video['id']}:complete-upload", 202)
    await uploads.expire(app.ctx.store)
    assert await app.ctx.store.head(key)  # its worker has yet to fetch it
    await api.work(JobKind.INGEST, ingested)
    await uploads.expire(app.ctx.store)
    assert await app.ctx.store.head(key) is None
    assert (await api.call("GET", f"/v1/videos/{video['id']}"))["status"] == "ready"


async def test_a_link_lives_as_long_as_was_asked(api, begin):
    for wrong in (59, 7 * 86400 + 1):
        refused = await api.call(
            "POST", "/v1/videos:ingest", 422, source="upload", filename="a.mp4", size_bytes=9,
            project_id=(await api.call("POST", "/v1/projects", 201, name="R"))["id"],
            expires_in_s=wrong,
        )  # fmt: skip
        assert refused["errors"][0]["at"] == "expires_in_s"
    video = (await begin(expires_in_s=7200))["video"]
    until = (await Video.get(id=video["id"])).upload_until
    assert timedelta(minutes=119) < until - now() <= timedelta(hours=2)
