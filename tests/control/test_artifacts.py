"""Artifacts: listed with links, registered by their hash, brought in as recordings."""

from control.artifacts.models import ArtifactRow
from control.videos import uploads
from control.videos.models import Video
from ray_jobs.contract import JobKind
from tests.control.media_jobs import SHA, MediaPath, claimed, ingested


class TestArtifacts:
    async def test_are_listed_with_links_and_a_lost_object_says_so(self, api, client):
        video = await api.ready()
        listed = await api.call("GET", f"/v1/videos/{video['id']}/artifacts")
        proxy = listed["items"][0]
        assert (proxy["kind"], proxy["size_bytes"]) == ("proxy", 9)
        missing = await client.get(proxy["download_url"])
        assert (missing.status_code, missing.json()["code"]) == (404, "object_missing")

    async def test_are_registered_with_their_own_hash_alone(self, api, app):
        video = await api.upload()
        row = await Video.get(id=video["id"])
        path = f"/v1/projects/{video['project_id']}/artifacts"
        given = {"kind": "note", "filename": "a.bin", "content_type": "text/plain"}
        wrong = await api.call("POST", path, 422, **given, key=row.upload_key, sha256="0" * 64)
        assert wrong["errors"][0]["at"] == "sha256"
        made = await api.call("POST", path, 201, **given, key=row.upload_key, sha256=SHA)
        assert (made["sha256"], made["size_bytes"]) == (SHA, 9)
        # What is registered is not removed with the upload.
        await api.call("POST", f"/v1/videos/{video['id']}:complete-upload", 202)
        await api.work(JobKind.INGEST, ingested)
        await uploads.expire(app.ctx.store)
        assert await app.ctx.store.head(row.upload_key)

    async def test_can_be_brought_in_as_recordings(self, api, client, app, other_org):
        video = await api.ready()
        (proxy,) = (await api.call("GET", f"/v1/videos/{video['id']}/artifacts"))["items"]
        wanted = {
            "project_id": video["project_id"], "source": "artifact", "artifact_id": proxy["id"],
        }  # fmt: skip
        answer = await api.call("POST", "/v1/videos:ingest", 202, **wanted)
        assert (answer["video"]["source"], answer["video"]["filename"]) == ("artifact", "proxy.mp4")
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        row = await ArtifactRow.get(id=proxy["id"])
        assert (hand.job.spec["key"], hand.job.spec["expected_sha256"]) == (row.key, row.sha256)
        await hand.report("succeeded", result=ingested(hand.job))
        again = await api.call("GET", f"/v1/videos/{answer['video']['id']}")
        assert again["status"] == "ready"
        theirs = MediaPath(client, other_org, app.ctx.settings)
        project = await theirs.call("POST", "/v1/projects", 201, name="Theirs")
        refused = await theirs.call(
            "POST", "/v1/videos:ingest", 422, **wanted | {"project_id": project["id"]}
        )
        assert refused["errors"][0]["at"] == "artifact_id"
        material = {"video_id": video["id"]}
        claim = {
            "signature": "A", "work": "B", "contact": {"name": "C", "email": "c@e.org"},
            "good_faith": True, "accurate_under_penalty_of_perjury": True, "material": material,
        }  # fmt: skip
        notice = await api.call("POST", "/v1/dmca/notices", 201, **claim)
        down = {"status": "content_disabled"}
        await api.call("PATCH", f"/v1/dmca/notices/{notice['id']}", **down)
        await api.call("POST", "/v1/videos:ingest", 451, **wanted)

    async def test_only_objects_of_the_own_organisation_can_be_registered(self, api):
        video = await api.ready()
        await api.call(
            "POST", f"/v1/videos/{video['id']}/artifacts", 422, kind="note", filename="a",
            key="orgs/00000000-0000-4000-8000-000000000000/x", sha256=SHA,
            content_type="text/plain",
        )  # fmt: skip
