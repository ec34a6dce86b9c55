"""Projects: created, listed page by page, changed without losing another's change, deleted."""

from uuid import uuid4

from control.jobs.models import Job, JobState
from control.videos.models import Video, VideoStatus


async def create(client, who, **fields):
    response = await client.post(
        "/v1/projects", json={"name": "Talks", **fields}, headers=who.headers
    )
    assert response.status_code == 201, response.text
    return response


async def test_a_created_project_can_be_read_where_its_location_says(client, owner):
    created = await create(client, owner, description="All of 2026")
    found = await client.get(created.headers["location"], headers=owner.headers)
    assert found.json() == created.json()
    assert found.json()["name"] == "Talks"
    assert found.json()["organization_id"] == str(owner.organization_id)


async def test_another_organisations_project_is_not_found(client, owner, other_org):
    created = await create(client, owner)
    path = f"/v1/projects/{created.json()['id']}"
    for method in ("GET", "PATCH", "DELETE"):
        json = {"name": "Mine now"} if method == "PATCH" else None
        answer = await client.request(method, path, json=json, headers=other_org.headers)
        assert answer.status_code == 404
    assert (await client.get(path, headers=owner.headers)).json()["name"] == "Talks"


async def test_pages_cover_the_list_without_overlap_newest_first(client, owner):
    made = [(await create(client, owner, name=f"P{n}")).json()["id"] for n in range(5)]
    seen, offset = [], 0
    while offset is not None:
        page = await client.get(
            "/v1/projects", params={"limit": 2, "offset": offset}, headers=owner.headers
        )
        answer = page.json()
        assert answer["count"] == len(answer["items"])
        assert answer["pagination"]["total"] == 5
        assert answer["pagination"]["has_more"] == (answer["pagination"]["next_offset"] is not None)
        seen += [item["id"] for item in answer["items"]]
        offset = answer["pagination"]["next_offset"]
    assert seen == made[::-1]


async def test_a_page_beyond_the_end_is_empty_and_knows_the_total(client, owner):
    await create(client, owner)
    answer = await client.get("/v1/projects?offset=10", headers=owner.headers)
    assert answer.json()["items"] == []
    assert answer.json()["pagination"]["total"] == 1


async def test_limits_out_of_range_are_refused(client, owner):
    for wrong in ("limit=0", "limit=201", "limit=x", "offset=-1"):
        answer = await client.get(f"/v1/projects?{wrong}", headers=owner.headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["at"] == wrong.split("=")[0]


async def test_a_patch_changes_only_what_was_sent(client, owner):
    created = await create(client, owner, description="kept")
    path = created.headers["location"]
    patched = await client.patch(path, json={"name": "New"}, headers=owner.headers)
    assert (patched.json()["name"], patched.json()["description"]) == ("New", "kept")
    assert (await client.get(path, headers=owner.headers)).json() == patched.json()


async def test_a_patch_against_an_old_version_is_refused(client, owner):
    created = await create(client, owner)
    path, tag = created.headers["location"], created.headers["etag"]
    mine = {**owner.headers, "If-Match": tag}
    assert (await client.patch(path, json={"name": "First"}, headers=mine)).status_code == 200
    late = await client.patch(path, json={"name": "Second"}, headers=mine)
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    now = await client.get(path, headers=owner.headers)
    assert now.json()["name"] == "First"
    fresh = {**owner.headers, "If-Match": now.headers["etag"]}
    assert (await client.patch(path, json={"name": "Second"}, headers=fresh)).status_code == 200


async def test_what_a_patch_may_not_hold_is_pointed_at(client, owner):
    path = (await create(client, owner)).headers["location"]
    for wrong, at in (
        ({"name": None}, "name"),
        ({"colour": "red"}, "colour"),
        ({"name": ""}, "name"),
    ):
        answer = await client.patch(path, json=wrong, headers=owner.headers)
        assert answer.status_code == 422
        assert [error["at"] for error in answer.json()["errors"]] == [at]


async def test_a_deleted_project_is_gone(client, owner):
    path = (await create(client, owner)).headers["location"]
    assert (await client.delete(path, headers=owner.headers)).status_code == 204
    assert (await client.get(path, headers=owner.headers)).status_code == 404


async def test_an_unknown_project_is_not_found(client, owner):
    for wrong in (uuid4(), "not-a-uuid"):
        answer = await client.get(f"/v1/projects/{wrong}", headers=owner.headers)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def add_video(owner, project_id, status):
    return await Video.create(
        organization_id=owner.organization_id,
        project_id=project_id,
        filename="talk.mp4",
        source="upload",
        status=status,
    )


async def test_a_projects_status_is_that_of_its_video_least_far(client, owner):
    path = (await create(client, owner)).headers["location"]
    steps = [
        (None, "empty"),
        (VideoStatus.FAILED, "failed"),
        (VideoStatus.EXPORTED, "exported"),
        (VideoStatus.CLIPPING, "clipping"),
        (VideoStatus.CLIPPED, "clipping"),
    ]
    for added, expected in steps:
        if added:
            await add_video(owner, path.rpartition("/")[2], added)
        found = (await client.get(path, headers=owner.headers)).json()
        assert found["status"] == expected
        listed = (await client.get("/v1/projects", headers=owner.headers)).json()["items"]
        assert found in listed
    assert found["videos"] == {"failed": 1, "exported": 1, "clipping": 1, "clipped": 1}


async def test_a_project_at_work_is_not_deleted(client, owner):
    path = (await create(client, owner)).headers["location"]
    job = await Job.create(
        organization_id=owner.organization_id,
        project_id=path.rpartition("/")[2],
        kind="ingest",
        state=JobState.RUNNING,
        spec={},
        spec_sha256="0" * 64,
    )
    refused = await client.delete(path, headers=owner.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "busy")
    await Job.filter(id=job.id).update(state=JobState.SUCCEEDED)
    assert (await client.delete(path, headers=owner.headers)).status_code == 204
