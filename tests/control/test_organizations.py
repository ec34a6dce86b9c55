"""Organisations and members: an owner at all times, roles that count at once."""

import asyncio
from uuid import uuid4

import pytest

from control.access import Role
from control.audit.models import AuditLog
from control.organizations.models import Membership, MemberStatus

PASSWORD = "correct horse battery staple"


def members(who):
    return f"/v1/organizations/{who.organization_id}/members"


async def change(client, who, membership, **patch):
    path = f"{members(who)}/{membership.id}"
    return await client.patch(path, json=patch, headers=who.headers)


async def test_whoever_founds_an_organisation_owns_it(client, owner):
    founded = await client.post("/v1/organizations", json={"name": "New"}, headers=owner.headers)
    assert founded.status_code == 201
    path = founded.headers["location"]
    headers = {"Authorization": owner.headers["Authorization"]}
    assert (await client.get(path, headers=headers)).json() == founded.json()
    (member,) = (await client.get(f"{path}/members", headers=headers)).json()["items"]
    assert (member["role"], member["status"], member["email"]) == (
        "owner",
        "active",
        owner.user.email,
    )
    listed = await client.get("/v1/organizations", headers=headers)
    assert founded.json()["id"] in [item["id"] for item in listed.json()["items"]]


async def test_the_path_and_the_header_must_name_one_organisation(client, owner, other_org):
    headers = {**owner.headers, "X-Org-ID": str(other_org.organization_id)}
    answer = await client.get(members(owner), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "organization_not_found")


async def test_a_person_with_an_account_is_a_member_at_once(client, owner, other_org):
    await type(other_org.user).filter(id=other_org.user.id).update(password_hash="set")
    wanted = {"email": other_org.user.email.title(), "role": "reviewer"}
    added = await client.post(members(owner), json=wanted, headers=owner.headers)
    assert (added.status_code, added.json()["status"]) == (201, "active")
    assert added.json()["invitation_token"] is None
    theirs = {**other_org.headers, "X-Org-ID": str(owner.organization_id)}
    assert (await client.get("/v1/projects", headers=theirs)).status_code == 200
    again = await client.post(members(owner), json=wanted, headers=owner.headers)
    assert (again.status_code, again.json()["code"]) == (409, "already_member")


async def test_an_invited_person_claims_the_account_once(client, owner, configured):
    configured(signup="invited")
    email = f"{uuid4().hex}@example.org"
    invited = await client.post(
        members(owner), json={"email": email, "role": "editor"}, headers=owner.headers
    )
    assert invited.json()["status"] == "invited"
    account = {
        "email": email,
        "password": PASSWORD,
        "invitation_token": invited.json()["invitation_token"],
    }
    other = {**account, "email": f"{uuid4().hex}@example.org"}
    assert (await client.post("/v1/users", json=other)).status_code == 403
    claimed = await client.post("/v1/users", json=account)
    assert (claimed.status_code, claimed.json()["id"]) == (201, invited.json()["user_id"])
    assert (await client.post("/v1/users", json=account)).status_code == 403
    bought = await client.post("/v1/auth/token", json={"email": email, "password": PASSWORD})
    theirs = {
        "Authorization": f"Bearer {bought.json()['access_token']}",
        "X-Org-ID": str(owner.organization_id),
    }
    made = await client.post("/v1/projects", json={"name": "Mine"}, headers=theirs)
    assert made.status_code == 201


async def test_who_has_not_accepted_cannot_be_made_active_by_others(client, owner):
    invited = await client.post(
        members(owner), json={"email": f"{uuid4().hex}@example.org"}, headers=owner.headers
    )
    path = invited.headers["location"]
    answer = await client.patch(path, json={"status": "active"}, headers=owner.headers)
    assert (answer.status_code, answer.json()["allowed"]) == (409, ["suspended"])


async def test_a_changed_role_counts_from_the_next_request_on(client, owner, member_of):
    editor = await member_of(Role.EDITOR)
    project = {"json": {"name": "P"}, "headers": editor.headers}
    assert (await client.post("/v1/projects", **project)).status_code == 201
    assert (await change(client, owner, editor.membership, role="viewer")).status_code == 200
    assert (await client.post("/v1/projects", **project)).status_code == 403
    assert (await client.get("/v1/projects", headers=editor.headers)).status_code == 200
    await change(client, owner, editor.membership, status="suspended")
    assert (await client.get("/v1/projects", headers=editor.headers)).status_code == 403


@pytest.mark.parametrize(
    "patch", [{"role": "admin"}, {"status": "suspended"}, {"status": "invited"}]
)
async def test_the_last_owner_stays(client, owner, patch):
    answer = await change(client, owner, owner.membership, **patch)
    assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
    kept = await Membership.get(id=owner.membership.id)
    assert (kept.role, kept.status) == (Role.OWNER, MemberStatus.ACTIVE)


async def test_two_owners_who_leave_at_once_leave_one(client, owner, member_of):
    second = await member_of(Role.OWNER)
    answers = await asyncio.gather(
        change(client, owner, owner.membership, role="viewer"),
        change(client, second, second.membership, role="viewer"),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_only_an_owner_makes_or_touches_owners(client, owner, member_of):
    admin, editor = await member_of(Role.ADMIN), await member_of(Role.EDITOR)
    refused = [
        await change(client, admin, owner.membership, role="viewer"),
        await change(client, admin, editor.membership, role="owner"),
        await client.post(
            members(admin), json={"email": "a@b.example", "role": "owner"}, headers=admin.headers
        ),
        await change(client, editor, editor.membership, role="admin"),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert (await change(client, admin, editor.membership, role="reviewer")).status_code == 200


async def test_members_are_found_by_role_and_status(client, owner, member_of):
    viewer = await member_of(Role.VIEWER)
    await member_of(Role.EDITOR, status=MemberStatus.SUSPENDED)
    query = {"role": "viewer", "status": "active"}
    answer = await client.get(members(owner), params=query, headers=owner.headers)
    assert [item["id"] for item in answer.json()["items"]] == [str(viewer.membership.id)]
    one = await client.get(f"{members(owner)}/{viewer.membership.id}", headers=owner.headers)
    assert one.json() == answer.json()["items"][0]
    wrong = await client.get(members(owner), params={"role": "king"}, headers=owner.headers)
    assert wrong.status_code == 422


async def test_a_change_of_role_is_in_the_trail_with_before_and_after(client, owner, member_of):
    editor = await member_of(Role.EDITOR)
    answer = await change(client, owner, editor.membership, role="admin")
    (entry,) = await AuditLog.filter(organization_id=owner.organization_id, action="member.updated")
    assert (entry.actor_id, entry.resource_id) == (owner.user.id, str(editor.membership.id))
    assert (entry.before, entry.after) == ({"role": "editor"}, {"role": "admin"})
    assert entry.request_id == answer.headers["x-request-id"]


async def test_a_refused_change_leaves_no_trace(client, owner):
    await change(client, owner, owner.membership, role="viewer")
    assert not await AuditLog.filter(organization_id=owner.organization_id).exists()
