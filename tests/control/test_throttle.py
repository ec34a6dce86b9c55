"""Rate limits: one caller's haste is slowed down, and nobody else's."""

import pytest

from control.access import Role

KNOCK = {"email": "nobody@example.org", "password": "wrong password"}


@pytest.fixture
def hasty(client):
    """`await hasty(n, headers)` asks n times and gives the answers."""

    async def ask(times, headers):
        return [await client.get("/v1/projects", headers=headers) for _ in range(times)]

    return ask


async def test_a_person_too_many_times_is_told_when_to_come_back(hasty, owner, configured):
    configured(rate_per_minute=3)
    answers = await hasty(4, owner.headers)
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refusal = answers[-1]
    assert refusal.json()["code"] == "rate_limited"
    assert 1 <= int(refusal.headers["retry-after"]) <= 60


async def test_another_person_of_the_organisation_is_not_held_up(
    hasty, owner, member_of, configured
):
    configured(rate_per_minute=2)
    await hasty(3, owner.headers)
    colleague = await member_of(Role.VIEWER)
    assert [answer.status_code for answer in await hasty(2, colleague.headers)] == [200, 200]


async def test_an_api_key_counts_as_its_owner(client, hasty, owner, configured):
    made = await client.post(
        "/v1/auth/keys", headers=owner.headers, json={"name": "ci", "role": "viewer"}
    )
    key = {"Authorization": f"Bearer {made.json()['key']}", "X-Org-ID": owner.headers["X-Org-ID"]}
    configured(rate_per_minute=2)
    assert [answer.status_code for answer in await hasty(2, key)] == [200, 200]
    assert [answer.status_code for answer in await hasty(1, owner.headers)] == [429]


async def test_without_a_token_the_address_is_counted(client, configured):
    configured(open_rate_per_minute=2)
    knocks = [await client.post("/v1/auth/token", json=KNOCK) for _ in range(3)]
    assert knocks[-1].status_code == 429
    assert "retry-after" in knocks[-1].headers


async def test_no_limit_is_no_limit(hasty, owner):
    assert {answer.status_code for answer in await hasty(20, owner.headers)} == {200}
