"""Brand kits: assets that are what they say, versions that stay, exports that wear them."""

import asyncio
import hashlib
import json
from uuid import UUID, uuid4

import pytest

from control.branding.models import BrandKit
from control.jobs.models import Job
from ray_jobs.contract import (
    AssetChecked,
    AssetInfo,
    JobKind,
    ObjectRef,
    object_key,
)
from tests.control.media_jobs import claimed, clips_found, ingested, transcribed

TYPES = {
    "watermark": "image/png", "logo": "image/png", "font": "font/ttf",
    "intro": "video/mp4", "outro": "video/mp4",
}  # fmt: skip
KITS = "/v1/branding/brand-kits"


@pytest.fixture(autouse=True)
async def empty_queue(app):
    await Job.all().delete()


@pytest.fixture
async def kit(client, owner):
    answer = await client.post(KITS, headers=owner.headers, json={"name": "Rivers"})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def call(client, owner):
    """`await call("patch", kit, "/assets", …)` on a kit's path; gives the answer's body."""

    async def send(method, kit, path="", status=200, **more):
        answer = await client.request(
            method, f"{KITS}/{kit['id']}{path}", headers=owner.headers, **more
        )
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    return send


@pytest.fixture
def upload(client, call):
    """`await upload(kit, kind, content)` sends bytes as presign says and registers them."""

    async def send(kit, kind, content=b"bytes", status=202):
        wanted = {
            "kind": kind, "filename": f"{kind}.bin", "content_type": TYPES[kind],
            "size_bytes": len(content),
        }  # fmt: skip
        signed = await call("post", kit, "/assets:presign", 201, json=wanted)
        way = signed["upload"]
        put = await client.request(
            way["method"], way["url"], headers=way["headers"], content=content
        )
        assert put.status_code < 300, put.text
        asset = {"kind": kind, "filename": wanted["filename"], "key": signed["key"]}
        return await call("post", kit, "/assets", status, json=asset)

    return send


@pytest.fixture
def ready(client, app, upload):
    """`await ready(kit, kind)` gives an asset that a worker has found to be one."""

    async def make(kit, kind, *, family=None, name=b"bytes"):
        asset = await upload(kit, kind, name)
        hand = await claimed(client, app.ctx.settings, JobKind.CHECK_ASSET)
        sha = hashlib.sha256(name + kind.encode()).hexdigest()
        key = object_key(hand.job.organization_id, "objects", sha)
        ref = ObjectRef(key=key, sha256=sha, size_bytes=5, content_type=TYPES[kind])
        info = AssetInfo(family=family)
        done = AssetChecked(asset_id=UUID(asset["id"]), object=ref, info=info)
        answer = await hand.report("succeeded", result=done)
        assert answer.status_code == 200, answer.text
        return asset | {"sha256": sha}

    return make


class TestAssets:
    async def test_are_checked_before_they_are_ready(self, kit, call, ready):
        asset = await ready(kit, "watermark")
        assert asset["status"] == "checking"
        (shown,) = (await call("get", kit, "/assets"))["items"]
        assert (shown["status"], shown["sha256"]) == ("ready", asset["sha256"])
        assert shown["download_url"].startswith("http")
        assert (await call("get", kit))["watermark_asset_id"] == asset["id"]

    async def test_that_are_not_what_they_say_are_rejected_with_the_reason(
        self, client, app, kit, call, upload
    ):
        await upload(kit, "watermark")
        hand = await claimed(client, app.ctx.settings, JobKind.CHECK_ASSET)
        problem = {"code": "svg_refused", "detail": "SVG can carry scripts.", "retryable": False}
        await hand.report("failed", problem=problem)
        (shown,) = (await call("get", kit, "/assets"))["items"]
        assert (shown["status"], shown["problem"]["code"]) == ("rejected", "svg_refused")
        assert (await call("get", kit))["watermark_asset_id"] is None

    async def test_of_a_wrong_type_or_size_get_no_credentials(self, kit, call):
        wanted = {"kind": "logo", "filename": "a", "content_type": "image/png", "size_bytes": 1}
        for wrong in (
            {"content_type": "image/svg+xml"}, {"size_bytes": 10 * 2**20 + 1}, {"kind": "film"},
            {"kind": "font"}, {"size_bytes": 0},
        ):  # fmt: skip
            await call("post", kit, "/assets:presign", 422, json=wanted | wrong)

    async def test_are_registered_only_from_where_this_kit_uploads(
        self, client, owner, other_org, kit, call
    ):
        theirs = object_key(other_org.organization_id, "uploads", "brand", kit["id"], "x")
        elsewhere = object_key(owner.organization_id, "uploads", str(uuid4()))
        asset = {"kind": "logo", "filename": "a"}
        for key in (theirs, elsewhere):
            await call("post", kit, "/assets", 422, json=asset | {"key": key})
        never = object_key(owner.organization_id, "uploads", "brand", kit["id"], str(uuid4()))
        refusal = await call("post", kit, "/assets", 409, json=asset | {"key": never})
        assert refusal["code"] == "not_uploaded"

    async def test_in_use_are_not_deleted(self, kit, call, ready):
        mark = await ready(kit, "watermark")
        refusal = await call("delete", kit, f"/assets/{mark['id']}", 409)
        assert (refusal["code"], refusal["used_as"]) == ("asset_in_use", ["watermark_asset_id"])
        await call("patch", kit, json={"watermark_asset_id": None})
        await call("delete", kit, f"/assets/{mark['id']}", 204)
        assert (await call("get", kit, "/assets"))["items"] == []
        await call("delete", kit, f"/assets/{mark['id']}", 404)

    async def test_that_are_the_kits_font_are_in_use(self, kit, call, ready):
        font = await ready(kit, "font", family="Rivers Sans")
        await call("patch", kit, json={"subtitle_style": {"font": "Rivers Sans"}})
        refusal = await call("delete", kit, f"/assets/{font['id']}", 409)
        assert refusal["used_as"] == ["subtitle_style.font"]

    async def test_fill_only_slots_of_their_kind_and_kit(self, client, owner, kit, call, ready):
        intro = await ready(kit, "intro")
        await call("patch", kit, status=422, json={"outro_asset_id": intro["id"]})
        other = (await client.post(KITS, headers=owner.headers, json={"name": "B"})).json()
        await call("patch", other, status=422, json={"intro_asset_id": intro["id"]})


class TestKits:
    async def test_styles_that_no_subtitle_has_are_refused(self, client, owner, kit, call):
        for style in ({"font_size": 3}, {"size": 9}, {"color": "red"}):
            refusal = await call("patch", kit, status=422, json={"subtitle_style": style})
            assert refusal["errors"][0]["at"].startswith("subtitle_style.")

    async def test_get_a_new_version_with_what_can_be_seen_and_with_nothing_else(
        self, kit, call, ready
    ):
        await call("patch", kit, json={"name": "Other", "colors": {"primary": "#112233"}})
        assert (await call("get", kit))["version"] == 1
        changed = await call("patch", kit, json={"placement": {"corner": "bottom_left"}})
        assert changed["version"] == 2
        same = await call("patch", kit, json={"placement": changed["placement"]})
        assert same["version"] == 2
        await ready(kit, "watermark")
        assert (await call("get", kit))["version"] == 3

    async def test_are_changed_by_one_hand_at_a_time(self, client, owner, kit, call):
        path = f"{KITS}/{kit['id']}"
        etag = (await client.get(path, headers=owner.headers)).headers["etag"]
        headers = owner.headers | {"If-Match": etag}
        answers = await asyncio.gather(
            *(client.patch(path, headers=headers, json={"name": f"N{n}"}) for n in range(3))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412]

    async def test_are_not_deleted_from_under_a_change(self, client, owner, kit, call):
        path = f"{KITS}/{kit['id']}"
        former = (await client.get(path, headers=owner.headers)).headers["etag"]
        await call("patch", kit, json={"name": "Newer"})
        late = await client.delete(path, headers=owner.headers | {"If-Match": former})
        assert late.status_code == 412
        now = (await client.get(path, headers=owner.headers)).headers["etag"]
        done = await client.delete(path, headers=owner.headers | {"If-Match": now})
        assert done.status_code == 204

    async def test_have_one_default_at_most(self, client, owner):
        for name in ("A", "B", "C"):
            wanted = {"name": name, "is_default": True}
            await client.post(KITS, headers=owner.headers, json=wanted)
        defaults = BrandKit.filter(organization_id=owner.organization_id, is_default=True)
        assert [kit.name for kit in await defaults] == ["C"]


@pytest.fixture
async def project(client, owner, app, configured):
    """A project with a recording and one clip."""
    configured(allow_private_hosts=True)
    made = await client.post("/v1/projects", headers=owner.headers, json={"name": "P"})
    wanted = {"project_id": made.json()["id"], "source": "url", "url": "http://127.0.0.1/a"}
    video = (await client.post("/v1/videos:ingest", headers=owner.headers, json=wanted)).json()
    path = f"/v1/videos/{video['video']['id']}"
    for kind, result, ask in (
        (JobKind.INGEST, ingested, None),
        (JobKind.TRANSCRIBE, transcribed, f"{path}/transcripts"),
        (JobKind.FIND_CLIPS, clips_found, f"{path}/generate-clips"),
    ):
        if ask:
            asked = await client.post(ask, headers=owner.headers, json={})
            assert asked.status_code == 202, asked.text
        hand = await claimed(client, app.ctx.settings, kind)
        answer = await hand.report("succeeded", result=result(hand.job))
        assert answer.status_code == 200, answer.text
    return made.json() | {"video": path}


@pytest.fixture
def export(client, owner, project):
    """`await export(brand_kit_id=…)` queues an export and gives its spec."""

    async def ask(status=202, **wanted):
        answer = await client.post(
            f"/v1/projects/{project['id']}/export", headers=owner.headers, json=wanted
        )
        assert answer.status_code == status, answer.text
        if status != 202:
            return answer.json()
        return (await Job.get(id=answer.json()["id"])).spec

    return ask


class TestExports:
    async def test_wear_the_kit_that_is_named(self, kit, call, ready, export):
        mark, intro = await ready(kit, "watermark"), await ready(kit, "intro")
        await call("patch", kit, json={"subtitle_style": {"active_color": "#00FF00"}})
        spec = await export(brand_kit_id=kit["id"])
        assert spec["brand"]["watermark"]["sha256"] == mark["sha256"]
        assert spec["brand"]["intro"]["sha256"] == intro["sha256"]
        assert spec["brand"]["outro"] is None
        assert spec["clips"][0]["style"]["active_color"] == "#00FF00"

    async def test_can_be_repeated_with_an_older_version(self, kit, call, ready, export):
        first = await ready(kit, "watermark", name=b"first")
        old = await call("get", kit)
        second = await ready(kit, "watermark", name=b"second")
        await call("patch", kit, json={"watermark_asset_id": second["id"]})
        await call("delete", kit, f"/assets/{first['id']}", 204)
        now = await export(brand_kit_id=kit["id"])
        then = await export(brand_kit_id=kit["id"], brand_kit_version=old["version"])
        assert now["brand"]["watermark"]["sha256"] == second["sha256"]
        assert then["brand"]["watermark"]["sha256"] == first["sha256"]

    async def test_wear_the_default_unless_told_to_wear_none(self, kit, call, export):
        assert (await export())["brand"] is None
        await call("patch", kit, json={"is_default": True})
        assert (await export())["brand"]["kit_id"] == kit["id"]
        assert (await export(brand_kit_id=None))["brand"] is None

    async def test_of_a_kit_that_is_not_there_are_refused(self, client, other_org, kit, export):
        theirs = await client.post(KITS, headers=other_org.headers, json={"name": "Theirs"})
        for wanted in (
            {"brand_kit_id": theirs.json()["id"]},
            {"brand_kit_id": kit["id"], "brand_kit_version": 99},
        ):
            refusal = await export(422, **wanted)
            assert refusal["errors"][0]["at"] in {"brand_kit_id", "brand_kit_version"}

    async def test_without_a_kit_wear_what_the_installation_names(
        self, app, owner, configured, export
    ):
        sha = hashlib.sha256(b"mark").hexdigest()
        key = object_key(owner.organization_id, "objects", sha)
        path = app.ctx.store.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mark")
        configured(brand_watermark_key=key, watermark_corner="bottom_left")
        brand = (await export())["brand"]
        assert (brand["watermark"]["sha256"], brand["watermark"]["size_bytes"]) == (sha, 4)
        assert brand["placement"]["corner"] == "bottom_left"

    async def test_styled_subtitles_wear_it_too(self, client, owner, project, kit, call):
        await call("patch", kit, json={"subtitle_style": {"color": "#ABCDEF"}})
        listed = await client.get(f"{project['video']}/clips", headers=owner.headers)
        clip = listed.json()["items"][0]
        answer = await client.post(
            f"/v1/clips/{clip['id']}/subtitles:style",
            headers=owner.headers,
            json={"brand_kit_id": kit["id"]},
        )
        spec = (await Job.get(id=answer.json()["id"])).spec
        assert spec["clip"]["style"]["color"] == "#ABCDEF"
        assert json.loads(json.dumps(spec["brand"]))["kit_id"] == kit["id"]
