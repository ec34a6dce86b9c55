"""Posters show something, filmstrips show when."""

import av
import numpy as np
import pytest

from ray_jobs.contract import RENDITIONS, MediaInfo
from ray_jobs.media.images import write_filmstrip, write_jpeg, write_poster
from ray_jobs.media.rendition import encode_rendition, form_of

from .conftest import LOSSLESS


def opened(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)


def test_a_jpeg_keeps_its_colours(tmp_path):
    colours = [(0, 0, 0), (255, 255, 255), (200, 40, 40), (40, 200, 40), (40, 40, 200)]
    bars = np.repeat(np.array([colours], np.uint8), 32, axis=1).repeat(32, axis=0)
    write_jpeg(bars, tmp_path / "bars.jpg")
    assert (tmp_path / "bars.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    found = opened(tmp_path / "bars.jpg")
    assert np.abs(found - bars).mean() < 4


def test_the_poster_is_not_the_black_beginning(made, measured, tmp_path):
    dark, light = "color=black:s=128x72:r=10:d=3", "testsrc2=s=128x72:r=10:d=1"
    joined = ("-filter_complex", "[0][1]concat=n=2:v=1", *LOSSLESS)
    path = made("dark.mp4", "-f", "lavfi", "-i", dark, "-f", "lavfi", "-i", light, *joined)
    assert write_poster(path, measured(path), tmp_path / "poster.jpg") > 3
    found = opened(tmp_path / "poster.jpg")
    assert found.shape == (72, 128, 3)
    assert found.std() > 40


def test_tile_i_of_a_filmstrip_shows_the_middle_of_its_interval(made, measured, tmp_path):
    grey = "color=black:s=128x72:r=5:d=24,geq=lum=16+1.8*N:cb=128:cr=128"
    path = made("course.mp4", "-f", "lavfi", "-i", grey, *LOSSLESS, "-g", "10")
    strip = write_filmstrip(path, measured(path), tmp_path / "strip.jpg")
    assert strip == (12, 10, 2, 160, 90, pytest.approx(2.0))
    sheet = opened(tmp_path / "strip.jpg")
    assert sheet.shape == (180, 1600, 3)
    for index in range(strip.tiles):
        top, left = index // 10 * 90, index % 10 * 160
        frame = int((index + 0.5) * strip.interval_s * 5)
        expected = 1.8 * frame * 255 / 219
        assert sheet[top : top + 90, left : left + 160].mean() == pytest.approx(expected, abs=4)
    assert sheet[90:, 320:].max() < 8


@pytest.mark.parametrize(
    ("sound", "channels"), [("aevalsrc=" + "|".join(["0.1"] * n) + ":d=1", n) for n in (1, 6, 16)]
)
def test_a_proxy_starts_at_zero_with_constant_rate_and_stereo(
    made, measured, tmp_path, sound, channels
):
    picture = ("-itsoffset", "0.4", "-f", "lavfi", "-i", "testsrc2=s=98x62:r=30000/1001:d=1")
    late = (*picture, "-f", "lavfi", "-i", sound, *LOSSLESS, "-c:a", "pcm_f32le")
    path = made(f"late{channels}.mkv", *late)
    media = measured(path)
    assert media.audio[0].channels == channels
    form = encode_rendition(path, media, tmp_path / "proxy.mp4", RENDITIONS["proxy"])
    proxy = measured(tmp_path / "proxy.mp4")
    assert (proxy.width, proxy.height) == form[:2] == (98, 62)
    assert (proxy.frame_rate, proxy.vfr, proxy.video_start_s) == ("30000/1001", False, 0)
    assert (proxy.audio[0].channels, proxy.audio_start_s) == (2, 0)
    assert proxy.duration_s == pytest.approx(media.duration_s, abs=0.06)


@pytest.mark.parametrize(
    ("width", "height", "aspect", "rate", "expected"),
    [
        (3840, 2160, "1/1", "60000/1001", (960, 540)),
        (1080, 1920, "1/1", "25/1", (304, 540)),
        (720, 576, "64/45", "25/1", (960, 540)),
        (321, 241, "1/1", "1000/1", (320, 240)),
        (8000, 40, "1/1", "1/20", (2160, 16)),
    ],
)
def test_proxies_are_small_even_and_square(width, height, aspect, rate, expected):
    media = MediaInfo(
        container="mp4",
        duration_s=1,
        width=width,
        height=height,
        sample_aspect_ratio=aspect,
        frame_rate=rate,
    )
    form = form_of(media, RENDITIONS["proxy"].height)
    assert form[:2] == expected
    assert 1 <= form.rate <= 60
