"""How a picture comes into another shape, and the camera's path as data."""

import numpy as np
import pytest

from ray_jobs.contract import CropPoint, MediaInfo
from ray_jobs.media.reframe import Size, crop_data, crop_path, laid_out

UPRIGHT = Size(180, 320)
TIMES_S = np.arange(0, 4, 0.04)


def media(width=640, height=360) -> MediaInfo:
    return MediaInfo(
        container="mp4", duration_s=4, width=width, height=height, frame_rate="25/1",
        video_codec="h264",
    )  # fmt: skip


def seen_at(*places) -> list[CropPoint]:
    """A subject that is at each place for a second, with a cut before the next."""
    return [
        CropPoint(time_s=second + n / 5, x=x, y=0.5, cut=bool(second and not n))
        for second, x in enumerate(places)
        for n in range(5)
    ]


class TestWhatMustBeSeen:
    """A crop shows 0.316 of the width of 16:9; letters that are wider are shown whole."""

    def letters(self, *widths: float) -> list[CropPoint]:
        return [
            CropPoint(time_s=second, x=0.5, y=0.5, cut=bool(second), width=width)
            for second, width in enumerate(widths)
        ]

    def test_what_is_wider_than_a_crop_is_shown_whole_for_as_long_as_it_is(self):
        frame, layout, reason = laid_out(
            media(), UPRIGHT, "track", self.letters(0.0, 0.5, 0.6, 0.3)
        )
        assert (frame.mode, layout, reason) == ("crop", "track", None)
        assert frame.whole_s == ((1.0, 3.0),)

    def test_a_clip_that_is_all_to_be_read_is_laid_out_as_such(self):
        frame, layout, reason = laid_out(media(), UPRIGHT, "track", self.letters(0.8, 0.5))
        assert (frame.mode, layout) == ("fill", "fit")
        assert "read" in reason

    def test_a_wider_target_may_show_it_all(self):
        frame, _, _ = laid_out(media(), Size(320, 320), "track", self.letters(0.0, 0.5))
        assert frame.whole_s == ()

    def test_black_bars_are_not_counted(self):
        barred = media().model_copy(update={"active": (0.25, 0.0, 0.5, 1.0)})
        frame, _, _ = laid_out(barred, UPRIGHT, "track", self.letters(0.0, 0.33))
        assert frame.whole_s == ((1.0, float("inf")),)


class TestLayouts:
    @pytest.mark.parametrize(
        ("places", "layout"),
        [((0.5, 0.5, 0.55, 0.5), "track"), ((0.2, 0.8, 0.2, 0.8), "split"),
         ((0.1, 0.4, 0.7, 0.9), "fit"), ((), "fit")],
    )  # fmt: skip
    def test_auto_takes_what_suits_the_subject_and_says_why(self, places, layout):
        _, taken, reason = laid_out(media(), UPRIGHT, "auto", seen_at(*places))
        assert taken == layout
        assert "subject" in reason

    def test_a_picture_of_the_wanted_shape_is_shown_as_it_is(self):
        frame, taken, reason = laid_out(media(360, 640), UPRIGHT, "split", [])
        assert (frame.mode, taken, reason) == ("fit", "track", "the picture has the wanted shape")

    def test_two_windows_are_for_upright_pictures_alone(self):
        frame, taken, reason = laid_out(media(), Size(320, 320), "split", seen_at(0.2, 0.8))
        assert (frame.mode, taken) == ("crop", "track")
        assert "upright" in reason

    @pytest.mark.parametrize("layout", ["fit", "screen"])
    def test_the_whole_picture_is_shown_where_it_is_asked_for(self, layout):
        frame, taken, reason = laid_out(media(), UPRIGHT, layout, seen_at(0.2))
        assert frame.scaled == (180, 102)
        assert (taken, reason) == (layout, None)


class TestSplit:
    def windows(self, *places, size=(640, 360)):
        track = seen_at(*places)
        frame, _, _ = laid_out(media(*size), UPRIGHT, "split", track)
        corners = crop_path(track, frame, TIMES_S)
        return frame, corners

    @pytest.mark.parametrize("size", [(640, 360), (640, 480), (1920, 800)])
    @pytest.mark.parametrize("places", [(0.2, 0.8), (0.5,), (0.0, 1.0), (0.4, 0.6)])
    def test_shows_nothing_twice_and_nothing_outside(self, places, size):
        frame, corners = self.windows(*places, size=size)
        left, _, right, _ = corners[0]
        assert left >= 0
        assert left + frame.window.width <= right
        assert right + frame.window.width <= frame.scaled.width

    def test_holds_still_on_the_two_places_of_the_subject(self):
        frame, corners = self.windows(0.25, 0.75, 0.25)
        assert (corners == corners[0]).all()
        middles = (corners[0, ::2] + frame.window.width / 2) / frame.scaled.width
        np.testing.assert_allclose(middles, [0.25, 0.75], atol=0.01)


class TestData:
    def path(self, *places):
        track = seen_at(*places)
        frame, layout, _ = laid_out(media(), UPRIGHT, "track", track)
        corners = crop_path(track, frame, TIMES_S)
        return frame, corners, crop_data(frame, layout, corners, TIMES_S)

    def test_gives_back_the_path_between_its_points(self):
        frame, corners, data = self.path(0.3, 0.3, 0.7, 0.7)
        (points,) = data["paths"]
        at = [point["time_s"] for point in points]
        middle = np.interp(TIMES_S, at, [point["x"] for point in points])
        corner = middle * frame.scaled.width - frame.window.width / 2
        np.testing.assert_allclose(corner, corners[:, 0], atol=2.0)

    def test_marks_where_the_camera_jumps(self):
        _, _, data = self.path(0.3, 0.3, 0.7, 0.7)
        cuts = [point["time_s"] for point in data["paths"][0] if point["cut"]]
        assert cuts == [pytest.approx(2.0, abs=0.05)]

    def test_can_be_edited_and_given_back_as_a_track(self):
        _, _, data = self.path(0.3, 0.7)
        points = [CropPoint.model_validate(point) for point in data["paths"][0]]
        assert len(points) < len(TIMES_S) / 4


def test_the_camera_is_at_once_where_the_subject_is_after_something_was_left_out():
    still = [CropPoint(time_s=n / 5, x=0.3, y=0.5) for n in range(20)]
    moving = [CropPoint(time_s=4 + n / 5, x=0.3 + 0.02 * n, y=0.5) for n in range(20)]
    rest = [CropPoint(time_s=8 + n / 5, x=0.7, y=0.5) for n in range(20)]
    times_s = np.concatenate([np.arange(0, 3, 0.04), np.arange(9, 12, 0.04)])
    frame, _, _ = laid_out(media(), UPRIGHT, "track", [*still, *moving, *rest])
    corners = crop_path([*still, *moving, *rest], frame, times_s)[:, 0]
    assert len(set(corners[:75])) == len(set(corners[75:])) == 1
    assert corners[75] - corners[74] > 0.3 * frame.scaled.width
