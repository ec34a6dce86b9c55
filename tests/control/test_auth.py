"""Signing in: one answer for every failure, a wait for guessers, refresh tokens that work once."""

import base64
import json
import time
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest

from control.auth import tokens
from control.billing.models import Subscription
from control.errors import Unauthorized
from control.records import now
from control.users.models import User

PASSWORD = "correct horse battery staple"


@pytest.fixture
async def account(client, configured):
    configured(signup="open")
    email = f"{uuid4().hex}@example.org"
    made = await client.post("/v1/users", json={"email": email, "password": PASSWORD})
    assert made.status_code == 201, made.text
    return made.json()


async def sign_in(client, email, password=PASSWORD):
    return await client.post("/v1/auth/token", json={"email": email, "password": password})


async def refresh(client, token):
    grant = {"grant_type": "refresh_token", "refresh_token": token}
    return await client.post("/v1/auth/token", json=grant)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def test_a_password_buys_a_token_that_says_who_one_is(client, account):
    answer = await sign_in(client, account["email"].upper())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    bought = answer.json()
    assert (bought["token_type"], bought["expires_in"]) == ("bearer", 3600)
    me = await client.get("/v1/auth/me", headers=bearer(bought["access_token"]))
    assert me.json()["user"]["id"] == account["id"]


async def test_the_form_of_oauth_2_is_understood(client, account):
    form = {"grant_type": "password", "username": account["email"], "password": PASSWORD}
    assert (await client.post("/v1/auth/token", data=form)).status_code == 200


async def test_me_lists_organisations_with_what_one_may_do_there(client, owner):
    answer = await client.get("/v1/auth/me", headers=owner.headers)
    (organization,) = answer.json()["organizations"]
    assert organization["id"] == str(owner.organization_id)
    assert (organization["role"], organization["plan"]) == ("owner", "unlimited")
    assert {"media:write", "owners:write"} <= set(organization["permissions"])


async def test_me_tells_the_plan_of_today(client, owner):
    plan = {"plan": "team", "seats": 3}
    await client.put("/v1/billing/subscription", headers=owner.headers, json=plan)
    later = {"plan": "studio", "seats": 3, "when": "next_period"}
    await client.put("/v1/billing/subscription", headers=owner.headers, json=later)

    async def told():
        answer = await client.get("/v1/auth/me", headers=owner.headers)
        return answer.json()["organizations"][0]["plan"]

    assert await told() == "team"
    rows = Subscription.filter(organization_id=owner.organization_id)
    await rows.update(next_from=now() - timedelta(seconds=1))
    assert await told() == "studio"


async def test_unknown_person_and_wrong_password_cannot_be_told_apart(client, account):
    wrong = await sign_in(client, account["email"], "not the password")
    unknown = await sign_in(client, f"{uuid4().hex}@example.org", "not the password")
    told = [
        {name: value for name, value in answer.json().items() if name != "request_id"}
        for answer in (wrong, unknown)
    ]
    assert (wrong.status_code, told[0]["code"]) == (401, "invalid_credentials")
    assert told[0] == told[1]


@pytest.mark.parametrize("known", [True, False])
async def test_guessers_wait_even_with_the_right_password(client, account, known):
    email = account["email"] if known else f"{uuid4().hex}@example.org"
    for _ in range(5):
        assert (await sign_in(client, email, "guess")).status_code == 401
    blocked = await sign_in(client, email)
    assert blocked.status_code == 429
    assert int(blocked.headers["retry-after"]) >= 1


async def test_a_success_forgives_the_failures_before_it(client, account):
    for _ in range(2):
        for _ in range(4):
            await sign_in(client, account["email"], "guess")
        assert (await sign_in(client, account["email"])).status_code == 200


async def test_a_refresh_token_works_once_and_its_theft_ends_the_family(client, account):
    first = (await sign_in(client, account["email"])).json()
    second = await refresh(client, first["refresh_token"])
    assert second.status_code == 200
    assert second.json()["refresh_token"] != first["refresh_token"]
    stolen = await refresh(client, first["refresh_token"])
    assert (stolen.status_code, stolen.json()["code"]) == (401, "invalid_grant")
    assert (await refresh(client, second.json()["refresh_token"])).status_code == 401


async def test_another_sign_in_survives_the_theft_of_one(client, account):
    stolen, other = [(await sign_in(client, account["email"])).json() for _ in range(2)]
    await refresh(client, stolen["refresh_token"])
    await refresh(client, stolen["refresh_token"])
    assert (await refresh(client, other["refresh_token"])).status_code == 200


async def test_a_closed_account_is_out_at_once(client, account):
    bought = (await sign_in(client, account["email"])).json()
    await User.filter(id=account["id"]).update(is_active=False)
    assert (
        await client.get("/v1/auth/me", headers=bearer(bought["access_token"]))
    ).status_code == 401
    assert (await refresh(client, bought["refresh_token"])).status_code == 401
    assert (await sign_in(client, account["email"])).status_code == 401


async def test_a_new_password_needs_the_old_one_and_ends_every_refresh_token(client, account):
    bought = (await sign_in(client, account["email"])).json()
    path, headers = f"/v1/users/{account['id']}", bearer(bought["access_token"])
    change = {"password": "another long password"}
    assert (await client.patch(path, json=change, headers=headers)).status_code == 403
    change["current_password"] = PASSWORD
    changed = await client.patch(path, json=change, headers=headers)
    assert changed.status_code == 200
    assert "password" not in changed.text
    assert (await refresh(client, bought["refresh_token"])).status_code == 401
    assert (await sign_in(client, account["email"])).status_code == 401
    assert (await sign_in(client, account["email"], "another long password")).status_code == 200


@pytest.mark.parametrize(
    "grant", [{}, {"grant_type": "magic"}, {"email": "a@b"}, [], "text", {"password": 5}]
)
async def test_a_grant_that_is_none_is_malformed(client, grant):
    answer = await client.post("/v1/auth/token", json=grant)
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_tokens_made_for_something_else_open_nothing(client, app, owner):
    settings = app.ctx.settings
    for audience in (tokens.INVITATION, "other"):
        token = tokens.sign(settings, owner.user.id, life_s=60, audience=audience)
        assert (await client.get("/v1/auth/me", headers=bearer(token))).status_code == 401


async def test_secrets_rotate_without_signing_anybody_out(client, app, owner, configured):
    old = app.ctx.settings.secrets[0]
    new = "another secret, also long enough to sign"
    rotated = configured(secrets=(new, old))
    assert (await client.get("/v1/auth/me", headers=owner.headers)).status_code == 200
    token = tokens.sign(rotated, owner.user.id, life_s=60)
    assert jwt.get_unverified_header(token)["kid"] == tokens.key_id(new.encode())
    assert (await client.get("/v1/auth/me", headers=bearer(token))).status_code == 200
    configured(secrets=(new,))
    assert (await client.get("/v1/auth/me", headers=owner.headers)).status_code == 401


async def test_a_token_ends_with_its_time(app, owner):
    token = tokens.sign(app.ctx.settings, owner.user.id, life_s=60)
    keys = app.ctx.settings.signing_secrets
    assert tokens.verify(token, keys, now=time.time() + 59)
    with pytest.raises(Unauthorized):
        tokens.verify(token, keys, now=time.time() + 61)


async def test_a_nul_in_a_form_is_refused_as_it_is_in_json(client):
    form = {"username": "a@example.org", "password": "correct\0horse"}
    answer = await client.post("/v1/auth/token", data=form)
    assert answer.status_code == 422
    assert [error["at"] for error in answer.json()["errors"]] == ["password"]


@pytest.mark.media
def test_no_attack_on_the_token_format_gets_through(media):
    vectors = json.loads((media / "security" / "jwt_attack_vectors.json").read_text())
    key = base64.urlsafe_b64decode(vectors["hs256_key_b64url"] + "==")
    expected = vectors["configured"]
    for case in vectors["cases"]:
        try:
            tokens.verify(
                case["token"], [key], audience=expected["aud"], issuer=expected["iss"],
                now=vectors["now"],
            )  # fmt: skip
            accepted = True
        except Unauthorized:
            accepted = False
        if case["valid"] is not None:
            assert accepted is case["valid"], case["name"]


@pytest.mark.media
def test_the_library_below_accepts_no_signature_it_should_not(media):
    """Project Wycheproof's signatures, under the one algorithm and the one form we take."""
    vectors = json.loads((media / "security" / "wycheproof_json_web_signature.json").read_text())
    checked = 0
    for group in vectors["testGroups"]:
        if group.get("private", {}).get("kty") != "oct":
            continue
        key = base64.urlsafe_b64decode(group["private"]["k"] + "==")
        # Two cases called invalid are, letter for letter, another that is valid.
        valid = {case["jws"] for case in group["tests"] if case["result"] == "valid"}
        for case in group["tests"]:
            checked += 1
            try:
                assert tokens.COMPACT.fullmatch(case["jws"])
                jwt.api_jws.decode(case["jws"], key, algorithms=[tokens.ALGORITHM])
                accepted = True
            except (AssertionError, jwt.PyJWTError):
                accepted = False
            # Base64url with strangers in it is valid to some, and never to us (RFC 7515, 2).
            assert accepted == (case["jws"] in valid and "?" not in case["jws"]), case
    assert checked >= 38


@pytest.mark.media
def test_no_other_algorithm_is_taken_whatever_the_key(media):
    vectors = json.loads((media / "security" / "wycheproof_json_web_signature.json").read_text())
    for group in vectors["testGroups"]:
        public = json.dumps(group.get("public", {})).encode()
        for case in group["tests"]:
            with pytest.raises(Unauthorized):
                tokens.verify(case["jws"], [public])


def cookbook(media):
    """Every example of RFC 7520, RFC 8037 and RFC 7797: name, what went in, what came out."""
    for path in sorted((media / "security" / "jose_cookbook").rglob("*.json")):
        example = json.loads(path.read_text())
        for part in (example, example.get("sign", {}), example.get("encrypt", {})):
            if "output" in part:
                forms = part["output"].values()
                texts = [one if isinstance(one, str) else json.dumps(one) for one in forms]
                yield path.name, part["input"], texts


def secrets_of(given):
    """What a careless check would hold an HMAC against: a shared secret, or a public key."""
    keys = given.get("key", [])
    for key in keys if isinstance(keys, list) else [keys]:
        if key["kty"] == "oct":
            yield base64.urlsafe_b64decode(key["k"] + "==")
        public = {
            name: key[name] for name in ("kty", "kid", "crv", "x", "y", "n", "e") if name in key
        }
        yield json.dumps(public).encode()


@pytest.mark.media
async def test_no_token_of_the_cookbook_opens_anything_even_with_its_own_key(client, media):
    """Signed by others, detached, unencoded, encrypted, nested, in JSON: none is one of ours."""
    seen = set()
    for name, given, texts in cookbook(media):
        seen.add(name)
        for text in texts:
            answer = await client.get("/v1/auth/me", headers=bearer(text))
            assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid"), name
            for secret in [b"", *secrets_of(given)]:
                with pytest.raises(Unauthorized):
                    tokens.verify(text, [secret])
    assert len(seen) == 26


@pytest.mark.media
def test_of_the_cookbook_only_our_algorithm_in_our_form_verifies(media):
    """RFC 7520, section 4.4."""
    verified = {}
    for name, given, texts in cookbook(media):
        for text in texts:
            for secret in secrets_of(given):
                with suppress(jwt.PyJWTError):
                    payload = jwt.api_jws.decode(text, secret, algorithms=[tokens.ALGORITHM])
                    verified[name] = payload.decode() == given["payload"]
    assert verified == {"4_4.hmac-sha2_integrity_protection.json": True}


@pytest.mark.media
async def test_our_own_claims_signed_in_another_way_are_refused(client, owner, configured, media):
    """Nothing is wrong with these tokens but their algorithm."""
    secret = "a secret that is long enough for the longest of the hashes: 64 bytes"
    settings = configured(secrets=(secret,))
    ours = tokens.sign(settings, owner.user.id, life_s=60)
    assert (await client.get("/v1/auth/me", headers=bearer(ours))).status_code == 200
    claims = jwt.decode(ours, options={"verify_signature": False})
    signers = {"none": None, "HS384": secret, "HS512": secret}
    for _, given, _ in cookbook(media):
        if given["alg"] in ("RS256", "PS384", "ES512", "EdDSA"):
            signers[given["alg"]] = jwt.PyJWK.from_dict(given["key"], given["alg"]).key
    assert len(signers) == 7
    for algorithm, key in signers.items():
        token = jwt.encode(claims, key, algorithm)
        answer = await client.get("/v1/auth/me", headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid"), algorithm
