"""The server does what its own document says, whatever a fuzzer sends (schemathesis)."""

import asyncio
import os
import sys

import pytest

pytestmark = pytest.mark.timeout(900)
EXAMPLES = os.environ.get("CUTROOM_FUZZ_EXAMPLES", "8")
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,ignored_auth,use_after_free"
)


async def test_the_server_keeps_its_word(app, owner, tmp_path):
    base = app.ctx.settings.local_url
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", f"{base}/openapi.json",
        "--url", base, "-H", f"Authorization: {owner.headers['Authorization']}",
        "-H", f"X-Org-ID: {owner.headers['X-Org-ID']}", "--max-examples", EXAMPLES,
        "--checks", CHECKS, "--exclude-method", "WS", "--exclude-path-regex", "/events$",
        "--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure",
        "--generation-database", "none", "--suppress-health-check", "all", "--workers", "1",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await running.communicate()
    assert running.returncode == 0, told.decode()[-20_000:]
