"""Closed by default: every route there is, against everybody it must keep out.

The routes come from the router itself, so that a new one is covered on the day it is written.
"""

import re
from uuid import uuid4

import asyncpg
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from control.access import SAFE, Role
from control.api import DOORS, door_of
from control.openapi import is_websocket, operations
from control.organizations.models import MemberStatus
from tests.control.filling import address, fill

# Every exception from the member door, and what guards it instead.
OPEN = {
    "POST /v1/auth/token": "a password or a refresh token, slowed down where it is guessed",
    "POST /v1/users": "the rule of CUTROOM_SIGNUP, an invitation, or an administrator's token",
    "POST /v1/billing/payments/notifications": "the gateway's signature over its own words",
}
USER = {
    "GET /v1/auth/me": "shows the caller and the caller's own memberships",
    "GET /v1/organizations": "lists the organisations the caller is active in",
    "POST /v1/organizations": "founds one: there is none yet to be a member of",
    "GET /v1/users": "lists those the caller shares an organisation with",
    "GET /v1/users/{user_id}": "finds those the caller shares an organisation with",
    "GET /v1/users/{user_id}/organizations": "lists those the caller is active in too",
    "PATCH /v1/users/{user_id}": "is the person's own and the administrators'",
}
WORKER = {
    "PATCH /v1/jobs/{job_id}/worker-status": "a token of one attempt at that one job",
}
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
    assert doors.keys() == DOORS.keys()
    assert doors["open"] == OPEN.keys()
    assert doors["user"] == USER.keys()
    assert doors["worker"] == WORKER.keys()


@pytest.mark.parametrize("door", ["user", "member"])
async def test_nobody_gets_in_without_a_token(client, app, owner, door):
    for authorization in (None, "Bearer", "Bearer nonsense", "Basic dXNlcjpwYXNz"):
        headers = {"X-Org-ID": str(owner.organization_id)}
        if authorization:
            headers["Authorization"] = authorization
        answers = await refused(client, app, door, headers, owner.organization_id)
        assert set(answers.values()) == {401}, answers


async def test_no_worker_gets_in_without_a_worker_token(client, app, owner):
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


async def test_ids_of_another_organisation_are_not_found(
    client, app, owner, other_org, database_url
):
    """A member of one organisation, in their own name, with the other's ids in the path."""
    connection = await asyncpg.connect(database_url)
    ids = await fill(connection, owner, 2)
    await connection.close()
    leaks = {}
    for method, path, route in behind(app, "member"):
        if "{" not in path or "{organization_id}" in path or is_websocket(route):
            continue
        if method in {"GET", "DELETE"}:
            where = address(path, owner, ids)
            answer = await send(client, method, where, other_org.headers)
            mine = await send(client, method, where, owner.headers) if method == "GET" else None
            if answer.status_code != 404 or (mine and mine.status_code != 200):
                leaks[f"{method} {path}"] = (answer.status_code, mine and mine.status_code)
    assert not leaks


async def test_sockets_close_on_everybody_they_must_keep_out(
    app, owner, other_org, member_of, database_url
):
    """A browser cannot read why a handshake failed, so these are opened and closed with a code."""
    suspended = await member_of(Role.OWNER, status=MemberStatus.SUSPENDED)
    connection = await asyncpg.connect(database_url)
    ids = await fill(connection, owner, 1)
    await connection.close()
    ours = str(owner.organization_id)
    sockets = [path for _, path, route in behind(app, "member") if is_websocket(route)]
    for path in sockets:
        for token, organization_id, code in (
            ("", ours, 4401),
            ("nonsense", ours, 4401),
            (other_org.token, ours, 4404),
            (other_org.token, str(other_org.organization_id), 4404),
            (suspended.token, ours, 4403),
        ):
            query = httpx.QueryParams({"token": token, "org_id": organization_id})
            base = app.ctx.settings.local_url.replace("http", "ws", 1)
            async with connect(f"{base}{address(path, owner, ids)}?{query}") as socket:
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                assert socket.close_code == code, (path, code)
    assert sockets


async def test_a_missing_or_malformed_organisation_is_said(client, owner):
    token = {"Authorization": owner.headers["Authorization"]}
    assert (await client.get("/v1/projects", headers=token)).json()[
        "code"
    ] == "organization_missing"
    malformed = await client.get("/v1/projects", headers={**token, "X-Org-ID": "mine"})
    assert malformed.status_code == 404
