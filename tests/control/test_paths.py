"""Custom verbs: a path with a colon is found, and only that very path."""

from uuid import UUID, uuid4

import pytest
from sanic.exceptions import NotFound
from sanic.router import Router

from control.openapi import plain_path
from control.paths import verb, word

PATHS = {
    "/v1/jobs/{job_id}": "/v1/jobs/<job_id:uuid>",
    "/v1/jobs/{job_id}:cancel": f"/v1/jobs/{verb('job_id', 'cancel')}",
    "/v1/jobs/{job_id}:retry": f"/v1/jobs/{verb('job_id', 'retry')}",
    "/v1/videos:ingest": f"/v1/{word('videos:ingest')}",
    "/v1/clips/{clip_id}/subtitles:style": f"/v1/clips/<clip_id:uuid>/{word('subtitles:style')}",
    "/v1/videos/{video_id}/transcripts/{transcript_id}:align": (
        f"/v1/videos/<video_id:uuid>/transcripts/{verb('transcript_id', 'align')}"
    ),
}


@pytest.fixture(scope="module")
def router():
    async def handler():
        pass

    router = Router()
    for path in PATHS.values():
        router.add(path, ["POST"], handler)
    router.finalize()
    return router


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_found_and_written_as_its_users_write_it(router, path):
    ids = dict.fromkeys(("job_id", "clip_id", "video_id", "transcript_id"), uuid4())
    route, _, found = router.get(path.format(**ids), "POST", None)
    assert plain_path(route) == path
    found.pop("word", None)
    assert {UUID(str(value)) for value in found.values()} <= set(ids.values())


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/0b6d7c6e-9a55-4b0e-9c0e-5d7f3c9a1e42:explode",
        "/v1/jobs/0b6d7c6e-9a55-4b0e-9c0e-5d7f3c9a1e42:cancelled",
        "/v1/jobs/0b6d7c6e-9a55-4b0e-9c0e-5d7f3c9a1e42:",
        f"/v1/jobs/{'-' * 36}:cancel",
        "/v1/jobs/:cancel",
        "/v1/videos:ingested",
        "/v1/videos",
    ],
)
def test_other_paths_are_not(router, path):
    with pytest.raises(NotFound):
        router.get(path, "POST", None)
