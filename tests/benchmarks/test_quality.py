"""The judges of quality are judged: a wrong answer must show as one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import Row
from benchmarks.quality import exports as judged
from benchmarks.quality.silences import Truth, pauses, quiet, share
from benchmarks.quality.speakers import Turn, error
from benchmarks.quality.speech import edits, rate, words
from benchmarks.quality.table import cells, groups, keep, measured
from benchmarks.workshop import workshop
from ray_jobs.media.ffmpeg import ffmpeg

LETTERS = st.lists(st.sampled_from("abc"), max_size=6)


@pytest.mark.parametrize(
    ("wanted", "found", "count"),
    [("a b c", "a b c", 0), ("a b c", "a x c", 1), ("a b", "a b c d", 2), ("a b c", "", 3),
     ("", "a", 1), ("a b c d", "b c d", 1)],
)  # fmt: skip
def test_edits_are_counted_as_by_hand(wanted, found, count):
    assert edits(wanted.split(), found.split()) == count


@given(LETTERS, LETTERS, LETTERS)
def test_edits_are_a_distance(a, b, c):
    assert edits(a, b) == edits(b, a)
    assert (edits(a, b) == 0) == (a == b)
    assert edits(a, c) <= edits(a, b) + edits(b, c)


def test_a_word_is_a_word_however_it_is_written():
    assert words("“Don’t,” said MR. Smith: 42!") == ["don't", "said", "mr", "smith", "42"]
    assert rate([(1, 10), (1, 10)]) == 10


def test_diarization_error_counts_what_was_missed_and_mixed_up():
    pytest.importorskip("pyannote.metrics")
    truth = [Turn(0, 10, "A"), Turn(10, 20, "B")]
    renamed = [Turn(0, 10, "x"), Turn(10, 20, "y")]
    assert error(truth, renamed) == pytest.approx((0, 19))  # the collar takes 0.25 s at each edge
    wrong_s, spoken_s = error(truth, [Turn(0, 20, "x")])
    assert wrong_s / spoken_s == pytest.approx(0.5)
    assert error(truth, truth[:1])[0] == pytest.approx(9.5)


def test_what_a_cut_loses_and_leaves_is_counted_once(tmp_path):
    truth = Truth(tmp_path, "", [(0, 10), (5, 12)], [(12, 20)])
    assert share(truth, []) == (0, 12, 8, 8)
    assert share(truth, [(11, 14), (13, 19)]) == (1, 12, 1, 8)
    assert share(truth, [(20, 30)]) == share(truth, [])


def test_silence_is_found_where_it_is_and_a_margin_of_it_stays(tmp_path):
    path = tmp_path / "tones.flac"
    sound = "sine=frequency=440:duration=6,volume='if(between(t,2,4.5),0,1)':eval=frame"
    ffmpeg(["-f", "lavfi", "-i", sound, str(path)])
    words = [(0.0, 2.0), (4.5, 5.0), (5.5, 6.0)]
    assert pauses(words) == [(2.0, 4.5)]
    ((start_s, end_s),) = quiet(Truth(path, "", words, pauses(words)))
    assert (start_s, end_s) == pytest.approx((2.2, 4.3), abs=0.03)


def test_a_clapper_is_in_step_and_a_late_sound_is_seen(tmp_path):
    path = judged.clapper(tmp_path / "clapper.mkv", 20)
    late = tmp_path / "late.mkv"
    ffmpeg(["-i", str(path), "-itsoffset", "0.2", "-i", str(path), "-map", "0:v", "-map", "1:a",
            "-c", "copy", str(late)])  # fmt: skip
    assert np.allclose(judged.flashes(path), [5, 15], atol=0.002)
    assert np.allclose(judged.beeps(path), [5, 15], atol=0.002)
    assert np.allclose(judged.beeps(late), [5.2, 15.2], atol=0.002)


def test_a_cut_of_a_recording_with_changing_frame_rate_stays_in_step(tmp_path):
    with workshop() as shop:
        source = shop.source(judged.clapper(tmp_path / "clapper.mkv", 30))
        assert source.media.vfr
        made, cut = shop.export(source, 11.3, 28.0, **judged.QUICK)
        assert made.frames == len(judged_frames(cut))
        assert np.allclose(judged.flashes(cut), [3.7, 13.7], atol=0.04)
        assert np.allclose(judged.beeps(cut), judged.flashes(cut), atol=0.04)


def judged_frames(path):
    import av

    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0)]


def test_vmaf_knows_a_coarse_picture_from_a_fine_one(tmp_path):
    paths = [tmp_path / f"{crf}.mp4" for crf in (0, 18, 45)]
    for path in paths:
        ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1", "-c:v", "libx264",
                "-crf", path.stem, "-pix_fmt", "yuv420p", str(path)])  # fmt: skip
    exact, fine, coarse = paths
    assert judged.vmaf(fine, exact) > 90 > judged.vmaf(coarse, exact)


def test_a_group_that_breaks_says_so_and_counts_as_missed():
    class Group:
        @staticmethod
        def rows(_media):
            yield Row("first", "%", 1.0, "a file")
            raise ValueError("no such file")

    first, broken = measured("group", Group, None)
    assert (first.what, broken.met) == ("first", False)
    assert "ValueError: no such file" in broken.note


def test_a_row_is_written_with_its_unit_and_its_verdict():
    row = Row("error", "dB", 0.504, "a file", {"peer": 12.0}, "≤ 1", met=True)
    assert cells(row) == ("error", "0.5 dB", "≤ 1", "yes", "peer 12 dB", "a file")
    assert cells(Row("error", "dB", None, "", met=False, note="not built"))[1:4] == (
        "– (not built)", "", "**no**",
    )  # fmt: skip
    assert "table" not in groups()


def test_a_group_measured_again_replaces_its_rows_and_no_others(tmp_path):
    where = {"date": "2030", "commit": "abc", "cpu": "A CPU", "cores": 2, "memory_gib": 1,
             "gpu": None}  # fmt: skip
    keep(tmp_path, where, "first", "First", [Row("old", "%", 1.0, "a file")])
    keep(tmp_path, where, "second", "Second", [Row("kept", "%", 2.0, "a file", {"peer": 3.0})])
    keep(tmp_path, where, "first", "First", [Row("new", "%", 4.0, "a file")])
    text = (tmp_path / "quality.md").read_text()
    assert "| new | 4 % |" in text
    assert "| kept | 2 % |  |  | peer 3 % |" in text
    assert "old" not in text
