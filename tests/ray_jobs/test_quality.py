"""QA of what was rendered: every fault is found where it is, and only where it is."""

from dataclasses import replace
from fractions import Fraction
from functools import cache

import av
import numpy as np
import pytest

from ray_jobs.contract import (
    Brand,
    IngestLimits,
    Loudness,
    ObjectRef,
    Placement,
    SafeArea,
    SubtitleStyle,
    Word,
)
from ray_jobs.media.caption_files import write_files
from ray_jobs.media.captions import edges_of, face_for, make_cues, room_for
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.filtergraph import Subtitles, burnt, chain
from ray_jobs.media.fonts import font_environment
from ray_jobs.media.probe import probe
from ray_jobs.media.quality import Brief, Shown, boxed, inspected
from tests.ray_jobs.films import COUNTED, SPEECHLIKE, clip, said

MOVING = "testsrc2=s=160x90:r=25:d=6"
BLACK = "color=black:s=160x90:r=25:d=6"
NOISE = "anoisesrc=color=pink:amplitude=0.3:seed=4:r=48000:d=6"
PULSES = f"{NOISE},volume='if(gt(sin(3*t*t)\\,0)\\,1\\,0.05)':eval=frame"
RATE = Fraction(25)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """`film(video, sound)` makes a finished MP4 of 6 s, each one once."""

    @cache
    def make(video, sound=PULSES):
        path = tmp_path_factory.mktemp("film") / "film.mp4"
        inputs = [part for each in (video, sound) if each for part in ("-f", "lavfi", "-i", each)]
        ffmpeg([
            *inputs, "-t", "6", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12",
            "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart", str(path),
        ])  # fmt: skip
        return path

    return make


BRIEF = Brief(
    frames=150, rate=RATE, sound=True, shown=[Shown(0.0, 6.0, 0.0)],
    loudness=Loudness(target_lufs=-20, tolerance_lu=3, max_true_peak_dbtp=0),
)  # fmt: skip


media_of = cache(lambda path: probe(path, IngestLimits()))


def found(path, source, brief=BRIEF):
    told = inspected(path, brief, source, media_of(source))["findings"]
    return {each["code"]: each for each in told if not each["code"].startswith("loudness")}


class TestPicture:
    def test_a_good_film_has_no_finding(self, film):
        good = film(MOVING)
        assert found(good, good) == {}

    def test_black_is_an_error_unless_the_recording_is_black_too(self, film):
        dark = f"{MOVING},drawbox=color=black:t=fill:enable='between(t,2,3.5)'"
        bad, good = film(dark), film(MOVING)
        ours, theirs = found(bad, good)["black"], found(bad, bad)["black"]
        assert (ours["severity"], theirs["severity"]) == ("error", "warning")
        assert (ours["start_s"], ours["end_s"]) == pytest.approx((2.0, 3.52), abs=0.05)
        assert "freeze" not in found(bad, good)

    def test_black_under_subtitles_is_black(self, film):
        lit = f"{BLACK},drawbox=y=60:h=20:color=white:t=fill"
        good = film(MOVING)
        bad = film(lit)
        assert "black" not in found(bad, good)
        assert "black" in found(bad, good, replace(BRIEF, drawn=[(0.0, 0.6, 1.0, 0.4)]))

    def test_a_frozen_picture_is_an_error_and_a_slide_is_not(self, film):
        stuck = f"{MOVING},trim=end_frame=50,tpad=stop_mode=clone:stop=100"
        bad, good = film(stuck), film(MOVING)
        ours, theirs = found(bad, good)["freeze"], found(bad, bad)["freeze"]
        assert (ours["severity"], theirs["severity"]) == ("error", "info")
        assert (ours["start_s"], ours["end_s"]) == pytest.approx((2.0, 6.0), abs=0.05)

    def test_an_intros_own_darkness_is_told_as_its_own(self, film):
        dark = film(f"{MOVING},drawbox=color=black:t=fill:enable='lt(t,1)'")
        late = replace(BRIEF, shown=[Shown(1.5, 6.0, 0.0)])
        assert found(dark, film(MOVING), late)["black"]["severity"] == "info"

    def test_a_finding_leaves_the_picture_with_its_place_marked(self, film):
        good = film(MOVING)
        stuck = film(f"{MOVING},trim=end_frame=50,tpad=stop_mode=clone:stop=100")
        told = found(stuck, good)["freeze"]
        with av.open(str(stuck.parent / told["picture"])) as image:
            picture = next(image.decode(video=0)).to_ndarray(format="rgb24").astype(int)
        with av.open(str(stuck)) as container:
            frames = [f.to_ndarray(format="rgb24").astype(int) for f in container.decode(video=0)]
        first = round(told["start_s"] * 25)
        middle = (slice(10, -10), slice(10, -10))
        near = [np.abs(picture[middle] - frame[middle]).mean() for frame in frames]
        assert near[first] < 12
        assert near[first] < near[first - 10] - 5
        edge = picture[1, 40:-40].mean(axis=0)
        assert edge[0] > 180
        assert edge[1] < 110


class TestSound:
    def test_a_hole_in_the_sound_is_an_error_unless_it_is_the_recordings(self, film):
        hole = f"{PULSES},volume=0:enable='between(t,2,5)'"
        bad, good = film(MOVING, hole), film(MOVING)
        ours, theirs = found(bad, good)["silence"], found(bad, bad)["silence"]
        assert (ours["severity"], theirs["severity"]) == ("error", "info")
        assert (ours["start_s"], ours["end_s"]) == pytest.approx((2.0, 5.0), abs=0.15)

    @pytest.mark.parametrize(("late_ms", "told"), [(0, False), (30, False), (90, True)])
    def test_sound_that_is_late_by_more_than_the_ear_forgives(self, film, late_ms, told):
        good = film(MOVING)
        late = film(MOVING, f"{PULSES},adelay={late_ms}:all=1,atrim=end=6")
        assert ("av_drift" in found(late, good)) is told

    def test_loudness_and_peaks_are_held_against_what_was_asked(self, film):
        good = film(MOVING)
        strict = Loudness(target_lufs=-5, tolerance_lu=0.5, max_true_peak_dbtp=-20)
        told = inspected(good, replace(BRIEF, loudness=strict), good, media_of(good))["findings"]
        assert {each["code"] for each in told} == {"loudness_off_target", "true_peak_over"}

    def test_samples_at_full_scale_are_clipping(self, film):
        square = "aevalsrc='1.6*sin(300*t)|1.6*sin(300*t)':s=48000:d=6"
        loud = film(MOVING, square)
        assert found(loud, loud)["clipping"]["severity"] == "error"


class TestExport:
    def test_a_cut_through_a_word_names_the_word(self, recorded, delivered):
        words = [Word(id="w", text="cities", start_s=2.7, end_s=3.4, confidence=1)]
        run, made, _ = delivered(recorded(), clip(1.0, 3.0, words=words))
        (told,) = made.findings
        assert (told.code, told.severity) == ("cut_mid_word", "warning")
        assert "ends in the middle of “cities”" in told.message
        assert (told.start_s, told.end_s) == pytest.approx((1.7, 2.0), abs=0.01)
        assert run.fetch(told.overlay.object).read_bytes()[:2] == b"\xff\xd8"

    def test_subtitles_where_the_buttons_are(self, recorded, delivered):
        cut = clip(words=said("one", "two"), style=SubtitleStyle(margin=0.05))
        safe = SafeArea(bottom=0.2)
        _, made, _ = delivered(recorded(), cut, safe_area=safe)
        told = {each.code: each for each in made.findings}["subtitle_outside_safe_area"]
        assert told.box[1] + told.box[3] > 0.8
        _, clear, _ = delivered(recorded(), clip(words=cut.words, style=SubtitleStyle(margin=0.3)),
                                safe_area=safe)  # fmt: skip
        assert "subtitle_outside_safe_area" not in {each.code for each in clear.findings}

    def test_a_logo_where_the_buttons_are(self, recorded, delivered, job_run, tmp_path):
        source = recorded()
        red = ["-f", "lavfi", "-i", "color=red:s=40x40", "-frames:v", "1"]
        ffmpeg([*red, str(tmp_path / "m.png")])
        run, _, _ = delivered(source, clip())
        mark: ObjectRef = run.adopt(tmp_path / "m.png", "image/png")
        brand = Brand(watermark=mark, placement=Placement(corner="bottom_right"))
        _, made, _ = delivered(source, clip(), brand=brand, safe_area=SafeArea(right=0.12))
        (told,) = made.findings
        assert (told.code, told.severity) == ("logo_outside_area", "warning")
        large = brand.model_copy(update={"placement": Placement(width=1.0, margin=0.45)})
        _, made, _ = delivered(source, clip(), brand=large)
        assert [(f.code, f.severity) for f in made.findings] == [("logo_outside_area", "error")]

    def test_the_drawn_wave_of_a_pause_is_neither_black_nor_frozen(self, recorded, delivered):
        paused = "aevalsrc='0.3*sin(2*PI*440*t)*lt(t,1)':s=48000:d=4"
        source = recorded(video=None, sound=paused)
        _, made, _ = delivered(source, clip(0.0, 4.0), aspect="1:1", height=120)
        assert {each.code for each in made.findings} == {"silence"}

    def test_a_recording_that_clips_is_told_of(self, recorded, delivered):
        loud = "aevalsrc='3*sin(800*t)*(0.4+0.6*gt(sin(7*t)\\,0))':s=48000:d=4"
        _, made, _ = delivered(recorded(COUNTED, f"{loud},aformat=s16"), clip())
        assert "source_clipped" in {each.code for each in made.findings}
        _, clean, _ = delivered(recorded(COUNTED, SPEECHLIKE), clip())
        assert clean.findings == []


@pytest.mark.parametrize("position", ["bottom", "center", "top"])
def test_cues_lie_where_we_say_they_lie(tmp_path, position):
    style = SubtitleStyle(position=position, animation="none", size=0.09, margin=0.1)
    size, words = (320, 180), said("HELLO", "HUGE", "WORLD", start_s=0.0, each_s=0.5)
    write_files(tmp_path, words, style, size, start_s=0.0, end_s=2.0)
    subtitles = Subtitles(tmp_path / "subtitles.ass", font_environment(tmp_path))
    graph = chain("color=black:s=320x180:r=25:d=1", burnt(subtitles))
    ffmpeg(
        ["-f", "lavfi", "-i", graph, "-frames:v", "20", "-update", "1", str(tmp_path / "a.png")],
        env=subtitles.environment,
    )
    with av.open(str(tmp_path / "a.png")) as image:
        lit = next(image.decode(video=0)).to_ndarray(format="gray") > 60
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    face = face_for(style)
    room = room_for(style, face, width=320, height=180)
    (cue,) = make_cues(words, start_s=0.0, end_s=2.0, style=style, room=room)
    left, top, right, bottom = edges_of(cue, style, face, size)
    assert left * 320 == pytest.approx(columns[0], abs=4)
    assert right * 320 == pytest.approx(columns[-1], abs=4)
    # Capital letters fill the middle of the line's height.
    assert top * 180 <= rows[0] <= top * 180 + 0.5 * 0.09 * 180
    assert bottom * 180 - 0.5 * 0.09 * 180 <= rows[-1] <= bottom * 180


def test_a_box_at_the_edge_is_drawn_inside_the_picture():
    drawn = boxed(np.zeros((480, 270, 3), np.uint8), (0.9, 0.95, 0.1, 0.05))
    red = np.argwhere(drawn[..., 0] > 0)
    assert red.min(axis=0).tolist() == [456, 243]
    assert red.max(axis=0).tolist() == [479, 269]
