"""Accounts: who may make one, who sees whom, and that what was stored is what comes back."""

import json
from uuid import uuid4

import pytest

from control.access import Role
from control.users.models import User

PASSWORD = "correct horse battery staple"


def new_account(**more):
    return {"email": f"{uuid4().hex}@example.org", "password": PASSWORD, **more}


@pytest.mark.parametrize("signup", ["closed", "invited", "open"])
async def test_the_first_person_becomes_administrator_and_the_next_follow_the_rule(
    client, configured, signup
):
    await User.all().delete()
    configured(signup=signup)
    first = await client.post("/v1/users", json=new_account())
    assert (first.status_code, first.json()["is_admin"]) == (201, True)
    second = await client.post("/v1/users", json=new_account())
    if signup == "open":
        assert (second.status_code, second.json()["is_admin"]) == (201, False)
    else:
        assert (second.status_code, second.json()["code"]) == (403, "signup_closed")


async def test_an_administrator_makes_accounts_where_sign_up_is_closed(client, configured, person):
    configured(signup="closed")
    admin = await person(is_admin=True)
    made = await client.post("/v1/users", json=new_account(name="Ada"), headers=admin.headers)
    assert (made.status_code, made.json()["name"]) == (201, "Ada")
    owner = await person(Role.OWNER)
    await User.create(email="x@y", email_key="x@y", name="", password_hash="taken")
    refused = await client.post("/v1/users", json=new_account(), headers=owner.headers)
    assert refused.status_code == 403


async def test_one_address_is_one_account_however_it_is_spelled(client, configured):
    configured(signup="open")
    account = new_account()
    assert (await client.post("/v1/users", json=account)).status_code == 201
    account["email"] = account["email"].upper()
    again = await client.post("/v1/users", json=account)
    assert (again.status_code, again.json()["code"]) == (409, "email_taken")


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "a b@c"}, "email"),
        ({"password": "short"}, "password"),
        ({"is_admin": True}, "is_admin"),
        ({"name": "nul \0 byte"}, "name"),
        ({"password": "nul \0 byte"}, "password"),
        ({"email": "be\u0007ll@example.org"}, "email"),
        ({"email": "next\u0085line@example.org"}, "email"),
        ({"email": "a@exam\u007fple.org"}, "email"),
    ],
)
async def test_a_malformed_account_is_pointed_at(client, wrong, at):
    answer = await client.post("/v1/users", json=new_account(**wrong))
    assert answer.status_code == 422
    assert [error["at"] for error in answer.json()["errors"]] == [at]
    assert PASSWORD not in answer.text


async def test_people_see_their_fellows_and_nobody_else(client, owner, member_of, other_org):
    fellow = await member_of(Role.VIEWER)
    seen = await client.get("/v1/users?limit=200", headers=fellow.headers)
    assert {item["id"] for item in seen.json()["items"]} == {
        str(owner.user.id),
        str(fellow.user.id),
    }
    assert seen.json()["pagination"]["total"] == 2
    found = await client.get(f"/v1/users/{owner.user.id}", headers=fellow.headers)
    assert found.json()["email"] == owner.user.email
    for path in ("", "/organizations"):
        hidden = f"/v1/users/{other_org.user.id}{path}"
        assert (await client.get(hidden, headers=fellow.headers)).status_code == 404


async def test_an_administrator_sees_everybody_and_finds_them_by_address(client, owner, person):
    admin = await person(is_admin=True)
    query = {"email": owner.user.email.upper()}
    seen = await client.get("/v1/users", params=query, headers=admin.headers)
    assert [item["id"] for item in seen.json()["items"]] == [str(owner.user.id)]


async def test_of_anothers_organisations_only_the_shared_ones_show(client, owner, member_of):
    fellow = await member_of(Role.EDITOR)
    elsewhere = await client.post(
        "/v1/organizations", json={"name": "Elsewhere"}, headers=fellow.headers
    )
    path = f"/v1/users/{fellow.user.id}/organizations"
    own = await client.get(path, headers=fellow.headers)
    assert {item["id"] for item in own.json()["items"]} == {
        str(owner.organization_id),
        elsewhere.json()["id"],
    }
    shared = await client.get(path, headers=owner.headers)
    assert [item["id"] for item in shared.json()["items"]] == [str(owner.organization_id)]


async def test_nobody_changes_another_persons_account(client, owner, member_of):
    fellow = await member_of(Role.EDITOR)
    path = f"/v1/users/{fellow.user.id}"
    answer = await client.patch(path, json={"name": "Renamed"}, headers=owner.headers)
    assert answer.status_code == 403
    answer = await client.patch(path, json={"is_active": False}, headers=fellow.headers)
    assert answer.status_code == 403
    answer = await client.patch(path, json={"name": "Mine"}, headers=fellow.headers)
    assert (answer.status_code, answer.json()["name"]) == (200, "Mine")


@pytest.mark.parametrize("name", ["name", "password"])
async def test_null_empties_nothing_of_an_account(client, owner, name):
    path = f"/v1/users/{owner.user.id}"
    answer = await client.patch(path, json={name: None}, headers=owner.headers)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"at": name, "message": "must not be null"}]


@pytest.mark.media
async def test_naughty_strings_come_back_as_they_went_in(client, owner, media):
    strings = json.loads((media / "security" / "blns.json").read_text())
    usable = [text for text in strings if 1 <= len(text) <= 200]
    for text in usable:
        sent = {"name": text, "description": text}
        answer = await client.post("/v1/projects", json=sent, headers=owner.headers)
        if "\0" in text:
            assert answer.status_code == 422
        else:
            assert answer.status_code == 201, text
            assert {name: answer.json()[name] for name in sent} == sent
    kept = []
    for offset in range(0, len(usable), 200):
        page = await client.get(f"/v1/projects?limit=200&offset={offset}", headers=owner.headers)
        kept += [item["name"] for item in page.json()["items"]]
    assert sorted(kept) == sorted(text for text in usable if "\0" not in text)
