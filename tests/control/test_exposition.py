"""`/metrics`: what an operator's Prometheus reads, parsed by Prometheus's own parser."""

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from control.jobs.models import Job, JobState
from control.projects.models import Project
from control.records import now
from control.webhooks.models import WebhookDelivery, WebhookEndpoint
from ray_jobs.contract import JobKind
from tests.control.test_errors import assert_problem

TOKEN = "a token for the scraper"


@pytest.fixture
def scrape(client, configured):
    configured(metrics_token=TOKEN)

    async def read():
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/plain; version=")
        families = text_string_to_metric_families(answer.text)
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    return read


async def test_an_administrator_and_the_token_get_in_and_nobody_else(
    client, configured, person, owner
):
    admin = await person(is_admin=True)
    for token in ("", TOKEN):
        configured(metrics_token=token)
        assert (await client.get("/metrics", headers=admin.headers)).status_code == 200
        assert_problem(await client.get("/metrics"), 401, "token_missing")
        assert_problem(await client.get("/metrics", headers=owner.headers), 403, "forbidden")
        for guess in ("x", TOKEN[:-1], "жжж"):
            headers = {b"Authorization": f"Bearer {guess}".encode()}
            assert (await client.get("/metrics", headers=headers)).status_code == 401, guess


async def test_requests_are_counted_by_their_route_not_by_their_ids(client, owner, scrape):
    made = await client.post("/v1/projects", json={"name": "A"}, headers=owner.headers)
    name = ("cutroom_http_requests_total", "/v1/projects/{project_id}", "200", "GET")
    before = await scrape()
    for _ in range(3):
        await client.get(made.headers["location"], headers=owner.headers)
    await client.get("/nowhere/at/all")
    after = await scrape()
    assert after[name] - before.get(name, 0) == 3
    took = ("cutroom_http_request_duration_seconds_count", "/v1/projects/{project_id}", "GET")
    assert after[took] >= 3
    assert after["cutroom_http_requests_total", "404", "GET", "none"] >= 1
    assert not any(made.json()["id"] in label for key in after for label in key)


async def test_the_queue_is_told_by_kind_and_state_with_its_oldest(owner, scrape):
    await Job.all().delete()
    project = await Project.create(organization_id=owner.organization_id, name="p")
    for kind, state, waited_s in (
        (JobKind.EXPORT, JobState.QUEUED, 90), (JobKind.EXPORT, JobState.QUEUED, 10),
        (JobKind.EXPORT, JobState.RUNNING, 900), (JobKind.INGEST, JobState.SUCCEEDED, 9000),
    ):  # fmt: skip
        await Job.create(
            organization_id=owner.organization_id, project_id=project.id, kind=kind, state=state,
            spec={}, spec_sha256="0" * 64, queued_at=now() - timedelta(seconds=waited_s),
        )  # fmt: skip
    told = await scrape()
    assert told["cutroom_jobs", "export", "queued"] == 2
    assert told["cutroom_jobs", "export", "running"] == 1
    assert told["cutroom_jobs", "ingest", "queued"] == 0
    assert 90 <= told["cutroom_jobs_oldest_queued_age_seconds", "export"] < 150
    assert told["cutroom_jobs_oldest_queued_age_seconds", "ingest"] == 0
    assert ("cutroom_jobs", "ingest", "succeeded") not in told


async def test_deliveries_that_are_owed_are_told(owner, scrape):
    await WebhookEndpoint.all().delete()
    assert (await scrape())["cutroom_webhook_deliveries_waiting",] == 0
    endpoint = await WebhookEndpoint.create(
        organization_id=owner.organization_id, url="https://example.org/", secret="x", events=["*"]
    )
    for status in ("pending", "pending", "delivered"):
        await WebhookDelivery.create(
            organization_id=owner.organization_id, endpoint=endpoint, type="video.ingested",
            content="{}", status=status, next_attempt_at=now() - timedelta(seconds=60),
        )  # fmt: skip
    told = await scrape()
    assert told["cutroom_webhook_deliveries_waiting",] == 2
    assert 60 <= told["cutroom_webhook_deliveries_overdue_seconds",] < 120
    await WebhookEndpoint.all().delete()


async def test_it_is_in_the_document(client):
    operation = (await client.get("/openapi.json")).json()["paths"]["/metrics"]["get"]
    assert operation["responses"]["200"]["content"] == {
        "text/plain": {"schema": {"type": "string"}}
    }
    assert {"401", "403"} <= operation["responses"].keys()
