"""The trail: who did what, in one chain that nobody can mend."""

import base64
import json
from datetime import UTC, datetime

import pytest
from asyncpg.exceptions import RaiseError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from control.access import Role
from control.audit import chain, checkpoints
from control.audit.models import AuditCheckpoint, AuditLog
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
        await without_trigger(change, [owner.organization_id])
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


REWRITE = """
UPDATE audit_logs SET seq = NULL, chain_hash = NULL,
       after = CASE WHEN seq = 2 THEN '{"name": "forged"}'::jsonb ELSE after END
 WHERE organization_id = $1
"""


class TestCheckpoints:
    @pytest.fixture
    async def signed(self, app, entries):
        await checkpoints.sign_due(app.ctx.settings)

    async def verified(self, client, owner):
        return (await client.get("/v1/audit/logs:verify", headers=owner.headers)).json()

    async def test_the_head_is_signed_once_a_day(self, app, client, owner, signed):
        """Checked as a receiver would, with nothing of ours but the answer."""
        await client.post("/v1/projects", headers=owner.headers, json={"name": "d"})
        await chain.extend()
        await checkpoints.sign_due(app.ctx.settings)
        listed = await client.get("/v1/audit/checkpoints", headers=owner.headers)
        (point,) = listed.json()["items"]
        head = await AuditLog.get(organization_id=owner.organization_id, seq=point["seq"])
        assert (point["seq"], point["chain_hash"]) == (3, head.chain_hash)
        text = "\n".join(
            [str(owner.organization_id), "3", point["chain_hash"], point["created_at"]]
        )
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(point["public_key"]))
        key.verify(base64.b64decode(point["signature"]), text.encode())

    async def test_the_next_day_has_its_own(self, app, client, owner, signed):
        today = datetime.now(UTC)
        rows = AuditCheckpoint.filter(organization_id=owner.organization_id)
        await without_trigger("UPDATE audit_checkpoints SET created_at = now() - interval '2 days'")
        assert (await rows.get()).created_at < today
        await client.post("/v1/projects", headers=owner.headers, json={"name": "d"})
        await chain.extend()
        await checkpoints.sign_due(app.ctx.settings)
        assert await rows.order_by("seq").values_list("seq", flat=True) == [3, 4]

    async def test_a_whole_chain_agrees_with_what_was_signed(self, client, owner, signed):
        told = await self.verified(client, owner)
        assert (told["broken_at"], told["checkpoints"], told["disputed_at"]) == (None, 1, None)

    async def test_a_chain_that_was_made_anew_is_found_out(self, client, owner, signed):
        await without_trigger(REWRITE, [owner.organization_id])
        await chain.extend()
        told = await self.verified(client, owner)
        assert (told["broken_at"], told["disputed_at"]) == (None, 3)

    async def test_a_checkpoint_that_another_key_signed_is_none(self, client, owner, signed):
        key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        await without_trigger(
            "UPDATE audit_checkpoints SET public_key = $1", [base64.b64encode(key).decode()]
        )
        assert (await self.verified(client, owner))["disputed_at"] == 3

    async def test_the_database_keeps_them(self, owner, signed):
        for change in ("UPDATE audit_checkpoints SET seq = 9", "DELETE FROM audit_checkpoints"):
            with pytest.raises(RaiseError, match="append-only"):
                await default().execute_query(change)
        await owner.organization.delete()
        assert not await AuditCheckpoint.filter(organization_id=owner.organization_id).exists()


async def without_trigger(change, values=()):
    tables = ("audit_logs", "audit_checkpoints")
    for table in tables:
        await default().execute_query(f"ALTER TABLE {table} DISABLE TRIGGER audit_append_only")
    try:
        await default().execute_query(change, list(values))
    finally:
        for table in tables:
            await default().execute_query(f"ALTER TABLE {table} ENABLE TRIGGER audit_append_only")
