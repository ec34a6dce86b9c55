"""Runs, findings and reviews: moves, likes across runs, and events exactly once."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.access import Role
from control.errors import Conflict
from control.organizations.models import MemberStatus
from control.qa.models import FindingStatus
from control.qa.triage import MOVES, check_move
from control.webhooks.models import WebhookDelivery, WebhookEndpoint

FAULT = {"title": "Logo off area", "category": "brand", "severity": "major"}


@pytest.fixture
def api(client, owner):
    async def call(method, path, expected=200, /, person=owner, **body):
        answer = await client.request(
            method, f"/v1/observability/qa-runs{path}", headers=person.headers,
            json=body if body or method in {"POST", "PATCH"} else None,
        )  # fmt: skip
        assert answer.status_code == expected, answer.text
        return answer.json()

    return call


@pytest.fixture
async def run(api):
    return await api("POST", "", 201, suite="nightly", locale_coverage={"de-DE": 0.5})


@pytest.fixture
async def finding(api, run):
    return await api("POST", f"/{run['id']}/findings", 201, **FAULT)


@pytest.fixture
async def told(client, owner, run, finding):
    """The types of webhook events owed since the finding was made."""
    await WebhookEndpoint.all().delete()
    await client.post(
        "/v1/webhooks/endpoints", headers=owner.headers, json={"url": "https://example.org/hook"}
    )

    async def types():
        return [row.type for row in await WebhookDelivery.all().order_by("created_at")]

    return types


class TestRuns:
    async def test_a_finished_run_never_changes(self, api, run):
        path = f"/{run['id']}"
        done = await api("PATCH", path, frame_diff_count=3, status="finished")
        assert (done["status"], done["verdict"], done["frame_diff_count"]) == (
            "finished", "passed", 3,
        )  # fmt: skip
        assert done["finished_at"]
        for refused in (
            await api("PATCH", path, 409, frame_diff_count=4),
            await api("POST", f"{path}/findings", 409, **FAULT),
        ):
            assert refused["code"] == "run_finished"

    @pytest.mark.parametrize(
        ("severity", "status", "verdict"),
        [("major", None, "failed"), ("minor", None, "passed"), ("blocker", "wont_fix", "passed")],
    )
    async def test_a_grave_fault_that_is_open_fails_it(self, api, run, severity, status, verdict):
        made = await api("POST", f"/{run['id']}/findings", 201, **FAULT | {"severity": severity})
        if status:
            await api("PATCH", f"/{run['id']}/findings/{made['id']}", status=status)
        done = await api("PATCH", f"/{run['id']}", status="finished")
        assert done["verdict"] == verdict

    async def test_reference_artifacts_must_be_ones_own(self, api):
        await api("POST", "", 422, suite="x", reference_artifact_ids=[str(uuid4())])


class TestFindings:
    async def test_a_fault_is_known_again_and_a_mended_one_is_a_regression(self, api, run, finding):
        path = f"/{run['id']}/findings/{finding['id']}"
        assert (finding["occurrences"], finding["regression"]) == (1, False)
        for status in ("in_progress", "fixed", "verified"):
            await api("PATCH", path, status=status)
        later = await api("POST", "", 201, suite="nightly")
        again = await api("POST", f"/{later['id']}/findings", 201, **FAULT)
        assert again["fingerprint"] == finding["fingerprint"]
        assert again["first_seen_run_id"] == run["id"]
        assert (again["occurrences"], again["regression"]) == (2, True)

    async def test_a_change_is_told_once_and_no_change_not_at_all(
        self, api, run, finding, told, member_of
    ):
        path = f"/{run['id']}/findings/{finding['id']}"
        await api("PATCH", path, status="triaged", severity="critical")
        await api("PATCH", path, status="triaged", severity="critical")
        await api("PATCH", path)
        assert await told() == ["qa.finding.updated"]
        reviewer = await member_of(Role.REVIEWER)
        due = "2026-12-24T18:00:00+01:00"
        assigned = {"assignee_id": str(reviewer.user.id), "due_at": due}
        shown = await api("PATCH", path, **assigned)
        assert shown["due_at"] == "2026-12-24T17:00:00Z"
        await api("PATCH", path, **assigned)
        assert await told() == ["qa.finding.updated", "qa.assignment.updated"]
        await api("PATCH", path, status="fixed", assignee_id=None)
        assert sorted((await told())[2:]) == ["qa.assignment.updated", "qa.finding.updated"]
        shown = await api("GET", path)
        assert [set(entry["after"]) for entry in shown["history"]] == [
            {"severity", "status"}, {"assignee_id", "due_at"}, {"status", "assignee_id"},
        ]  # fmt: skip

    async def test_only_active_members_can_be_assigned(
        self, api, run, finding, member_of, other_org
    ):
        path = f"/{run['id']}/findings/{finding['id']}"
        gone = await member_of(Role.EDITOR, status=MemberStatus.SUSPENDED)
        for person in (gone, other_org):
            refused = await api("PATCH", path, 422, assignee_id=str(person.user.id))
            assert refused["errors"][0]["at"] == "assignee_id"

    async def test_a_move_that_is_not_allowed_names_those_that_are(self, api, run, finding):
        refused = await api(
            "PATCH", f"/{run['id']}/findings/{finding['id']}", 409, status="verified"
        )
        assert "triaged" in refused["allowed"]

    @given(st.sampled_from(FindingStatus), st.sampled_from(FindingStatus))
    def test_every_move_is_allowed_or_refused_and_none_is_a_dead_end(self, before, wanted):
        assert MOVES[before]
        if wanted == before or wanted in MOVES[before]:
            check_move(before, wanted)
        else:
            with pytest.raises(Conflict):
                check_move(before, wanted)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"severity": "awful"}, {"bbox": [0, 0, 2, 1]}, {"bbox": [0, 0, 1]},
            {"start_s": 5, "end_s": 1}, {"overlay_url": "javascript:alert(1)"}, {"frame": -1},
            {"due_at": "2026-12-24T18:00:00"}, {"title": ""},
            {"evidence_artifact_id": str(uuid4())},
        ],
    )  # fmt: skip
    async def test_what_cannot_be_meant_is_refused(self, api, run, wrong):
        await api("POST", f"/{run['id']}/findings", 422, **FAULT | wrong)


class TestReviews:
    async def test_each_reviewer_decides_once_and_for_themselves(self, api, run, member_of):
        reviewer = await member_of(Role.REVIEWER)
        path = f"/{run['id']}/reviews"
        asked = await api("POST", path, 201, reviewer_id=str(reviewer.user.id))
        assert asked["state"] == "pending"
        assert (await api("PATCH", f"{path}/{asked['id']}", 403, state="approved"))["code"] == (
            "not_the_reviewer"
        )
        done = await api("PATCH", f"{path}/{asked['id']}", person=reviewer, state="approved")
        assert done["state"] == "approved"
        again = await api("POST", path, 409, person=reviewer)
        assert again["code"] == "review_exists"

    async def test_an_author_may_be_kept_from_approving(self, api):
        run = await api("POST", "", 201, suite="strict", author_may_approve=False)
        refused = await api("POST", f"/{run['id']}/reviews", 403, state="approved")
        assert refused["code"] == "author_cannot_approve"
        await api("POST", f"/{run['id']}/reviews", 201, state="changes_requested")

    async def test_a_viewer_only_looks(self, api, run, member_of):
        viewer = await member_of(Role.VIEWER)
        await api("GET", f"/{run['id']}/reviews", person=viewer)
        await api("POST", f"/{run['id']}/reviews", 403, person=viewer)
