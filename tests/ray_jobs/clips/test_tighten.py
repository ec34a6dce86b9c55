"""What a clip can do without: fillers of its language, and silence; never music or other words."""

from itertools import pairwise

import numpy as np
import pytest

from ray_jobs.clips.features import RATE_HZ
from ray_jobs.clips.tighten import suggested
from tests.ray_jobs.clips.conftest import measured, spoken


def heard(sentences, *, quiet=(), duration_s=20.0):
    """Words, and features in which everything is loud speech but for the quiet spans."""
    features = measured(duration_s)
    features.tracks["loudness_lufs"][:] = -20.0
    features.tracks["speech"][:] = 1.0
    for start_s, end_s in quiet:
        span = slice(int(start_s * RATE_HZ), int(end_s * RATE_HZ))
        features.tracks["loudness_lufs"][span] = -60.0
        features.tracks["speech"][span] = 0.0
    return [word for segment in spoken(*sentences) for word in segment.words], features


def found(words, features, language="en", *, applied=False):
    return suggested(words, features, language=language, applied=applied)


def test_a_filler_goes_with_the_short_pause_after_it():
    words, features = heard([(1.0, "well um, yes")])
    (edit,) = found(words, features)
    assert (edit.reason, edit.text, edit.applied) == ("filler", "um,", False)
    assert (edit.start_s, edit.end_s) == (1.3, pytest.approx(1.6))


def test_another_languages_fillers_are_words():
    words, features = heard([(1.0, "er kommt um acht")])
    assert found(words, features, "de") == []
    assert found(words, features, "ja") == []
    assert [edit.text for edit in found(words, features, None)] == ["er", "um"]


def test_a_filler_whose_time_was_guessed_stays():
    words, features = heard([(1.0, "well um yes")])
    words[1] = words[1].model_copy(update={"interpolated": True})
    assert found(words, features) == []


def test_a_long_silence_is_left_out_but_for_its_ends():
    words, features = heard([(1.0, "one"), (5.0, "two")], quiet=[(1.3, 5.0)])
    (edit,) = found(words, features, applied=True)
    assert (edit.reason, edit.applied) == ("pause", True)
    assert (edit.start_s, edit.end_s) == (pytest.approx(1.45), pytest.approx(4.8))


@pytest.mark.parametrize("kept", ["music", "a short pause"])
def test_what_is_no_dead_air_stays(kept):
    words, features = heard(
        [(1.0, "one"), (2.2 if "short" in kept else 5.0, "two")], quiet=[(1, 5)]
    )
    if kept == "music":
        features.tracks["loudness_lufs"][:] = -20.0
    assert found(words, features) == []


def test_nothing_is_known_of_a_recording_without_sound():
    words, features = heard([(1.0, "one"), (5.0, "two")])
    features.tracks["loudness_lufs"][:] = np.nan
    features.tracks["speech"][:] = np.nan
    assert found(words, features) == []


def test_edits_are_in_order_and_apart():
    words, features = heard(
        [(1.0, "one"), (6.0, "um"), (10.0, "two")], quiet=[(1.3, 6.0), (6.3, 10.0)]
    )
    edits = found(words, features)
    assert [edit.reason for edit in edits] == ["pause", "filler", "pause"]
    assert all(a.end_s <= b.start_s for a, b in pairwise(edits))
