"""The document tells the truth: every route is in it, and every reference of it resolves."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from control.clips.schemas import WeightName
from control.openapi import handler_of, is_websocket, operations
from ray_jobs.contract import (
    PLATFORMS,
    SUBTITLE_PRESETS,
    PlatformName,
    ScoreWeights,
    SubtitlePreset,
)


async def test_every_route_is_documented_once(client, app):
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    found = {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    }
    assert found == {f"{method} {path}" for method, path, _, _ in operations(app)}
    ids = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(ids) == len(set(ids))


async def test_the_whole_contract_is_served_and_documented(client):
    """Its 88 lines are kept beside this test; names of path parameters are ours to choose."""
    lines = Path(__file__).with_name("contract_routes.txt").read_text().split("\n")
    wanted = {unnamed(line.replace("WS ", "GET ")) for line in lines if line}
    assert len(wanted) == 88
    document = (await client.get("/openapi.json")).json()
    served = {
        unnamed(f"{method.upper()} {path}")
        for path, item in document["paths"].items()
        for method in item
    }
    assert not wanted - served


def unnamed(line):
    return re.sub(r"{\w+}", "{}", line)


async def test_every_reference_resolves_and_every_path_parameter_is_declared(client):
    document = (await client.get("/openapi.json")).json()
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names <= document["components"]["schemas"].keys()
    for path, item in document["paths"].items():
        assert "<" not in path
        for operation in item.values():
            declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))


async def test_every_handler_says_what_it_does_and_gives(app):
    for method, path, route, noted in operations(app):
        assert handler_of(route).__doc__, f"{method} {path} has no docstring"
        assert is_websocket(route) or hasattr(handler_of(route), "spec"), f"{method} {path}"
        if method in {"PUT", "PATCH"}:
            assert noted.body is not None, f"{method} {path} names no body"


async def test_every_pattern_is_told_in_words_too(client):
    document = (await client.get("/openapi.json")).json()
    patterns = list(with_pattern(document))
    assert len(patterns) > 20
    assert [one for one in patterns if not one.get("description")] == []


async def test_a_text_in_a_query_holds_no_nul(client):
    paths = (await client.get("/openapi.json")).json()["paths"]
    [kind] = [one["schema"] for one in paths["/v1/videos/{video_id}/artifacts"]["get"]["parameters"]
              if one["name"] == "kind"]  # fmt: skip
    holds_nul(kind)


async def test_neither_a_text_of_a_body_nor_a_name_in_it_holds_a_nul(client):
    models = (await client.get("/openapi.json")).json()["components"]["schemas"]
    holds_nul(models["CreateProject"]["properties"]["description"])
    speakers = models["TranscriptPatch"]["properties"]["speakers"]
    holds_nul({"type": "string", **speakers["propertyNames"]})
    holds_nul(speakers["additionalProperties"])
    holds_nul({"anyOf": [one for one in models["JsonValue"]["anyOf"] if one["type"] == "string"]})


def holds_nul(schema):
    [text] = [one for one in schema.get("anyOf", [schema]) if one["type"] == "string"]
    for allowed in ("poster", "", "\n"):
        assert not re.search(text["not"]["pattern"], allowed)
    assert re.search(text["not"]["pattern"], "post\0er")


def with_pattern(part):
    """Every schema below `part` that holds a pattern."""
    if isinstance(part, dict) and isinstance(part.get("pattern"), str):
        yield part
    for below in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        yield from with_pattern(below)


async def test_a_body_is_required_only_where_an_empty_one_will_not_do(client):
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert paths["/v1/projects"]["post"]["requestBody"]["required"]
    assert paths["/v1/videos:ingest"]["post"]["requestBody"]["required"]
    assert paths["/v1/videos/{video_id}:transcode"]["post"]["requestBody"]["required"]
    assert not paths["/v1/clips/{clip_id}/subtitles:style"]["post"]["requestBody"]["required"]
    assert not paths["/v1/projects/{project_id}"]["patch"]["requestBody"]["required"]


async def test_the_page_for_people_needs_nothing_from_elsewhere(client):
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"(src|href)=.?https?:", page.text)


@pytest.mark.parametrize(
    ("told", "there"),
    [
        (SubtitlePreset, SUBTITLE_PRESETS),
        (PlatformName, PLATFORMS),
        (WeightName, ScoreWeights.model_fields),
    ],
)
def test_names_that_the_document_tells_are_those_that_there_are(told, there):
    assert sorted(get_args(told)) == sorted(there)
