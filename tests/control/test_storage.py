"""Two object stores, one promise: the embedded directory, and an S3 (Ceph RGW) held to the same."""

import asyncio
import contextlib
import hashlib
import os
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import httpx
import pytest

from control.client.api import Api
from control.records import now
from control.storage import Upload, open_store
from control.store import s3
from control.store.directory import DirectoryStore
from control.videos import uploads
from control.videos.models import Video
from ray_jobs.storage import open_store as open_worker_store
from tests.control.media_jobs import MediaPath

BODY = bytes(range(256)) * 40
LIMIT = len(BODY)
S3 = pytest.param("s3", marks=[pytest.mark.s3, pytest.mark.xdist_group("rgw")])


@pytest.fixture(params=["directory", S3])
async def store(request, app, monkeypatch):
    if request.param == "directory":
        yield app.ctx.store
        return
    gateway = request.getfixturevalue("gateway")
    for name, value in gateway.environment().items():
        monkeypatch.setenv(name, value)
    settings = replace(app.ctx.settings, s3_bucket="cutroom", s3_endpoint_url=gateway.url)
    opened = open_store(settings)
    yield opened
    await opened.close()


@pytest.fixture
def worker_store(store, gateway_of):
    return gateway_of(store)


@pytest.fixture
def gateway_of(app, request):
    """The workers' side of the same store."""

    def opened(store):
        if isinstance(store, DirectoryStore):
            return open_worker_store(store.root.as_uri())
        gateway = request.getfixturevalue("gateway")
        return open_worker_store("s3://cutroom", s3_endpoint_url=gateway.url)

    return opened


@pytest.fixture
def key() -> str:
    return f"orgs/{uuid4()}/uploads/{uuid4()}"


async def send(upload: Upload, body: bytes, *, content_type: str = "video/mp4") -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as http:
        if upload.fields:
            fields = {**upload.fields, "Content-Type": content_type}
            return await http.post(upload.url, data=fields, files={"file": ("x", body)})
        headers = {**upload.headers, "Content-Type": content_type}
        return await http.request(upload.method, upload.url, content=body, headers=headers)


async def fetch(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as http:
        return await http.request(method, url, headers=headers)


async def stored(store, key: str, body: bytes = BODY) -> None:
    upload = await offered(store, key, max_bytes=max(1, len(body)))
    answer = await send(upload, body)
    assert answer.is_success, answer.text


def offered(store, key: str, *, max_bytes: int = LIMIT, expires_s: int = 60):
    return store.presign_upload(
        key, content_type="video/mp4", max_bytes=max_bytes, expires_s=expires_s
    )


def link(store, key: str, *, filename: str = "talk.mp4", expires_s: int = 60):
    return store.presign_download(
        key, filename=filename, content_type="video/mp4", expires_s=expires_s
    )


class TestUpload:
    async def test_bytes_arrive_whole(self, store, key):
        assert await store.head(key) is None
        await stored(store, key)
        head = await store.head(key)
        assert head.size_bytes == len(BODY)
        assert head.etag
        assert (await fetch(await link(store, key))).content == BODY

    async def test_nothing_is_something_too(self, store, key):
        await stored(store, key, b"")
        assert (await store.head(key)).size_bytes == 0

    async def test_one_byte_too_many_is_refused_and_leaves_nothing(self, store, key):
        answer = await send(await offered(store, key), BODY + b"!")
        assert answer.status_code in (400, 413), answer.text
        assert await store.head(key) is None

    async def test_another_type_is_refused(self, store, key):
        answer = await send(await offered(store, key), BODY, content_type="text/html")
        assert answer.status_code in (403, 415), answer.text
        assert await store.head(key) is None

    async def test_a_link_expires(self, store, key):
        upload = await offered(store, key, expires_s=1)
        await asyncio.sleep(2.1)
        assert (await send(upload, BODY)).status_code in (400, 403)
        assert await store.head(key) is None

    async def test_a_link_is_for_its_key_alone(self, store, key):
        upload = await offered(store, key)
        other = f"{key}-other"
        if upload.fields:
            upload.fields["key"] = other
        else:
            upload.url = tampered(upload.url)
        assert (await send(upload, BODY)).status_code == 403
        assert await store.head(other) is None
        assert await store.head(key) is None

    async def test_two_at_once_leave_one_of_the_two(self, store, key):
        bodies = [b"a" * LIMIT, b"b" * LIMIT]
        uploads = [await offered(store, key) for _ in bodies]
        answers = await asyncio.gather(*map(send, uploads, bodies))
        assert all(answer.is_success for answer in answers)
        assert (await fetch(await link(store, key))).content in bodies

    async def test_delete_is_final_and_may_come_twice(self, store, key):
        await stored(store, key)
        await store.delete(key)
        await store.delete(key)
        assert await store.head(key) is None
        assert (await fetch(await link(store, key))).status_code == 404


class TestDownload:
    @pytest.mark.parametrize(
        ("wanted", "span"),
        [
            ("bytes=0-0", (0, 1)),
            ("bytes=100-199", (100, 200)),
            ("bytes=-10", (LIMIT - 10, LIMIT)),
            (f"bytes={LIMIT - 5}-", (LIMIT - 5, LIMIT)),
            (f"bytes=0-{LIMIT * 2}", (0, LIMIT)),
        ],
    )
    async def test_a_range_gives_those_bytes(self, store, key, wanted, span):
        await stored(store, key)
        answer = await fetch(await link(store, key), Range=wanted)
        first, end = span
        assert answer.status_code == 206
        assert answer.content == BODY[first:end]
        assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{LIMIT}"

    async def test_a_range_beyond_the_end_is_not_satisfiable(self, store, key):
        await stored(store, key)
        answer = await fetch(await link(store, key), Range=f"bytes={LIMIT}-")
        assert answer.status_code == 416

    async def test_it_says_its_type_length_tag_and_name(self, store, key):
        await stored(store, key)
        answer = await fetch(await link(store, key, filename='Grüße; "x" ☃.mp4'))
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers["content-length"] == str(LIMIT)
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["etag"]
        named = answer.headers["content-disposition"]
        assert "filename*=UTF-8''Gr%C3%BC%C3%9Fe%3B%20%22x%22%20%E2%98%83.mp4" in named

    async def test_a_link_expires(self, store, key):
        await stored(store, key)
        url = await link(store, key, expires_s=1)
        await asyncio.sleep(2.1)
        assert (await fetch(url)).status_code == 403

    async def test_a_changed_link_is_refused(self, store, key):
        await stored(store, key)
        assert (await fetch(tampered(await link(store, key)))).status_code == 403

    async def test_a_download_link_does_not_upload(self, store, key):
        await stored(store, key)
        url = await link(store, key)
        async with httpx.AsyncClient() as http:
            answer = await http.put(url, content=b"x", headers={"Content-Type": "video/mp4"})
        assert answer.status_code == 403
        assert (await store.head(key)).size_bytes == LIMIT


@pytest.mark.s3
@pytest.mark.xdist_group("rgw")
@pytest.mark.parametrize("store", ["s3"], indirect=True)
class TestParts:
    """A file that is too large for one request; S3 wants parts of 5 MiB at least."""

    @pytest.fixture
    def api(self, client, owner, app, store, monkeypatch):
        monkeypatch.setattr(s3, "PARTED_ABOVE_BYTES", 1 << 20)
        monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)
        monkeypatch.setattr(app.ctx, "store", store)
        return MediaPath(client, owner, app.ctx.settings)

    @pytest.fixture
    def film(self, tmp_path):
        path = tmp_path / "film.mp4"
        path.write_bytes(os.urandom((11 << 20) + 7))
        return path

    async def begin(self, api, film):
        project = await api.call("POST", "/v1/projects", 201, name="Rivers")
        return await api.call(
            "POST", "/v1/videos:ingest", 202, project_id=project["id"], source="upload",
            filename="film.mp4", size_bytes=film.stat().st_size,
        )  # fmt: skip

    async def test_are_sent_by_our_client_and_joined(self, api, film, store):
        begun = await self.begin(api, film)
        parts = begun["upload"]["parts"]
        assert [part["size_bytes"] for part in parts] == [5 << 20, 5 << 20, (1 << 20) + 7]
        assert begun["upload"]["url"] is None
        assert "session" not in begun["upload"]
        shares = []
        ours = Api("http://127.0.0.1:9", "token", "org")
        await asyncio.to_thread(ours.upload, begun["upload"], film, shares.append)
        assert shares[-1] == 1.0
        path = f"/v1/videos/{begun['video']['id']}:complete-upload"
        job = await api.call("POST", path, 202)
        assert (await api.call("POST", path, 202))["id"] == job["id"]
        row = await Video.get(id=begun["video"]["id"])
        assert await store.sha256(row.upload_key) == hashlib.sha256(film.read_bytes()).hexdigest()

    async def test_are_not_joined_while_one_is_missing(self, api, film, store):
        begun = await self.begin(api, film)
        path = f"/v1/videos/{begun['video']['id']}"
        assert (await api.call("POST", f"{path}:complete-upload", 409))["code"] == "not_uploaded"
        part = begun["upload"]["parts"][0]
        async with httpx.AsyncClient(timeout=30) as http:
            body = film.read_bytes()[: part["size_bytes"]]
            assert (await http.put(part["url"], content=body)).is_success
        assert (await api.call("POST", f"{path}:complete-upload", 409))["code"] == "size_mismatch"
        await api.call("POST", f"{path}:cancel-upload")
        row = await Video.get(id=begun["video"]["id"])
        await Video.filter(id=row.id).update(upload_until=now() - uploads.GRACE * 2)
        await uploads.expire(store)
        assert await store.join(row.upload_key, row.upload_session, 1) is None  # they are gone
        await store.drop(row.upload_key, row.upload_session)


class TestHashing:
    async def test_it_is_of_every_byte(self, store, key):
        await stored(store, key)
        assert await store.sha256(key) == hashlib.sha256(BODY).hexdigest()

    async def test_nothing_has_none(self, store, key):
        assert await store.sha256(key) is None


class TestWorkersSide:
    async def test_what_a_worker_stores_users_can_fetch(self, store, worker_store, key, tmp_path):
        path = tmp_path / "clip.mp4"
        path.write_bytes(os.urandom(1 << 20) * 20)
        await asyncio.to_thread(worker_store.put, path, key, "video/mp4")
        assert (await store.head(key)).size_bytes == path.stat().st_size
        assert (await fetch(await link(store, key))).content == path.read_bytes()

    async def test_what_users_upload_a_worker_can_fetch(self, store, worker_store, key, tmp_path):
        await stored(store, key)
        assert await asyncio.to_thread(worker_store.head, key) == LIMIT
        assert await asyncio.to_thread(worker_store.get, key, tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == BODY

    async def test_what_is_not_there_is_not_there(self, worker_store, key, tmp_path):
        assert await asyncio.to_thread(worker_store.head, key) is None
        assert not await asyncio.to_thread(worker_store.get, key, tmp_path / "got")
        assert not (tmp_path / "got").exists()


class TestDirectory:
    """What only the embedded store must withstand."""

    async def test_an_upload_that_breaks_off_leaves_nothing(self, app, key):
        store = app.ctx.store
        upload = await offered(store, key)
        parts = urlsplit(upload.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(
            f"PUT {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Type: video/mp4\r\n"
            f"Content-Length: {LIMIT}\r\n\r\n".encode()
            + BODY[:100]
        )
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        for _ in range(50):
            left = list(store.path(key).parent.glob("*"))
            if not left:
                break
            await asyncio.sleep(0.1)
        assert left == []
        assert reader is not None

    @pytest.mark.parametrize(
        "key", ["../escape", "a/../../escape", "/etc/passwd", "a/../b", "orgs/../../x"]
    )
    async def test_no_signed_key_leaves_the_directory(self, app, key):
        store = app.ctx.store
        ticket = {"op": "put", "key": key, "type": "video/mp4", "max": 10, "exp": 2**40}
        upload = await offered(store, "anything")
        upload.url = f"{store.base_url}/store/{store.sign(ticket)}"
        assert (await send(upload, b"x")).status_code == 403

    @pytest.mark.parametrize("text", ["x", "x.y", ".", "é.é", "a" * 3000, "%00", "a.b.c"])
    async def test_a_made_up_ticket_is_refused(self, client, text):
        assert (await client.get(f"/store/{text}")).status_code in (403, 404)

    async def test_a_full_disk_is_said_so_and_leaves_nothing(self, app, key, monkeypatch):
        def full(_file):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("control.store.routes._flush", full)
        answer = await send(await offered(app.ctx.store, key), BODY)
        assert (answer.status_code, answer.json()["code"]) == (507, "no_space")
        assert await app.ctx.store.head(key) is None

    @pytest.mark.media
    async def test_any_name_travels_in_a_header(self, app, key, media):
        import json

        store = app.ctx.store
        await stored(store, key)
        names = json.loads((media / "security" / "hostile_filenames.json").read_text())
        texts = [name if isinstance(name, str) else str(name) for name in names]
        for name in texts[:60]:
            clean = name.encode("utf-8", "replace").decode()
            answer = await fetch(await link(store, key, filename=clean))
            assert answer.status_code == 200, name
            assert "\r" not in answer.headers["content-disposition"]


def test_the_store_follows_the_settings(settings):
    assert isinstance(open_store(settings), DirectoryStore)
    assert isinstance(open_store(replace(settings, s3_bucket="b")), s3.S3Store)


def tampered(url: str) -> str:
    """The same link for something else: another path under S3, another ticket here."""
    parts = urlsplit(url)
    head, _, tail = parts.path.rpartition("/")
    path = f"{head}/{'A' if tail[0] != 'A' else 'B'}{tail[1:]}"
    return urlunsplit(parts._replace(path=path))
