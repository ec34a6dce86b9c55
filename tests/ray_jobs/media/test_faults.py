"""Measures of faults, each on planes and samples whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.contract import OPEN, SafeArea, Word
from ray_jobs.media import faults

RATE_HZ = 48_000
ALL = np.ones((90, 160), np.bool_)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_runs_are_exactly_the_long_stretches(flags, least):
    found = faults.runs(np.array(flags, np.bool_), least)
    told = {n for first, end in found for n in range(first, end)}
    text = "".join("#" if flag else " " for flag in flags)
    wanted, at = set(), 0
    for part in text.split(" "):
        if len(part) >= least:
            wanted |= set(range(at, at + len(part)))
        at += len(part) + 1
    assert told == wanted


class TestPictures:
    def test_a_black_picture_with_a_clock_in_it_is_black(self):
        luma = np.full((90, 160), 12, np.uint8)
        luma[:8, :16] = 255
        assert faults.is_dark(luma, ALL)
        luma[:30] = 255
        assert not faults.is_dark(luma, ALL)

    def test_what_we_drew_ourselves_does_not_count(self):
        luma = np.zeros((90, 160), np.uint8)
        luma[60:80] = 255
        left = faults.left_of(luma.shape, [(0.0, 0.6, 1.0, 0.4)])
        assert not faults.is_dark(luma, ALL)
        assert faults.is_dark(luma, left)
        before = luma.copy()
        before[60:80] = 0
        assert faults.is_still(luma, before, left)
        assert not faults.is_still(luma, before, ALL)

    def test_boxes_that_cover_everything_leave_everything(self):
        assert faults.left_of((4, 4), [(0.0, 0.0, 1.0, 1.0)]).all()

    def test_the_grain_of_a_camera_is_movement(self):
        random = np.random.default_rng(1)
        before = random.normal(120, 2, (90, 160)).astype(np.uint8)
        luma = random.normal(120, 2, (90, 160)).astype(np.uint8)
        assert not faults.is_still(luma, before, ALL)
        assert faults.is_still(before, before, ALL)


class TestSound:
    def tone(self, seconds, level=0.5):
        t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        return np.repeat((level * np.sin(2 * np.pi * 300 * t)).astype(np.float32)[:, None], 2, 1)

    def test_silence_is_found_where_it_is(self):
        quiet = np.zeros((3 * RATE_HZ, 2), np.float32)
        sound = np.concatenate([self.tone(1), quiet, self.tone(1), quiet[:RATE_HZ]])
        (span,) = faults.silent_spans(faults.levels_dbfs(sound, RATE_HZ))
        assert span == pytest.approx((1.0, 4.0), abs=0.11)

    def test_a_rest_that_is_shorter_than_a_window_has_no_level(self):
        for samples in (0, 1, 100):
            assert len(faults.levels_dbfs(self.tone(1)[:samples], RATE_HZ)) == 0

    def test_one_channel_with_sound_is_no_silence(self):
        sound = self.tone(3)
        sound[:, 0] = 0
        assert faults.silent_spans(faults.levels_dbfs(sound, RATE_HZ)) == []

    def test_flat_tops_are_clipping_and_loud_peaks_are_not(self):
        loud = self.tone(1, 0.99)
        assert faults.clipped_spans(loud, RATE_HZ) == []
        flat = np.concatenate([loud, np.clip(self.tone(1, 2.0), -1, 1)])
        (span,) = faults.clipped_spans(flat, RATE_HZ, at_s=5.0)
        assert span == pytest.approx((6.0, 7.0), abs=0.01)

    @pytest.mark.parametrize("late_ms", [-120, -45, 0, 3, 80, 400])
    def test_the_lag_between_two_sounds_is_known_to_the_millisecond(self, late_ms):
        random = np.random.default_rng(2)
        steps = np.repeat(random.random(60), 80)
        noise = (random.standard_normal(60 * 80 * 48) * np.repeat(steps, 48)).astype(np.float32)
        wanted = faults.envelope(noise[:, None], RATE_HZ)
        heard = 0.3 * np.roll(wanted, late_ms)
        assert faults.lag_s(heard, wanted) == pytest.approx(late_ms / 1000, abs=0.001)

    def test_other_sounds_have_no_lag(self):
        random = np.random.default_rng(3)
        one, other = (random.random(4000).astype(np.float32) for _ in range(2))
        assert faults.lag_s(one, other) is None
        assert faults.lag_s(np.zeros(4000, np.float32), one) is None


class TestPlaces:
    def test_overhang_is_the_worst_side(self):
        area = SafeArea(left=0.1, bottom=0.2)
        assert faults.overhang((0.1, 0.0, 1.0, 0.8), area) == 0
        assert faults.overhang((0.06, 0.0, 1.0, 0.9), area) == pytest.approx(0.1)
        assert faults.overhang((-0.2, 0.0, 1.0, 0.9), OPEN) == pytest.approx(0.2)

    def test_boxes_end_at_the_picture(self):
        assert faults.clipped_box(-0.2, 0.5, 0.3, 1.4) == (0.0, 0.5, 0.3, 0.5)


def test_only_words_that_a_cut_goes_through_are_cut():
    words = [
        Word(id=f"w{n}", text=text, start_s=start_s, end_s=end_s, confidence=1)
        for n, (text, start_s, end_s) in enumerate(
            [("before", 0.5, 1.02), ("through", 0.8, 1.3), ("in", 1.4, 1.9), ("edge", 1.96, 2.4)]
        )
    ]
    assert [(w.text, e) for w, e in faults.cut_words(words, (1.0, 2.0))] == [("through", 1.0)]
