"""The app around the API: health, browsers of other sites, and a log that keeps secrets."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from dataclasses import replace

import httpx
import pytest

SITE = "https://studio.example"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_running_server_says_so(client, path):
    assert (await client.get(path)).status_code == 200


async def test_an_allowed_site_may_ask_and_read(client, configured, owner):
    configured(cors_origins=(SITE,))
    asks = {"Origin": SITE, "Access-Control-Request-Method": "PATCH"}
    preflight = await client.options("/v1/projects", headers=asks)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == SITE
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert "X-Org-ID" in preflight.headers["access-control-allow-headers"]
    answer = await client.get("/v1/projects", headers={**owner.headers, "Origin": SITE})
    assert answer.headers["access-control-allow-origin"] == SITE
    refused = await client.get("/v1/projects", headers={"Origin": SITE})
    assert (refused.status_code, refused.headers["vary"]) == (401, "Origin")
    assert refused.headers["access-control-allow-origin"] == SITE


async def test_other_sites_get_no_leave(client, configured):
    configured(cors_origins=(SITE,))
    asks = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    answer = await client.options("/v1/projects", headers=asks)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


async def test_the_log_names_the_request_and_no_token(client, owner, caplog):
    with caplog.at_level(logging.INFO):
        await client.get("/v1/projects?token=hunter2&org_id=x", headers=owner.headers)
    line = next(record.getMessage() for record in caplog.records if record.name == "cutroom.access")
    assert line.startswith("GET /v1/projects 422 ")  # and it is no parameter of this either
    ours = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    assert not [line for line in ours if "hunter2" in line or owner.token in line]


def test_the_http_process_knows_neither_ray_nor_the_gpu_libraries():
    code = "import control.app, sys; print(sorted({'ray', 'torch', 'numpy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_processes_of_the_api_share_one_port(settings):
    """The second starts while the first listens, and answers when the first has gone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        shared = replace(settings, port=probe.getsockname()[1])
    command = [sys.executable, "-m", "control.tasks", "http"]
    environment = {**os.environ, **shared.as_environment()}
    first, second = [
        await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(2)
    ]
    try:
        await until_ready(shared.local_url)
        await asyncio.sleep(1)
        first.terminate()
        await asyncio.wait_for(first.wait(), 60)
        await until_ready(shared.local_url)
        assert second.returncode is None
    finally:
        for process in (first, second):
            if process.returncode is None:
                process.kill()
            await process.wait()


async def until_ready(url):
    async with asyncio.timeout(100), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
