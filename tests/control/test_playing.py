"""An HLS ladder that a worker made plays from the running server, for whoever has the link."""

import asyncio
import re
import time
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from uuid import uuid4
from zlib import crc32

import av
import httpx
import pytest

from control.artifacts.models import ArtifactRow
from control.auth import tokens
from control.dmca.models import DmcaBlock, DmcaNotice
from control.storage import open_store
from control.videos.models import Video
from ray_jobs.contract import (
    Directive,
    HlsLadder,
    Ingested,
    IngestLimits,
    JobKind,
    Order,
    Rung,
    Transcode,
)
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.probe import probe
from ray_jobs.run import JobRun
from ray_jobs.settings import WorkerSettings
from ray_jobs.transcode import transcode
from tests.control.media_jobs import MediaPath, claimed

LADDER = HlsLadder(
    rungs=[Rung(height=90, max_bitrate_bps=300_000), Rung(height=46, max_bitrate_bps=100_000)],
    segment_s=1,
    speed="ultrafast",
)
RATE = Fraction(25)
LENGTH_S = 5.0
SITE = "https://studio.example"


class Silent:
    def send(self, report, *, patience_s):
        return Directive.CONTINUE


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Five seconds, odd in size, with a tone."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    ffmpeg([
        "-f", "lavfi", "-i", f"testsrc2=size=161x91:rate=25:duration={LENGTH_S}",
        "-f", "lavfi", "-i", f"sine=frequency=330:duration={LENGTH_S}",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p", "-c:a", "flac", str(path),
    ])  # fmt: skip
    return path


@pytest.fixture
def worker_settings(app, tmp_path):
    return WorkerSettings(store_url=app.ctx.store.root.as_uri(), cache_dir=tmp_path / "cache")


@pytest.fixture
def at_work(worker_settings, tmp_path):
    """`await at_work(job, work)` does a job's work on the server's own object store."""

    async def do(job, work):
        folder = tmp_path / str(uuid4())
        folder.mkdir()
        spec = job.spec
        order = Order(
            job_id=job.id, organization_id=job.organization_id, attempt=1, lease_s=60,
            report_url="http://127.0.0.1:9/unused", worker_token="unused", spec=spec,
        )  # fmt: skip
        run = JobRun(order, worker_settings, Silent(), folder)
        return await asyncio.to_thread(work, run, order.spec)

    return do


@pytest.fixture
async def video(api, at_work, film):
    """A video with the film's own bytes and a ladder of it."""

    def take(run, _spec):
        ref = run.adopt(film, "video/x-matroska")
        return Ingested(object=ref, media=probe(film, IngestLimits()), artifacts=[])

    video = await api.upload()
    await api.call("POST", f"/v1/videos/{video['id']}:complete-upload", 202)
    await done(api, JobKind.INGEST, at_work, take)
    wanted = LADDER.model_dump(mode="json")
    await api.call("POST", f"/v1/videos/{video['id']}:transcode", 202, hls=wanted)
    await done(api, JobKind.TRANSCODE, at_work, transcode)
    return await api.call("GET", f"/v1/videos/{video['id']}")


async def done(api, kind, at_work, work):
    hand = await claimed(api.client, api.settings, kind)
    result = await at_work(hand.job, work)
    answer = await hand.report("succeeded", progress=1.0, result=result)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def playing(api, video):
    return await api.call("GET", f"/v1/videos/{video['id']}/hls")


async def frames(url, kind="video", index=0, from_s=None) -> list[tuple[float, int]]:
    """Time and checksum of each frame as PyAV's ffmpeg plays it.

    The ffmpeg we encode with (9.0) stops after the first byte range of a file that comes by HTTP,
    also of what its own HLS muxer makes; PyAV's (8.1) does not.
    """

    def play():
        with av.open(url) as container:
            stream = list(getattr(container.streams, kind))[index]
            if from_s is not None:
                container.seek(int(from_s * 1_000_000))
            return [(f.time, crc32(f.to_ndarray().tobytes())) for f in container.decode(stream)]

    return await asyncio.wait_for(asyncio.to_thread(play), 60)


class TestPlaying:
    async def test_ffmpeg_plays_every_rung_and_the_sound_to_the_end(self, playing):
        for rung in range(2):
            times = [time_s for time_s, _ in await frames(playing["url"], index=rung)]
            assert times == pytest.approx([n / float(RATE) for n in range(125)], abs=0.001)
        heard = await frames(playing["url"], "audio")
        assert heard[0][0] == pytest.approx(0, abs=0.03)
        assert heard[-1][0] == pytest.approx(LENGTH_S, abs=0.05)

    async def test_a_seek_into_the_middle_begins_at_a_segment_and_shows_the_same(self, playing):
        whole = await frames(playing["url"])
        sought = await frames(playing["url"], from_s=3.2)
        assert sought == whole[75:]

    async def test_the_master_names_what_it_leads_to(self, client, playing):
        answer = await client.get(playing["url"])
        assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
        large, small = re.findall(r"#EXT-X-STREAM-INF:(.*)", answer.text)
        assert re.search(r'CODECS="avc1\.[0-9a-f]{6},mp4a\.40\.2"', large)
        assert re.search(r"RESOLUTION=1\d\dx90,FRAME-RATE=25.000", large)
        assert "x46," in small
        for variant in (large, small):
            peak, average = re.findall(r"BANDWIDTH=(\d+)", variant)
            assert 0 < int(average) <= int(peak)

    async def test_segments_come_by_range_from_the_store(self, client, playing):
        text = (await client.get(playing["url"].replace("master", "90p"))).text
        link = re.search(r'URI="([^"]+)"', text)[1]
        size, offset = map(int, re.search(r"BYTERANGE:(\d+)@(\d+)", text).groups())
        span = {"Range": f"bytes={offset}-{offset + size - 1}"}
        answer = await client.get(link, headers=span)
        assert (answer.status_code, len(answer.content)) == (206, size)
        assert answer.content[4:8] == b"moof"

    async def test_a_player_on_an_allowed_site_may_read_all_of_it(
        self, client, playing, configured
    ):
        configured(cors_origins=(SITE,))
        text = await client.get(playing["url"].replace("master", "90p"), headers={"Origin": SITE})
        assert text.headers["access-control-allow-origin"] == SITE
        link = re.search(r'URI="([^"]+)"', text.text)[1]
        asks = {"Origin": SITE, "Access-Control-Request-Method": "GET"}
        preflight = await client.options(link, headers=asks)
        assert "Range" in preflight.headers["access-control-allow-headers"]
        part = await client.get(link, headers={"Origin": SITE, "Range": "bytes=0-9"})
        assert part.headers["access-control-allow-origin"] == SITE

    async def test_the_log_keeps_the_link_to_itself(self, client, playing, caplog):
        with caplog.at_level("INFO", logger="cutroom.access"):
            await client.get(playing["url"])
        said = [r.getMessage() for r in caplog.records if r.name == "cutroom.access"]
        assert any("/play/…/master.m3u8 200" in line for line in said)
        assert playing["url"].split("/")[-2] not in str(said)


class TestLinks:
    async def test_a_video_without_a_ladder_says_how_to_get_one(self, api):
        video = await api.ready()
        answer = await api.call("GET", f"/v1/videos/{video['id']}/hls", 404)
        assert answer["code"] == "no_hls"

    async def test_another_organisation_gets_none(self, client, video, other_org):
        path = f"/v1/videos/{video['id']}/hls"
        assert (await client.get(path, headers=other_org.headers)).status_code == 404

    async def test_a_changed_link_an_old_one_and_another_token_are_refused(
        self, app, client, owner, playing, video
    ):
        base, _, rest = playing["url"].partition("/play/")
        token = rest.split("/")[0]
        head, body, mac = token.split(".")
        master = await ArtifactRow.get(video_id=video["id"], kind="hls_master")

        def signed(**more):
            more = {"life_s": 60, "audience": "cutroom-play"} | more
            return tokens.sign(app.ctx.settings, master.id, **more)

        ours = str(owner.organization_id)
        assert (await client.get(f"{base}/play/{signed(org=ours)}/master.m3u8")).status_code == 200
        for bad in (
            f"{head}.{body}.{'A' if mac[0] != 'A' else 'B'}{mac[1:]}",
            owner.token,
            signed(org=ours, life_s=-1),
            signed(org=ours, audience=tokens.AUDIENCE),
            signed(),
            signed(org="x"),
        ):
            answer = await client.get(f"{base}/play/{bad}/master.m3u8")
            assert (answer.status_code, answer.json()["code"]) == (403, "link_invalid")

    async def test_a_link_is_for_its_organisations_ladder_alone(self, app, client, video):
        master = await ArtifactRow.get(video_id=video["id"], kind="hls_master")
        token = tokens.sign(
            app.ctx.settings, master.id, life_s=60, audience="cutroom-play", org=str(uuid4())
        )
        assert (await client.get(f"/play/{token}/master.m3u8")).status_code == 404

    async def test_it_leads_to_playlists_and_nothing_else(self, client, playing):
        for name in ("90p.mp4", "nothing.m3u8", "..%2fmaster.m3u8"):
            url = playing["url"].replace("master.m3u8", name)
            assert (await client.get(url)).status_code == 404

    async def test_it_outlives_the_recording(self, app, playing):
        from datetime import UTC, datetime

        left = datetime.fromisoformat(playing["expires_at"]) - datetime.now(UTC)
        assert 0 <= app.ctx.settings.play_s + LENGTH_S - left.total_seconds() < 60

    async def test_what_a_person_registers_is_not_played(self, api, video, app, client):
        key = f"orgs/{api.person.organization_id}/objects/evil"
        path = app.ctx.store.path(key)
        evil = b"#EXTM3U\nhttp://evil.example/"
        path.write_bytes(evil)
        before = await api.call("GET", f"/v1/videos/{video['id']}/hls")
        await api.call(
            "POST", f"/v1/videos/{video['id']}/artifacts", 201, kind="hls_master", key=key,
            filename="master.m3u8", sha256=sha256(evil).hexdigest(), content_type="text/plain",
        )  # fmt: skip
        after = await api.call("GET", f"/v1/videos/{video['id']}/hls")
        texts = [(await client.get(one["url"])).text for one in (before, after)]
        assert texts[0] == texts[1]


@pytest.mark.s3
@pytest.mark.xdist_group("rgw")
class TestFromS3:
    """The same from a bucket: the server gives playlists, and the S3 itself every byte of media."""

    @pytest.fixture
    async def store(self, app, gateway, monkeypatch):
        for name, value in gateway.environment().items():
            monkeypatch.setenv(name, value)
        settings = replace(app.ctx.settings, s3_bucket="cutroom", s3_endpoint_url=gateway.url)
        s3 = open_store(settings)
        monkeypatch.setattr(app.ctx, "store", s3)
        yield s3
        await s3.close()

    @pytest.fixture
    def worker_settings(self, gateway, tmp_path):
        return WorkerSettings(
            store_url="s3://cutroom", s3_endpoint_url=gateway.url, cache_dir=tmp_path / "cache"
        )

    @pytest.fixture
    async def api(self, client, owner, app, store):
        return MediaPath(client, owner, app.ctx.settings)

    async def test_every_segment_comes_by_its_signed_link_and_decodes(
        self, client, playing, gateway, tmp_path
    ):
        master = (await client.get(playing["url"])).text
        names = re.findall(r'^(?!#)(\S+)\.m3u8|URI="([^"]+)\.m3u8"', master, re.M)
        found = {}
        async with httpx.AsyncClient() as http:
            for name in {one or other for one, other in names}:
                text = (await client.get(playing["url"].replace("master", name))).text
                assert sum(map(float, re.findall(r"#EXTINF:([\d.]+)", text))) == pytest.approx(
                    LENGTH_S, abs=0.05
                )
                (link,) = set(re.findall(r"https?://[^\s\"]+", text))
                assert link.startswith(gateway.url)
                parts = []
                for size, offset in re.findall(r'BYTERANGE[:=]"?(\d+)@(\d+)', text):
                    last = int(offset) + int(size) - 1
                    part = await http.get(link, headers={"Range": f"bytes={offset}-{last}"})
                    assert (part.status_code, len(part.content)) == (206, int(size))
                    parts.append(part.content)
                assert len(parts) == 1 + text.count("#EXTINF") > LENGTH_S / 2
                found[name] = tmp_path / f"{name}.mp4"
                found[name].write_bytes(b"".join(parts))
        assert set(found) == {"90p", "46p", "sound"}
        for rung in ("90p", "46p"):
            times = [time_s for time_s, _ in await frames(str(found[rung]))]
            assert times == pytest.approx([n / float(RATE) for n in range(125)], abs=0.001)
        heard = await frames(str(found["sound"]), "audio")
        assert heard[-1][0] == pytest.approx(LENGTH_S, abs=0.05)
        assert await frames(playing["url"]) == await frames(str(found["90p"]))

    async def test_a_link_that_is_old_changed_or_for_something_else_is_refused(
        self, app, client, owner, playing, video, store, gateway
    ):
        master = await ArtifactRow.get(video_id=video["id"], kind="hls_master")
        base = playing["url"].partition("/play/")[0]
        for org, life_s, status in (
            (owner.organization_id, 60, 200), (owner.organization_id, -1, 403), (uuid4(), 60, 404)
        ):  # fmt: skip
            token = tokens.sign(
                app.ctx.settings, master.id, life_s=life_s, audience="cutroom-play", org=str(org)
            )
            assert (await client.get(f"{base}/play/{token}/master.m3u8")).status_code == status
        text = (await client.get(playing["url"].replace("master", "90p"))).text
        link = re.search(r'URI="([^"]+)"', text)[1]
        large, small = await ArtifactRow.filter(
            video_id=video["id"], kind="hls_media", filename__in=["90p.mp4", "46p.mp4"]
        ).order_by("-size_bytes")
        short = await store.presign_download(
            large.key, filename="90p.mp4", content_type="video/mp4", expires_s=1
        )
        async with httpx.AsyncClient() as http:
            assert (await http.get(link)).status_code == 200
            for bad in (
                link.replace(large.key, small.key),
                re.sub(r"(X-Amz-Expires=)\d+", r"\g<1>999", link),
                link.partition("?")[0],
            ):
                assert bad != link
                assert (await http.get(bad)).status_code == 403
            deadline_s = time.monotonic() + 60
            while (await http.get(short)).status_code != 403:
                assert time.monotonic() < deadline_s, "it never expires"
                await asyncio.sleep(0.2)


class TestEnd:
    async def test_a_takedown_ends_it(self, api, client, owner, video, playing):
        sha = (await Video.get(id=video["id"])).sha256
        notice = await DmcaNotice.create(
            organization_id=owner.organization_id, status="content_disabled", missing=[],
            sha256s=[sha], claim={}, history=[],
        )  # fmt: skip
        await DmcaBlock.create(
            organization_id=owner.organization_id, notice_id=notice.id, sha256=sha
        )
        for name in ("master", "90p", "sound"):
            answer = await client.get(playing["url"].replace("master", name))
            assert answer.status_code == 451
        await api.call("GET", f"/v1/videos/{video['id']}/hls", 451)

    async def test_a_deleted_video_plays_no_more(self, api, client, video, playing):
        await api.call("DELETE", f"/v1/videos/{video['id']}", 204)
        assert (await client.get(playing["url"])).status_code == 404


class TestOrder:
    async def test_the_profile_hls_is_the_ladder_with_its_defaults(self, api):
        video = await api.ready()
        path = f"/v1/videos/{video['id']}:transcode"
        job = await api.call("POST", path, 202, profiles=["hls", "proxy"])
        hand = await claimed(api.client, api.settings, JobKind.TRANSCODE)
        assert str(hand.job.id) == job["id"]
        spec = Transcode.model_validate(hand.job.spec)
        assert (spec.hls, [one.name for one in spec.renditions]) == (HlsLadder(), ["proxy"])

    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"hls": {"rungs": []}},
            {"hls": {"rungs": [{"height": 90, "max_bitrate_bps": 60_000}] * 2}},
        ],
    )
    async def test_an_empty_or_doubled_ladder_is_refused(self, api, wrong):
        video = await api.ready()
        await api.call("POST", f"/v1/videos/{video['id']}:transcode", 422, **wrong)
