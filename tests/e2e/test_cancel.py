"""A job of any kind that is cancelled ends as cancelled and leaves nothing running."""

import shutil
from itertools import count

import psutil
import pytest

from benchmarks.pipeline.process import copied
from benchmarks.quality.cancelling import cancel, orders
from ray_jobs.contract import JobKind

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.timeout(600)]
AFTER_S = 1.0
BRIEF = {JobKind.CHECK_ASSET}
"""Over before anybody could cancel it."""
LONG = {"transcode", "retell", "export"}
"""These encode for so long that no machine is done with them before the cancel."""


def test_a_cancelled_job_of_every_kind_leaves_nothing_behind(server, media, tmp_path):
    for suffix in (".mp4", ".srt"):
        shutil.copy(media / "composed" / f"talk_a{suffix}", tmp_path / f"talk{suffix}")
    numbers, ends = count(), {}
    root = psutil.Process(server.process.pid)
    with server.api() as api:
        unseen = lambda path: copied(path, next(numbers))  # noqa: E731
        for kind, begin in orders(api, tmp_path / "talk.mp4", unseen):
            ends[kind] = cancel(api, root, begin, AFTER_S)
    assert set(ends) == set(JobKind) - BRIEF
    met = {kind: end for kind, end in ends.items() if end}
    assert set(met) >= LONG
    assert [line for end in met.values() for line in end.left] == []
    print({kind: f"{end.step} {end.seconds:.2f} s" for kind, end in met.items()})  # noqa: T201
