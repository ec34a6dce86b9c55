"""Encoding to a wanted quality."""

import pytest

from ray_jobs.contract import IngestLimits
from ray_jobs.media.encode import pick_encoder
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.probe import probe
from ray_jobs.media.vmaf import HIGHEST, LOWEST, search_crf, vmaf_at
from tests.ray_jobs.films import clip

GRAIN = "testsrc2=s=256x144:r=25:d=1,noise=alls=12:allf=t:all_seed=7"


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    path = tmp_path_factory.mktemp("vmaf") / "reference.mp4"
    ffmpeg(["-f", "lavfi", "-i", GRAIN, "-c:v", "libx264", "-qp", "0", "-preset", "ultrafast",
            "-pix_fmt", "yuv420p", str(path)])  # fmt: skip
    return path


def x264(crf):
    return pick_encoder("x264", crf=crf, speed="ultrafast")


def test_the_highest_crf_that_reaches_the_target_is_found(reference):
    found = search_crf(reference, 80.0, x264)
    assert LOWEST < found.crf < HIGHEST
    assert found.vmaf >= 80 > vmaf_at(reference, x264(found.crf + 1))
    assert search_crf(reference, 80.0, x264) == found


def test_a_target_out_of_reach_gives_the_best_there_is(reference):
    starved = pick_encoder("x264", crf=20, speed="ultrafast", max_bitrate_bps=100_000)
    found = search_crf(reference, 99.0, lambda _: starved)
    assert found.crf == LOWEST
    assert found.vmaf < 99


def test_an_export_says_at_which_crf_and_with_which_vmaf(recorded, delivered):
    source = recorded("testsrc2=s=256x144:r=25:d=4,noise=alls=8:allf=t:all_seed=7")
    _, made, _ = delivered(source, clip(1.0, 2.0), height=144, target_vmaf=90)
    assert made.vmaf >= 90
    assert LOWEST <= made.crf < HIGHEST


def test_av1_is_delivered_at_half_the_rate(recorded, delivered):
    _, made, path = delivered(
        recorded("testsrc2=s=160x90:r=50:d=3"), clip(1.0, 2.0), encoder="svtav1", height=90,
        max_rate_hz=30,
    )  # fmt: skip
    media = probe(path, IngestLimits())
    assert (media.video_codec, media.frame_rate, made.frames) == ("av1", "25/1", 25)
    assert made.vmaf is None


@pytest.mark.parametrize("name", ["x264", "svtav1"])
def test_a_cap_on_the_bit_rate_is_kept(reference, tmp_path, name):
    sizes = []
    for cap in (None, 150_000):
        encoder = pick_encoder(name, crf=12, speed="ultrafast", max_bitrate_bps=cap)
        path = tmp_path / f"{cap}.mp4"
        looped = ["-stream_loop", "5", "-i", str(reference)]
        ffmpeg([*looped, *encoder.arguments, "-f", "mp4", str(path)])
        sizes.append(path.stat().st_size * 8 / 6)
    assert sizes[1] < sizes[0] / 2
    assert sizes[1] < 1.4 * 150_000
