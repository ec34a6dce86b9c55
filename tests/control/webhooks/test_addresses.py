"""No address inside is called, by whatever name."""

import json

import httpx
import pytest

from control.webhooks import addresses, delivery
from control.webhooks.models import WebhookDelivery
from tests.control.webhooks.owing import tell


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
