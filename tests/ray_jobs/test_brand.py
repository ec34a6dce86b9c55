"""Brand kits on a rendering: the mark in its corner, the intro before, the outro after."""

import shutil
from pathlib import Path

import av
import numpy as np
import pysubs2
import pytest
from fontTools.ttLib import TTFont

from kernels.loudness import measure
from ray_jobs.check_asset import check_asset
from ray_jobs.contract import Brand, CheckAsset, Placement, StyleSubtitles, SubtitleStyle
from ray_jobs.failures import Failure
from ray_jobs.media.audio import read_audio
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.fonts import bundled_directory
from ray_jobs.style_subtitles import style_subtitles
from tests.ray_jobs.clips.conftest import VIDEO_ID
from tests.ray_jobs.films import clip, said

GREY = "color=0x404040:s=320x180:r=25:d=4"
TONE = "sine=f=440:r=48000:d=4,volume=-10dB"


def lavfi(target: Path, *sources: str) -> Path:
    inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
    still = target.suffix in {".png", ".jpg", ".webp"}
    ffmpeg([*inputs, *(["-frames:v", "1"] if still else []), str(target)])
    return target


@pytest.fixture
def asset(job_run, tmp_path):
    """`asset(kind, path)` has the bytes looked into; gives the result."""

    def check(kind, path, **more):
        spec = CheckAsset(
            asset_id=VIDEO_ID, asset_kind=kind, key="orgs/o/uploads/a", max_size_bytes=10**8, **more
        )
        run = job_run(spec)
        run.store.put(path, spec.key, "application/octet-stream")
        return check_asset(run, spec)

    return check


@pytest.fixture
def white_mark(asset, tmp_path):
    return asset("watermark", lavfi(tmp_path / "m.png", "color=white:s=64x32,format=rgba")).object


def frames(path) -> np.ndarray:
    with av.open(str(path)) as film:
        return np.stack([f.to_ndarray(format="gray") for f in film.decode(video=0)])


class TestAssets:
    @pytest.mark.parametrize("form", ["png", "jpg", "webp"])
    def test_that_are_pictures_are_measured(self, asset, tmp_path, form):
        found = asset("logo", lavfi(tmp_path / f"a.{form}", "testsrc=s=120x80"))
        assert (found.info.width, found.info.height) == (120, 80)
        assert found.object.content_type == f"image/{'jpeg' if form == 'jpg' else form}"

    def test_that_are_fonts_are_named(self, asset):
        found = asset("font", next(bundled_directory().rglob("Roboto-Bold.ttf")))
        assert (found.info.family, found.info.bold) == ("Roboto", True)
        assert found.object.content_type == "font/ttf"

    def test_that_are_films_are_probed(self, asset, tmp_path):
        found = asset("intro", lavfi(tmp_path / "i.mp4", "testsrc=s=160x90:d=1.5:r=30", TONE))
        assert found.info.duration_s == pytest.approx(4, abs=0.1)
        assert found.info.has_sound

    @pytest.mark.parametrize(
        ("kind", "content", "code"),
        [
            ("watermark", b"<?xml version='1.0'?><svg onload='alert(1)'/>", "svg_refused"),
            ("logo", b"GIF89a" + bytes(100), "not_an_image"),
            ("logo", b"\x89PNG\r\n\x1a\n" + bytes(100), "corrupt_media"),
            ("logo", b"", "not_an_image"),
            ("font", b"\0\1\0\0" + bytes(100), "not_a_font"),
            ("font", b"wOF2" + bytes(100), "not_a_font"),
            ("intro", b"#EXTM3U\nhttp://127.0.0.1/", "unsupported_media"),
        ],
    )
    def test_that_are_something_else_are_refused(self, asset, tmp_path, kind, content, code):
        path = tmp_path / "bad"
        path.write_bytes(content)
        with pytest.raises(Failure) as refusal:
            asset(kind, path)
        assert refusal.value.code == code

    def test_whose_licence_forbids_embedding_are_refused(self, asset, tmp_path):
        font = TTFont(next(bundled_directory().rglob("Roboto-Regular.ttf")))
        font["OS/2"].fsType = 0x0002
        font.save(tmp_path / "locked.ttf")
        with pytest.raises(Failure) as refusal:
            asset("font", tmp_path / "locked.ttf")
        assert refusal.value.code == "font_not_embeddable"

    def test_of_sound_alone_are_no_intro(self, asset, tmp_path):
        with pytest.raises(Failure) as refusal:
            asset("intro", lavfi(tmp_path / "i.wav", TONE))
        assert refusal.value.code == "no_picture"


class TestWatermark:
    @pytest.mark.parametrize(
        ("corner", "rows", "columns"),
        [
            ("top_left", slice(0, 60), slice(0, 106)),
            ("top_right", slice(0, 60), slice(214, 320)),
            ("bottom_left", slice(120, 180), slice(0, 106)),
            ("bottom_right", slice(120, 180), slice(214, 320)),
            ("center", slice(60, 120), slice(106, 214)),
        ],
    )
    def test_lies_in_its_corner_on_every_frame(
        self, recorded, delivered, white_mark, corner, rows, columns
    ):
        place = Placement(corner=corner, width=0.3, margin=0.05, opacity=1)
        brand = Brand(watermark=white_mark, placement=place)
        _, _, path = delivered(recorded(GREY), clip(1.0, 1.4), brand=brand)
        bright = frames(path) > 150
        # 0.3 of the shorter side is 54 wide, and the mark is twice as wide as high.
        assert bright.sum(axis=(1, 2)) == pytest.approx(np.full(10, 54 * 27), rel=0.1)
        assert bright[:, rows, columns].sum() == bright.sum()

    def test_is_as_strong_as_it_is_wanted(self, recorded, delivered, white_mark):
        def peak(opacity):
            brand = Brand(watermark=white_mark, placement=Placement(opacity=opacity))
            _, _, path = delivered(recorded(GREY), clip(1.0, 1.2), brand=brand)
            return float(np.percentile(frames(path), 99.8))

        ground, half, full = 64, peak(0.5), peak(1.0)
        assert (half - ground) / (full - ground) == pytest.approx(0.5, abs=0.06)

    def test_that_is_there_changes_the_picture_step_alone(self, recorded, delivered, white_mark):
        source, cut = recorded(GREY), clip(1.0, 1.4)
        delivered(source, cut)
        run, _, _ = delivered(source, cut, brand=Brand(watermark=white_mark))
        cached = {step.name: step.cached for step in run.steps}
        assert cached == {
            "subtitle_files": True, "picture": False, "sound": True, "timelines": True,
            "deliver": False,
        }  # fmt: skip


class TestBumpers:
    @pytest.fixture
    def bumpers(self, asset, tmp_path):
        """A white intro of 1 s at 30/s and a black outro of 0.5 s, both loud, in other shapes."""
        loud = "sine=f=880:r=48000:d={},volume=3dB"
        intro = lavfi(tmp_path / "i.mp4", "color=white:s=180x180:r=30:d=1", loud.format(1))
        outro = lavfi(tmp_path / "o.mp4", "color=black:s=320x180:r=24:d=0.5", loud.format(0.5))
        return Brand(intro=asset("intro", intro).object, outro=asset("outro", outro).object)

    def test_stand_before_and_after_at_the_clips_own_rate(self, recorded, delivered, bumpers):
        _, made, path = delivered(recorded(GREY), clip(1.0, 3.0), brand=bumpers)
        middle = frames(path)[:, 80:100, 150:170].mean(axis=(1, 2))
        assert made.frames == len(middle) == 25 + 50 + round(0.5 * 25)
        assert made.lead_s == 1.0
        assert middle[:25].min() > 200
        assert middle[25:75] == pytest.approx(np.full(50, 64), abs=6)
        assert middle[75:].max() < 30

    def test_are_as_loud_as_the_clip(self, recorded, delivered, bumpers):
        _, made, path = delivered(recorded(GREY, TONE), clip(0.5, 3.5), brand=bumpers)
        sound = read_audio(path, rate_hz=48000, channels=2)
        assert abs(len(sound) / 48000 - made.duration_s) <= 1 / 25
        intro, body = measure(sound[:48000], 48000), measure(sound[48000:192000], 48000)
        assert intro.integrated_lufs == pytest.approx(body.integrated_lufs, abs=1.0)
        assert made.loudness_lufs == pytest.approx(-14, abs=0.5)

    def test_are_heard_where_the_clip_is_silent(self, recorded, delivered, bumpers):
        _, _, path = delivered(recorded(GREY, None), clip(1.0, 2.0), brand=bumpers)
        sound = read_audio(path, rate_hz=48000, channels=1)[:, 0]
        assert np.abs(sound[:48000]).max() > 0.05
        assert np.abs(sound[52000:92000]).max() < 0.01

    def test_move_the_delivered_subtitles_and_not_the_burned_ones(
        self, recorded, delivered, bumpers
    ):
        cut = clip(1.0, 3.0, words=said("rivers", "slow"), style=SubtitleStyle())
        run, plain, _ = delivered(recorded(GREY), cut)
        _, made, _ = delivered(recorded(GREY), cut, brand=bumpers)

        def begins(one):
            (srt,) = [a for a in one.subtitles if a.kind == "subtitles_srt"]
            return pysubs2.load(str(run.fetch(srt.object)), format_="srt")[0].start

        assert begins(made) - begins(plain) == 1000

    def test_twice_give_the_same_bytes(self, recorded, delivered, bumpers, settings):
        source, cut = recorded(GREY), clip(1.0, 1.4)
        _, first, _ = delivered(source, cut, brand=bumpers)
        shutil.rmtree(settings.cache_dir)
        for folder in (settings.cache_dir.parent / "objects").rglob("steps"):
            shutil.rmtree(folder)
        run, again, _ = delivered(source, cut, brand=bumpers)
        assert not any(step.cached for step in run.steps)
        assert first.video.object.sha256 == again.video.object.sha256


def test_a_brands_own_font_draws_the_subtitles(recorded, job_run, asset, tmp_path):
    font = TTFont(next(bundled_directory().rglob("Roboto-Bold.ttf")))
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 6, 16):
            record.string = "Rivers Sans"
    for glyph in list(font["glyf"].keys()):
        font["hmtx"][glyph] = (font["hmtx"][glyph][0] + 900, font["hmtx"][glyph][1])
    font.save(tmp_path / "rivers.ttf")
    ref = asset("font", tmp_path / "rivers.ttf").object
    style = SubtitleStyle(font="Rivers Sans", animation="none")
    cut = clip(1.0, 3.0, words=said("rivers"), style=style)
    source = recorded(GREY)

    def drawn(brand):
        spec = StyleSubtitles(source=source, clip=cut, aspect="source", height=180, brand=brand)
        run = job_run(spec)
        made = style_subtitles(run, spec)
        (picture,) = [a for a in made.artifacts if a.kind == "subtitle_preview"]
        bright = frames(run.fetch(picture.object))[0] > 160
        return int(np.ptp(np.flatnonzero(bright.any(axis=0))))

    assert drawn(Brand(fonts=[ref])) > 1.4 * drawn(None)


def test_a_style_without_its_font_is_drawn_with_ours(recorded, job_run):
    style = SubtitleStyle(font="No Such Sans", animation="none")
    cut = clip(1.0, 3.0, words=said("rivers"), style=style)
    spec = StyleSubtitles(source=recorded(GREY), clip=cut, aspect="source", height=180)
    assert style_subtitles(job_run(spec), spec).artifacts


def test_an_export_without_a_brand_is_what_it_was(recorded, delivered):
    source, cut = recorded(GREY), clip(1.0, 1.4)
    _, plain, _ = delivered(source, cut)
    _, empty, _ = delivered(source, cut, brand=Brand())
    assert plain.video.object.sha256 == empty.video.object.sha256
