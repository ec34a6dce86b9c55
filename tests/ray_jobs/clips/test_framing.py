"""A clip is centred on the faces in it, else on what is written, else on what moves."""

import numpy as np
import pytest

from ray_jobs.clips.framing import camera, crop_points, led
from ray_jobs.contract import IngestLimits
from ray_jobs.engines import faces
from ray_jobs.media.probe import probe
from tests.ray_jobs.clips.conftest import measured


def test_the_crop_looks_into_the_new_shot_from_its_first_point():
    """A shot that begins within a sample must not inherit the middle of both."""
    features = measured(10.0, shots=(0.0, 5.04))
    features.centroid[:50, 0], features.centroid[50, 0], features.centroid[51:, 0] = 0.1, 0.5, 0.9
    points = crop_points(features, 4.0, 6.5)
    (cut,) = [point for point in points if point.cut]
    assert (cut.time_s, cut.x) == (5.04, 0.9)
    assert [point.x for point in points if point.time_s < 5.0] == [0.1] * 5
    times = [point.time_s for point in points]
    assert times == sorted(set(times))
    assert times[0] == 4.0
    assert times[-1] <= 6.5


def test_a_crop_of_unknown_subjects_looks_at_the_middle():
    features = measured(3.0)
    features.centroid[:] = np.nan
    assert {(point.x, point.y) for point in crop_points(features, 0.5, 2.5)} == {(0.5, 0.5)}


def test_a_clip_at_the_very_end_has_a_crop():
    points = crop_points(measured(3.0), 2.97, 3.0)
    assert points
    assert all(2.97 <= point.time_s <= 3.0 for point in points)


def test_places_that_are_known_replace_the_eyes_centre_and_others_do_not():
    track = crop_points(measured(2.0), 0.0, 1.0)
    places = np.full((len(track), 2), np.nan)
    places[2:] = 0.8, 1.2
    jumps = np.zeros(len(track), np.bool_)
    jumps[3] = True
    moved = led(track, places, jumps)
    assert moved[:2] == track[:2]
    assert {(point.x, point.y) for point in moved[2:]} == {(0.8, 1.0)}
    assert [n for n, point in enumerate(moved) if point.cut] == [3]


@pytest.fixture
def seen(media):
    """`seen(name, end_s)` is the camera's track over a recording's start, and its subject."""

    def look(name: str, end_s: float, *, start_s: float = 0.0):
        path = media / ("speech" if "example" in name else "video") / name
        found = probe(path, IngestLimits())
        return camera(path, found, measured(found.duration_s), [], start_s, end_s)

    return look


@pytest.mark.media
class TestOnRecordings:
    def test_a_talking_head_is_kept_in_the_crop(self, seen):
        track, subject = seen("carphone_pristine.mp4", 3.0)
        assert subject == "face"
        # He sits left of the middle, the bright window that moves is on the right.
        assert all(0.3 <= point.x <= 0.55 for point in track)

    def test_slides_must_be_seen_as_wide_as_they_are_written(self, seen):
        track, subject = seen("lecture_slides_speech.mov", 4.0)
        assert subject == "text"
        assert all(point.width > 0.6 for point in track)

    @pytest.mark.parametrize(
        ("name", "start_s", "end_s", "left", "right"),
        [
            ("big_buck_bunny_0_30.webm", 20.0, 22.9, 0.26, 0.74),
            ("big_buck_bunny_0_30.webm", 25.0, 29.5, 0.32, 0.72),
            ("mixed_content_noaudio.webm", 5.2, 10.0, 0.05, 0.88),
            ("counter_30frames.mp4", 1.0, 2.9, 0.67, 0.98),
            ("auto_editor_example_42s.mp4", 0.0, 3.0, 0.663, 0.966),
        ],
        ids=["title over a scene", "large title", "scrolling page", "changing digits", "clock"],
    )
    def test_what_is_written_is_seen_whole(self, seen, name, start_s, end_s, left, right):
        track, subject = seen(name, end_s, start_s=start_s)
        assert subject == "text"
        assert all(point.x - point.width / 2 <= left for point in track)
        assert all(point.x + point.width / 2 >= right for point in track)

    @pytest.mark.parametrize(
        "name", ["bikes_5cuts.mp4", "chaplin_pd.mp4", "flower.mp4", "testvideo_bcastell.mp4"]
    )
    def test_a_scene_is_not_to_be_read_even_with_letters_over_it(self, seen, name):
        track, subject = seen(name, 5.0)
        assert subject != "text"
        assert not any(point.width for point in track)

    def test_the_same_pictures_give_the_same_track(self, seen):
        assert seen("his_girl_friday_6s.mp4", 2.0) == seen("his_girl_friday_6s.mp4", 2.0)

    def test_without_the_package_what_moves_is_followed(self, seen, monkeypatch):
        monkeypatch.setattr(faces, "available", lambda: False)
        track, subject = seen("carphone_pristine.mp4", 2.0)
        assert subject == "motion"
        assert {point.x for point in track} == {0.5}
