"""The document's links lead on: to operations there are, with ids that their sources hold."""

import re

import pytest


@pytest.fixture
async def operations(client):
    """Every operation of the document with its method and path, by its id."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    return {
        one["operationId"]: one | {"method": method, "path": path}
        for path, item in paths.items()
        for method, one in item.items()
    }


def links(operation):
    return {
        name: link
        for answer in operation["responses"].values()
        for name, link in answer.get("links", {}).items()
    }


def needs(operation):
    return {
        one["name"]
        for one in operation["parameters"]
        if one["required"] and one["in"] in {"path", "header"} and one["name"] != "Idempotency-Key"
    }


async def test_every_operation_that_needs_an_id_is_led_to_but_the_workers(operations):
    reached = {name for one in operations.values() for name in links(one)}
    assert reached == {name for name, one in operations.items() if needs(one)} - {"report_job"}


async def test_a_link_gives_what_its_operation_needs_and_nothing_else(operations):
    for source in operations.values():
        for name, link in links(source).items():
            assert link["operationId"] == name != source["operationId"]
            assert link["parameters"].keys() == needs(operations[name])
            for given in link["parameters"].values():
                asked = re.fullmatch(r"\$request\.(?:path|header)\.(.+)", given)
                assert asked is None or asked[1] in needs(source)


async def test_ids_lie_where_the_answer_has_them(operations):
    def given(source, target):
        parameters = links(operations[source])[target]["parameters"]
        return {name: at for name, at in parameters.items() if name != "X-Org-ID"}

    assert given("create_project", "get_project") == {"project_id": "$response.body#/id"}
    assert given("list_projects", "get_project") == {"project_id": "$response.body#/items/0/id"}
    assert given("ingest_video", "play_video") == {"video_id": "$response.body#/video/id"}
    assert given("create_payment", "get_payment") == {"order_id": "$response.body#/order_id"}
    assert given("get_clip", "get_video") == {"video_id": "$response.body#/video_id"}
    assert given("create_finding", "get_finding") == {
        "run_id": "$request.path.run_id", "finding_id": "$response.body#/id"
    }  # fmt: skip
    assert given("get_retelling", "get_transcript") == {
        "video_id": "$response.body#/video_id", "transcript_id": "$response.body#/transcript_id"
    }  # fmt: skip


async def test_the_organisation_goes_with_it(operations):
    def given(source, target):
        return links(operations[source])[target]["parameters"]["X-Org-ID"]

    assert given("create_organization", "create_project") == "$response.body#/id"
    assert given("create_project", "list_videos") == "$request.header.X-Org-ID"


async def test_what_only_names_a_thing_leads_to_reading_it(operations):
    """A job names its video: one may look at the video from there, and delete it from the video."""
    onward = links(operations["cancel_job"])
    assert {"get_video", "get_job", "retry_job"} <= onward.keys()
    assert "delete_video" not in onward


async def test_a_link_of_a_real_answer_can_be_followed(client, owner, operations):
    made = await client.post("/v1/projects", json={"name": "Talks"}, headers=owner.headers)
    for name in ("get_project", "list_videos", "list_jobs"):
        pointer = links(operations["create_project"])[name]["parameters"]["project_id"]
        path = operations[name]["path"].format(project_id=made.json()[pointer.rpartition("/")[2]])
        assert (await client.get(path, headers=owner.headers)).status_code == 200
