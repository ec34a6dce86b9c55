"""A job's life over HTTP: its user, its worker and the clock each have a say."""

import asyncio
from datetime import timedelta

import pytest

from control.jobs.lifecycle import end_overlong, release, sweep, worker_token
from control.jobs.models import Job, JobEvent
from control.jobs.queue import claim
from control.records import now
from control.videos.models import Video
from ray_jobs.contract import JobKind, Transcribed
from tests.control.media_jobs import Hand, claimed, clips_found, ingested, transcribed

KIND = JobKind.TRANSCRIBE
RETRYABLE = {"code": "worker_busy", "detail": "Try again.", "retryable": True}
FINAL = {"code": "corrupt_media", "detail": "No frame decodes.", "retryable": False}


@pytest.fixture(autouse=True)
async def empty_queue(app):
    """A test that left a job behind must not feed the next one."""
    await Job.all().delete()


@pytest.fixture
async def video(client, owner, app):
    """A video whose ingest is done."""
    project = await client.post("/v1/projects", headers=owner.headers, json={"name": "Rivers"})
    answer = await client.post(
        "/v1/videos:ingest",
        headers=owner.headers,
        json={
            "project_id": project.json()["id"],
            "source": "url",
            "url": "https://example.org/a.mp4",
        },
    )
    assert answer.status_code == 202, answer.text
    hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
    await hand.report("succeeded", result=ingested(hand.job))
    return answer.json()["video"]


@pytest.fixture
def jobs(client, owner, app, video):
    """Requests of `owner` about jobs on one ready video."""

    class Jobs:
        async def new(self, status=202, **wanted):
            path = f"/v1/videos/{video['id']}/transcripts"
            answer = await client.post(path, headers=owner.headers, json=wanted)
            assert answer.status_code == status, answer.text
            return answer.json()

        async def get(self, job):
            answer = await client.get(f"/v1/jobs/{_id(job)}", headers=owner.headers)
            assert answer.status_code == 200, answer.text
            return answer.json()

        async def do(self, verb, job, status=200):
            answer = await client.post(f"/v1/jobs/{_id(job)}:{verb}", headers=owner.headers)
            assert answer.status_code == status, answer.text
            return answer.json()

        async def change(self, job, **patch):
            path = f"/v1/jobs/{_id(job)}"
            answer = await client.patch(path, headers=owner.headers, json=patch)
            assert answer.status_code == 200, answer.text

        async def hand(self) -> Hand:
            return await claimed(client, app.ctx.settings, KIND)

        async def running(self, **wanted) -> Hand:
            await self.new(**wanted)
            return await self.hand()

        async def video(self):
            path = f"/v1/videos/{video['id']}"
            return (await client.get(path, headers=owner.headers)).json()

    return Jobs()


def _id(job):
    return job["id"] if isinstance(job, dict) else job.id


async def fall_silent(job) -> None:
    """The worker has been quiet for longer than its lease."""
    await Job.filter(id=job.id).update(lease_until=now() - timedelta(seconds=1))


class TestClaiming:
    async def test_many_claimers_share_the_jobs_and_none_is_given_twice(self, jobs):
        made = [(await jobs.new(force=True))["id"] for _ in range(8)]
        taken = await asyncio.gather(*(claim({KIND: 3}, lease_s=60) for _ in range(6)))
        given = [str(job.id) for batch in taken for job in batch]
        assert len(given) == len(set(given))
        rest = await claim({KIND: 100}, lease_s=60)
        assert sorted(given + [str(job.id) for job in rest]) == sorted(made)

    async def test_never_gives_more_than_there_is_room_for(self, jobs):
        for _ in range(3):
            await jobs.new(force=True)
        assert len(await claim({KIND: 2, JobKind.EXPORT: 5}, lease_s=60)) == 2
        assert await claim({KIND: 0}, lease_s=60) == []

    async def test_takes_the_highest_priority_first_and_then_the_oldest(self, jobs):
        old, new, urgent = [await jobs.new(force=True) for _ in range(3)]
        await jobs.change(urgent, priority=5)
        order = [(await claim({KIND: 1}, lease_s=60))[0] for _ in range(3)]
        assert [str(job.id) for job in order] == [urgent["id"], old["id"], new["id"]]

    async def test_tells_the_video_that_work_on_it_has_begun(self, jobs):
        await jobs.running()
        assert (await jobs.video())["status"] == "transcribing"


class TestReports:
    async def test_carry_progress_steps_and_what_ran(self, jobs):
        hand = await jobs.running()
        step = {"name": "speech", "state": "running"}
        answer = await hand.report(
            progress=0.25, step="speech", steps=[step], effective={"engine": "cpu"}
        )
        assert answer.json() == {"directive": "continue"}
        job = await jobs.get(hand.job)
        assert (job["state"], job["progress"], job["step"]) == ("running", 0.25, "speech")
        assert (job["effective"], job["steps"][0]["name"]) == ({"engine": "cpu"}, "speech")

    async def test_progress_never_goes_back(self, jobs):
        hand = await jobs.running()
        await hand.report(progress=0.6)
        await hand.report(progress=0.2)
        assert (await jobs.get(hand.job))["progress"] == 0.6

    async def test_renew_the_lease(self, jobs):
        hand = await jobs.running()
        await fall_silent(hand.job)
        await hand.report()
        await sweep()
        assert (await jobs.get(hand.job))["state"] == "running"

    async def test_with_a_sequence_number_seen_before_change_nothing(self, jobs):
        hand = await jobs.running()
        await hand.report(seq=5, progress=0.5, step="a")
        answer = await hand.report("failed", seq=5, problem=FINAL)
        assert answer.status_code == 200
        await hand.report(seq=4, progress=0.9, step="b")
        job = await jobs.get(hand.job)
        assert (job["state"], job["progress"], job["step"]) == ("running", 0.5, "a")

    @pytest.mark.parametrize("token", ["nonsense", "a.b.c"])
    async def test_with_a_wrong_token_are_refused(self, jobs, token):
        hand = await jobs.running()
        assert (await hand.report(token=token)).status_code == 401

    async def test_with_a_users_or_another_jobs_token_are_refused(self, jobs, owner, app):
        hand = await jobs.running()
        other = await jobs.running(force=True)
        assert (await hand.report(token=owner.token)).status_code == 401
        theirs = worker_token(app.ctx.settings, other.job)
        assert (await hand.report(token=theirs)).status_code == 401

    async def test_without_a_token_are_refused(self, jobs, client):
        hand = await jobs.running()
        path = f"/v1/jobs/{hand.job.id}/worker-status"
        answer = await client.patch(path, json={"attempt": 1, "seq": 1, "state": "running"})
        assert answer.status_code == 401

    async def test_of_an_attempt_that_lost_the_job_are_stale(self, jobs):
        first = await jobs.running()
        await fall_silent(first.job)
        await sweep()
        second = await jobs.hand()
        answer = await first.report("succeeded", result=transcribed(first.job))
        assert (answer.status_code, answer.json()["code"]) == (409, "stale_attempt")
        lying = await first.report(attempt=second.job.attempt)
        assert (lying.status_code, lying.json()["code"]) == (409, "stale_attempt")
        assert (await jobs.get(second.job))["state"] == "running"

    async def test_after_the_end_are_stale(self, jobs):
        hand = await jobs.running()
        await hand.report("succeeded", result=transcribed(hand.job))
        answer = await hand.report("failed", problem=FINAL)
        assert (answer.status_code, answer.json()["code"]) == (409, "stale_attempt")
        assert (await jobs.get(hand.job))["state"] == "succeeded"

    @pytest.mark.parametrize(
        "bad", [{"seq": 0}, {"attempt": 0}, {"progress": 1.5}, {"state": "queued"}, {"x": 1}]
    )
    async def test_that_are_malformed_are_422(self, jobs, client, app, bad):
        hand = await jobs.running()
        report = {"attempt": 1, "seq": 1, "state": "running", **bad}
        answer = await client.patch(
            f"/v1/jobs/{hand.job.id}/worker-status",
            json=report,
            headers={"X-Worker-Token": worker_token(app.ctx.settings, hand.job)},
        )
        assert answer.status_code == 422


class TestResults:
    async def test_of_another_kind_fail_the_job(self, jobs):
        hand = await jobs.running()
        answer = await hand.report("succeeded", result=clips_found(hand.job))
        assert answer.status_code == 200
        job = await jobs.get(hand.job)
        assert (job["state"], job["problem"]["code"]) == ("failed", "bad_result")

    async def test_that_are_missing_fail_the_job(self, jobs):
        hand = await jobs.running()
        await hand.report("succeeded")
        job = await jobs.get(hand.job)
        assert (job["state"], job["problem"]["code"]) == ("failed", "bad_result")

    async def test_the_database_refuses_fail_the_job_and_leave_no_trace(self, jobs, video):
        hand = await jobs.running()
        result = transcribed(hand.job).model_copy(update={"engine": "e" * 1000})
        answer = await hand.report("succeeded", result=result)
        assert answer.status_code == 200, answer.text
        job = await jobs.get(hand.job)
        assert (job["state"], job["problem"]["code"]) == ("failed", "bad_result")
        assert (await Video.get(id=video["id"])).status == "ready"

    async def test_are_kept_whole(self, jobs):
        hand = await jobs.running()
        await hand.report("succeeded", result=transcribed(hand.job), cached=True)
        job = await jobs.get(hand.job)
        assert (job["state"], job["progress"], job["cached"]) == ("succeeded", 1.0, True)
        assert Transcribed.model_validate(job["result"]) == transcribed(hand.job)
        assert job["finished_at"]
        assert job["run_s"] >= 0


class TestFailures:
    async def test_that_another_try_may_mend_requeue_until_the_last_attempt(self, jobs):
        made = await jobs.new()
        for attempt in (1, 2, 3):
            hand = await jobs.hand()
            assert hand.job.attempt == attempt
            await hand.report("failed", problem=RETRYABLE)
            job = await jobs.get(made)
            assert job["state"] == ("failed" if attempt == 3 else "queued")
            assert job["problem"]["code"] == RETRYABLE["code"]

    async def test_that_nothing_mends_are_final_at_once(self, jobs):
        hand = await jobs.running()
        await hand.report("failed", problem=FINAL)
        job = await jobs.get(hand.job)
        assert (job["state"], job["problem"]) == ("failed", FINAL)

    async def test_a_lost_worker_gives_the_job_back_and_the_last_one_fails_it(self, jobs):
        made = await jobs.new()
        for attempt in (1, 2, 3):
            hand = await jobs.hand()
            await fall_silent(hand.job)
            assert await sweep() == 1
            job = await jobs.get(made)
            assert (job["attempt"], job["state"]) == (
                attempt,
                "failed" if attempt == 3 else "queued",
            )
        assert job["problem"]["code"] == "worker_lost"

    async def test_a_worker_lost_while_pausing_or_cancelling_obeys_all_the_same(self, jobs):
        for verb, end in (("pause", "paused"), ("cancel", "cancelled")):
            hand = await jobs.running(force=True)
            await hand.report()
            await jobs.do(verb, hand.job)
            await fall_silent(hand.job)
            await sweep()
            assert (await jobs.get(hand.job))["state"] == end

    async def test_a_lease_that_runs_is_left_alone(self, jobs):
        hand = await jobs.running()
        assert await sweep() == 0
        assert (await jobs.get(hand.job))["state"] == "running"

    async def test_a_cold_start_takes_all_back_and_holds_it_against_no_job(self, jobs):
        hand = await jobs.running()
        await sweep(everything=True)
        job = await jobs.get(hand.job)
        assert (job["state"], job["max_attempts"] - job["attempt"]) == ("queued", 3)


class TestHanging:
    async def test_a_worker_that_reports_and_gets_nowhere_is_said_to_stall(self, jobs):
        hand = await jobs.running()
        await hand.report(progress=0.2, step="recognise")
        assert not (await jobs.get(hand.job))["stalled"]
        await Job.filter(id=hand.job.id).update(moved_at=now() - timedelta(minutes=11))
        await hand.report(progress=0.2, step="recognise")
        assert (await jobs.get(hand.job))["stalled"]
        await hand.report(progress=0.21, step="recognise")
        assert not (await jobs.get(hand.job))["stalled"]
        await hand.report("failed", progress=0.21, problem=FINAL)
        await Job.filter(id=hand.job.id).update(moved_at=now() - timedelta(days=1))
        assert not (await jobs.get(hand.job))["stalled"]

    async def test_an_attempt_has_an_end_however_alive_it_is(self, jobs):
        hand = await jobs.running()
        assert await end_overlong(3600) == 0
        await Job.filter(id=hand.job.id).update(started_at=now() - timedelta(seconds=3601))
        assert await end_overlong(3600) == 1
        job = await jobs.get(hand.job)
        assert (job["state"], job["problem"]["code"]) == ("failed", "timed_out")
        assert (await hand.report(progress=0.9)).status_code == 409
        assert (await jobs.do("retry", hand.job))["state"] == "queued"
        assert await end_overlong(3600) == 0


class TestRelease:
    async def test_gives_the_attempt_and_the_place_in_the_queue_back(self, jobs):
        first = await jobs.running()
        await jobs.new(force=True)
        await release([first.job])
        job = await jobs.get(first.job)
        assert (job["state"], job["attempt"]) == ("queued", 0)
        again = await jobs.hand()
        assert (again.job.id, again.job.attempt) == (first.job.id, 1)
        assert (await again.report()).status_code == 200

    async def test_of_a_job_that_has_moved_on_changes_nothing(self, jobs):
        hand = await jobs.running()
        await hand.report("succeeded", result=transcribed(hand.job))
        await release([hand.job])
        job = await jobs.get(hand.job)
        assert (job["state"], job["attempt"]) == ("succeeded", 1)


class TestMoves:
    async def test_pausing_holds_the_job_and_resuming_lets_it_go_on(self, jobs):
        hand = await jobs.running()
        assert (await jobs.do("pause", hand.job))["state"] == "pausing"
        assert (await hand.report(progress=0.4)).json() == {"directive": "pause"}
        await hand.report("paused", progress=0.4)
        assert (await jobs.get(hand.job))["state"] == "paused"
        assert await claim({KIND: 1}, lease_s=60) == []
        assert (await jobs.do("resume", hand.job))["state"] == "queued"
        again = await jobs.hand()
        await again.report("succeeded", result=transcribed(again.job))
        assert (await jobs.get(hand.job))["state"] == "succeeded"

    async def test_pausing_costs_none_of_the_attempts(self, jobs):
        made = await jobs.new()
        for _ in range(4):
            hand = await jobs.hand()
            await jobs.do("pause", made)
            await hand.report("paused")
            await jobs.do("resume", made)
        hand = await jobs.hand()
        await hand.report("failed", problem=RETRYABLE)
        assert (await jobs.get(made))["state"] == "queued"

    async def test_resuming_before_the_worker_stopped_lets_it_run_on(self, jobs):
        hand = await jobs.running()
        await jobs.do("pause", hand.job)
        assert (await jobs.do("resume", hand.job))["state"] == "running"
        assert (await hand.report()).json() == {"directive": "continue"}

    async def test_cancelling_stops_a_waiting_job_at_once(self, jobs):
        made = await jobs.new()
        assert (await jobs.do("cancel", made))["state"] == "cancelled"
        assert await claim({KIND: 1}, lease_s=60) == []

    async def test_cancelling_tells_a_running_worker(self, jobs):
        hand = await jobs.running()
        await hand.report()
        assert (await jobs.do("cancel", hand.job))["state"] == "cancelling"
        assert (await hand.report()).json() == {"directive": "cancel"}
        await hand.report("cancelled")
        assert (await jobs.get(hand.job))["state"] == "cancelled"

    async def test_cancelling_waits_for_no_worker_that_has_not_begun(self, jobs):
        hand = await jobs.running()
        assert (await jobs.do("cancel", hand.job))["state"] == "cancelled"
        answer = await hand.report()
        assert (answer.status_code, answer.json()["code"]) == (409, "stale_attempt")
        again = await jobs.do("retry", hand.job)
        assert (again["state"], (await hand.report()).status_code) == ("queued", 409)

    async def test_work_that_finished_before_it_could_be_cancelled_counts(self, jobs):
        hand = await jobs.running()
        await hand.report()
        await jobs.do("cancel", hand.job)
        await hand.report("succeeded", result=transcribed(hand.job))
        assert (await jobs.get(hand.job))["state"] == "succeeded"

    async def test_retrying_starts_afresh_with_new_attempts(self, jobs):
        hand = await jobs.running()
        await hand.report("failed", problem=FINAL, progress=0.7)
        job = await jobs.do("retry", hand.job)
        assert (job["state"], job["progress"], job["problem"]) == ("queued", 0.0, None)
        assert (job["wait_s"], job["run_s"]) == (None, None)  # it waits again; nothing is measured
        again = await jobs.hand()
        assert (again.job.attempt, again.job.max_attempts) == (2, 4)
        assert (await hand.report()).json()["code"] == "stale_attempt"

    @pytest.mark.parametrize(
        ("end", "verb", "allowed"),
        [
            ("queued", "resume", ["pause", "cancel"]),
            ("queued", "retry", ["pause", "cancel"]),
            ("running", "retry", ["pause", "cancel"]),
            ("succeeded", "cancel", []),
            ("succeeded", "retry", []),
            ("failed", "pause", ["retry"]),
            ("cancelled", "resume", ["retry"]),
        ],
    )
    async def test_the_state_forbids_are_409_and_name_those_allowed(self, jobs, end, verb, allowed):
        made = await jobs.new()
        if end == "cancelled":
            await jobs.do("cancel", made)
        elif end != "queued":
            hand = await jobs.hand()
            more = {"result": transcribed(hand.job)} if end == "succeeded" else {"problem": FINAL}
            if end != "running":
                await hand.report(end, **more)
        answer = await jobs.do(verb, made, 409)
        assert (answer["code"], answer["allowed"]) == ("move_not_allowed", allowed)
        assert (await jobs.get(made))["state"] == end

    async def test_of_another_organisation_find_no_job(self, jobs, client, other_org):
        made = await jobs.new()
        for verb in ("cancel", "pause", "resume", "retry"):
            answer = await client.post(f"/v1/jobs/{made['id']}:{verb}", headers=other_org.headers)
            assert answer.status_code == 404

    async def test_and_cancelling_by_many_at_once_end_in_one_event(self, jobs, client, owner):
        made = await jobs.new()
        path = f"/v1/jobs/{made['id']}:cancel"
        answers = await asyncio.gather(
            *(client.post(path, headers=owner.headers) for _ in range(5))
        )
        assert sorted(a.status_code for a in answers) == [200, 409, 409, 409, 409]
        assert await JobEvent.filter(job_id=made["id"], type="job.cancelled").count() == 1


class TestSameWork:
    async def test_asked_for_by_many_at_once_is_one_job(self, jobs):
        made = await asyncio.gather(*(jobs.new() for _ in range(6)))
        assert len({job["id"] for job in made}) == 1
        assert sorted(job["deduplicated"] for job in made) == [False, *[True] * 5]

    async def test_is_found_in_every_state_that_may_still_succeed(self, jobs):
        first = await jobs.new()
        hand = await jobs.hand()
        assert (await jobs.new())["id"] == first["id"]
        await hand.report("succeeded", result=transcribed(hand.job))
        assert (await jobs.new())["id"] == first["id"]

    async def test_is_a_new_job_when_forced(self, jobs):
        first = await jobs.new()
        again = await jobs.new(force=True)
        assert again["id"] != first["id"]
        assert not again["deduplicated"]

    async def test_that_failed_or_is_being_cancelled_is_not_found(self, jobs):
        first = await jobs.running()
        await first.report()
        await jobs.do("cancel", first.job)
        second = await jobs.new()
        assert not second["deduplicated"]
        hand = await jobs.hand()
        await hand.report("failed", problem=FINAL)
        third = await jobs.new()
        assert len({str(first.job.id), second["id"], third["id"]}) == 3


async def test_a_projects_jobs_are_found_by_state_and_kind(client, owner, jobs, video):
    hand = await jobs.running()
    path = f"/v1/jobs/projects/{video['project_id']}"
    for query, found in (
        ("state=running", [str(hand.job.id)]), ("state=failed", []),
        ("kind=transcribe&state=running", [str(hand.job.id)]), ("kind=export", []),
    ):  # fmt: skip
        listed = await client.get(f"{path}?{query}", headers=owner.headers)
        assert [item["id"] for item in listed.json()["items"]] == found, query
    assert (await client.get(f"{path}?state=bogus", headers=owner.headers)).status_code == 422
