"""API keys: shown once, bound to one organisation and one role, gone when they are revoked."""

from datetime import timedelta

import pytest

from control.access import Role
from control.auth.models import ApiKey
from control.organizations.models import Membership
from control.records import now


async def make(client, who, **wanted):
    answer = await client.post(
        "/v1/auth/keys", json={"name": "nightly", **wanted}, headers=who.headers
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(key, **more):
    return {"Authorization": f"Bearer {key}", **more}


async def test_a_key_works_in_its_organisation_and_only_its_hash_is_kept(client, owner):
    made = await make(client, owner)
    assert made["key"].startswith(f"ck_{made['prefix']}_")
    answer = await client.post("/v1/projects", json={"name": "P"}, headers=bearer(made["key"]))
    assert answer.status_code == 201
    assert answer.json()["organization_id"] == str(owner.organization_id)
    (row,) = await ApiKey.filter(id=made["id"]).values()
    assert made["key"].rpartition("_")[2] not in str(row)
    assert row["last_used_at"] is not None
    listed = await client.get("/v1/auth/keys", headers=owner.headers)
    assert "key" not in listed.json()["items"][0]


async def test_a_key_opens_no_other_organisation_of_its_owner(client, owner):
    key = (await make(client, owner))["key"]
    other = await client.post("/v1/organizations", json={"name": "O"}, headers=owner.headers)
    headers = bearer(key, **{"X-Org-ID": other.json()["id"]})
    assert (await client.get("/v1/projects", headers=headers)).status_code == 404


async def test_a_key_does_no_more_than_its_role_and_its_owner_still_may(client, owner, member_of):
    editor = await member_of(Role.EDITOR)
    viewing = (await make(client, editor, role="viewer"))["key"]
    editing = (await make(client, editor))["key"]
    project = {"json": {"name": "P"}}
    assert (
        await client.post("/v1/projects", **project, headers=bearer(viewing))
    ).status_code == 403
    assert (
        await client.post("/v1/projects", **project, headers=bearer(editing))
    ).status_code == 201
    await Membership.filter(id=editor.membership.id).update(role=Role.VIEWER)
    assert (
        await client.post("/v1/projects", **project, headers=bearer(editing))
    ).status_code == 403
    above = await client.post(
        "/v1/auth/keys", json={"name": "up", "role": "admin"}, headers=editor.headers
    )
    assert above.status_code == 403


async def test_a_key_makes_neither_keys_nor_organisations(client, owner):
    key = (await make(client, owner))["key"]
    for path in ("/v1/auth/keys", "/v1/organizations"):
        answer = await client.post(path, json={"name": "x"}, headers=bearer(key))
        assert (answer.status_code, answer.json()["code"]) == (403, "key_not_enough")
    assert (await client.get("/v1/auth/me", headers=bearer(key))).status_code == 200


async def test_a_revoked_and_an_expired_key_are_out(client, owner):
    revoked, expired = await make(client, owner), await make(client, owner)
    path = f"/v1/auth/keys/{revoked['id']}"
    assert (await client.delete(path, headers=owner.headers)).status_code == 204
    await ApiKey.filter(id=expired["id"]).update(expires_at=now() - timedelta(seconds=1))
    for gone in (revoked, expired):
        answer = await client.get("/v1/projects", headers=bearer(gone["key"]))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


async def test_keys_of_others_are_for_administrators(client, owner, member_of):
    one, other = await member_of(Role.EDITOR), await member_of(Role.EDITOR)
    made = await make(client, one)
    path = f"/v1/auth/keys/{made['id']}"
    listed = await client.get("/v1/auth/keys", headers=other.headers)
    assert listed.json()["items"] == []
    assert (await client.delete(path, headers=other.headers)).status_code == 404
    seen = await client.get("/v1/auth/keys", headers=owner.headers)
    assert [item["id"] for item in seen.json()["items"]] == [made["id"]]
    assert (await client.delete(path, headers=owner.headers)).status_code == 204


@pytest.mark.parametrize("expires_at", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00"])
async def test_a_key_ends_in_the_future_at_a_time_with_a_zone(client, owner, expires_at):
    wanted = {"name": "x", "expires_at": expires_at}
    answer = await client.post("/v1/auth/keys", json=wanted, headers=owner.headers)
    assert answer.status_code == 422


async def test_an_answer_with_a_secret_is_not_kept_for_replay(client, owner):
    headers = {**owner.headers, "Idempotency-Key": "keys"}
    first, second = [
        await client.post("/v1/auth/keys", json={"name": "x"}, headers=headers) for _ in range(2)
    ]
    assert first.json()["key"] != second.json()["key"]
