"""Ingest keeps the original as it came, and makes what people look at from it once."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.contract import Directive, Ingest, IngestLimits, MediaInfo
from ray_jobs.failures import Cancelled, Failure
from ray_jobs.ingest import content_type, ingest, safe_name
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.survey import survey

LIMITS = IngestLimits(allow_private_hosts=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Two seconds of picture and sound."""
    path = tmp_path_factory.mktemp("source") / "clip.mkv"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2")
    ffmpeg([*picture, "-f", "lavfi", "-i", "sine=d=2", "-c:v", "libx264", "-c:a", "aac", str(path)])
    return path


@pytest.fixture
def upload(settings):
    """`upload(path)` puts a file where the control plane would have, and names its key."""

    def put(path: Path, key: str = "orgs/x/uploads/1") -> str:
        target = Path(settings.store_url.removeprefix("file://")) / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        return key

    return put


def spec(**what) -> Ingest:
    return Ingest(**{"video_id": uuid4(), "filename": "clip.mkv", "limits": LIMITS, **what})


def test_an_upload_becomes_original_proxy_poster_and_filmstrip(job_run, upload, clip):
    order = spec(key=upload(clip), filename="../../My talk.mkv")
    run = job_run(order)
    found = ingest(run, order)
    sha256 = hashlib.sha256(clip.read_bytes()).hexdigest()
    assert found.object.sha256 == sha256
    assert sha256 in found.object.key
    assert found.object.content_type == "video/x-matroska"
    assert (found.media.width, found.media.height, found.media.frames) == (160, 90, 50)
    assert [each.kind for each in found.artifacts] == ["source", "proxy", "poster", "filmstrip"]
    assert found.artifacts[0].filename == "My talk.mkv"
    for artifact in found.artifacts:
        data = run.fetch(artifact.object).read_bytes()
        assert hashlib.sha256(data).hexdigest() == artifact.object.sha256
    proxy = run.fetch(found.artifacts[1].object)
    media = survey(proxy, LIMITS)
    assert (media.container, media.video_codec, media.audio[0].codec) == ("mp4", "h264", "aac")
    assert media.duration_s == pytest.approx(found.media.duration_s, abs=0.05)
    index, data = proxy.read_bytes().index(b"moov"), proxy.read_bytes().index(b"mdat")
    assert index < data


def test_black_bars_are_known_from_the_start(job_run, upload, tmp_path):
    wide = "testsrc2=s=320x136:r=5:d=8,pad=320:180:0:22:black"
    ffmpeg(["-f", "lavfi", "-i", wide, "-c:v", "libx264", str(tmp_path / "wide.mp4")])
    order = spec(key=upload(tmp_path / "wide.mp4"), filename="wide.mp4")
    media = ingest(job_run(order), order).media
    assert media.active == pytest.approx((0.0, 0.13, 1.0, 0.74), abs=0.02)
    assert MediaInfo.model_validate_json(media.model_dump_json()) == media


def test_the_same_bytes_again_cost_nothing(job_run, upload, clip):
    first, second = (job_run(spec(key=upload(clip))) for _ in range(2))
    made = ingest(first, first.order.spec)
    again = ingest(second, second.order.spec)
    assert made == again
    assert not any(step.cached for step in first.steps)
    assert all(step.cached for step in second.steps)
    assert second.effective["proxy_encoder"] == "x264"


def test_sound_alone_is_a_recording_too(job_run, upload, tmp_path):
    ffmpeg(["-f", "lavfi", "-i", "sine=d=1", str(tmp_path / "tone.mp3")])
    order = spec(key=upload(tmp_path / "tone.mp3"), filename="tone.mp3")
    found = ingest(job_run(order), order)
    assert [each.kind for each in found.artifacts] == ["source"]
    assert found.object.content_type == "audio/mpeg"
    assert found.media.width is None


def test_a_url_is_fetched(job_run, clip):
    handler = partial(SimpleHTTPRequestHandler, directory=str(clip.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        order = spec(url=f"http://127.0.0.1:{server.server_port}/clip.mkv")
        found = ingest(job_run(order), order)
        server.shutdown()
    assert found.object.size_bytes == clip.stat().st_size


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"url": "http://169.254.169.254/"}, "url_forbidden"),
        ({"key": "orgs/x/uploads/none"}, "upload_missing"),
        ({}, "bad_request"),
        ({"key": "a", "url": "http://example.com/"}, "bad_request"),
    ],
)
def test_orders_that_cannot_be_filled_say_why(job_run, what, code):
    order = spec(**what)
    with pytest.raises(Failure, match=code):
        ingest(job_run(order), order)


def test_damage_on_the_way_is_noticed_and_nothing_kept(job_run, upload, clip, settings):
    order = spec(key=upload(clip), expected_sha256="0" * 64)
    with pytest.raises(Failure, match="checksum_mismatch"):
        ingest(job_run(order), order)
    whole = spec(key=order.key, expected_sha256=hashlib.sha256(clip.read_bytes()).hexdigest())
    assert ingest(job_run(whole), whole).object.sha256 == whole.expected_sha256


def test_large_and_foreign_files_are_refused(job_run, upload, clip, tmp_path):
    small = LIMITS.model_copy(update={"max_size_bytes": 1000})
    order = spec(key=upload(clip), limits=small)
    with pytest.raises(Failure, match="too_large"):
        ingest(job_run(order), order)
    page = tmp_path / "page.mp4"
    page.write_text("<html><script>alert(1)</script>")
    order = spec(key=upload(page, "orgs/x/uploads/2"))
    with pytest.raises(Failure, match="unsupported_media"):
        ingest(job_run(order), order)


def test_cancelling_is_obeyed(job_run, upload, clip, notebook):
    order = spec(key=upload(clip))
    run = job_run(order)
    notebook.directive = run.reporter.directive = Directive.CANCEL
    with pytest.raises(Cancelled):
        ingest(run, order)


@given(st.text(max_size=400))
def test_a_name_is_one_printable_part_of_a_path(filename):
    name = safe_name(filename)
    assert 0 < len(name) <= 255
    assert not set(name) & {"/", "\\", "\0", "\n"}
    assert name not in (".", "..")
    assert name.isprintable()
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("container", "video", "expected"),
    [
        ("mp4", "h264", "video/mp4"),
        ("matroska", "vp9", "video/webm"),
        ("matroska", "h264", "video/x-matroska"),
        ("ogg", None, "audio/ogg"),
        ("mpegts", "h264", "video/mp2t"),
        ("unheard_of", None, "application/octet-stream"),
    ],
)
def test_the_media_type_follows_the_content(container, video, expected):
    media = MediaInfo(container=container, duration_s=1, video_codec=video)
    assert content_type(media) == expected
