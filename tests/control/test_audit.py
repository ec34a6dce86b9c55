"""The trail: who did what, in one chain that nobody can mend."""

import json

import pytest
from asyncpg.exceptions import RaiseError

from control.access import Role
from control.audit import chain
from control.audit.models import AuditLog
from control.database import default


@pytest.fixture
async def entries(client, owner):
    """Three changes of the owner's, chained."""
    for name in ("a", "b", "c"):
        await client.post("/v1/projects", headers=owner.headers, json={"name": name})
    await chain.extend()


async def test_changes_are_listed_with_who_when_and_from_where(client, owner, entries):
    answer = await client.get("/v1/audit/logs", headers=owner.headers,
                              params={"action": "project.created"})  # fmt: skip
    items = answer.json()["items"]
    assert [item["after"]["name"] for item in items] == ["c", "b", "a"]
    assert {item["actor_id"] for item in items} == {str(owner.user.id)}
    assert all(item["address"] and item["request_id"] for item in items)


async def test_it_can_be_filtered_by_thing_and_time(client, owner, entries):
    async def names(**params):
        answer = await client.get("/v1/audit/logs", headers=owner.headers, params=params)
        return [item["action"] for item in answer.json()["items"]]

    row = await AuditLog.filter(organization_id=owner.organization_id).order_by("-seq").first()
    assert await names(resource_id=row.resource_id) == ["project.created"]
    assert await names(until="2001-01-01T00:00:00Z") == []
    assert "audit.read" in await names()


async def test_a_trusted_service_writes_and_cannot_say_who_it_was(client, owner):
    wanted = {"action": "crm.synced", "resource_type": "contact", "detail": {"password": "x"}}
    answer = await client.post("/v1/audit/logs", headers=owner.headers, json=wanted)
    assert answer.status_code == 201
    assert answer.json()["actor_id"] == str(owner.user.id)
    assert answer.json()["detail"] == {"password": "***"}
    for forged in ("actor_id", "created_at", "address", "seq"):
        refused = await client.post(
            "/v1/audit/logs", headers=owner.headers, json={**wanted, forged: "x"}
        )
        assert refused.status_code == 422


@pytest.mark.parametrize("text", ["", "not json", "17", "\ud7ff"])
async def test_a_detail_may_be_any_text(client, owner, text):
    entry = {"action": "cms.published", "resource_type": "page", "detail": text}
    answer = await client.post("/v1/audit/logs", headers=owner.headers, json=entry)
    assert answer.status_code == 201, answer.text
    assert answer.json()["detail"] == {"note": text}


async def test_only_administrators_read_it_and_nobody_changes_it(client, owner, member_of):
    editor = await member_of(Role.EDITOR)
    assert (await client.get("/v1/audit/logs", headers=editor.headers)).status_code == 403
    for method in ("PATCH", "DELETE", "PUT"):
        answer = await client.request(method, "/v1/audit/logs", headers=owner.headers)
        assert answer.status_code == 405


async def test_it_can_be_taken_along_as_lines_of_json(client, owner, entries):
    answer = await client.get("/v1/audit/logs:export", headers=owner.headers)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len(lines) >= 4
    assert [line["created_at"] for line in lines] == sorted(line["created_at"] for line in lines)


class TestChain:
    async def test_a_whole_chain_verifies(self, client, owner, entries):
        answer = await client.get("/v1/audit/logs:verify", headers=owner.headers)
        assert answer.json()["entries"] >= 3
        assert answer.json()["broken_at"] is None

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE audit_logs SET action = 'x.y' WHERE organization_id = $1",
            "UPDATE audit_logs SET seq = NULL WHERE organization_id = $1",
            "DELETE FROM audit_logs WHERE organization_id = $1",
        ],
    )
    async def test_the_database_refuses_changes(self, owner, entries, change):
        with pytest.raises(RaiseError, match="append-only"):
            await default().execute_query(change, [owner.organization_id])

    @pytest.mark.parametrize(
        ("change", "broken_at"),
        [
            ("UPDATE audit_logs SET action = 'x.y' WHERE organization_id = $1 AND seq = 2", 2),
            ("UPDATE audit_logs SET after = '{}' WHERE organization_id = $1 AND seq = 1", 1),
            ("DELETE FROM audit_logs WHERE organization_id = $1 AND seq = 2", 2),
        ],
    )
    async def test_a_change_behind_its_back_is_found(self, owner, entries, change, broken_at):
        await default().execute_query("ALTER TABLE audit_logs DISABLE TRIGGER audit_append_only")
        try:
            await default().execute_query(change, [owner.organization_id])
        finally:
            await default().execute_query("ALTER TABLE audit_logs ENABLE TRIGGER audit_append_only")
        assert (await chain.verify(owner.organization_id))[1] == broken_at

    async def test_it_goes_on_where_it_was(self, client, owner, entries):
        before, _ = await chain.verify(owner.organization_id)
        await client.post("/v1/projects", headers=owner.headers, json={"name": "d"})
        assert await chain.extend() >= 1
        assert await chain.extend() == 0
        assert await chain.verify(owner.organization_id) == (before + 1, None)

    async def test_an_organisation_takes_its_trail_with_it(self, owner, entries):
        await owner.organization.delete()
        assert not await AuditLog.filter(organization_id=owner.organization_id).exists()
