"""A POST that is sent twice with one key is done once, and says so."""

import asyncio
from datetime import timedelta

import pytest

from control.access import Role
from control.idempotency import IdempotencyKey, forget_expired
from control.projects.models import Project
from control.records import now


async def post(client, who, key, name="Talks", **more):
    headers = {**who.headers, "Idempotency-Key": key}
    return await client.post("/v1/projects", json={"name": name}, headers=headers, **more)


async def count(who):
    return await Project.filter(organization_id=who.organization_id).count()


async def test_the_second_post_gets_the_first_answer_and_changes_nothing(client, owner):
    first, second = [await post(client, owner, "once") for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["etag"] == first.headers["etag"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert await count(owner) == 1


async def test_one_key_for_two_requests_is_refused(client, owner):
    await post(client, owner, "reused")
    other = await post(client, owner, "reused", name="Another")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await count(owner) == 1


async def test_requests_at_the_same_moment_are_done_once(client, owner):
    answers = await asyncio.gather(*(post(client, owner, "race") for _ in range(8)))
    assert await count(owner) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert all(
        answer.json()["code"] == "idempotency_in_progress"
        for answer in answers
        if answer.status_code == 409
    )


async def test_a_key_belongs_to_one_user_and_one_organisation(client, owner, other_org, member_of):
    editor = await member_of(Role.EDITOR)
    for who in (owner, other_org, editor):
        answer = await post(client, who, "shared")
        assert "idempotent-replayed" not in answer.headers
    assert (await count(owner), await count(other_org)) == (2, 1)


async def test_a_refused_request_frees_its_key(client, owner):
    assert (await post(client, owner, "retry", name="")).status_code == 422
    assert (await post(client, owner, "retry")).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256, "tab\tinside", '""', 'quo"ted', '"half'])
async def test_a_malformed_key_is_refused(client, owner, key):
    answer = await post(client, owner, key)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_malformed")
    assert await count(owner) == 0


async def test_the_quoted_form_of_the_draft_is_the_same_key(client, owner):
    await post(client, owner, "bare")
    assert (await post(client, owner, '"bare"')).headers["idempotent-replayed"] == "true"


async def test_a_key_past_its_time_is_a_new_key(client, owner):
    await post(client, owner, "old")
    await IdempotencyKey.all().update(expires_at=now() - timedelta(seconds=1))
    assert "idempotent-replayed" not in (await post(client, owner, "old")).headers
    assert await count(owner) == 2


async def test_the_sweep_forgets_only_what_is_over(client, owner):
    await post(client, owner, "over")
    await IdempotencyKey.all().update(expires_at=now() - timedelta(seconds=1))
    await post(client, owner, "kept")
    await forget_expired()
    assert await IdempotencyKey.all().count() == 1
