"""Following a job: a snapshot, what was missed, what happens, a clean end."""

import asyncio
import json
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from control.access import Role
from control.auth import sessions
from control.auth.models import StreamTicket
from control.events import publish
from control.jobs import stream
from control.jobs.models import Job
from control.organizations.models import Membership, MemberStatus
from control.records import now
from ray_jobs.contract import JobKind
from tests.control.media_jobs import claimed, ingested


@pytest.fixture(autouse=True)
async def empty_queue(app):
    await Job.all().delete()


@pytest.fixture
async def job(client, owner):
    """An ingest job that waits."""
    project = await client.post("/v1/projects", headers=owner.headers, json={"name": "Rivers"})
    answer = await client.post(
        "/v1/videos:ingest", headers=owner.headers,
        json={"project_id": project.json()["id"], "source": "url", "url": "https://e.org/v.mp4"},
    )  # fmt: skip
    return answer.json()["job"]


@pytest.fixture
def follow(app):
    def open_socket(person, job_id, origin=None, **query):
        base = app.ctx.settings.local_url.replace("http", "ws", 1)
        asked = {"token": person.token, "org_id": str(person.organization_id)} | query
        url = f"{base}/v1/jobs/{job_id}/events?{httpx.QueryParams(asked)}"
        return connect(url, origin=origin)

    return open_socket


async def told(socket) -> list[dict]:
    """Everything until the server closes."""
    messages = []
    try:
        async with asyncio.timeout(10):
            messages.extend([json.loads(text) async for text in socket])
    except ConnectionClosed:
        pass
    return messages


async def test_a_job_is_followed_to_its_end(app, client, owner, job, follow):
    async with follow(owner, job["id"]) as socket:
        snapshot = json.loads(await socket.recv())
        assert (snapshot["type"], snapshot["job"]["state"]) == ("snapshot", "queued")
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        await hand.report("running", progress=0.5, step="probe")
        await hand.report("succeeded", progress=1.0, result=ingested(hand.job))
        messages = await told(socket)
        assert socket.close_code == 1000
    types = [message["type"] for message in messages]
    assert types == ["job.queued", "job.running", "job.progress", "job.succeeded"]
    numbers = [message["seq"] for message in messages]
    assert numbers == sorted(numbers)


async def test_what_was_missed_is_told_and_nothing_twice(app, client, owner, job, follow):
    hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
    await hand.report("running", progress=0.5, step="probe")
    await hand.report("succeeded", progress=1.0, result=ingested(hand.job))
    async with follow(owner, job["id"]) as socket:
        everything = await told(socket)
    middle = everything[2]["seq"]
    async with follow(owner, job["id"], after_seq=str(middle)) as socket:
        rest = await told(socket)
    assert rest[0]["type"] == "snapshot"
    assert rest[1:] == [m for m in everything[1:] if m["seq"] > middle]


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"token": "nonsense"}, 4401),
            ({"token": ""}, 4401),
            ({"org_id": ""}, 4400),
            ({"org_id": "x"}, 4404),
            ({"org_id": str(uuid4())}, 4404),
            ({"after_seq": "-1"}, 4400),
            ({"after_seq": "many"}, 4400),
        ],
    )
    async def test_a_browser_can_read_why(self, owner, job, follow, query, code):
        async with follow(owner, job["id"], **query) as socket:
            assert await told(socket) == []
            assert socket.close_code == code
            assert socket.close_reason

    @pytest.mark.parametrize(
        ("origin", "allowed"),
        [("https://evil.example", False), ("null", False), ("https://app.example", True)],
    )
    async def test_a_page_of_another_site_hears_nothing(
        self, app, owner, job, follow, configured, origin, allowed
    ):
        configured(cors_origins=("https://app.example",))
        async with follow(owner, job["id"], origin=origin) as socket:
            if allowed:
                assert json.loads(await socket.recv())["type"] == "snapshot"
            else:
                assert await told(socket) == []
                assert (socket.close_code, socket.close_reason) == (4403, "origin_not_allowed")
        async with follow(owner, job["id"], origin=app.ctx.settings.local_url) as socket:
            assert json.loads(await socket.recv())["type"] == "snapshot"

    async def test_a_stranger_does_not_find_the_job(self, other_org, job, follow):
        async with follow(other_org, job["id"]) as socket:
            assert await told(socket) == []
            assert socket.close_code == 4404

    async def test_a_suspended_member_is_shut_out(self, member_of, job, follow):
        member = await member_of(Role.VIEWER, status=MemberStatus.SUSPENDED)
        async with follow(member, job["id"]) as socket:
            await told(socket)
            assert (socket.close_code, socket.close_reason) == (4403, "membership_inactive")

    async def test_a_membership_that_ends_ends_the_stream(
        self, member_of, job, follow, monkeypatch
    ):
        monkeypatch.setattr(stream, "RECHECK_S", 0.1)
        member = await member_of(Role.VIEWER)
        async with follow(member, job["id"]) as socket:
            await socket.recv()
            await Membership.filter(id=member.membership.id).update(status=MemberStatus.SUSPENDED)
            await told(socket)
            assert socket.close_code == 4403

    async def test_an_upgrade_header_opens_no_other_door(self, client, owner):
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        answer = await client.get("/v1/projects", headers=headers)
        assert answer.status_code == 401
        query = {"token": owner.token, "org_id": str(owner.organization_id)}
        answer = await client.get("/v1/projects", headers=headers, params=query)
        assert answer.status_code == 401


class TestTickets:
    @pytest.fixture
    def ticket(self, client):
        async def get(person):
            answer = await client.post("/v1/auth/tickets", headers=person.headers)
            assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
            return answer.json()["ticket"]

        return get

    async def test_a_ticket_opens_one_socket_once_and_nothing_else(
        self, client, owner, job, follow, ticket, monkeypatch
    ):
        monkeypatch.setattr(stream, "RECHECK_S", 0.05)
        once = await ticket(owner)
        async with follow(owner, job["id"], token=once) as socket:
            assert json.loads(await socket.recv())["type"] == "snapshot"
            assert json.loads(await socket.recv())["type"] == "job.queued"
            with pytest.raises(TimeoutError):  # it outlives the membership's rechecks
                await asyncio.wait_for(socket.recv(), 0.3)
        async with follow(owner, job["id"], token=once) as socket:
            assert await told(socket) == []
            assert socket.close_code == 4401
        headers = {**owner.headers, "Authorization": f"Bearer {await ticket(owner)}"}
        assert (await client.get("/v1/projects", headers=headers)).status_code == 401

    async def test_a_ticket_runs_out_and_is_forgotten(self, owner, job, follow, ticket):
        late = await ticket(owner)
        await StreamTicket.all().update(expires_at=now())
        async with follow(owner, job["id"], token=late) as socket:
            await told(socket)
            assert socket.close_code == 4401
        await ticket(owner)
        await StreamTicket.all().update(expires_at=now())
        await sessions.forget_expired()
        assert not await StreamTicket.exists()

    async def test_a_ticket_is_for_its_organisation_and_ends_with_the_membership(
        self, owner, other_org, member_of, job, follow, ticket, monkeypatch
    ):
        monkeypatch.setattr(stream, "RECHECK_S", 0.1)
        async with follow(owner, job["id"], token=await ticket(other_org)) as socket:
            await told(socket)
            assert socket.close_code == 4404
        member = await member_of(Role.VIEWER)
        async with follow(member, job["id"], token=await ticket(member)) as socket:
            await socket.recv()
            await Membership.filter(id=member.membership.id).update(status=MemberStatus.SUSPENDED)
            await told(socket)
            assert socket.close_code == 4403


async def test_many_listeners_hear_the_same(app, client, owner, job, follow):
    sockets = [await follow(owner, job["id"]) for _ in range(20)]
    hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
    await hand.report("succeeded", progress=1.0, result=ingested(hand.job))
    heard = await asyncio.gather(*map(told, sockets))
    assert len(heard[0]) == 4
    assert all(messages == heard[0] for messages in heard)


async def test_the_token_is_in_no_log(app, client, owner, job, follow, caplog):
    caplog.set_level("DEBUG")
    async with follow(owner, job["id"]) as socket:
        await socket.recv()
    await client.get(f"/v1/jobs/{job['id']}", headers=owner.headers)
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("websockets.client")]
    assert owner.token not in "\n".join(ours)


async def test_an_event_of_a_rolled_back_change_is_never_heard(owner, job, follow):
    from tortoise.transactions import in_transaction

    row = await Job.get(id=job["id"])
    async with follow(owner, job["id"]) as socket:
        await socket.recv()
        async with in_transaction() as tx:
            await publish(tx, row, "job.progress", progress=0.9)
            await tx.rollback()
        async with in_transaction() as tx:
            await publish(tx, row, "job.progress", progress=0.1)
        messages = [json.loads(await socket.recv()) for _ in range(2)]
    assert [m["data"].get("progress") for m in messages if m["type"] == "job.progress"] == [0.1]
