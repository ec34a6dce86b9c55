"""Whoever moves bytes hears that they are wanted no more, and leaves nothing half written."""

import psutil
import pytest

from ray_jobs.cache import sha256_of
from ray_jobs.contract import IngestLimits
from ray_jobs.failures import Cancelled
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.probe import probe
from ray_jobs.storage import CHUNK_BYTES, open_store


class Impatient:
    """Is asked whether to go on, and says no the second time."""

    def __init__(self):
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.asked == 2:
            raise Cancelled


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"x" * (4 * CHUNK_BYTES))
    return path


def test_a_store_that_is_told_to_stop_has_no_half_of_an_object(large, tmp_path):
    (tmp_path / "objects").mkdir()
    tick = Impatient()
    store = open_store((tmp_path / "objects").as_uri(), tick=tick)
    with pytest.raises(Cancelled):
        store.put(large, "a/b", "x/y")
    assert tick.asked == 2
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []
    store.put(large, "a/b", "x/y")
    assert store.head("a/b") == 4 * CHUNK_BYTES


def test_a_hash_is_given_up_between_two_chunks(large):
    tick = Impatient()
    with pytest.raises(Cancelled):
        sha256_of(large, tick)
    assert tick.asked == 2


def test_a_probe_that_is_given_up_leaves_no_child(tmp_path):
    path = tmp_path / "long.mkv"
    ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=64x36:r=50:d=60", "-c:v", "ffv1", str(path)])
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(Cancelled):
        probe(path, IngestLimits(), Impatient())
    assert set(psutil.Process().children(recursive=True)) == before
