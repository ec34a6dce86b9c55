"""Webhooks: owed in the transaction, signed by the standard, tried until they arrive."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from tortoise.transactions import in_transaction

from control.access import Role
from control.records import now
from control.webhooks import addresses, delivery, secrets
from control.webhooks.catalogue import ENDED, EVENTS
from control.webhooks.models import WebhookDelivery, WebhookEndpoint
from control.webhooks.outbox import emit
from ray_jobs.contract import JobKind


class Receiver:
    """A real HTTP server on loopback that answers what a test tells it to."""

    def __init__(self) -> None:
        self.heard: list[SimpleNamespace] = []
        self.answers: list[tuple[int, dict[str, str]]] = []

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    async def _serve(self, reader, writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in lines[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.heard.append(SimpleNamespace(line=lines[0], headers=headers, body=body))
        status, more = self.answers.pop(0) if self.answers else (200, {})
        extra = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        head = f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n{extra}\r\n"
        writer.write(head.encode() + b"ok")
        await writer.drain()
        writer.close()


def clock_at(moment_s):
    """A `datetime` for which it is always then."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(moment_s, tz)

    return Clock


@pytest.fixture
async def receiver():
    receiver = Receiver()
    await receiver.start()
    yield receiver
    receiver.server.close()


@pytest.fixture(autouse=True)
async def nothing_owed(app):
    await WebhookEndpoint.all().delete()


@pytest.fixture
def intranet(configured):
    return configured(allow_private_hosts=True)


@pytest.fixture
async def endpoint(client, owner, receiver, intranet):
    """An endpoint at the receiver, with its secret."""
    answer = await client.post(
        "/v1/webhooks/endpoints", headers=owner.headers, json={"url": receiver.url}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def tell(owner, kind="video.ingested", **data):
    async with in_transaction() as tx:
        await emit(tx, owner.organization_id, kind, data)


async def due_now():
    await WebhookDelivery.filter(status="pending").update(next_attempt_at=now())


class TestOutbox:
    async def test_an_event_arrives_signed_as_the_standard_says(
        self, owner, endpoint, receiver, intranet
    ):
        await tell(owner, video_id="v1", name="Grüße ☃")
        assert await delivery.deliver_due(intranet) == 1
        (heard,) = receiver.heard
        told = Webhook(endpoint["secret"]).verify(heard.body, heard.headers)
        assert told["type"] == "video.ingested"
        assert told["data"] == {"video_id": "v1", "name": "Grüße ☃"}
        assert told["timestamp"].endswith("Z")
        assert isinstance(told["sequence"], int)
        row = await WebhookDelivery.get()
        assert (row.status, row.attempts[0]["status"]) == ("delivered", 200)
        assert await delivery.deliver_due(intranet) == 0

    async def test_later_events_have_greater_numbers_and_all_endpoints_the_same(
        self, client, owner, endpoint, receiver
    ):
        await client.post(
            "/v1/webhooks/endpoints", headers=owner.headers, json={"url": receiver.url}
        )
        for name in ("a", "b"):
            await tell(owner, name=name)
        rows = [json.loads(row.content) for row in await WebhookDelivery.all()]
        numbers = {
            name: {r["sequence"] for r in rows if r["data"]["name"] == name} for name in "ab"
        }
        assert [len(found) for found in numbers.values()] == [1, 1]
        assert max(numbers["a"]) < min(numbers["b"])

    async def test_a_body_stays_below_twenty_kilobytes(self, owner, endpoint):
        await tell(owner, finding_id="f1", title="ü" * 9000, before={"text": "x" * 19_000})
        row = await WebhookDelivery.get()
        assert len(row.content.encode()) < 20_000
        told = json.loads(row.content)["data"]
        assert (told["finding_id"], told["shortened"]) == ("f1", True)
        assert told["title"] == "ü" * 500

    async def test_what_is_rolled_back_is_owed_to_nobody(self, owner, endpoint):
        async with in_transaction() as tx:
            await emit(tx, owner.organization_id, "video.ingested", {})
            await tx.rollback()
        assert not await WebhookDelivery.exists()

    async def test_only_what_was_asked_for_and_only_ones_own(
        self, client, owner, other_org, receiver, intranet
    ):
        for person in (owner, other_org):
            await client.post(
                "/v1/webhooks/endpoints", headers=person.headers,
                json={"url": receiver.url, "events": ["export.completed"]},
            )  # fmt: skip
        await tell(owner, "video.ingested")
        await tell(owner, "export.completed")
        rows = await WebhookDelivery.all()
        assert [(row.type, row.organization_id) for row in rows] == [
            ("export.completed", owner.organization_id)
        ]

    async def test_a_type_that_is_in_no_catalogue_is_a_mistake_of_ours(self, owner):
        with pytest.raises(ValueError, match="catalogue"):
            await tell(owner, "video.exploded")

    def test_every_kind_of_job_has_an_event(self):
        assert set(ENDED) == set(JobKind)
        assert set(ENDED.values()) <= set(EVENTS)


class TestAttempts:
    async def test_a_failure_is_tried_again_under_the_same_name(
        self, owner, endpoint, receiver, intranet
    ):
        receiver.answers = [(500, {}), (200, {})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        assert (row.status, row.attempt_count) == ("pending", 1)
        assert timedelta(0) < row.next_attempt_at - now() < timedelta(seconds=6)
        await due_now()
        await delivery.deliver_due(intranet)
        names = {heard.headers["webhook-id"] for heard in receiver.heard}
        assert len(names) == 1
        assert (await WebhookDelivery.get()).status == "delivered"

    @pytest.mark.parametrize("status", [301, 302, 400, 404, 429, 500])
    async def test_only_2xx_counts_and_nothing_is_followed(
        self, owner, endpoint, receiver, intranet, status
    ):
        receiver.answers = [(status, {"Location": receiver.url})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        assert (await WebhookDelivery.get()).status == "pending"
        assert len(receiver.heard) == 1

    async def test_retry_after_is_honoured(self, owner, endpoint, receiver, intranet):
        receiver.answers = [(503, {"Retry-After": "900"})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        assert row.next_attempt_at - now() > timedelta(seconds=890)

    @pytest.mark.parametrize("status", [429, 502, 504])
    async def test_a_receiver_that_is_overloaded_is_left_alone(
        self, client, owner, endpoint, receiver, intranet, status
    ):
        """Standard Webhooks 1.0.0: 429, 502 and 504 ask the sender to throttle."""
        receiver.answers = [(status, {"Retry-After": "600"})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        await tell(owner)
        assert await delivery.deliver_due(intranet) == 0
        shown = await client.get(f"/v1/webhooks/endpoints/{endpoint['id']}", headers=owner.headers)
        quiet_until = datetime.fromisoformat(shown.json()["quiet_until"])
        assert timedelta(minutes=9) < quiet_until - now() <= timedelta(minutes=10)
        await WebhookEndpoint.all().update(quiet_until=now())
        assert await delivery.deliver_due(intranet) == 1
        # Who presses the button is not made to wait.
        await WebhookEndpoint.all().update(quiet_until=now() + timedelta(minutes=5))
        first = await WebhookDelivery.all().order_by("created_at").first()
        path = f"/v1/webhooks/deliveries/{first.id}"
        await client.patch(path, headers=owner.headers, json={"action": "retry"})
        assert await delivery.deliver_due(intranet) == 1

    async def test_another_failure_holds_up_nobody_else(self, owner, endpoint, receiver, intranet):
        receiver.answers = [(500, {"Retry-After": "600"})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        await tell(owner)
        assert await delivery.deliver_due(intranet) == 1

    async def test_gone_switches_the_endpoint_off(
        self, client, owner, endpoint, receiver, intranet
    ):
        receiver.answers = [(410, {})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        shown = await client.get(f"/v1/webhooks/endpoints/{endpoint['id']}", headers=owner.headers)
        assert shown.json()["status"] == "auto_disabled"
        assert "410" in shown.json()["reason"]
        await tell(owner)
        assert await WebhookDelivery.all().count() == 1

    async def test_the_others_are_told_once_of_one_that_is_switched_off(
        self, client, owner, endpoint, receiver, intranet
    ):
        for _ in range(2):
            await tell(owner)
        watching = await client.post(
            "/v1/webhooks/endpoints", headers=owner.headers,
            json={"url": receiver.url, "events": ["webhook.disabled"]},
        )  # fmt: skip
        receiver.answers = [(410, {}), (410, {})]
        await delivery.deliver_due(intranet)
        (told,) = await WebhookDelivery.filter(endpoint_id=watching.json()["id"])
        data = json.loads(told.content)["data"]
        assert data["endpoint_id"] == endpoint["id"]
        assert "410" in data["reason"]
        logged = await client.get(
            "/v1/audit/logs", headers=owner.headers, params={"action": "webhook.auto_disabled"}
        )
        assert [one["resource_id"] for one in logged.json()["items"]] == [endpoint["id"]]

    async def test_after_the_last_attempt_it_has_failed_and_so_has_the_endpoint(
        self, owner, endpoint, receiver, intranet
    ):
        receiver.answers = [(500, {})] * 20
        await tell(owner)
        for _ in delivery.SCHEDULE_S:
            await due_now()
            assert await delivery.deliver_due(intranet) == 1
        row = await WebhookDelivery.get()
        assert (row.status, row.attempt_count) == ("failed", len(delivery.SCHEDULE_S))
        assert (await WebhookEndpoint.get()).status == "auto_disabled"

    async def test_nobody_there_is_an_attempt_too(
        self, client, owner, receiver, endpoint, intranet
    ):
        receiver.server.close()
        await receiver.server.wait_closed()
        await tell(owner)
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        assert row.attempts[0]["status"] is None
        assert "Connect" in row.attempts[0]["error"]

    async def test_a_sender_that_dies_loses_nothing(self, owner, endpoint, receiver, intranet):
        await tell(owner)
        await WebhookDelivery.all().update(lease_until=now() + timedelta(seconds=60))
        assert await delivery.deliver_due(intranet) == 0
        await WebhookDelivery.all().update(lease_until=now() - timedelta(seconds=1))
        assert await delivery.deliver_due(intranet) == 1
        assert len(receiver.heard) == 1

    @given(st.integers(0, 30), st.none() | st.floats(0, 1e9))
    def test_waits_grow_and_end(self, attempts, asked):
        wait_s = delivery.wait_after(attempts, asked)
        assert 0 <= wait_s <= 86400
        assert wait_s >= min(86400, (asked or 0))


class TestSecrets:
    async def test_a_secret_is_shown_once_and_sealed(self, client, owner, endpoint, intranet):
        row = await WebhookEndpoint.get()
        assert endpoint["secret"] not in row.secret
        assert secrets.unseal(intranet, row.secret) == endpoint["secret"]
        for path in ("/v1/webhooks/endpoints", f"/v1/webhooks/endpoints/{endpoint['id']}"):
            assert "whsec_" not in (await client.get(path, headers=owner.headers)).text

    async def test_for_a_day_both_secrets_sign(self, client, owner, endpoint, receiver, intranet):
        path = f"/v1/webhooks/endpoints/{endpoint['id']}:rotate-secret"
        fresh = (await client.post(path, headers=owner.headers)).json()["secret"]
        await tell(owner)
        await delivery.deliver_due(intranet)
        for secret in (fresh, endpoint["secret"]):
            assert Webhook(secret).verify(receiver.heard[0].body, receiver.heard[0].headers)
        await WebhookEndpoint.all().update(former_until=now())
        await tell(owner)
        await delivery.deliver_due(intranet)
        with pytest.raises(WebhookVerificationError):
            Webhook(endpoint["secret"]).verify(receiver.heard[1].body, receiver.heard[1].headers)

    async def test_with_a_key_pair_only_the_public_key_is_told(
        self, client, owner, receiver, intranet
    ):
        """`v1a`: Ed25519 over id, timestamp and body (Standard Webhooks 1.0.0)."""
        made = await client.post(
            "/v1/webhooks/endpoints", headers=owner.headers,
            json={"url": receiver.url, "signature": "v1a"},
        )  # fmt: skip
        assert made.status_code == 201, made.text
        assert made.json()["secret"] is None
        assert "whsk_" not in made.text
        path = f"/v1/webhooks/endpoints/{made.json()['id']}:rotate-secret"
        fresh = (await client.post(path, headers=owner.headers)).json()
        keys = [made.json()["public_key"], fresh["public_key"]]
        assert keys[0] != keys[1]
        await tell(owner)
        await delivery.deliver_due(intranet)
        (heard,) = receiver.heard
        signatures = heard.headers["webhook-signature"].split(" ")
        content = b".".join(
            [heard.headers[name].encode() for name in ("webhook-id", "webhook-timestamp")]
            + [heard.body]
        )
        for key, text in zip(reversed(keys), signatures, strict=True):
            assert key.startswith("whpk_")
            version, _, signature = text.partition(",")
            assert version == "v1a"
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key[5:]))
            public.verify(base64.b64decode(signature), content)
            with pytest.raises(InvalidSignature):
                public.verify(base64.b64decode(signature), content + b" ")

    @pytest.mark.media
    def test_we_sign_as_the_known_answer_says(self, media):
        vectors = json.loads((media / "security" / "standard_webhooks_vectors.json").read_text())
        answer = vectors["known_answer"]
        moment = datetime.fromtimestamp(int(answer["timestamp"]), UTC)
        signature = Webhook(answer["secret"]).sign(answer["id"], moment, answer["body"])
        assert signature == answer["signature"]

    @pytest.mark.media
    def test_a_receivers_library_takes_ours_and_refuses_every_forgery(self, media, monkeypatch):
        """The library that signs is what receivers verify with, at the time of each case."""
        vectors = json.loads((media / "security" / "standard_webhooks_vectors.json").read_text())
        assert len(vectors["cases"]) == 20
        for case in vectors["cases"]:
            monkeypatch.setattr("standardwebhooks.webhooks.datetime", clock_at(int(case["now"])))
            try:
                receiver = Webhook(vectors["secret"])
                receiver.verify(case["body"], case["headers"], json_parse=False)
                taken = True
            except (WebhookVerificationError, ValueError):
                taken = False
            assert taken == case["valid"], case["name"]

    async def test_the_timestamp_is_the_attempts_own(self, owner, endpoint, intranet):
        await tell(owner)
        row, kept = await WebhookDelivery.get(), await WebhookEndpoint.get()
        moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
        headers = delivery.signed(intranet, kept, row, moment)
        assert headers["webhook-timestamp"] == str(int(moment.timestamp()))
        assert headers["webhook-id"] == f"msg_{row.id.hex}"


class TestByHand:
    async def test_a_test_event_can_be_sent_and_seen(
        self, client, owner, endpoint, receiver, intranet
    ):
        path = f"/v1/webhooks/endpoints/{endpoint['id']}:test"
        made = await client.post(path, headers=owner.headers)
        assert made.status_code == 202
        await delivery.deliver_due(intranet)
        shown = await client.get(f"/v1/webhooks/deliveries/{made.json()['id']}",
                                 headers=owner.headers)  # fmt: skip
        assert shown.json()["status"] == "delivered"
        assert shown.json()["payload"]["type"] == "webhook.test"
        listed = await client.get(
            "/v1/webhooks/deliveries", headers=owner.headers, params={"status": "delivered"}
        )
        assert listed.json()["count"] == 1

    async def test_a_delivery_can_be_sent_again_or_given_up(
        self, client, owner, endpoint, receiver, intranet
    ):
        receiver.answers = [(500, {})]
        await tell(owner)
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        path = f"/v1/webhooks/deliveries/{row.id}"
        done = await client.patch(path, headers=owner.headers, json={"action": "cancel"})
        assert done.json()["status"] == "cancelled"
        again = await client.patch(path, headers=owner.headers, json={"action": "cancel"})
        assert (again.status_code, again.json()["allowed"]) == (409, ["retry"])
        await client.patch(path, headers=owner.headers, json={"action": "retry"})
        assert await delivery.deliver_due(intranet) == 1
        assert (await WebhookDelivery.get()).status == "delivered"

    async def test_what_failed_in_an_outage_is_sent_again_in_bulk_and_once(
        self, client, owner, other_org, endpoint, receiver, intranet
    ):
        for _ in range(3):
            await tell(owner)
        await tell(owner, "export.completed")
        await WebhookDelivery.all().update(status="failed", attempt_count=10, next_attempt_at=None)
        old = await WebhookDelivery.all().order_by("created_at").first()
        hour_ago, day_ago = now() - timedelta(hours=1), now() - timedelta(days=1)
        await WebhookDelivery.filter(id=old.id).update(created_at=day_ago)
        path = "/v1/webhooks/deliveries:replay"
        asked = {"since": hour_ago.isoformat(), "types": ["video.ingested"]}
        strange = await client.post(path, headers=other_org.headers, json=asked)
        assert strange.json() == {"replayed": 0, "left": 0}
        first = await client.post(path, headers=owner.headers, json=asked | {"limit": 1})
        assert (first.status_code, first.json()) == (202, {"replayed": 1, "left": 1})
        answers = await asyncio.gather(
            *(client.post(path, headers=owner.headers, json=asked) for _ in range(3))
        )
        assert sum(answer.json()["replayed"] for answer in answers) == 1
        assert await delivery.deliver_due(intranet) == 2
        sent = {heard.headers["webhook-id"] for heard in receiver.heard}
        assert len(sent) == 2
        assert f"msg_{old.id.hex}" not in sent
        again = await client.post(path, headers=owner.headers, json=asked)
        assert again.json() == {"replayed": 0, "left": 0}

    async def test_a_replay_has_the_whole_schedule_before_it(
        self, client, owner, endpoint, receiver, intranet
    ):
        await tell(owner)
        await WebhookDelivery.all().update(status="failed", attempt_count=10, next_attempt_at=None)
        asked = {"since": (now() - timedelta(hours=1)).isoformat()}
        await client.post("/v1/webhooks/deliveries:replay", headers=owner.headers, json=asked)
        receiver.answers = [(500, {})]
        await delivery.deliver_due(intranet)
        row = await WebhookDelivery.get()
        assert (row.status, row.attempt_count) == ("pending", 1)
        assert (await WebhookEndpoint.get()).status == "enabled"

    async def test_a_disabled_endpoint_is_told_nothing_by_a_replay(self, client, owner, endpoint):
        await tell(owner)
        await WebhookDelivery.all().update(status="failed", next_attempt_at=None)
        await WebhookEndpoint.all().update(status="disabled")
        path = "/v1/webhooks/deliveries:replay"
        asked = {"since": (now() - timedelta(hours=1)).isoformat()}
        answer = await client.post(path, headers=owner.headers, json=asked)
        assert answer.json() == {"replayed": 0, "left": 0}
        asked["endpoint_id"] = endpoint["id"]
        answer = await client.post(path, headers=owner.headers, json=asked)
        assert (answer.status_code, answer.json()["code"]) == (409, "endpoint_disabled")

    @pytest.mark.parametrize(
        "wrong",
        [{}, {"since": 0}, {"limit": 1001}, {"limit": 0}, {"status": "pending"}, {"types": ["x"]}],
    )
    async def test_a_replay_is_bounded_and_of_what_has_ended(self, client, owner, wrong):
        asked = ({"since": now().isoformat()} | wrong) if wrong else {}
        path = "/v1/webhooks/deliveries:replay"
        assert (await client.post(path, headers=owner.headers, json=asked)).status_code == 422

    async def test_an_editor_may_look_and_not_touch(self, client, member_of, endpoint):
        editor = await member_of(Role.EDITOR)
        path = f"/v1/webhooks/endpoints/{endpoint['id']}"
        assert (await client.get(path, headers=editor.headers)).status_code == 200
        refused = await client.patch(path, headers=editor.headers, json={"status": "disabled"})
        assert refused.status_code == 403

    @pytest.mark.parametrize(
        "wrong",
        [
            {"events": ["video.exploded"]}, {"events": []}, {"url": "http://10.0.0.1/"},
            {"url": "nonsense"}, {"headers": {"Host": "x"}}, {"headers": {"webhook-id": "x"}},
            {"headers": {"A b": "x"}}, {"headers": {"A": "x\r\ny"}}, {"secret": "mine"},
        ],
    )  # fmt: skip
    async def test_what_cannot_be_meant_is_refused(self, client, owner, wrong):
        asked = {"url": "https://example.org/hook"} | wrong
        answer = await client.post("/v1/webhooks/endpoints", headers=owner.headers, json=asked)
        assert answer.status_code == 422, answer.text


class TestAddresses:
    @pytest.mark.media
    async def test_none_of_the_known_tricks_reaches_inside(self, media):
        async def answer(host, _port):
            inside = ("nip.io", "localtest.me", "localhost", "metadata.google.internal", ".")
            if host == "a.b.c.d.e":
                return []  # nobody's name
            return ["127.0.0.1"] if host.endswith(inside) else ["93.184.216.34"]

        cases = json.loads((media / "security" / "ssrf_urls.json").read_text())["cases"]
        for case in cases:
            try:
                host, port = addresses.check_url(
                    case["url"], allow_private=False, schemes=("https", "http")
                )
                await addresses.addresses_of(host, port, allow_private=False, resolver=answer)
                reached = True
            except addresses.ForbiddenAddress:
                reached = False
            assert reached == (case["expect"] != "refuse"), case

    @pytest.mark.media
    def test_the_guard_and_the_one_who_connects_see_the_same_host(self, media):
        """WHATWG's URLs: what we let through, every reader takes for the same host and port."""
        cases = json.loads((media / "security" / "urltestdata.json").read_text())
        passed = 0
        for case in cases:
            if isinstance(case, str):
                continue
            try:
                host, port = addresses.check_url(case["input"], allow_private=True)
            except addresses.ForbiddenAddress:
                continue
            passed += 1
            sent = httpx.URL(case["input"])
            usual = 443 if sent.scheme == "https" else 80
            assert (sent.host, sent.port or usual) == (host, port), case["input"]
            if not case.get("failure"):
                assert case["hostname"].strip("[]") == host, case["input"]
        assert passed >= 50

    async def test_a_host_of_two_faces_is_refused(self):
        async def answer(*_):
            return ["93.184.216.34", "10.0.0.1"]

        with pytest.raises(addresses.ForbiddenAddress):
            await addresses.addresses_of("two.example", 443, allow_private=False, resolver=answer)

    async def test_a_name_that_turns_private_is_not_called(self, owner, endpoint, app, receiver):
        """The guard stands at the connection too, whatever was allowed when it was made."""
        await tell(owner)
        from dataclasses import replace

        await delivery.deliver_due(replace(app.ctx.settings, allow_private_hosts=False))
        assert receiver.heard == []
        row = await WebhookDelivery.get()
        assert "ForbiddenAddress" in row.attempts[0]["error"]
