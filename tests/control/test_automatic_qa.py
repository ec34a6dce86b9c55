"""Every rendering leaves a QA run; a gate holds back what is at fault until it is judged."""

import pytest

from control.jobs.models import JobState
from control.webhooks.models import WebhookDelivery, WebhookEndpoint
from ray_jobs.contract import JobKind
from tests.control.media_jobs import claimed, exported, fault

RUNS = "/v1/observability/qa-runs"


@pytest.fixture
async def rendered(api, client, app):
    """`rendered(*codes, **more)` exports a clip with such faults; gives job, run and findings."""
    video, _ = await api.with_clips()

    async def make(*faults, height=720, **more):
        path = f"/v1/projects/{video['project_id']}/export"
        await api.call("POST", path, 202, height=height, force=True, **more)
        hand = await claimed(client, app.ctx.settings, JobKind.EXPORT)
        found = [fault(hand.job, **one) for one in faults]
        answer = await hand.report("succeeded", result=exported(hand.job, *found))
        assert answer.status_code == 200, answer.text
        job = await api.call("GET", f"/v1/jobs/{hand.job.id}")
        run = (await api.call("GET", f"{RUNS}/"))["items"][0]
        findings = (await api.call("GET", f"{RUNS}/{run['id']}/findings"))["items"]
        return job, run, findings

    make.project_id = video["project_id"]
    return make


async def kinds(api, rendered):
    listed = await api.call("GET", f"/v1/projects/{rendered.project_id}/artifacts?limit=50")
    return [one["kind"] for one in listed["items"] if one["kind"].startswith("export")]


BLACK, FLAT = {"code": "black"}, {"code": "silence", "severity": "info"}


async def test_a_rendering_leaves_a_finished_run_with_its_findings(api, rendered):
    job, run, findings = await rendered(BLACK, FLAT)
    assert job["state"] == JobState.SUCCEEDED
    assert (run["suite"], run["status"], run["verdict"]) == ("automatic", "finished", "failed")
    assert run["metadata"]["job_id"] == job["id"]
    (video,) = [await api.call("GET", f"/v1/artifacts/{i}") for i in run["reference_artifact_ids"]]
    assert video["kind"] == "export"
    told = {one["category"]: one for one in findings}
    assert {code: one["severity"] for code, one in told.items()} == {
        "black": "major", "silence": "info",
    }  # fmt: skip
    black = told["black"]
    assert (black["start_s"], black["end_s"], black["bbox"]) == (1.0, 2.0, [0.1, 0.2, 0.3, 0.4])
    overlay = await api.call("GET", f"/v1/artifacts/{black['overlay_artifact_id']}")
    assert overlay["kind"] == "qa_overlay"


async def test_a_clean_rendering_passes(rendered):
    _, run, findings = await rendered()
    assert (run["verdict"], findings) == ("passed", [])


async def test_the_same_fault_in_the_next_rendering_is_the_same_fault(rendered):
    _, first, (before,) = await rendered(BLACK)
    _, _, (again,) = await rendered({**BLACK, "start_s": 1.4}, height=1080)
    assert again["fingerprint"] == before["fingerprint"]
    assert (again["occurrences"], again["first_seen_run_id"]) == (2, first["id"])
    _, _, both = await rendered(BLACK, {**BLACK, "start_s": 4.0}, height=480)
    assert sorted(one["occurrences"] for one in both) == [1, 3]


async def test_a_gate_holds_back_what_is_at_fault_and_keeps_it_for_inspection(api, rendered):
    job, run, _ = await rendered(BLACK, qa_gate="error")
    assert (job["state"], job["problem"]["code"]) == ("failed", "qa_gate")
    assert "black at 1.0 s" in job["problem"]["detail"]
    assert not job["problem"]["retryable"]
    assert job["result"]["deliverables"][0]["findings"][0]["code"] == "black"
    assert await kinds(api, rendered) == ["export_held"]
    assert run["verdict"] == "failed"


@pytest.mark.parametrize(
    ("gate", "severity", "state"),
    [("off", "error", "succeeded"), ("error", "warning", "succeeded"),
     ("warning", "warning", "failed"), ("warning", "info", "succeeded")],
)  # fmt: skip
async def test_a_gate_is_as_strict_as_it_says(rendered, gate, severity, state):
    job, _, _ = await rendered({"code": "black", "severity": severity}, qa_gate=gate)
    assert job["state"] == state


async def test_what_a_person_judged_to_be_no_fault_passes_on_the_next_try(
    api, client, app, rendered
):
    job, run, (finding,) = await rendered(BLACK, qa_gate="error")
    path = f"{RUNS}/{run['id']}/findings/{finding['id']}"
    await api.call("PATCH", path, status="false_positive", note="It is night.")
    await api.call("POST", f"/v1/jobs/{job['id']}:retry")
    hand = await claimed(client, app.ctx.settings, JobKind.EXPORT)
    await hand.report("succeeded", result=exported(hand.job, fault(hand.job, **BLACK)))
    assert (await api.call("GET", f"/v1/jobs/{job['id']}"))["state"] == "succeeded"
    assert await kinds(api, rendered) == ["export"]
    again = (await api.call("GET", f"{RUNS}/"))["items"][0]
    assert again["verdict"] == "passed"


async def test_webhooks_are_told_of_the_run_once(rendered, owner):
    endpoint = await WebhookEndpoint.create(
        organization_id=owner.organization_id, url="https://example.org/hook", secret="x",
        events=["qa.run.created"],
    )  # fmt: skip
    _, run, _ = await rendered(BLACK)
    (told,) = await WebhookDelivery.filter(endpoint_id=endpoint.id)
    assert run["id"] in told.content
    assert '"verdict":"failed"' in told.content
