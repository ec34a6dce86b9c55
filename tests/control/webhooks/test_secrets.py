"""Deliveries are signed by the standard, with secrets that are kept."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from control.records import now
from control.webhooks import delivery, secrets
from control.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.control.webhooks.owing import tell


def clock_at(moment_s):
    """A `datetime` for which it is always then."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(moment_s, tz)

    return Clock


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
