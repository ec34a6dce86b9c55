"""Closed by default: every route there is, against everybody it must keep out.

The routes come from the router itself, so that a new one is covered on the day it is written.
"""

import re
from uuid import uuid4

import httpx
import pytest

from control.access import SAFE, Role
from control.api import DOORS, door_of
from control.openapi import operations
from control.organizations.models import MemberStatus

BODY = b"not even JSON: whoever is kept out never gets as far as that"


def behind(app, door):
    return [
        (method, path, route)
        for method, path, route, _ in operations(app)
        if door_of(route) == door
    ]


def filled(path, organization_id):
    path = path.replace("{organization_id}", str(organization_id))
    return re.sub(r"{\w+}", lambda _: str(uuid4()), path)


async def send(client, method, path, headers) -> httpx.Response:
    content = None if method in SAFE else BODY
    return await client.request(method, path, headers=headers, content=content)


async def refused(client, app, door, headers, organization_id, *, only=lambda *_: True):
    """What each route behind a door answers, as {route: status}."""
    answers = {}
    for method, path, route in behind(app, door):
        if only(method, route):
            answer = await send(client, method, filled(path, organization_id), headers)
            answers[f"{method} {path}"] = answer.status_code
    assert answers
    return answers


def test_every_route_stands_behind_a_door_and_few_are_open(app):
    doors = {}
    for method, path, route, _ in operations(app):
        doors.setdefault(door_of(route), set()).add(f"{method} {path}")
    assert doors.keys() <= DOORS.keys()
    assert {"POST /v1/users", "POST /v1/auth/token"} <= doors["open"]
    assert not {line for line in doors["open"] if line.startswith(("PATCH", "DELETE"))}


@pytest.mark.parametrize("door", ["user", "member"])
async def test_nobody_gets_in_without_a_token(client, app, owner, door):
    for authorization in (None, "Bearer", "Bearer nonsense", "Basic dXNlcjpwYXNz"):
        headers = {"X-Org-ID": str(owner.organization_id)}
        if authorization:
            headers["Authorization"] = authorization
        answers = await refused(client, app, door, headers, owner.organization_id)
        assert set(answers.values()) == {401}, answers


async def test_no_worker_gets_in_without_a_worker_token(client, app, owner):
    if not behind(app, "worker"):
        pytest.skip("no route for workers yet")
    answers = await refused(client, app, "worker", owner.headers, owner.organization_id)
    assert set(answers.values()) == {401}, answers


async def test_a_stranger_to_the_organisation_does_not_find_it(client, app, owner, other_org):
    headers = {**other_org.headers, "X-Org-ID": str(owner.organization_id)}
    answers = await refused(client, app, "member", headers, owner.organization_id)
    assert set(answers.values()) == {404}, answers


@pytest.mark.parametrize("status", [MemberStatus.SUSPENDED, MemberStatus.INVITED])
async def test_a_member_who_is_not_active_is_kept_out(client, app, owner, member_of, status):
    outsider = await member_of(Role.OWNER, status=status)
    answers = await refused(client, app, "member", outsider.headers, owner.organization_id)
    assert set(answers.values()) == {403}, answers


async def test_a_viewer_writes_nothing(client, app, owner, member_of):
    viewer = await member_of(Role.VIEWER)

    def writes_as_more_than_a_viewer(method, route):
        return method not in SAFE and getattr(route.ctx, "role", Role.EDITOR) is not Role.VIEWER

    answers = await refused(
        client,
        app,
        "member",
        viewer.headers,
        owner.organization_id,
        only=writes_as_more_than_a_viewer,
    )
    assert set(answers.values()) == {403}, answers


@pytest.mark.parametrize("role", [Role.EDITOR, Role.REVIEWER])
async def test_a_route_that_names_a_role_refuses_those_below(client, app, owner, member_of, role):
    somebody = await member_of(role)

    def needs_more(_, route):
        return not role.covers(getattr(route.ctx, "role", Role.VIEWER))

    answers = await refused(
        client, app, "member", somebody.headers, owner.organization_id, only=needs_more
    )
    assert set(answers.values()) == {403}, answers


async def test_ids_of_another_organisation_are_not_found(client, app, owner, other_org):
    """A member of one organisation, in their own name, with the other's project in the path."""
    made = await client.post("/v1/projects", json={"name": "Secret"}, headers=owner.headers)
    project_id = made.json()["id"]
    tried = 0
    for method, path, _ in behind(app, "member"):
        if "{project_id}" in path and method in {"GET", "DELETE"}:
            asked = re.sub(
                r"{\w+}", lambda _: str(uuid4()), path.replace("{project_id}", project_id)
            )
            answer = await send(client, method, asked, other_org.headers)
            assert answer.status_code == 404, f"{method} {path}"
            assert "Secret" not in answer.text
            tried += 1
    assert tried >= 2


async def test_a_missing_or_malformed_organisation_is_said(client, owner):
    token = {"Authorization": owner.headers["Authorization"]}
    assert (await client.get("/v1/projects", headers=token)).json()[
        "code"
    ] == "organization_missing"
    malformed = await client.get("/v1/projects", headers={**token, "X-Org-ID": "mine"})
    assert malformed.status_code == 404
