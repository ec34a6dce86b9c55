"""A ladder: one fragmented MP4 for each size and for the sound, cut at the same times."""

from fractions import Fraction

import av
import numpy as np
import pytest

from ray_jobs.contract import HlsLadder, MediaInfo, Rung
from ray_jobs.failures import Failure
from ray_jobs.media.hls import (
    Piece,
    codec_name,
    encode_picture,
    encode_sound,
    ladder_of,
    peak_bps,
    playlist,
    read_track,
    target_s,
)

FAST = HlsLadder(
    rungs=[Rung(height=90, max_bitrate_bps=400_000), Rung(height=46, max_bitrate_bps=100_000)],
    segment_s=1.0,
    speed="ultrafast",
)
FILM = ("-f", "lavfi", "-i", "testsrc2=size=321x181:rate=30000/1001:duration=2.6")
TONE = ("-f", "lavfi", "-i", "sine=frequency=330:duration=3:sample_rate=44100")
SMALL = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p", "-c:a", "flac")


@pytest.fixture
def picture(measured, tmp_path):
    """`picture(film)` makes the picture of each rung; gives their paths and tracks."""

    def make(film, ladder=FAST):
        media, made = measured(film), []
        for rung, form in ladder_of(media, ladder):
            path = tmp_path / f"{rung.height}p.mp4"
            made.append((path, form, encode_picture(film, media, path, rung, form, ladder)))
        return made

    return make


@pytest.fixture
def sound(measured, tmp_path):
    def make(film, ladder=FAST):
        path = tmp_path / "sound.mp4"
        return path, encode_sound(film, measured(film), path, ladder)

    return make


def keys(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [p.pts * p.time_base for p in container.demux(stream) if p.size and p.is_keyframe]


def test_every_rung_is_cut_at_the_same_times_and_is_as_long_as_the_recording(picture, made):
    film = made("film.mkv", *FILM, *TONE, *SMALL)
    (large, form, track), (small, other, below) = picture(film)
    assert (form.width, form.height, other.width, other.height) == (160, 90, 82, 46)
    assert [p.duration for p in track.pieces] == [p.duration for p in below.pieces]
    assert keys(large) == keys(small) == [n * Fraction(1001, 1000) for n in range(3)]
    assert float(track.duration) == pytest.approx(3.0, abs=0.02)  # the sound's length
    assert track.codecs.startswith("avc1.")


def test_the_sound_is_as_long_as_the_recording_and_begins_with_it(sound, made):
    film = made("film.mkv", *FILM, *TONE, *SMALL)
    path, track = sound(film)
    assert track.codecs == "mp4a.40.2"
    assert float(track.duration) == pytest.approx(3.0, abs=0.001)
    assert len(track.pieces) in (3, 4)
    again = read_track(path, None)
    assert again == track


@pytest.mark.parametrize(("name", "late"), [("flash.mkv", ()), ("late.ts", ("-itsoffset", "0.6"))])
def test_a_flash_and_a_beep_stay_together(picture, sound, made, name, late):
    """Also where the picture begins later, in a transport stream, whose clock begins anywhere."""
    at = 1.4 if late else 2
    film = made(
        name, "-f", "lavfi", "-i", "aevalsrc=0.5*sin(2*PI*880*t)*between(t\\,2\\,2.2):s=48000:d=4",
        *late, "-f", "lavfi", "-i", "color=black:s=160x90:r=25:d=3,"
        f"drawbox=color=white:t=fill:enable='between(t,{at},{at + 0.19})'",
        "-map", "1:v", "-map", "0:a", "-c:v", "libx264", "-preset", "ultrafast",
        "-c:a", "aac" if late else "flac",
    )  # fmt: skip
    (path, _, _), *_ = picture(film)
    with av.open(str(path)) as container:
        lit = [f.time for f in container.decode(video=0) if f.to_ndarray(format="gray").mean() > 99]
    path, _ = sound(film)
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    beep_s = frames[0].time + np.flatnonzero(np.abs(samples) > 0.1)[0] / 48_000
    assert lit[0] == pytest.approx(2.0, abs=0.07)
    assert beep_s == pytest.approx(lit[0], abs=0.05)


def test_uneven_times_become_even_ones(picture, made):
    film = made(
        "vfr.mp4", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30:duration=3",
        "-vf", "select='not(mod(n,3))+lt(n,30)'", "-fps_mode", "vfr", "-c:v", "libx264",
    )  # fmt: skip
    ((path, form, track), _) = picture(film)
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert np.allclose(np.diff(times), float(1 / form.rate), atol=1e-4)
    assert float(track.duration) == pytest.approx(3.0, abs=0.15)


def test_a_recording_shorter_than_a_segment_is_one(picture, sound, made):
    film = made("short.mkv", *FILM[:3], "testsrc2=s=160x90:r=25:d=0.4", *TONE[:2], "-i",
                "sine=duration=0.4", *SMALL)  # fmt: skip
    ((_, _, track), _) = picture(film)
    assert [float(piece.duration) for piece in track.pieces] == [0.4]
    assert len(sound(film)[1].pieces) == 1


def test_the_playlist_names_every_byte_once(picture, made):
    film = made("film.mkv", *FILM, *TONE, *SMALL)
    ((path, _, track), _) = picture(film)
    lines = playlist("a.mp4", track).splitlines()
    ranges = [line.partition(":")[2] for line in lines if line.startswith("#EXT-X-BYTERANGE")]
    at = track.head_bytes
    for span in ranges:
        size, offset = map(int, span.split("@"))
        assert offset == at
        at += size
    assert at == path.stat().st_size
    assert f'#EXT-X-MAP:URI="a.mp4",BYTERANGE="{track.head_bytes}@0"' in lines
    assert lines[-1] == "#EXT-X-ENDLIST"


@pytest.mark.parametrize("place", ["head", "segment"])
def test_a_damaged_file_is_found(picture, made, place):
    ((path, form, track), _) = picture(made("film.mkv", *FILM, *TONE, *SMALL))
    data = bytearray(path.read_bytes())
    at = 40 if place == "head" else track.pieces[1].offset + 8
    data[at : at + 60] = bytes(60)
    path.write_bytes(data)
    with pytest.raises(Failure, match="verify_failed"):
        read_track(path, form.rate)


class TestLadder:
    def sizes(self, width, height, **more):
        media = MediaInfo(container="mp4", duration_s=9, width=width, height=height, **more)
        return [(rung.height, f.width, f.height) for rung, f in ladder_of(media, HlsLadder())]

    def test_has_every_rung_up_to_the_pictures_size(self):
        assert self.sizes(1920, 1080) == [
            (1080, 1920, 1080), (720, 1280, 720), (480, 854, 480), (240, 426, 240),
        ]  # fmt: skip

    def test_is_never_enlarged_and_ends_at_the_pictures_own_size(self):
        assert self.sizes(960, 540) == [(720, 960, 540), (480, 854, 480), (240, 426, 240)]
        assert self.sizes(320, 180) == [(240, 320, 180)]

    def test_counts_the_width_of_upright_pictures(self):
        assert self.sizes(1080, 1920)[1] == (720, 720, 1280)

    def test_has_square_pixels(self):
        assert self.sizes(480, 360, sample_aspect_ratio="4/3")[0] == (480, 640, 360)


def test_rates_are_those_of_neighbours_within_half_and_one_and_a_half_targets():
    pieces = [
        Piece(0, 500, Fraction(4)),
        Piece(500, 1000, Fraction(4)),
        Piece(1500, 900, Fraction(1)),
    ]
    assert target_s(pieces) == 4
    assert peak_bps(pieces) == 8 * 1900 // 5  # the last alone is too short to count
    assert peak_bps([Piece(0, 100, Fraction(1, 5))]) == 4000


def test_a_codec_without_a_name_is_refused():
    assert codec_name("h264", bytes.fromhex("0164001fff")) == "avc1.64001f"
    with pytest.raises(Failure, match="verify_failed"):
        codec_name("hevc", b"\x01")
