"""The server does what its own document says, whatever a fuzzer sends (schemathesis).

Run by itself it sends the same few requests every time: a failure is then of the change at hand.
`make fuzz` is the long version by hand, other requests each time, 200 examples to each operation.
It needs some 40 minutes of two idle cores, so it is best run by tag,
`make fuzz ARGS="--include-tag videos"`, or by phase, `--phases stateful`.
`CUTROOM_FUZZ_EXAMPLES` sets how much is sent to each operation; `CUTROOM_FUZZ_ARGS` are further
arguments of its command. With `pytest -s` its report shows.
"""

import asyncio
import json
import os
import shlex
import sys
from pathlib import Path

import asyncpg
import pytest

from control.access import Role
from control.jobs.lifecycle import worker_token
from control.jobs.queue import claim
from control.users.models import User
from ray_jobs.contract import JobKind
from tests.control.filling import NAMES, fill
from tests.control.media_jobs import MediaPath

EXAMPLES = int(os.environ.get("CUTROOM_FUZZ_EXAMPLES", "5"))
pytestmark = pytest.mark.timeout(120 * EXAMPLES)
ARGS = shlex.split(os.environ.get("CUTROOM_FUZZ_ARGS", ""))
# Either way no example is kept for the next run: it would be of rows that are gone.
OTHERS, SAME = ["--generation-database", "none"], ["--generation-deterministic"]
REQUESTS = OTHERS if "CUTROOM_FUZZ_EXAMPLES" in os.environ else SAME
ROWS = 40
ROOT = Path(__file__).parent.parent.parent
CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
async def ids(client, owner, member_of, settings, database_url):
    """Ids by the names of parameters: those of a video with clips, then of rows of every kind.

    The owner becomes an administrator of the instance, so that every door opens.
    """
    await User.filter(id=owner.user.id).update(is_admin=True)
    people = [owner, await member_of(Role.EDITOR)]
    video, clip = await MediaPath(client, owner, settings).with_clips()
    database = await asyncpg.connect(database_url)
    await database.execute("SET session_replication_role = replica")
    await database.execute("DELETE FROM subscriptions")  # reading usage made it
    await fill(database, owner, ROWS)
    found = {
        f"{name}_id": await database.fetch(
            f"SELECT id::text FROM {table} WHERE organization_id = $1", owner.organization_id
        )
        for table, name in NAMES.items()
    }
    found["order_id"] = await database.fetch("SELECT order_id FROM payments")
    await database.close()
    known = {name: [row[0] for row in rows] for name, rows in found.items()}
    at_work = await claim({JobKind.FIND_CLIPS: ROWS}, lease_s=86_400)
    for name, first in {"project_id": video["project_id"], "video_id": video["id"],
                        "clip_id": clip["id"]}.items():  # fmt: skip
        known[name] = [first, *(one for one in known[name] if one != first)]
    kits = known["brand_kit_id"] = known.pop("kit_id")
    return known | {
        "user_id": [str(one.user.id) for one in people],
        "membership_id": [str(one.membership.id) for one in people],
        "organization_id": [str(owner.organization_id)],
        "brand_kit": kits,
        "worker_tokens": [[str(job.id), worker_token(settings, job)] for job in at_work],
    }


async def test_the_server_keeps_its_word(app, owner, ids, tmp_path):
    base = app.ctx.settings.local_url
    (tmp_path / "ids.json").write_text(json.dumps(ids))
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run",
        f"{base}/openapi.json",
        "--url", base, "-H", f"Authorization: {owner.headers['Authorization']}",
        "--max-examples", str(EXAMPLES),
        "--exclude-path-regex", "/events$",
        "--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure",
        "--suppress-health-check", "all", "--workers", "1", *REQUESTS, *ARGS,
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.control.known_ids",
             "PYTHONPATH": str(ROOT), "CUTROOM_FUZZ_IDS": str(tmp_path / "ids.json")},
    )  # fmt: skip
    told = (await running.communicate())[0].decode()
    sys.stdout.write(told)
    assert running.returncode == 0, told[-20_000:]
