"""What the tests of billing share: an event of usage, an order for work, a payment begun."""

from uuid import uuid4

import pytest

from control.jobs.models import Job


@pytest.fixture
async def use(client, owner):
    """`await use(quantity=3)` writes a usage event and gives the answer."""

    async def write(status=201, **wanted):
        event = {"event_id": str(uuid4()), "meter": "gpu_seconds", "quantity": 1, "unit": "s"}
        answer = await client.post("/v1/billing/usage", headers=owner.headers, json=event | wanted)
        assert answer.status_code == status, answer.text
        return answer.json()

    return write


@pytest.fixture
async def ingest(client, owner, configured):
    """`await ingest()` asks for a recording by address; no other job is queued."""
    await Job.all().delete()
    configured(allow_private_hosts=True)

    async def ask(status=202):
        project = (
            await client.post("/v1/projects", headers=owner.headers, json={"name": "P"})
        ).json()
        answer = await client.post(
            "/v1/videos:ingest",
            headers=owner.headers,
            json={"project_id": project["id"], "source": "url", "url": "http://127.0.0.1/a.mp4"},
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


@pytest.fixture
def pay(client, owner):
    """`await pay()` begins a payment."""

    async def begin(status=201, key=True, **wanted):
        headers = owner.headers | ({"Idempotency-Key": str(uuid4())} if key is True else {})
        headers |= {"Idempotency-Key": key} if isinstance(key, str) else {}
        answer = await client.post(
            "/v1/billing/payments", headers=headers, json={"amount_idr": 150_000} | wanted
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    return begin
