"""What is measured of a recording stands at its time, and what is not there is not made up."""

import numpy as np
import pytest

from ray_jobs.clips.candidates import find
from ray_jobs.clips.features import RATE_HZ, Features, at_rate, measure
from ray_jobs.clips.scoring import score
from ray_jobs.contract import IngestLimits
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.probe import probe

RED = "color=0x803030:s=96x54:r=25:d=2"
GREEN, BOX = "color=0x306030:s=96x54:r=25:d=2", "color=white:s=14x14:r=25:d=2"
LATE_TONE = "aevalsrc=0.3*sin(2*PI*440*t)*gte(t\\,2):s=48000:d=4"


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two shots of two seconds, with a box that moves in the second, where a tone begins."""
    path = tmp_path_factory.mktemp("features") / "film.mkv"
    ffmpeg([
        "-f", "lavfi", "-i", RED, "-f", "lavfi", "-i", GREEN, "-f", "lavfi", "-i", BOX,
        "-f", "lavfi", "-i", LATE_TONE,
        "-filter_complex", "[1][2]overlay=x=40*t:y=20[m];[0][m]concat=n=2[v]",
        "-map", "[v]", "-map", "3", "-c:v", "libx264",
        "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "flac", str(path),
    ])  # fmt: skip
    return path


@pytest.fixture(scope="module")
def features(film):
    return measure(film, probe(film, IngestLimits()), lambda _share: None)


def test_shots_sound_and_motion_stand_at_their_times(features):
    assert [(round(s["start_s"], 2), round(s["end_s"], 2)) for s in features.shots] == [
        (0.0, 2.0), (2.0, 4.0),
    ]  # fmt: skip
    loudness = features.tracks["loudness_lufs"]
    assert loudness[:17].max() < -60
    assert loudness[23:37].min() > -20
    motion = features.tracks["motion"]
    assert motion[2:19].max() < motion[22:38].min()
    assert int(np.argmax(features.tracks["change"])) == 20
    x = features.centroid[25:38, 0]
    assert (np.diff(x) > -0.01).all()
    assert x[-1] - x[0] > 0.2


def test_they_are_the_same_after_a_night_on_disk(features, tmp_path):
    features.save(tmp_path / "f.npz")
    value = {"shots": features.shots, "duration_s": features.duration_s}
    again = Features.load(tmp_path / "f.npz", value)
    assert again.curves() == features.curves()
    np.testing.assert_array_equal(again.centroid, features.centroid)


def test_progress_runs_to_its_end(film):
    seen: list[float] = []
    measure(film, probe(film, IngestLimits()), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("drop", "missing"), [("-an", "loudness_lufs"), ("-vn", "motion")])
def test_half_a_recording_is_measured_by_half(film, tmp_path, drop, missing):
    half = tmp_path / "half.mkv"
    ffmpeg(["-i", str(film), drop, "-c", "copy", str(half)])
    found = measure(half, probe(half, IngestLimits()), lambda _share: None)
    assert np.isnan(found.tracks[missing]).all()
    assert missing not in found.curves()["tracks"]
    assert found.frames == pytest.approx(4 * RATE_HZ, abs=1)


def test_pictures_that_begin_late_leave_a_gap_that_harms_nobody(film, tmp_path, order):
    late = tmp_path / "late.mkv"
    ffmpeg([
        "-itsoffset", "2", "-i", str(film), "-i", str(film), "-map", "0:v", "-map", "1:a",
        "-c", "copy", str(late),
    ])  # fmt: skip
    found = measure(late, probe(late, IngestLimits()), lambda _share: None)
    assert found.duration_s == pytest.approx(6.0, abs=0.2)
    spec = order(found.duration_s, [], min_duration_s=0.5, max_duration_s=3)
    spans = find(spec, found)
    scored = score(spec, found, spans)
    assert np.isfinite(scored.total).all()
    for i in range(len(spans.first)):
        scored.breakdown(i, spans)


# ---- rates ---------------------------------------------------------------------------------------


def test_a_bin_without_a_sample_repeats_the_one_before():
    values, bins = np.array([2.0, 4.0, 9.0]), np.array([1, 1, 4])
    np.testing.assert_array_equal(at_rate(values, bins, 6), [np.nan, 3, 3, 3, 9, 9])
    np.testing.assert_array_equal(at_rate(values, bins, 6, peak=True), [np.nan, 4, 4, 4, 9, 9])
