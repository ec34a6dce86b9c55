"""Analysis frames: the right pictures at the right times, upright, from any pixel format."""

import itertools
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.contract import MediaInfo
from ray_jobs.failures import Failure
from ray_jobs.media.decode import (
    AnalysisBatch,
    analysis_frames,
    analysis_size,
    choose_decoder,
    frames_at,
)
from ray_jobs.media.ffmpeg import FFMPEG
from ray_jobs.media.orientation import Turn

from .conftest import LEVEL_STEP, LOSSLESS, RATE_HZ

TESTSRC = ("-f", "lavfi", "-i", "testsrc2=s=256x144:r=25:d=0.4")


def whole(path, media, **options) -> AnalysisBatch:
    parts = list(analysis_frames(path, media, **options))
    return AnalysisBatch(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def by_ffmpeg(path, height: int, width: int) -> np.ndarray:
    """The first frame's luma, upright and full range, as ffmpeg's area scaler gives it."""
    scaled = f"scale={width}:{height}:flags=area,format=yuv420p,scale=out_range=full,format=gray"
    command = [FFMPEG, "-v", "error", "-i", path, "-frames:v", "1", "-vf", scaled]
    raw = subprocess.run([*command, "-f", "rawvideo", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(height, width).astype(int)


def test_every_frame_comes_once_with_its_own_time(numbered, measured):
    path = numbered("levels.mp4", *LOSSLESS)
    found = whole(path, measured(path), batch=16)
    assert np.allclose(found.times_s, np.arange(50) / RATE_HZ)
    full_range = np.round(LEVEL_STEP * np.arange(50) * 255 / 219)
    assert np.abs(found.luma.mean(axis=(1, 2)) - full_range).max() <= 1
    assert found.luma.shape == (50, 48, 64)
    assert found.chroma.shape == (50, 2, 24, 32)
    assert np.abs(found.chroma.astype(int) - 128).max() <= 1


@pytest.mark.parametrize("rate_hz", [25.0, 12.5, 5.0, 1.0])
def test_a_lower_rate_drops_frames_evenly(numbered, measured, rate_hz):
    path = numbered("levels.mp4", *LOSSLESS)
    times_s = whole(path, measured(path), max_rate_hz=rate_hz).times_s
    assert len(times_s) == 2 * rate_hz
    assert np.allclose(np.diff(times_s), 1 / rate_hz)


@pytest.mark.parametrize("batch", [64, 2])
def test_fast_frames_are_the_exact_ones_or_the_one_before_again(made, measured, batch):
    source = ("-f", "lavfi", "-i", "testsrc2=s=256x144:r=25:d=2")
    path = made("b.mp4", *source, "-c:v", "libx264", "-bf", "2", "-x264-params", "b-adapt=0")
    exact, fast = (whole(path, measured(path), fast=fast, batch=batch) for fast in (False, True))
    assert not exact.held.any()
    assert 0.3 * len(fast.held) < fast.held.sum() < 0.7 * len(fast.held)
    assert np.allclose(exact.times_s, fast.times_s)
    before = np.maximum.accumulate(np.where(fast.held, 0, np.arange(len(fast.held))))
    # Some are left with their block edges.
    assert np.abs(fast.luma.astype(int) - exact.luma[before]).max() <= 12
    assert np.abs(fast.chroma.astype(int) - exact.chroma[before]).max() <= 12


def test_fast_frames_at_a_lower_rate_are_as_many_as_exact_ones(made, measured):
    source = ("-f", "lavfi", "-i", "testsrc2=s=256x144:r=25:d=2")
    path = made("b.mp4", *source, "-c:v", "libx264", "-bf", "2", "-x264-params", "b-adapt=0")
    exact, fast = (whole(path, measured(path), fast=f, max_rate_hz=5) for f in (False, True))
    assert abs(len(fast.times_s) - len(exact.times_s)) <= 1
    assert np.diff(fast.times_s).max() < 2 / 5


def test_where_a_recording_stands_still_for_long_nothing_stands_in(made, measured):
    select = "select='lt(n,5)+gt(n,45)'"
    path = made("gap.mkv", "-f", "lavfi", "-i", "testsrc2=s=256x144:r=25:d=2", "-vf", select,
                "-fps_mode", "passthrough", *LOSSLESS)  # fmt: skip
    assert not whole(path, measured(path), fast=True).held.any()


@pytest.mark.parametrize("container", ["late.mkv", "late.ts", "late.mp4"])
def test_times_count_from_the_earliest_stream(made, measured, container):
    tone = ("-f", "lavfi", "-i", "sine=d=2", "-itsoffset", "0.5", *TESTSRC)
    path = made(container, *tone, "-map", "0", "-map", "1", *LOSSLESS, "-c:a", "mp2")
    media = measured(path)
    first_s = whole(path, media).times_s[0]
    assert first_s == pytest.approx(media.video_start_s, abs=1e-3)
    assert first_s == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "pixels", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuvj420p", "gray"]
)
def test_luma_agrees_with_ffmpeg_in_every_pixel_format(made, measured, pixels):
    path = made(f"{pixels}.mkv", *TESTSRC, "-pix_fmt", pixels, "-c:v", "ffv1")
    media = measured(path)
    picture = whole(path, media).luma[0].astype(int)
    # Four rows of a block stand for all of it, so edges differ a little.
    assert np.abs(by_ffmpeg(path, *picture.shape) - picture).mean() < 5


def test_rgb_and_palettes_go_through_the_scaler(made, measured):
    for name, pixels, codec in (("rgb.mkv", "bgr0", "ffv1"), ("pal.avi", "pal8", "rawvideo")):
        path = made(name, *TESTSRC, "-pix_fmt", pixels, "-c:v", codec)
        picture = whole(path, measured(path)).luma[0].astype(int)
        assert np.abs(by_ffmpeg(path, *picture.shape) - picture).mean() < 8


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_pictures_are_upright_as_ffmpeg_turns_them(made, measured, degrees):
    plain = made("plain.mp4", *TESTSRC, *LOSSLESS)
    turn = ("-display_rotation", str(degrees), "-i", str(plain), "-c", "copy")
    path = made(f"turned{degrees}.mp4", *turn)
    media = measured(path)
    assert (media.width < media.height) == (degrees != 180)
    picture = whole(path, media).luma[0].astype(int)
    assert np.abs(by_ffmpeg(path, *picture.shape) - picture).mean() < 5
    preview = frames_at(path, media, [0.0], height=64)[0]
    assert preview.shape[0] == 64
    assert (preview.shape[1] < 64) == (degrees != 180)


@given(st.booleans(), st.booleans(), st.booleans(), st.integers(1, 5), st.integers(1, 5))
def test_storing_undoes_turning_upright(transposed, mirror_x, mirror_y, height, width):
    turn = Turn(transposed, mirror_x, mirror_y)
    picture = np.arange(height * width).reshape(height, width)
    assert np.array_equal(turn.stored(turn.upright(picture)), picture)


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_analysis_size_is_even_small_and_keeps_the_shape(width, height):
    media = MediaInfo(container="mp4", duration_s=1, width=width, height=height)
    h, w = analysis_size(media)
    assert h % 2 == w % 2 == 0
    assert 2 <= min(h, w) <= 180
    if min(width, height) >= 90:
        assert abs(w / h - width / height) / (width / height) < 0.05


def test_odd_sizes_and_a_size_that_changes_midway_are_decoded(made, measured, tmp_path):
    odd = made("odd.mkv", "-f", "lavfi", "-i", "testsrc2=s=97x61:d=0.2", "-c:v", "ffv1")
    assert whole(odd, measured(odd)).luma.shape[1:] == (60, 96)
    mpeg2 = ("-c:v", "mpeg2video", "-g", "5")
    later = ("-output_ts_offset", "0.4")
    large = made("large.ts", "-f", "lavfi", "-i", "testsrc2=s=256x128:d=0.4", *mpeg2)
    small = made("small.ts", "-f", "lavfi", "-i", "testsrc2=s=64x64:d=0.4", *mpeg2, *later)
    both = tmp_path / "both.ts"
    both.write_bytes(large.read_bytes() + small.read_bytes())
    found = whole(both, measured(both))
    assert found.luma.shape[1:] == (128, 256)
    assert len(found.luma) >= 18
    assert np.all(np.diff(found.times_s) > 0)


def test_a_torn_file_gives_what_can_be_read(numbered, measured, tmp_path):
    whole_file = numbered("levels.ts", *LOSSLESS, "-g", "5").read_bytes()
    path = tmp_path / "torn.ts"
    path.write_bytes(whole_file[: len(whole_file) // 2])
    found = whole(path, measured(path))
    assert 10 < len(found.times_s) < 40
    assert np.all(np.diff(found.times_s) > 0)


def test_a_clock_that_jumps_back_is_continued(numbered, measured, tmp_path):
    once = numbered("levels.ts", *LOSSLESS, "-g", "5").read_bytes()
    path = tmp_path / "twice.ts"
    path.write_bytes(once + once)
    media = measured(path)
    assert "timestamp_jump" in media.warnings
    times_s = whole(path, media).times_s
    assert len(times_s) >= 98
    assert 0 < np.diff(times_s).min() <= np.diff(times_s).max() < 0.2
    assert media.duration_s == pytest.approx(4, abs=0.2)


def test_a_file_without_pictures_says_so(made, measured):
    path = made("tone.wav", "-f", "lavfi", "-i", "sine=d=0.5")
    media = measured(path)
    assert choose_decoder(media).name == "none (no video)"
    with pytest.raises(Failure, match="no_video_stream"):
        next(analysis_frames(path, media))
    with pytest.raises(Failure, match="no_video_stream"):
        frames_at(path, media.model_copy(update={"width": 2, "height": 2}), [0.0], height=2)


def test_pictures_that_do_not_decode_are_corrupt(numbered, measured):
    path = numbered("levels.mp4", *LOSSLESS)
    media = measured(path)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : start + 20_000] = bytes(20_000)
    broken = path.with_name("zeroed.mp4")
    broken.write_bytes(data)
    with pytest.raises(Failure, match="corrupt_media"):
        list(analysis_frames(broken, media))


@pytest.mark.parametrize("name", ["long.mp4", "long.mkv", "long.ts"])
def test_the_frame_on_screen_is_found_by_seeking_or_decoding(made, measured, name):
    grey = "color=black:s=64x48:r=5:d=20,geq=lum=16+2*N:cb=128:cr=128"
    path = made(name, "-f", "lavfi", "-i", grey, *LOSSLESS, "-g", "20")
    times_s = [15.01, 0.0, 7.19, 7.2, 15.01, 99.0]
    pictures = frames_at(path, measured(path), times_s, height=48)
    found = [int(picture.mean() * 219 / 255 / 2 + 0.5) for picture in pictures]
    assert found == [75, 0, 35, 36, 75, 99]


def test_previews_have_square_pixels(made, measured):
    path = made("wide.mp4", *TESTSRC, "-vf", "setsar=4/3", *LOSSLESS)
    assert frames_at(path, measured(path), [0.1], height=72)[0].shape == (72, 171, 3)


def test_batches_are_never_reused(numbered, measured):
    path = numbered("levels.mp4", *LOSSLESS)
    first, second = itertools.islice(analysis_frames(path, measured(path), batch=8), 2)
    assert first.luma.max() < second.luma.min() + 10
    assert not np.shares_memory(first.luma, second.luma)


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("ten.mkv", ("-c:v", "libx265", "-pix_fmt", "yuv420p10le"), "yuv420p10le"),
        ("fields.ts", ("-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-q:v", "2"), "yuv420p"),
    ],
)
def test_ten_bits_and_fields_give_right_pictures(made, measured, name, codec, expected):
    path = made(name, *TESTSRC, *codec)
    media = measured(path)
    assert media.pixel_format == expected
    assert media.interlaced == (name == "fields.ts")
    found = whole(path, media)
    assert len(found.times_s) == media.frames == 10
    picture = found.luma[0].astype(int)
    assert np.abs(by_ffmpeg(path, *picture.shape) - picture).mean() < 5


@pytest.mark.parametrize("name", ["cut.mkv", "cut.mp4"])
def test_a_tail_that_is_missing_is_a_warning_of_the_recording(made, measured, tmp_path, name):
    source = ("-f", "lavfi", "-i", "testsrc2=s=128x72:r=25:d=4")
    intact = made(name, *source, *LOSSLESS, "-g", "5", "-movflags", "+faststart")
    path = tmp_path / name
    path.write_bytes(intact.read_bytes()[: intact.stat().st_size // 2])
    media = measured(path)
    assert "header_duration_wrong" in media.warnings
    # Only an index tells a lost end from a header that is wrong.
    assert ("breaks_off" in media.warnings) == (name == "cut.mp4")
    found = whole(path, media)
    assert 30 < len(found.times_s) < 70
