"""A recording in other sizes."""

from uuid import UUID

import pytest

from ray_jobs.contract import (
    RENDITIONS,
    HlsLadder,
    IngestLimits,
    MediaInfo,
    Rendition,
    Rung,
    Source,
    Transcode,
)
from ray_jobs.failures import Failure
from ray_jobs.media.conforming import looks_like, seeks_well
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


RUNGS = [Rung(height=90, max_bitrate_bps=300_000), Rung(height=46, max_bitrate_bps=100_000)]
LADDER = HlsLadder(rungs=RUNGS, segment_s=1.0, speed="ultrafast")


class TestLadder:
    def test_has_a_master_and_a_playlist_and_a_file_for_each_rung(self, job_run, source):
        spec = Transcode(source=source, hls=LADDER)
        run = job_run(spec)
        hls = transcode(run, spec).hls
        assert [rung.name for rung in hls.rungs] == ["90p", "46p"]
        assert [rung.segments for rung in hls.rungs] == [2, 2]
        master = run.fetch(hls.master.object).read_text().splitlines()
        assert [line for line in master if line[0] != "#"] == ["90p.m3u8", "46p.m3u8"]
        assert all(rung.peak_bps >= rung.average_bps > 0 for rung in (*hls.rungs, hls.sound))
        assert hls.master.object.content_type == "application/vnd.apple.mpegurl"

    def test_one_more_rung_encodes_only_that_one(self, job_run, source):
        first = Transcode(source=source, hls=LADDER.model_copy(update={"rungs": RUNGS[:1]}))
        before = transcode(job_run(first), first).hls
        both = Transcode(source=source, hls=LADDER)
        run = job_run(both)
        after = transcode(run, both).hls
        assert (after.rungs[0], after.sound) == (before.rungs[0], before.sound)
        cached = {step.name: step.cached for step in run.steps}
        assert cached == {
            "hls_90p": True, "hls_46p": False, "hls_sound": True, "hls_master": False,
        }  # fmt: skip

    def test_without_sound_names_no_sound(self, job_run, recorded):
        spec = Transcode(source=recorded(sound=None), hls=LADDER)
        run = job_run(spec)
        hls = transcode(run, spec).hls
        assert hls.sound is None
        text = run.fetch(hls.master.object).read_text()
        assert "AUDIO" not in text
        assert "mp4a" not in text

    def test_of_a_sound_is_a_ladder_of_sound_alone(self, job_run, recorded):
        spec = Transcode(source=recorded(video=None), hls=LADDER)
        run = job_run(spec)
        hls = transcode(run, spec).hls
        assert hls.rungs == []
        text = run.fetch(hls.master.object).read_text()
        assert 'CODECS="mp4a.40.2"' in text
        assert "sound.m3u8" in text.splitlines()
        assert "RESOLUTION" not in text


class TestConforming:
    @pytest.fixture
    def film(self, job_run, recorded):
        """A rendition of a calm film, as a recording of its own."""
        spec = Transcode(
            source=recorded("color=gray:s=320x180:r=25:d=4"),
            renditions=[Rendition(name="a", height=180)],
        )
        run = job_run(spec)
        made = transcode(run, spec).renditions[0].video.object
        media = probe(run.fetch(made), IngestLimits())
        return Source(video_id=VIDEO, object=made, media=media)

    def test_a_recording_that_is_such_a_file_is_the_rendition(self, job_run, film):
        spec = Transcode(source=film, renditions=[Rendition(name="b", height=360)])
        (made,) = transcode(job_run(spec), spec).renditions
        assert made.source_conforms
        assert made.video.object == film.object
        assert (made.width, made.height) == (320, 180)

    @pytest.mark.parametrize(
        "differs",
        [
            {"vfr": True},
            {"video_codec": "hevc"},
            {"height": 182},
            {"audio_start_s": 1.0},
            {"pixel_format": "yuv444p"},
            {"warnings": ["breaks_off"]},
        ],
    )
    def test_one_that_differs_is_encoded(self, job_run, film, differs):
        other = film.model_copy(update={"media": film.media.model_copy(update=differs)})
        spec = Transcode(source=other, renditions=[Rendition(name="b", height=180)])
        assert not transcode(job_run(spec), spec).renditions[0].source_conforms

    def test_one_that_is_heavier_is_encoded(self, job_run, film):
        heavy = film.object.model_copy(update={"size_bytes": 10**8})
        spec = Transcode(
            source=film.model_copy(update={"object": heavy}),
            renditions=[Rendition(name="b", height=180)],
        )
        assert not looks_like(spec.source.media, heavy.size_bytes, spec.renditions[0])

    def test_one_with_far_key_frames_or_a_late_index_does_not_seek_well(self, tmp_path):
        for name, options in (
            ("far.mp4", ["-g", "250", "-movflags", "+faststart"]),
            ("late.mp4", ["-g", "50"]),
        ):
            path = tmp_path / name
            ffmpeg([
                "-f", "lavfi", "-i", "color=gray:s=64x48:r=25:d=4", "-c:v", "libx264",
                *options, str(path),
            ])  # fmt: skip
            assert not seeks_well(path)
