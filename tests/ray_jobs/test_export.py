"""Deliverables: the right frames, the right shape, the right loudness, the right words."""

import json
import shutil

import av
import numpy as np
import pysubs2
import pytest
from pydantic import ValidationError

from kernels.loudness import measure
from ray_jobs.contract import (
    ClipEdit,
    CropPoint,
    Export,
    Loudness,
    Rendition,
    StyleSubtitles,
    SubtitleStyle,
    spec_hash,
)
from ray_jobs.export import export
from ray_jobs.media.audio import read_audio
from ray_jobs.media.verify import starts_fast
from ray_jobs.style_subtitles import style_subtitles
from tests.ray_jobs.films import SPEECHLIKE, clip, said

RATE = 25


def lumas(path) -> list[float]:
    with av.open(str(path)) as film:
        return [float(f.to_ndarray(format="gray").mean()) for f in film.decode(video=0)]


class TestFrames:
    def test_a_clip_holds_exactly_its_frames(self, recorded, delivered):
        source = recorded()
        run, made, path = delivered(source, clip(1.0, 3.0))
        seen, there = lumas(path), lumas(run.fetch(source.object))
        assert (made.frames, len(seen)) == (50, 50)
        # Frame n of the source is 2 n + 20 bright, so that neighbours cannot be taken for another.
        np.testing.assert_allclose(seen, there[25:75], atol=1.1)

    def test_a_cut_between_frames_takes_the_one_on_screen(self, recorded, delivered):
        source = recorded()
        run, _, path = delivered(source, clip(1.03, 2.0))
        there = lumas(run.fetch(source.object))
        assert lumas(path)[0] == pytest.approx(there[26], abs=1.1)

    def test_sound_and_picture_are_equally_long(self, recorded, delivered):
        _, made, path = delivered(recorded(), clip(0.5, 3.5))
        sound = read_audio(path, rate_hz=48000, channels=1)
        assert abs(len(sound) / 48000 - made.duration_s) <= 1 / RATE
        assert starts_fast(path)

    @pytest.mark.parametrize(
        ("aspect", "size"),
        [("9:16", (202, 360)), ("1:1", (360, 360)), ("4:5", (288, 360)), ("16:9", (640, 360)),
         ("source", (320, 180))],
    )  # fmt: skip
    def test_every_aspect_has_its_shape(self, recorded, delivered, aspect, size):
        _, made, _ = delivered(recorded(), clip(1.0, 1.4), aspect=aspect, height=360)
        assert (made.width, made.height) == size

    def test_the_crop_follows_its_track_and_jumps_at_cuts_alone(self, recorded, delivered):
        halves = "color=red:s=320x180:r=25:d=4,drawbox=x=160:w=160:h=180:color=blue:t=fill"
        track = [CropPoint(time_s=t / 5, x=0.2, y=0.5) for t in range(5, 10)]
        track += [CropPoint(time_s=t / 5, x=0.8, y=0.5, cut=t == 10) for t in range(10, 16)]
        _, _, path = delivered(recorded(halves), clip(1.0, 3.0, track=track), aspect="9:16")
        with av.open(str(path)) as film:
            reds = [f.to_ndarray(format="rgb24")[..., 0].mean() for f in film.decode(video=0)]
        assert min(reds[:24]) > 200
        assert max(reds[26:]) < 60

    def test_what_must_be_seen_wider_than_a_crop_is_shown_whole(self, recorded, delivered):
        ends = "color=gray:s=320x180:r=25:d=4,drawbox=w=32:h=180:color=red:t=fill"
        widths = {1.0: 0.0, 1.4: 0.9, 1.8: 0.0, 2.2: 0.9}
        track = [CropPoint(time_s=t, x=0.5, y=0.5, width=width) for t, width in widths.items()]
        cut = clip(1.0, 3.0, track=track, edits=[ClipEdit(start_s=2.4, end_s=2.6)])
        run, made, path = delivered(recorded(ends), cut, aspect="9:16")
        with av.open(str(path)) as film:
            frames = [f.to_ndarray(format="rgb24").astype(int) for f in film.decode(video=0)]
        middle = [f[len(f) // 2, :6] for f in frames]
        red = [bool((row[:, 0] - row[:, 1]).mean() > 80) for row in middle]
        assert red == [False] * 10 + [True] * 10 + [False] * 10 + [True] * 15
        assert made.layout == "track"
        crop = json.loads(run.fetch(made.crop.object).read_text())
        assert crop["whole"] == [[1.4, 1.8], [2.2, 2.96]]


class TestEdits:
    EDITS = [ClipEdit(start_s=1.6, end_s=2.2, reason="filler"), ClipEdit(start_s=2.6, end_s=2.8)]
    SHOWN = [*range(25, 40), *range(55, 65), *range(70, 75)]

    def test_what_is_left_out_is_neither_seen_nor_heard(self, recorded, delivered):
        source = recorded()
        run, made, path = delivered(source, clip(1.0, 3.0, edits=self.EDITS))
        seen, there = lumas(path), lumas(run.fetch(source.object))
        assert made.frames == len(seen) == 30
        np.testing.assert_allclose(seen, [there[n] for n in self.SHOWN], atol=1.1)
        sound = read_audio(path, rate_hz=48000, channels=1)
        assert abs(len(sound) / 48000 - made.duration_s) <= 1 / RATE

    def test_subtitles_and_timelines_follow(self, recorded, delivered):
        words = said("one", "um", "two", start_s=1.1, each_s=0.55)
        style = SubtitleStyle(animation="none")
        run, made, _ = delivered(
            recorded(), clip(1.0, 3.0, edits=self.EDITS, words=words, style=style)
        )
        files = {a.kind: run.fetch(a.object) for a in [*made.subtitles, *made.timelines]}
        srt = files["subtitles_srt"].read_text()
        assert "um" not in srt
        assert "one two" in srt
        timeline = json.loads(files["timeline_otio"].read_text())
        track = timeline["tracks"]["children"][0]["children"]
        ranges = [item["source_range"] for item in track]
        assert [int(r["start_time"]["value"]) for r in ranges] == [25, 55, 70]
        assert [int(r["duration"]["value"]) for r in ranges] == [15, 10, 5]

    def test_an_edit_through_a_word_is_told(self, recorded, delivered):
        words = said("one", "enormous", "two", start_s=1.1, each_s=0.5)
        edits = [ClipEdit(start_s=1.8, end_s=2.3)]
        _, made, _ = delivered(recorded(), clip(1.0, 3.0, words=words, edits=edits))
        told = [f for f in made.findings if f.code == "cut_mid_word"]
        assert {(f.start_s < f.end_s, "edit" in f.message) for f in told} == {(True, True)}

    def test_a_preview_shows_the_words_that_are_left(self, recorded, job_run):
        words = said("one", "um", "two", start_s=1.1, each_s=0.55)
        spec = StyleSubtitles(
            source=recorded(), clip=clip(1.0, 3.0, words=words, edits=self.EDITS), height=360
        )
        run = job_run(spec)
        files = {a.kind: run.fetch(a.object) for a in style_subtitles(run, spec).artifacts}
        assert "um" not in files["subtitles_vtt"].read_text()


def test_words_that_were_not_heard_surely_are_left_out_and_counted(recorded, job_run):
    words = said("rivers", "um", "made", start_s=1.1, each_s=0.55)
    words = [words[0], words[1].model_copy(update={"confidence": 0.19}), words[2]]
    cut = clip(1.0, 3.0, words=words).model_copy(update={"min_confidence": 0.2})
    spec = StyleSubtitles(source=recorded(), clip=cut, height=360)
    run = job_run(spec)
    styled = style_subtitles(run, spec)
    files = {a.kind: run.fetch(a.object).read_text() for a in styled.artifacts if "sub" in a.kind
             and a.kind != "subtitle_preview"}  # fmt: skip
    assert all("um" not in text and "rivers" in text for text in files.values())
    [told] = [finding for finding in styled.findings if finding.code == "words_unsure"]
    assert (told.severity, told.message.split()[0]) == ("info", "1")


class TestLayouts:
    HALVES = "color=red:s=320x180:r=25:d=4,drawbox=x=160:w=160:h=180:color=blue:t=fill"
    TRACK = [CropPoint(time_s=1 + n / 5, x=0.2 if n < 5 else 0.8, y=0.5) for n in range(10)]

    def shown(self, recorded, delivered, layout):
        cut = clip(1.0, 2.0, track=self.TRACK)
        run, made, path = delivered(
            recorded(self.HALVES), cut, aspect="9:16", height=320, layout=layout
        )
        with av.open(str(path)) as film:
            picture = next(film.decode(video=0)).to_ndarray(format="rgb24")
        data = json.loads(run.fetch(made.crop.object).read_text())
        return made, picture.astype(int), data

    def test_two_windows_stand_one_above_the_other(self, recorded, delivered):
        made, picture, data = self.shown(recorded, delivered, "split")
        upper, lower = picture[:158], picture[162:]
        assert (upper[..., 0] - upper[..., 2]).min() > 150
        assert (lower[..., 2] - lower[..., 0]).min() > 150
        assert (made.layout, made.layout_reason, len(data["paths"])) == ("split", None, 2)

    def test_a_screen_is_whole_and_raised_on_a_plain_ground(self, recorded, delivered):
        made, picture, data = self.shown(recorded, delivered, "screen")
        bright = np.flatnonzero(picture.max(axis=(1, 2)) > 100)
        assert len(bright) == pytest.approx(101, abs=2)
        assert bright[0] < 320 - 1 - bright[-1]
        assert picture[bright[len(bright) // 2], 10, 0] > 150
        assert picture[bright[len(bright) // 2], -10, 2] > 150
        assert (made.layout, data["paths"]) == ("screen", [])

    def test_what_was_chosen_is_told_with_its_reason(self, recorded, delivered):
        made, _, data = self.shown(recorded, delivered, "auto")
        assert made.layout == data["layout"] == "split"
        assert "two places" in made.layout_reason


class TestSound:
    @pytest.mark.parametrize("gain_db", [-35, -20, 0, 12])
    def test_whatever_came_in_leaves_at_the_target(self, recorded, delivered, gain_db):
        source = recorded(sound=f"{SPEECHLIKE},volume={gain_db}dB,aformat=sample_fmts=s16")
        _, made, path = delivered(source, clip(0.2, 3.8))
        heard = measure(read_audio(path, rate_hz=48000, channels=2), 48000)
        assert heard.integrated_lufs == pytest.approx(-14, abs=0.5)
        assert heard.true_peak_dbtp <= -1.0
        assert made.loudness_lufs == pytest.approx(heard.integrated_lufs, abs=0.1)

    def test_other_targets_are_met_too(self, recorded, delivered):
        wanted = Loudness(target_lufs=-23, max_true_peak_dbtp=-2)
        _, made, _ = delivered(recorded(), clip(0.2, 3.8), loudness=wanted)
        assert made.loudness_lufs == pytest.approx(-23, abs=0.5)
        assert made.true_peak_dbtp <= -2

    def test_silence_stays_silent_and_says_so(self, recorded, delivered):
        source = recorded(sound="anullsrc=r=48000:cl=stereo:d=4")
        _, made, path = delivered(source, clip())
        assert made.loudness_lufs is None
        assert [finding.code for finding in made.findings] == ["silent"]
        assert np.abs(read_audio(path, rate_hz=48000)).max() < 1e-3

    def test_a_film_without_sound_is_delivered_without_sound(self, recorded, delivered):
        _, made, path = delivered(recorded(sound=None), clip())
        assert made.loudness_lufs is None
        with av.open(str(path)) as film:
            assert not film.streams.audio

    def test_sound_without_pictures_is_drawn(self, recorded, delivered):
        _, made, path = delivered(recorded(video=None), clip(), aspect="1:1", height=120)
        assert (made.width, made.height) == (120, 120)
        assert np.ptp(lumas(path)) > 0


class TestSubtitles:
    HOSTILE = ("{\\an8}top", "100%", "it's", '"quoted"', "[v];", "日本語", "שלום", "😀", "<b>x</b>")

    def files(self, run, made):
        return {a.kind: run.fetch(a.object).read_text() for a in made.subtitles}

    def test_hostile_words_are_words(self, recorded, delivered):
        words = said(*self.HOSTILE, each_s=0.2)
        run, made, path = delivered(
            recorded(), clip(words=words, style=SubtitleStyle(), title="a 'b'; [v] \n ☃")
        )
        files = self.files(run, made)
        for kind, name in (("subtitles_srt", "srt"), ("subtitles_vtt", "vtt")):
            texts = pysubs2.SSAFile.from_string(files[kind], format_=name, keep_html_tags=True)
            together = " ".join(event.plaintext for event in texts)
            assert "100%" in together
            assert "日本語" in together
        ass = pysubs2.SSAFile.from_string(files["subtitles_ass"])
        drawn = " ".join(event.plaintext for event in ass).replace("\u2060", "")
        assert "it's" in drawn
        assert "100%" in drawn
        assert any("\\{\\\u2060an8\\}top" in event.text for event in ass)
        assert len(lumas(path)) == made.frames

    def test_burned_words_can_be_seen_while_they_are_said(self, recorded, delivered):
        black = "color=black:s=320x180:r=25:d=4"
        words = said("HELLO", "WORLD", start_s=1.8)
        style = SubtitleStyle(size=0.12)
        _, _, path = delivered(recorded(black), clip(words=words, style=style))
        seen = lumas(path)
        assert max(seen[:15]) < seen[25] / 2

    def test_nothing_is_burned_when_it_is_not_wanted(self, recorded, delivered):
        black = "color=black:s=320x180:r=25:d=4"
        words = said("HELLO", "WORLD")
        _, made, path = delivered(
            recorded(black), clip(words=words, style=SubtitleStyle()), burn_subtitles=False
        )
        assert np.ptp(lumas(path)) < 1
        assert {a.kind for a in made.subtitles} == {
            "subtitles_ass", "subtitles_srt", "subtitles_vtt",
        }  # fmt: skip

    def test_karaoke_keeps_the_words_own_times(self, recorded, delivered):
        words = said(*["one", "two", "three", "four", "five", "six"], start_s=1.1, each_s=0.31)
        run, made, _ = delivered(recorded(), clip(words=words, style=SubtitleStyle()))
        ass = pysubs2.SSAFile.from_string(self.files(run, made)["subtitles_ass"])
        starts = []
        for event in ass:
            at_ms = event.start
            for tag in event.text.split("{")[1:]:
                inside = tag.split("}")[0]
                number = "".join(c for c in inside.partition("\\k")[2] if c.isdigit())
                if number:
                    if tag.split("}", 1)[1].strip("\u2060 \\N"):
                        starts.append(at_ms)
                    at_ms += 10 * int(number)
        wanted = [1000 * (word.start_s - 1.0) for word in words]
        np.testing.assert_allclose(starts, wanted, atol=10.5)

    def test_a_changed_colour_renders_no_sound(self, recorded, delivered):
        source, words = recorded(), said("one", "two")
        cut = clip(words=words, style=SubtitleStyle())
        delivered(source, cut)
        other = cut.model_copy(update={"style": SubtitleStyle(color="#00FF00")})
        run, _, _ = delivered(source, other)
        cached = {step.name: step.cached for step in run.steps}
        assert cached["sound"]
        assert not cached["picture"]

    def test_styling_leaves_files_and_a_picture(self, recorded, job_run):
        source = recorded()
        cut = clip(words=said("one", "two"), style=SubtitleStyle(preset="pop", animation="pop"))
        spec = StyleSubtitles(source=source, clip=cut, height=180)
        run = job_run(spec)
        result = style_subtitles(run, spec)
        kinds = {artifact.kind: artifact for artifact in result.artifacts}
        assert set(kinds) == {
            "subtitles_ass", "subtitles_srt", "subtitles_vtt", "subtitle_preview",
        }  # fmt: skip
        picture = run.fetch(kinds["subtitle_preview"].object)
        with av.open(str(picture)) as image:
            assert next(image.decode(video=0)).height == 180


@pytest.mark.parametrize("encoder", ["x264", "svtav1"])
def test_one_spec_in_two_fresh_caches_gives_the_same_bytes(
    recorded, job_run, settings, tmp_path, encoder
):
    cut = clip(words=said("one", "two"), style=SubtitleStyle())
    spec = Export(source=recorded(), clips=[cut], height=180, aspect="1:1", encoder=encoder)
    made = []
    for _ in range(2):
        shutil.rmtree(settings.cache_dir, ignore_errors=True)
        for step in (tmp_path / "objects").rglob("step*.json"):
            step.unlink()
        run = job_run(spec)
        made.append(export(run, spec))
        assert not any(step.cached for step in run.steps)
    first, second = made
    assert first == second
    assert first.spec_sha256 == spec_hash(spec)


def test_lossless_is_refused_when_asked_for():
    """CRF 0 is lossless, which H.264's High profile cannot hold: the encoder would fail."""
    with pytest.raises(ValidationError, match="crf"):
        Rendition(name="exact", height=720, crf=0)
