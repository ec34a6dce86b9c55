"""DMCA: a notice has six elements, a takedown reaches all, and content comes back in time."""

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.access import Role
from control.artifacts.models import ArtifactRow
from control.dmca import notices
from control.dmca.models import DmcaBlock, DmcaNotice, NoticeStatus
from control.dmca.schemas import Claim
from control.jobs.models import Job
from control.records import now
from control.webhooks.models import WebhookDelivery, WebhookEndpoint
from ray_jobs.contract import JobKind
from tests.control.media_jobs import SHA, claimed, ingested

CLAIM = {
    "signature": "/s/ Ada Owner",
    "work": "The film of the rivers, registered 2019",
    "contact": {"name": "Ada Owner", "email": "ada@example.org"},
    "good_faith": True,
    "accurate_under_penalty_of_perjury": True,
}
COUNTER = {
    "signature": "/s/ Ed Itor",
    "material": "The recording at /v1/videos/…",
    "name": "Ed Itor",
    "address": "1 River Street",
    "phone": "+1 555 0100",
    "mistaken_under_penalty_of_perjury": True,
    "consent_to_jurisdiction": True,
    "consent_to_service": True,
}


@pytest.fixture(autouse=True)
async def clean(app):
    await DmcaNotice.all().delete()
    await Job.all().delete()


@pytest.fixture
def ingest(client, owner, app, configured):
    """`await ingest()` brings the recording in, or gives the refusal."""
    configured(allow_private_hosts=True)

    async def bring(person=owner, **more):
        project = await client.post("/v1/projects", headers=person.headers, json={"name": "P"})
        wanted = {"project_id": project.json()["id"], "source": "url", "url": "http://127.0.0.1/a"}
        answer = await client.post("/v1/videos:ingest", headers=person.headers, json=wanted | more)
        if answer.status_code != 202:
            return answer
        hand = await claimed(client, app.ctx.settings, JobKind.INGEST)
        await hand.report("succeeded", result=ingested(hand.job))
        return await client.get(
            f"/v1/videos/{answer.json()['video']['id']}", headers=person.headers
        )

    return bring


@pytest.fixture
async def video(ingest):
    return (await ingest()).json()


@pytest.fixture
def submit(client, owner, video):
    async def post(status=201, **changes):
        claim = {**CLAIM, "material": {"video_id": video["id"]}, **changes}
        claim = {name: value for name, value in claim.items() if value is not None}
        answer = await client.post("/v1/dmca/notices", headers=owner.headers, json=claim)
        assert answer.status_code == status, answer.text
        return answer.json()

    return post


@pytest.fixture
def move(client, owner):
    async def patch(notice, expected=200, **change):
        answer = await client.patch(
            f"/v1/dmca/notices/{notice['id']}", headers=owner.headers, json=change
        )
        assert answer.status_code == expected, answer.text
        return answer.json()

    return patch


async def down(submit, move):
    notice = await submit()
    return await move(notice, status="content_disabled")


async def links(client, owner, video):
    answer = await client.get(f"/v1/videos/{video['id']}/artifacts", headers=owner.headers)
    return [(item["taken_down"], item["download_url"]) for item in answer.json()["items"]]


class TestNotice:
    async def test_with_all_six_elements_is_valid(self, submit):
        notice = await submit()
        assert (notice["status"], notice["missing"]) == ("validated", [])

    @pytest.mark.parametrize("element", [*CLAIM, "material"])
    async def test_without_one_waits_for_it(self, submit, move, video, element):
        notice = await submit(**{element: None})
        assert (notice["status"], notice["missing"]) == ("incomplete", [element])
        refusal = await move(notice, 409, status="content_disabled")
        assert refusal["allowed"] == ["rejected", "withdrawn"]
        given = {**CLAIM, "material": {"video_id": video["id"]}}[element]
        notice = await move(notice, claim={element: given})
        assert (notice["status"], notice["missing"]) == ("validated", [])
        assert (await move(notice, 409, claim={"work": "Another"}))["code"] == "claim_complete"

    async def test_must_name_one_thing_that_is_there(self, submit, video, client, other_org):
        for material in ({"video_id": str(uuid4())}, {"artifact_id": str(uuid4())}):
            refusal = await submit(422, material=material)
            assert refusal["errors"][0]["at"] == "claim.material"
        await submit(422, material={})
        await submit(422, material={"video_id": video["id"], "clip_id": str(uuid4())})
        foreign = await client.post(
            "/v1/dmca/notices",
            headers=other_org.headers,
            json={**CLAIM, "material": {"video_id": video["id"]}},
        )
        assert foreign.status_code == 422

    async def test_is_submitted_by_editors_and_moved_by_administrators(
        self, client, member_of, submit
    ):
        notice = await submit()
        editor = await member_of(Role.EDITOR)
        path = f"/v1/dmca/notices/{notice['id']}"
        assert (await client.get(path, headers=editor.headers)).status_code == 200
        answer = await client.patch(path, headers=editor.headers, json={"status": "withdrawn"})
        assert answer.status_code == 403


class TestTakedown:
    async def test_leaves_no_link_to_anything_made_of_the_recording(
        self, client, owner, video, submit, move
    ):
        assert all(url and not gone for gone, url in await links(client, owner, video))
        await down(submit, move)
        assert await links(client, owner, video) == [(True, None)]
        row = await ArtifactRow.filter(video_id=video["id"]).first()
        answer = await client.get(f"/v1/artifacts/{row.id}", headers=owner.headers)
        assert (answer.json()["taken_down"], answer.json()["download_url"]) == (True, None)

    async def test_can_name_an_artifact_of_it(self, client, owner, video, submit, move):
        row = await ArtifactRow.filter(video_id=video["id"]).first()
        notice = await submit(material={"artifact_id": str(row.id)})
        await move(notice, status="content_disabled")
        assert await links(client, owner, video) == [(True, None)]

    async def test_stops_work_and_refuses_more(self, client, owner, video, submit, move):
        path = f"/v1/videos/{video['id']}/transcripts"
        job = (await client.post(path, headers=owner.headers, json={})).json()
        await down(submit, move)
        answer = await client.get(f"/v1/jobs/{job['id']}", headers=owner.headers)
        assert answer.json()["state"] == "cancelled"
        refusal = await client.post(path, headers=owner.headers, json={"language": "de"})
        assert (refusal.status_code, refusal.json()["code"]) == (451, "content_disabled")

    async def test_refuses_the_same_bytes_again(self, submit, move, ingest):
        await down(submit, move)
        again = (await ingest()).json()
        assert (again["status"], again["problem"]["code"]) == ("failed", "content_disabled")
        told_first = await ingest(sha256=SHA)
        assert told_first.status_code == 451

    async def test_leaves_other_organisations_alone(self, submit, move, ingest, other_org):
        await down(submit, move)
        assert (await ingest(other_org)).json()["status"] == "ready"

    async def test_counts_strikes_of_the_last_90_days(self, submit, move):
        assert (await down(submit, move))["strike"] == 1
        second = await down(submit, move)
        assert second["strike"] == 2
        await move(second, status="withdrawn")
        await DmcaNotice.filter(strike=1).update(disabled_at=now() - timedelta(days=91))
        assert (await down(submit, move))["strike"] == 1

    async def test_strikes_are_listed_until_they_expire(self, client, owner, submit, move):
        first, second = await down(submit, move), await down(submit, move)

        async def listed():
            answer = await client.get("/v1/dmca/strikes", headers=owner.headers)
            return answer.json()["items"]

        strikes = await listed()
        assert [one["notice_id"] for one in strikes] == [second["id"], first["id"]]
        ends = datetime.fromisoformat(strikes[0]["expires_at"])
        assert ends - datetime.fromisoformat(strikes[0]["disabled_at"]) == timedelta(days=90)
        refused = await move(second, 409, status="repeat_infringer_action")
        assert refused["code"] == "too_few_strikes"
        third = await down(submit, move)
        assert (await move(third, status="repeat_infringer_action"))["strike"] == 3
        await move(first, status="withdrawn")
        await DmcaNotice.filter(id=second["id"]).update(disabled_at=now() - timedelta(days=91))
        assert [one["notice_id"] for one in await listed()] == [third["id"]]

    async def test_of_two_notices_holds_until_both_are_released(
        self, client, owner, video, submit, move
    ):
        first, second = await down(submit, move), await down(submit, move)
        await move(first, status="withdrawn")
        assert await links(client, owner, video) == [(True, None)]
        await move(second, status="withdrawn")
        ((gone, url),) = await links(client, owner, video)
        assert url
        assert not gone


class TestCounterNotice:
    async def test_must_be_whole(self, submit, move):
        notice = await down(submit, move)
        refusal = await move(notice, 422, status="counter_received")
        assert refusal["errors"][0]["at"] == "counter_notice"
        for name in COUNTER:
            short = {key: value for key, value in COUNTER.items() if key != name}
            await move(notice, 422, counter_notice=short)
        await move(notice, 422, counter_notice={**COUNTER, "consent_to_service": False})

    async def test_brings_the_content_back_between_the_10th_and_the_14th_business_day(
        self, client, owner, video, submit, move
    ):
        notice = await move(await down(submit, move), counter_notice=COUNTER)
        assert notice["status"] == "counter_received"
        notice = await move(notice, status="forwarded")
        assert (await move(notice, 409, status="restored"))["code"] == "too_early"
        assert await notices.restore_due() == 0
        await DmcaNotice.all().update(restore_not_after=now().date())
        assert await notices.restore_due() == 1
        assert await notices.restore_due() == 0
        answer = await client.get(f"/v1/dmca/notices/{notice['id']}", headers=owner.headers)
        told = answer.json()
        assert [step["status"] for step in told["history"]] == [
            "validated", "content_disabled", "counter_received", "forwarded", "restored",
        ]  # fmt: skip
        assert (await links(client, owner, video))[0][1]
        assert not await DmcaBlock.exists()

    async def test_is_held_by_a_court(self, submit, move):
        notice = await move(await down(submit, move), counter_notice=COUNTER)
        notice = await move(notice, status="forwarded")
        notice = await move(notice, status="court_hold")
        await DmcaNotice.all().update(restore_not_after=now().date())
        assert await notices.restore_due() == 0

    async def test_every_move_is_told_once(self, client, owner, submit, move):
        endpoint = await WebhookEndpoint.create(
            organization_id=owner.organization_id, url="https://example.org/h",
            events=["dmca.notice.updated"], secret="sealed",
        )  # fmt: skip
        notice = await down(submit, move)
        await move(notice, status="content_disabled")
        await move(notice, legal_hold=True)
        assert await WebhookDelivery.filter(endpoint_id=endpoint.id).count() == 2


@pytest.mark.parametrize(
    ("received", "tenth", "fourteenth"),
    [
        (date(2026, 11, 24), date(2026, 12, 9), date(2026, 12, 15)),  # Thanksgiving between
        (date(2026, 12, 21), date(2027, 1, 6), date(2027, 1, 12)),  # Christmas and New Year
        (date(2026, 8, 8), date(2026, 8, 21), date(2026, 8, 27)),  # received on a Saturday
    ],
)
def test_business_days_leave_out_weekends_and_federal_holidays(received, tenth, fourteenth):
    assert notices.business_day(received, 10) == tenth
    assert notices.business_day(received, 14) == fourteenth


@given(st.sets(st.sampled_from(sorted(Claim.model_fields))))
def test_missing_names_exactly_what_was_not_given(given_elements):
    whole = Claim.model_validate({**CLAIM, "material": {"video_id": str(uuid4())}})
    claim = Claim.model_validate(whole.model_dump(include=given_elements))
    assert set(notices.missing(claim)) == set(Claim.model_fields) - given_elements


def test_every_status_has_its_moves():
    assert set(notices.MOVES) == set(NoticeStatus)
