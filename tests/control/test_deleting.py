"""A video goes with everything, but for what must be kept."""

from control.artifacts.models import ArtifactRow
from tests.control.media_jobs import MediaPath


class TestDeleting:
    async def test_a_video_takes_everything_along(self, api):
        video, clip = await api.with_clips()
        await api.call("DELETE", f"/v1/videos/{video['id']}", 204)
        await api.call("GET", f"/v1/videos/{video['id']}", 404)
        await api.call("GET", f"/v1/clips/{clip['id']}", 404)
        left = await api.call("GET", f"/v1/projects/{video['project_id']}/artifacts")
        assert left["items"] == []

    async def test_what_a_legal_hold_keeps_stays(self, api):
        video, clip = await api.with_clips()
        base = f"/v1/videos/{video['id']}"
        (words,) = (await api.call("GET", f"{base}/transcripts"))["items"]
        notice = await api.call("POST", "/v1/dmca/notices", 201, material={"video_id": video["id"]})
        await api.call("PATCH", f"/v1/dmca/notices/{notice['id']}", legal_hold=True)
        for path in (
            f"{base}/transcripts/{words['id']}", f"/v1/clips/{clip['id']}", base,
            f"/v1/projects/{video['project_id']}",
        ):  # fmt: skip
            assert (await api.call("DELETE", path, 409))["code"] == "legal_hold"
        await api.call("PATCH", f"/v1/dmca/notices/{notice['id']}", legal_hold=False)
        await api.call("DELETE", base, 204)

    async def test_an_artifact_alone_is_held_with_its_project(self, api):
        video = await api.ready()
        other = await api.ready()
        (made,) = (await api.call("GET", f"/v1/videos/{video['id']}/artifacts"))["items"]
        await ArtifactRow.filter(id=made["id"]).update(video_id=None, sha256="a" * 64)
        material = {"artifact_id": made["id"]}
        notice = await api.call("POST", "/v1/dmca/notices", 201, material=material)
        await api.call("PATCH", f"/v1/dmca/notices/{notice['id']}", legal_hold=True)
        held = f"/v1/projects/{video['project_id']}"
        assert (await api.call("DELETE", held, 409))["code"] == "legal_hold"
        await api.call("DELETE", f"/v1/projects/{other['project_id']}", 204)

    async def test_a_hold_of_another_organisation_holds_nothing_here(self, api, other_org):
        video = await api.ready()
        theirs = MediaPath(api.client, other_org, api.settings)
        there = await theirs.ready()
        material = {"video_id": there["id"]}
        notice = await theirs.call("POST", "/v1/dmca/notices", 201, material=material)
        await theirs.call("PATCH", f"/v1/dmca/notices/{notice['id']}", legal_hold=True)
        await api.call("DELETE", f"/v1/videos/{video['id']}", 204)
