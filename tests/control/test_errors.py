"""Every failure is a problem document with a code, whatever went wrong and wherever."""

import asyncio
import json
from uuid import uuid4

import numpy as np
import pytest
from asyncpg import DataError
from pydantic import BaseModel, TypeAdapter, ValidationError
from tortoise.exceptions import OperationalError
from tortoise.exceptions import ValidationError as ColumnError

from control import errors
from ray_jobs.contract import Truth

FIELDS = {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}


def assert_problem(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() >= FIELDS
    assert answer.json()["status"] == status
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/nowhere", "/v1/projects/not-a-uuid", "/v1/%00", "/v1/%ff"])
async def test_an_unknown_path_is_a_problem(client, owner, path):
    assert_problem(await client.get(path, headers=owner.headers), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("clips/{}", "clip"),
        ("videos/{}/clips", "video"),
        ("auth/keys/{}", "API key"),
        ("branding/brand-kits/{}/assets", "brand kit"),
        ("observability/qa-runs/{}", "QA run"),
        ("artifacts/{}", "artifact"),
    ],
)
async def test_what_is_not_found_is_named(client, owner, path, kind):
    wanted = uuid4()
    method = "DELETE" if kind == "API key" else "GET"
    answer = await client.request(method, f"/v1/{path.format(wanted)}", headers=owner.headers)
    assert_problem(answer, 404, "not_found")
    assert answer.json()["detail"] == f"There is no {kind} {wanted} here."


async def test_a_method_that_is_not_allowed_names_those_that_are(client):
    answer = await client.put("/v1/projects")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_the_callers_request_id_comes_back(client):
    answer = await client.get("/nowhere", headers={"X-Request-ID": "mine-42"})
    assert_problem(answer, 404, "not_found")
    assert answer.json()["request_id"] == "mine-42"


@pytest.mark.parametrize(
    "raw", [b"{", b"nul", b'{"name": NaN}', b'{"a": 1e}', b"\xff\xfe", b"[1,]"]
)
async def test_a_body_that_is_not_json_is_malformed(client, owner, raw):
    answer = await client.post("/v1/projects", content=raw, headers=owner.headers)
    assert_problem(answer, 400, "malformed_json")


async def test_a_body_of_another_kind_is_refused(client, owner):
    headers = {**owner.headers, "Content-Type": "text/xml"}
    answer = await client.post("/v1/projects", content=b"<a/>", headers=headers)
    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        (b"{}", "name"),
        (b"[]", ""),
        (b'{"name": 5}', "name"),
        (b'{"name": "a\\u0000b"}', "name"),
        (b'{"name": "a", "description": "\\u0000"}', "description"),
    ],
)
async def test_a_wrong_field_is_pointed_at(client, owner, raw, at):
    answer = await client.post("/v1/projects", content=raw, headers=owner.headers)
    assert_problem(answer, 422, "invalid")
    assert [error["at"] for error in answer.json()["errors"]] == [at]


@pytest.mark.parametrize(
    ("path", "sent", "at"),
    [
        ("branding/brand-kits", {"name": "A", "is_default": 0}, "is_default"),
        ("dmca/notices", {"good_faith": "yes"}, "good_faith"),
        ("branding/brand-kits", {"name": "A", "placement": {"margin": False}}, "placement.margin"),
        ("observability/metrics", {"points": [{"name": "a", "value": "3"}]}, "points.0.value"),
        ("organizations", {"name": 5}, "name"),
        ("auth/keys", {"name": "A", "expires_at": 4102444800}, "expires_at"),
    ],
)
async def test_a_value_of_another_type_is_not_bent_to_fit(client, owner, path, sent, at):
    answer = await client.post(f"/v1/{path}", json=sent, headers=owner.headers)
    assert_problem(answer, 422, "invalid")
    assert at in [error["at"] for error in answer.json()["errors"]]


def test_a_workers_truth_values_may_be_numpys_but_are_true_or_false_in_json():
    truth = TypeAdapter(Truth)
    assert truth.validate_python(np.True_) is True
    for text in ("0", "1", '"true"', "null"):
        with pytest.raises(ValidationError):
            truth.validate_json(text)


async def test_an_escaped_backslash_before_u0000_is_ordinary_text(client, owner):
    answer = await client.post("/v1/projects", json={"name": "\\u0000"}, headers=owner.headers)
    assert (answer.status_code, answer.json()["name"]) == (201, "\\u0000")


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(app):
    settings = app.ctx.settings
    reader, writer = await asyncio.open_connection(settings.host, settings.port)
    size_bytes = settings.max_body_bytes + 1
    writer.write(
        f"POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: {size_bytes}\r\n\r\n".encode()
    )
    status_line = await reader.readline()
    writer.close()
    assert b" 413 " in status_line


@pytest.mark.media
async def test_no_json_ever_breaks_the_server(client, owner, media):
    files = sorted((media / "security" / "json").glob("*.json"))
    assert files
    for file in files:
        answer = await client.post("/v1/projects", content=file.read_bytes(), headers=owner.headers)
        expected = {"y": {422}, "n": {400, 422}, "i": {400, 422}}[file.name[0]]
        assert answer.status_code in expected, file.name
        if file.name[0] == "n" and file.stat().st_size:
            assert answer.json()["code"] == "malformed_json", file.name


async def test_what_fits_the_document_and_not_what_is_there_is_told_apart(client, owner):
    project = await client.post("/v1/projects", json={"name": "A"}, headers=owner.headers)
    wanted = {
        "project_id": project.json()["id"],
        "source": "artifact",
        "artifact_id": str(uuid4()),
    }
    answer = await client.post("/v1/videos:ingest", json=wanted, headers=owner.headers)
    assert_problem(answer, 422, "unfit")
    assert answer.json()["errors"][0]["at"] == "artifact_id"


@pytest.mark.parametrize(
    ("path", "sent", "said"),
    [
        ("projects", {}, "name: is required"),
        ("projects", {"name": "A", "colour": 1}, "colour: is no field of this"),
        ("videos:ingest", {}, "source: is required"),
        ("videos:ingest", {"source": "ftp"}, "source: must be one of 'upload', 'url', 'artifact'"),
        ("auth/token", {"email": "a@example.org"}, "password: is required"),
        (
            "branding/brand-kits",
            {"name": "A", "colors": {"accent": "red"}},
            "colors.accent: must be a colour, as in #ff8800, or #ff880080 with its opacity",
        ),
        (
            "billing/usage",
            {"event_id": "", "meter": "a", "quantity": 1, "unit": "min"},
            "event_id: must be 1 to 200 visible ASCII characters without spaces",
        ),
        (
            "branding/brand-kits",
            {"name": "A", "subtitle_style": {"size": "0.05"}},
            "subtitle_style.size: must be a number",
        ),
    ],
)
async def test_a_refusal_is_in_words_and_points_where_the_caller_wrote(
    client, owner, path, sent, said
):
    answer = await client.post(f"/v1/{path}", json=sent, headers=owner.headers)
    assert_problem(answer, 422, "invalid")
    assert answer.json()["detail"] == said


async def test_a_field_of_one_of_two_forms_is_named_as_it_was_written(client, owner):
    sent = {"source": "upload", "project_id": "x", "filename": "a", "size_bytes": 1}
    answer = await client.post("/v1/videos:ingest", json=sent, headers=owner.headers)
    assert [error["at"] for error in answer.json()["errors"]] == ["project_id"]


def test_what_we_did_not_foresee_is_not_told():
    problem = errors.as_problem(RuntimeError("password=hunter2"))
    assert (problem.status, problem.code) == (500, "internal_error")
    assert "hunter2" not in problem.detail


def test_a_value_that_cannot_be_stored_is_the_callers_to_mend():
    error = OperationalError("x")
    error.__cause__ = DataError("value out of int32 range")
    assert errors.as_problem(error).status == 422
    assert errors.as_problem(ColumnError("kind: Length of 'x' 65 > 64")).status == 422


def test_findings_never_repeat_the_input():
    class Model(BaseModel):
        password: int

    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"password": "hunter2"})
    assert "hunter2" not in json.dumps(errors.pointed(caught.value))


@pytest.mark.parametrize("wild", ["ж".encode(), b"x" * 500, b"a b;c"])
async def test_a_wild_request_id_is_replaced(client, wild):
    answer = await client.get("/nowhere", headers={b"X-Request-ID": wild})
    assert_problem(answer, 404, "not_found")
    assert answer.json()["request_id"].encode() != wild


@pytest.mark.parametrize("name", ["X-Request-ID", "Authorization", "X-Org-ID", "X-Worker-Token"])
async def test_a_header_that_is_not_text_is_refused(client, owner, name):
    wild = {**owner.headers, name: "Bearer ck_\udcff".encode("utf-8", "surrogateescape")}
    answer = await client.get("/v1/projects", headers=wild)
    assert_problem(answer, 400, "malformed_header")
