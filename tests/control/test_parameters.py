"""What nobody reads is refused by name: a misspelt filter would list everything in silence."""

import pytest

from control.openapi import is_websocket, operations
from tests.control.test_errors import assert_problem
from tests.control.test_tenancy import filled


async def test_no_read_takes_a_parameter_that_is_not_documented(client, app, owner):
    for method, path, route, _ in operations(app):
        if method != "GET" or is_websocket(route) or path == "/metrics":
            continue
        where = filled(path, owner.organization_id) + "?statuss=failed"
        answer = await client.get(where, headers=owner.headers)
        assert_problem(answer, 422, "invalid")
        assert [error["at"] for error in answer.json()["errors"]] == ["statuss"], path


async def test_the_refusal_names_what_there_is(client, owner):
    answer = await client.get("/v1/webhooks/deliveries?state=failed", headers=owner.headers)
    assert answer.json()["detail"] == "state: is none of endpoint_id, limit, offset, status, type"


async def test_no_filter_is_longer_than_what_it_is_compared_with(client, app, owner):
    """PostgreSQL would find nothing; the rows' model refuses to ask."""
    found = []
    for method, path, _, noted in operations(app):
        if method != "GET" or noted.query is None:
            continue
        for name, field in noted.query.model_fields.items():
            if "str" in str(field.annotation):
                found.append(name)
                where = f"{filled(path, owner.organization_id)}?{name}={'x' * 2000}"
                answer = await client.get(where, headers=owner.headers)
                assert_problem(answer, 422, "invalid")
    assert {"action", "email", "kind", "label", "meter", "name", "type"} <= set(found)


@pytest.mark.parametrize("query", ["limit=", "offset=", "limit=&offset=1", "limit"])
async def test_an_empty_number_is_no_number(client, owner, query):
    answer = await client.get(f"/v1/projects?{query}", headers=owner.headers)
    assert_problem(answer, 422, "invalid")


@pytest.mark.parametrize("until", ["-6606", "1795754037", "2026-03-01", "2026-03-01T12:00:00", ""])
async def test_a_moment_is_a_date_a_time_and_an_offset(client, owner, until):
    answer = await client.get("/v1/billing/usage", params={"until": until}, headers=owner.headers)
    assert_problem(answer, 422, "invalid")
    right = {"until": "2126-03-01T12:00:00+02:00"}
    answer = await client.get("/v1/billing/usage", params=right, headers=owner.headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("wrong", ["", "1795754466.254383", "nonsense", '"a" "b"', '"a'])
async def test_an_if_match_that_no_version_can_have_is_malformed(client, owner, wrong):
    made = await client.post("/v1/projects", json={"name": "A"}, headers=owner.headers)
    headers = {**owner.headers, "If-Match": wrong}
    path = made.headers["location"]
    answer = await client.patch(path, json={"name": "B"}, headers=headers)
    assert_problem(answer, 400, "malformed_if_match")


@pytest.mark.parametrize("right", ["*", "W/{}", '"older", {}'])
async def test_every_form_of_if_match_is_understood(client, owner, right):
    made = await client.post("/v1/projects", json={"name": "A"}, headers=owner.headers)
    headers = {**owner.headers, "If-Match": right.format(made.headers["etag"])}
    path = made.headers["location"]
    answer = await client.patch(path, json={"name": "B"}, headers=headers)
    assert answer.status_code == 200, answer.text
