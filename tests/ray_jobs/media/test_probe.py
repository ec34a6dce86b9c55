"""A probe tells the truth or fails with a code: never a crash, a hang, or a header's lie."""

import subprocess
import sys
from fractions import Fraction

import pytest

from ray_jobs.contract import IngestLimits
from ray_jobs.failures import Failure
from ray_jobs.media import probe as module
from ray_jobs.media.probe import probe
from ray_jobs.media.survey import survey

from .conftest import LOSSLESS

LIMITS = IngestLimits()

# "ok", or the code. A file that plays may be accepted; one that lies may not be believed.
HOSTILE = {
    "decord_corrupted.mp4": "ok",
    "ffmpeg_hls_read_passwd.avi": "no_streams",
    "flac_faulty_01_wrong_max_blocksize.flac": "ok",
    "flac_faulty_03_wrong_bit_depth.flac": "corrupt_media",
    "flac_faulty_05_wrong_total_number_of_samples.flac": "ok",
    "flac_faulty_07_other_metadata_blocks_preceding_streaminfo_metadata_block.flac": (
        "corrupt_media"
    ),
    "flac_faulty_10_invalid_vorbis_comment_metadata_block.flac": "ok",
    "flac_uncommon_02_increasing_number_of_channels.flac": "ok",
    "flac_uncommon_04_changing_bitdepth.flac": "ok",
    "flac_uncommon_10_file_starting_at_frame_header.flac": "ok",
    "gen_1000fps.mp4": "ok",
    "gen_12288x12288_1frame.mp4": "too_large",
    "gen_1h_black_4k_1fps.mp4": "ok",
    "gen_2x2.mp4": "too_small",
    "gen_64_audio_tracks.mkv": "ok",
    "gen_64_channels.wav": "ok",
    "gen_bitflips_mdat_a.mp4": "ok",
    "gen_bitflips_moov_a.mp4": "ok",
    "gen_black_silent.mp4": "ok",
    "gen_dash_xxe.mpd": "unsupported_media",
    "gen_dref_external_http.mp4": "ok",
    "gen_duration_says_100h.mp4": "ok",
    "gen_ffconcat.mp4": "unsupported_media",
    "gen_garbage_prefix_a.mp4": "unsupported_media",
    "gen_gif_65535x65535.gif": "unsupported_media",
    "gen_header_says_65535x65535.mp4": "ok",
    "gen_html_appended_a.mp4": "ok",
    "gen_html_named.mp4": "unsupported_media",
    "gen_m3u8_file_passwd.mp4": "unsupported_media",
    "gen_m3u8_metadata.m3u8": "unsupported_media",
    "gen_meta_injection.mp4": "ok",
    "gen_pdf_named.mov": "unsupported_media",
    "gen_png_30000x30000_1bit.png": "unsupported_media",
    "gen_pts_backwards.ts": "ok",
    "gen_pts_jump.ts": "ok",
    "gen_random_a.mp4": "unsupported_media",
    "gen_truncated_faststart_a.mp4": "ok",
    "gen_truncated_no_moov_a.mp4": "corrupt_media",
    "gen_wav_0_channels.wav": "no_streams",
    "gen_wav_float_nan_inf.wav": "ok",
    "gen_wav_rate_0.wav": "corrupt_media",
    "gen_wav_size_4gb.wav": "ok",
    "gen_zero_bytes.mp4": "empty_file",
    "gen_zip_appended_a.mp4": "ok",
    "image_payloads/GIF_exploit.gif": "unsupported_media",
    "image_payloads/JPG_exploit-55.jpg": "unsupported_media",
    "image_payloads/PNG_110x110_resize_bypass_use_LFI.png": "unsupported_media",
    "image_payloads/PNG_32x32_resize_bypass_use_LFI.png": "unsupported_media",
    "mp4parse_invalid_userdata.mp4": "corrupt_media",
    "mp4parse_minimal.mp4": "too_short",
    "mp4parse_short-cenc.mp4": "corrupt_media",
    "mp4parse_test_case_1185230.mp4": "corrupt_media",
    "mp4parse_video_rotation_90.mp4": "too_short",
    "mp4parse_zero_empty_stsc.mp4": "corrupt_media",
    "nostreams.mp4": "no_streams",
    "ps_awful.wav": "too_short",
    "ps_bad.wav": "corrupt_media",
    "symlink_etc_passwd.zip": "unsupported_media",
    "wav_empty_pydub.wav": "zero_duration",
}
TRUE_SECONDS = {
    "gen_duration_says_100h.mp4": 6,
    "gen_header_says_65535x65535.mp4": 6,
    "gen_pts_backwards.ts": 12.06,
    "gen_pts_jump.ts": 6.03,
    "gen_truncated_faststart_a.mp4": 4.2,
    "gen_wav_size_4gb.wav": 0.1,
    "gen_1h_black_4k_1fps.mp4": 3600,
    "flac_faulty_05_wrong_total_number_of_samples.flac": 4.56,
}
# The media among files of every kind; all others must be refused.
SNIFFED = {
    "fixture-adts-mpeg2.aac": "aac",
    "fixture-ffe3.mp3": "mp3",
    "fixture.flv": "flv",
    "fixture.m4a": "m4a",
    "fixture.oga": "ogg",
}
# size, rate, variable?, video codec, audio codec, channels
CONTAINERS = {
    "ae_SAR-2by3.mp4": (640, 360, "30/1", False, "h264", "aac", 2),
    "ae_testsrc-hevc.mp4": (640, 360, "30/1", False, "hevc", "aac", 2),
    "ae_webvtt.mkv": (300, 200, "20/1", False, "h264", "aac", 2),
    "delayed_start.mp4": (480, 320, "25/1", False, "mpeg4", None, 0),
    "matrix_av1_opus.webm": (480, 360, "2997/100", False, "av1", "opus", 2),
    "matrix_h264_aac.mp4": (480, 360, "2997/100", False, "h264", "aac", 2),
    "matrix_h264_flac.mkv": (480, 360, "2997/100", False, "h264", "flac", 2),
    "matrix_hevc_hvc1_aac.mp4": (480, 360, "2997/100", False, "hevc", "aac", 2),
    "matrix_mpeg2_mp2.ts": (480, 360, "30000/1001", False, "mpeg2video", "mp2", 2),
    "matrix_mpeg4_mp3.avi": (480, 360, "2997/100", False, "mpeg4", "mp3", 2),
    "matrix_theora_vorbis.ogv": (480, 360, "30000/1001", False, "theora", "vorbis", 2),
    "matrix_vp8_vorbis.webm": (480, 360, "2997/100", False, "vp8", "vorbis", 2),
    "matrix_wmv2_wma2.wmv": (480, 360, "30000/1001", False, "wmv2", "wmav2", 2),
    "mp_no_duration.webm": (1280, 720, "15000/1001", False, "vp9", "opus", 2),
    "mp_with_attached_pic.mp3": (None, None, None, False, None, "mp3", 2),
    "tc_sine_16ch_s16.wav": (None, None, None, False, None, "pcm_s16le", 16),
    "tc_sine_stereo_mp2.mpg": (128, 128, "25/1", False, "mpeg1video", "mp2", 2),
    "tc_testsrc2_12bit_hdr.mp4": (320, 180, "30/1", False, "hevc", None, 0),
    "tc_testsrc2_odd_height_and_width_vp9.mp4": (321, 241, "25/1", False, "vp9", None, 0),
    "var_no_audio.mp4": (480, 360, "2997/100", False, "h264", None, 0),
    "var_rotate90.mp4": (360, 480, "2997/100", False, "h264", "aac", 2),
    "var_start_offset_10s.ts": (480, 360, "30000/1001", False, "h264", "aac", 2),
    "var_vfr.mp4": (480, 360, "2997/200", True, "h264", "aac", 2),
    "wrong_extension.aac": (None, None, None, False, None, "aac", 1),
}


def outcome(path, look) -> str:
    try:
        look(path, LIMITS)
    except Failure as failure:
        return failure.code
    return "ok"


@pytest.mark.media
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_files_are_told_apart(media, name):
    # What is refused by its first bytes never meets a decoder, so it needs no child.
    look = survey if HOSTILE[name] == "unsupported_media" else probe
    assert outcome(media / "hostile" / name, look) == HOSTILE[name]


@pytest.mark.media
def test_no_hostile_file_is_forgotten(media):
    folder = media / "hostile"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == set(HOSTILE)


@pytest.mark.media
@pytest.mark.parametrize("name", sorted(TRUE_SECONDS))
def test_length_is_what_is_there_not_what_a_header_says(media, name):
    found = survey(media / "hostile" / name, LIMITS)
    assert found.duration_s == pytest.approx(TRUE_SECONDS[name], abs=0.05)
    assert found.width in (None, 480, 3840)


@pytest.mark.media
def test_content_decides_and_not_the_name(media):
    accepted = {}
    for path in sorted((media / "sniff").iterdir()):
        try:
            accepted[path.name] = survey(path, LIMITS).container
        except Failure:
            continue
    accepted.pop("fixture.mkv", None)  # one frame and 0.1 s of sound: either answer is fair
    assert accepted == SNIFFED


@pytest.mark.media
@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_container_is_described(media, name):
    width, height, rate, vfr, video, sound, channels = CONTAINERS[name]
    found = survey(media / "containers" / name, LIMITS)
    assert (found.width, found.height) == (width, height)
    assert (found.frame_rate, found.vfr, found.video_codec) == (rate, vfr, video)
    assert [(each.codec, each.channels) for each in found.audio] == (
        [(sound, channels)] if sound else []
    )
    if name.startswith("matrix_"):
        assert found.duration_s == pytest.approx(6.0, abs=0.1)
        assert found.frames == 180
        assert found.frames / found.duration_s == pytest.approx(Fraction(rate), rel=0.02)


@pytest.mark.media
def test_picture_facts_of_real_files(media):
    def of(name):
        return survey(media / name, LIMITS)

    assert of("containers/var_rotate90.mp4").rotation_deg in (90, 270)
    assert of("containers/var_sar_4_3_anamorphic.mp4").sample_aspect_ratio == "4/3"
    assert of("containers/tc_testsrc2_12bit_hdr.mp4").color_transfer == "smpte2084"
    assert of("containers/tc_bt709_full_range.mp4").pixel_format == "yuvj420p"
    assert of("video/hamilton_whitehouse_10s.mp4").video_start_s == pytest.approx(0.844, abs=0.001)
    assert of("video/bigbuckbunny_5.1.mp4").audio[0].layout == "5.1"
    assert "timestamp_jump" in of("hostile/gen_pts_backwards.ts").warnings
    cut = of("hostile/gen_truncated_faststart_a.mp4")
    assert set(cut.warnings) == {"header_duration_wrong", "breaks_off"}
    assert "breaks_off" not in of("hostile/gen_duration_says_100h.mp4").warnings


@pytest.mark.parametrize("interlaced", [True, False])
def test_interlaced_pictures_are_recognised(made, measured, interlaced):
    flags = ("-flags", "+ildct+ilme", "-top", "1") if interlaced else ()
    picture = ("-f", "lavfi", "-i", "testsrc2=s=96x64:r=50:d=0.4")
    woven = ("-vf", "tinterlace=interleave_top") if interlaced else ()
    path = made("woven.ts", *picture, *woven, "-c:v", "mpeg2video", *flags[:2])
    assert measured(path).interlaced is interlaced


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ({"max_duration_s": 1.9}, "too_long"),
        ({"max_pixels": 64 * 48 - 1}, "too_large"),
        ({"max_size_bytes": 100}, "too_large"),
    ],
)
def test_limits_hold(numbered, limit, code):
    path = numbered("levels.mp4", *LOSSLESS)
    assert probe(path, LIMITS).frames == 50
    with pytest.raises(Failure, match=code):
        probe(path, IngestLimits(**limit))


def test_a_child_that_takes_too_long_is_ended(numbered, monkeypatch):
    monkeypatch.setattr(module, "BASE_TIME_S", 0.001)
    with pytest.raises(Failure, match="corrupt_media: Reading") as caught:
        probe(numbered("levels.mp4", *LOSSLESS), LIMITS)
    assert caught.value.retryable


def test_one_that_calculates_too_long_is_ended_by_its_own_clock(numbered):
    spin = (
        "import itertools, ray_jobs.media.probe as probe; probe.BASE_TIME_S = 1; "
        "probe.survey = lambda *_: max(itertools.count()); probe.main(__import__('sys').argv[1:])"
    )
    path = numbered("levels.mp4", *LOSSLESS)
    child = subprocess.run(
        [sys.executable, "-c", spin, str(path), LIMITS.model_dump_json()], check=False,
        capture_output=True, timeout=60,
    )  # fmt: skip
    with pytest.raises(Failure, match="corrupt_media: Reading") as caught:
        module._understood(child.stdout, child.returncode)
    assert not caught.value.retryable


def test_a_child_that_crashes_is_a_damaged_file(numbered, monkeypatch):
    # The interpreter refuses to start: the child ends without an answer.
    monkeypatch.setenv("PYTHONMALLOC", "nonsense")
    with pytest.raises(Failure, match="corrupt_media"):
        probe(numbered("levels.mp4", *LOSSLESS), LIMITS)


@pytest.mark.parametrize(
    "name", ["-i.mp4", "a b;$(touch x).mp4", "ünï%d.mp4", "concat:x.mp4", "new\nline.mp4"]
)
def test_names_are_only_names(numbered, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(numbered("levels.mp4", *LOSSLESS).read_bytes())
    assert probe(path, LIMITS).frames == 50
