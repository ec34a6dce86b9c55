"""A recording in other sizes."""

from uuid import UUID

import pytest

from ray_jobs.contract import RENDITIONS, IngestLimits, MediaInfo, Rendition, Source, Transcode
from ray_jobs.failures import Failure
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.probe import probe
from ray_jobs.transcode import transcode

VIDEO = UUID("22222222-2222-4222-8222-222222222222")
SMALL = Rendition(name="small", height=90)
TINY = Rendition(name="tiny", height=46, crf=35)


@pytest.fixture
def source(job_run, tmp_path):
    path = tmp_path / "talk.mkv"
    ffmpeg([
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30000/1001:duration=2",
        "-f", "lavfi", "-i", "sine=frequency=330:duration=2:sample_rate=44100",
        "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "flac", str(path),
    ])  # fmt: skip
    media = probe(path, IngestLimits())
    nothing = {"key": "orgs/x/none", "sha256": "0" * 64, "size_bytes": 1, "content_type": "x/y"}
    blank = Source(video_id=VIDEO, object=nothing, media=media)
    run = job_run(Transcode(source=blank, renditions=[SMALL]))
    return Source(video_id=VIDEO, object=run.adopt(path, "video/x-matroska"), media=media)


def test_each_rendition_has_its_size_and_the_recordings_rate_and_length(job_run, source):
    spec = Transcode(source=source, renditions=[SMALL, TINY])
    small, tiny = transcode(job_run(spec), spec).renditions
    assert (small.width, small.height, small.frame_rate) == (160, 90, "30000/1001")
    assert (tiny.width, tiny.height) == (82, 46)
    assert small.duration_s == pytest.approx(2.0, abs=0.05)
    assert small.video.object.size_bytes > tiny.video.object.size_bytes


def test_nothing_is_enlarged(job_run, source):
    spec = Transcode(source=source, renditions=[RENDITIONS["1080p"]])
    (made,) = transcode(job_run(spec), spec).renditions
    assert (made.width, made.height) == (320, 180)


def test_one_more_rendition_encodes_only_that_one(job_run, source):
    first = Transcode(source=source, renditions=[SMALL])
    before = transcode(job_run(first), first).renditions[0]
    both = Transcode(source=source, renditions=[SMALL, TINY])
    run = job_run(both)
    after = transcode(run, both).renditions
    assert after[0].video.object == before.video.object
    assert [step.cached for step in run.steps] == [True, False]


def test_sound_alone_cannot_be_transcoded(job_run, source):
    sound = MediaInfo(container="wav", duration_s=2.0, audio=source.media.audio)
    spec = Transcode(source=source.model_copy(update={"media": sound}), renditions=[SMALL])
    with pytest.raises(Failure, match="no_video_stream"):
        transcode(job_run(spec), spec)
