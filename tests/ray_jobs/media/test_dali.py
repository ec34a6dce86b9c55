"""DALI gives what PyAV gives: the same pictures at the same times, and says when it cannot.

Its CPU backend runs the pipeline that runs on NVDEC elsewhere. Block means of both agree to half a
level on average in luma; chroma is upsampled by DALI before it is averaged, which costs two levels
at the hard, saturated edges of a test picture, and nothing in smooth ones.
"""

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.clips.features import measure
from ray_jobs.media import dali
from ray_jobs.media.dali import Coded, Refused, runs
from ray_jobs.media.decode import AnalysisBatch, analysis_frames, choose_decoder

TESTSRC = ("-f", "lavfi", "-i", "testsrc2=s=256x144:r=25:d=1")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-pix_fmt", "yuv420p", "-g", "10")
MJPEG = ("-c:v", "mjpeg", "-q:v", "3")
H264 = ("-c:v", "libx264", "-bf", "0", "-g", "5", "-pix_fmt", "yuv420p")
PLAIN = H264 if torch.cuda.is_available() else MJPEG
"""A codec of this machine's backend without pictures out of order."""
UNEVEN = ("-vf", "select=not(eq(mod(n\\,7)\\,3))", "-fps_mode", "vfr", *PLAIN)


@pytest.fixture
def both(measured):
    """`both(path)`: the file by PyAV, by DALI, and what DALI's way said it used."""

    def decode(path) -> tuple[AnalysisBatch, AnalysisBatch, list[str]]:
        media, said = measured(path), []
        wholes = []
        for decoder in ("pyav", "dali"):
            said.clear()
            parts = list(analysis_frames(path, media, decoder=decoder, say=said.append))
            wholes.append(AnalysisBatch(*(whole(each) for each in zip(*parts, strict=True))))
        return *wholes, said

    return decode


def whole(parts) -> np.ndarray:
    """Arrays, or tensors of a GPU, one after the other."""
    return np.concatenate([p.cpu().numpy() if hasattr(p, "cpu") else p for p in parts])


def same(one: AnalysisBatch, other: AnalysisBatch) -> None:
    np.testing.assert_array_equal(one.times_s, other.times_s)
    assert one.luma.shape == other.luma.shape
    assert np.abs(one.luma.astype(int) - other.luma).mean(axis=(1, 2)).max() < 1
    assert np.abs(one.chroma.astype(int) - other.chroma).mean(axis=(1, 2, 3)).max() < 3


@pytest.mark.parametrize("run_bytes", [2000, 4 * 2**20])
@pytest.mark.parametrize(
    ("name", "codec"), [("v.webm", VP9), ("m.mkv", PLAIN), ("uneven.mkv", UNEVEN)]
)
def test_pictures_and_times_are_those_of_pyav(made, both, monkeypatch, name, codec, run_bytes):
    monkeypatch.setattr(dali, "RUN_BYTES", run_bytes)
    pyav, by_dali, said = both(made(name, *TESTSRC, *codec))
    assert len(said) == 1
    assert said[0].startswith("dali ")
    same(pyav, by_dali)
    assert not np.array_equal(pyav.luma, by_dali.luma)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_pictures_are_upright(made, both, degrees):
    plain = made("plain.mp4", *TESTSRC, *PLAIN)
    turn = ("-display_rotation", str(degrees), "-i", str(plain), "-c", "copy")
    same(*both(made(f"turned{degrees}.mp4", *turn))[:2])


def test_features_are_the_same(made, measured):
    path = made("v.webm", *TESTSRC, *VP9)
    found = [measure(path, measured(path), lambda _: None, decoder=d) for d in ("pyav", "dali")]
    for name in ("luma", "motion", "change", "saliency"):
        one, other = (each.tracks[name] for each in found)
        np.testing.assert_allclose(one, other, atol=0.02)
    assert found[0].shots == found[1].shots


def test_what_dali_cannot_decode_goes_to_pyav_with_the_reason(made, measured):
    h264 = measured(made("h.mp4", *TESTSRC, "-c:v", "libx264", "-pix_fmt", "yuv420p"))
    vp9 = measured(made("v.webm", *TESTSRC, *VP9))
    assert choose_decoder(vp9, "pyav").name == "cpu (pyav vp9, as configured)"
    if choose_decoder(vp9).device is None:
        assert choose_decoder(vp9).name == "cpu (pyav vp9, no NVDEC)"
        assert choose_decoder(h264, "dali").name == "cpu (pyav h264, not a codec of dali cpu)"
        assert choose_decoder(vp9, "dali").name == "dali cpu vp9"


def test_a_run_of_any_codec_is_put_into_a_container_of_its_own(made):
    path = made("a.webm", *TESTSRC, "-c:v", "libsvtav1", "-preset", "10", "-g", "10")
    with av.open(str(path)) as film:
        (whole,) = runs(dali._packets(film, film.streams.video[0]), 2**30, 2**30)
        file = dali._contained(whole, film.streams.video[0])
    with av.open(BytesIO(file.tobytes())) as run:
        assert len(list(run.decode(video=0))) == 26


@pytest.mark.skipif(torch.cuda.is_available(), reason="NVDEC has no Motion JPEG in DALI")
def test_pictures_dali_loses_are_missed_and_pyav_goes_on(made, both, tmp_path):
    """A packet of zeros yields no picture: what DALI leaves in its place must not be taken."""
    data = bytearray(made("m.avi", *TESTSRC, *MJPEG).read_bytes())
    frame = [i for i in range(len(data)) if data[i : i + 4] == b"00dc"][12]
    data[frame + 8 : frame + 2000] = bytes(1992)
    broken = tmp_path / "broken.avi"
    broken.write_bytes(data)
    pyav, by_dali, said = both(broken)
    assert "gave up" in said[-1]
    np.testing.assert_array_equal(pyav.times_s, by_dali.times_s)
    np.testing.assert_array_equal(pyav.luma, by_dali.luma)


# ---- cutting -------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=1),
    st.integers(1, 60), st.integers(1, 20),
)  # fmt: skip
def test_every_picture_is_used_once_and_decodes_within_its_run(groups, least_bytes, least_frames):
    packets, start = [], 0
    for number, (size, leading) in enumerate(groups):
        before = leading if number else 0
        key = start + before
        packets.append(coded(key, key=True))
        packets += [coded(pts) for pts in range(start, key)]
        packets += [coded(pts) for pts in range(key + 1, key + size)]
        start = key + size
    used = []
    for run in runs(iter(packets), least_bytes, least_frames):
        assert run.pictures[0].key
        assert run.pictures[-1].data == run.pictures[0].data
        shown = sorted(picture.pts for picture in run.pictures)
        used += shown[: run.mine]
    assert used == sorted(packet.pts for packet in packets)


def test_times_that_do_not_follow_key_frames_are_refused():
    packets = [coded(5, key=True), coded(9), coded(7, key=True), coded(3)]
    with pytest.raises(Refused, match="order"):
        list(runs(iter(packets), 1, 1))


def coded(pts: int, *, key: bool = False) -> Coded:
    return Coded(bytes([pts % 251]) * 5, pts, Fraction(1, 25), key, shown=True)
