"""Metrics and the objective, held against plain Python."""

import statistics
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.jobs.models import Job, JobState
from control.observability import routes
from control.observability.slo import BURN_WINDOWS_S, burn_rate, share
from control.projects.models import Project
from control.records import now
from ray_jobs.contract import JobKind


@pytest.fixture
def api(client, owner):
    async def call(method, path, status=200, person=owner, **more):
        answer = await client.request(
            method, f"/v1/observability/{path}", headers=person.headers, **more
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    return call


async def ended(owner, *, ago_s, took_s=10.0, waited_s=1.0, state=JobState.SUCCEEDED, code=None):
    project = await Project.create(organization_id=owner.organization_id, name="p")
    finished = now() - timedelta(seconds=ago_s)
    started = finished - timedelta(seconds=took_s)
    return await Job.create(
        organization_id=owner.organization_id, project_id=project.id,
        kind=JobKind.INGEST, spec={}, spec_sha256="0" * 64, state=state, created_by=owner.user.id,
        queued_at=started - timedelta(seconds=waited_s), started_at=started, finished_at=finished,
        problem={"code": code, "detail": "x"} if code else None,
    )  # fmt: skip


class TestMetrics:
    async def test_points_come_back_newest_first_and_only_to_their_owner(self, api, other_org):
        moment = now()
        points = [
            {"name": "queue.depth", "value": n, "labels": {"node": "a"},
             "at": (moment - timedelta(seconds=60 * n)).isoformat()}
            for n in range(5)
        ]  # fmt: skip
        sent = await api("POST", "metrics", 201, json={"points": points})
        assert sent == {"accepted": 5}
        found = await api("GET", "metrics", params={"name": "queue.depth"})
        assert [item["value"] for item in found["items"]] == [0, 1, 2, 3, 4]
        assert (await api("GET", "metrics", person=other_org))["count"] == 0

    async def test_labels_and_times_filter_and_steps_make_buckets(self, api):
        moment = now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
        points = [
            {"name": "gpu", "value": v, "labels": {"node": node},
             "at": (moment + timedelta(seconds=s)).isoformat()}
            for v, node, s in ((1, "a", 0), (3, "a", 30), (10, "a", 61), (99, "b", 5))
        ]  # fmt: skip
        await api("POST", "metrics", 201, json={"points": points})
        found = await api("GET", "metrics", params={"name": "gpu", "label": "node:a", "step_s": 60})
        buckets = [(i["value"], i["count"], i["minimum"], i["maximum"]) for i in found["items"]]
        assert buckets == [(10, 1, 10, 10), (2, 2, 1, 3)]
        late = (moment + timedelta(seconds=31)).isoformat()
        found = await api("GET", "metrics", params={"name": "gpu", "since": late})
        assert [item["value"] for item in found["items"]] == [10]

    async def test_no_value_is_too_large_for_the_mean_of_many(self, api):
        points = [{"name": "vast", "value": value} for value in (1e150, -1e150, 1e150)]
        await api("POST", "metrics", 201, json={"points": points})
        [found] = (await api("GET", "metrics/summary", params={"name": "vast"}))["items"]
        assert (found["minimum"], found["maximum"]) == (-1e150, 1e150)
        points = [{"name": "vast", "value": 1e151}]
        await api("POST", "metrics", 422, json={"points": points})

    async def test_the_summary_is_what_python_says(self, api):
        values = [float(n * n % 37) for n in range(50)]
        points = [{"name": "latency", "value": v} for v in values]
        await api("POST", "metrics", 201, json={"points": points})
        found = await api("GET", "metrics/summary", params={"name": "latency"})
        (item,) = found["items"]
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        assert item["count"] == 50
        assert item["mean"] == pytest.approx(statistics.fmean(values))
        assert (item["minimum"], item["maximum"]) == (min(values), max(values))
        assert item["p50"] == pytest.approx(statistics.median(values))
        assert item["p95"] == pytest.approx(cuts[94])
        assert item["p99"] == pytest.approx(cuts[98])

    async def test_the_servers_own_jobs_are_in_the_summary(self, api, owner):
        await ended(owner, ago_s=60, took_s=10, waited_s=2)
        await ended(owner, ago_s=60, took_s=20, waited_s=4)
        found = await api("GET", "metrics/summary", params={"name": "job.run_s"})
        assert found["items"][0]["labels"] == {"kind": "ingest"}
        assert found["items"][0]["p50"] == pytest.approx(15)

    async def test_each_step_of_a_job_is_in_the_summary(self, api, owner):
        for wall_s in (1.0, 2.0, 9.0):
            job = await ended(owner, ago_s=60, took_s=10)
            job.steps = [
                {"name": "probe", "state": "done", "cached": False, "wall_s": wall_s},
                {"name": "proxy", "state": "done", "cached": True, "wall_s": 0.01},
                {"name": "poster", "state": "failed", "cached": False, "wall_s": 1},
            ]
            await job.save()
        found = await api("GET", "metrics/summary", params={"name": "job.step_s"})
        (item,) = found["items"]
        assert item["labels"] == {"kind": "ingest", "step": "probe"}
        assert (item["count"], item["p50"], item["maximum"]) == (3, 2.0, 9.0)

    @pytest.mark.parametrize(
        "point",
        [
            {"name": "1x", "value": 1}, {"name": "x", "value": "many"},
            {"name": "x", "value": 1, "labels": {"a b": "c"}},
            {"name": "x", "value": 1, "labels": {f"l{n}": "v" for n in range(9)}},
            {"name": "x", "value": 1, "at": "2001-01-01T00:00:00Z"},
            {"name": "x", "value": 1, "at": "2999-01-01T00:00:00Z"},
            {"name": "x", "value": 1, "at": "yesterday"},
        ],
    )  # fmt: skip
    async def test_what_is_no_point_is_refused_and_nothing_is_kept(self, api, point):
        good = {"name": "kept.not", "value": 1}
        await api("POST", "metrics", 422, json={"points": [good, point]})
        assert (await api("GET", "metrics", params={"name": "kept.not"}))["count"] == 0

    async def test_series_are_counted_not_points(self, api, monkeypatch, person):
        somebody = await person()
        monkeypatch.setattr(routes, "MAX_SERIES", 3)
        points = [{"name": "n", "value": 1, "labels": {"l": str(n % 3)}} for n in range(9)]
        await api("POST", "metrics", 201, person=somebody, json={"points": points})
        refused = await api(
            "POST", "metrics", 403, person=somebody, json={"points": [{"name": "m", "value": 1}]}
        )
        assert refused["code"] == "too_many_series"


class TestObjective:
    async def test_only_what_could_have_ended_well_counts(self, api, person):
        somebody = await person()
        for _ in range(8):
            await ended(somebody, ago_s=100)
        await ended(somebody, ago_s=100, state=JobState.FAILED, code="worker_lost")
        await ended(somebody, ago_s=100, state=JobState.FAILED, code="corrupt_media")
        await ended(somebody, ago_s=100, state=JobState.CANCELLED)
        await ended(somebody, ago_s=30 * 3600, state=JobState.FAILED, code="internal_error")
        told = await api("GET", "slo/job-completion", person=somebody, params={"objective": 0.75})
        assert (told["eligible"], told["good"], told["excluded"]) == (10, 8, 2)
        assert told["sli"] == pytest.approx(0.8)
        assert told["met"]
        assert told["error_budget_left"] == pytest.approx(1 - 0.2 / 0.25)
        assert told["burn_rates"]["1h"] == pytest.approx((1 / 9) / 0.25)
        assert told["kinds"] == [{"kind": "ingest", "eligible": 10, "good": 8, "sli": 0.8}]

    async def test_late_is_not_good(self, api, person):
        somebody = await person()
        await ended(somebody, ago_s=10, took_s=5, waited_s=1)
        await ended(somebody, ago_s=10, took_s=5, waited_s=100)
        told = await api("GET", "slo/job-completion", person=somebody, params={"target_s": 60})
        assert (told["good"], told["eligible"], told["met"]) == (1, 2, False)

    async def test_nothing_ended_is_neither_good_nor_bad(self, api, person):
        told = await api("GET", "slo/job-completion", person=await person())
        assert told["sli"] is told["met"] is told["error_budget_left"] is None
        assert told["burn_rates"] == dict.fromkeys(BURN_WINDOWS_S)

    @given(st.integers(0, 50), st.integers(0, 50), st.floats(0.5, 0.999))
    def test_a_burn_of_one_spends_the_budget_exactly(self, good, bad, objective):
        rate = burn_rate(good, good + bad, objective)
        if good + bad == 0:
            assert rate is None
            return
        assert rate >= 0
        met = share(good, good + bad) >= objective
        assert met == (rate <= 1 + 1e-9) or abs(rate - 1) < 1e-6
