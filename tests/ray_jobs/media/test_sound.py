"""A clip's sound as its listener hears it: measured on what the decoder gives, never on what was
put in.
"""

import re
from fractions import Fraction

import numpy as np
import pytest

from kernels.loudness import measure
from kernels.mix import limit
from ray_jobs.contract import Loudness
from ray_jobs.failures import Cancelled, Failure
from ray_jobs.media.audio import read_audio
from ray_jobs.media.cut import Cut
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.sound import (
    CHANNELS,
    MAX_GAIN_DB,
    RATE_HZ,
    clip_samples,
    cut_samples,
    decoded,
    deliver_sound,
    encode,
    limited,
    measured,
)

SECONDS = 3
TIME_S = np.arange(SECONDS * RATE_HZ) / RATE_HZ


def stereo(mono: np.ndarray) -> np.ndarray:
    return np.stack([mono, mono], axis=1).astype(np.float32)


def speechlike(level: float) -> np.ndarray:
    """Noise with the slope of speech, in syllables and phrases."""
    noise = np.random.default_rng(7).standard_normal(len(TIME_S))
    brown = np.convolve(noise, 0.95 ** np.arange(80), mode="same")
    syllables = (np.sin(2 * np.pi * 3 * TIME_S) > -0.3) * (0.3 + np.abs(np.sin(4.4 * TIME_S)))
    return stereo(level * brown / np.abs(brown).max() * syllables)


def tone(level: float) -> np.ndarray:
    return stereo(level * np.sin(2 * np.pi * 997 * TIME_S))


def clicks() -> np.ndarray:
    quiet = 0.02 * np.random.default_rng(3).standard_normal(len(TIME_S))
    quiet[5_000::12_000] = 1.0
    return stereo(quiet)


LOUD = {
    "tone": tone(0.1),
    "speech": speechlike(0.3),
    "speech recorded far too low": speechlike(0.02),
    "speech clipped": np.clip(speechlike(12.0), -1, 1),
    "a square wave at full scale": stereo(np.sign(np.sin(2 * np.pi * 110 * TIME_S))),
    "clicks over a murmur": clicks(),
    "one side only": speechlike(0.3) * np.array([1, 0], np.float32),
    "sides of opposite sign": speechlike(0.3) * np.array([1, -1], np.float32),
    "beyond full scale": tone(4.0),
}


def heard(path, sound):
    return measure(decoded(path, len(sound)), RATE_HZ)


@pytest.mark.parametrize("name", LOUD)
def test_the_decoded_file_has_the_wanted_loudness_under_the_ceiling(tmp_path, name):
    sound = LOUD[name]
    done = deliver_sound(tmp_path / "s.m4a", sound, Loudness())
    found = heard(tmp_path / "s.m4a", sound)
    assert found.true_peak_dbtp <= -1.0
    assert done.loudness_lufs == pytest.approx(found.integrated_lufs, abs=1e-3)
    assert done.true_peak_dbtp == pytest.approx(found.true_peak_dbtp, abs=1e-3)
    near = abs(found.integrated_lufs + 14.0) <= 0.5
    assert done.reached == near, "what it says is what it did"
    assert near or name == "clicks over a murmur"
    assert [path.name for path in tmp_path.iterdir()] == ["s.m4a"], "trials are cleared away"


@pytest.mark.parametrize(
    "wanted",
    [
        Loudness(target_lufs=-23.0, tolerance_lu=0.2, max_true_peak_dbtp=-2.0),
        Loudness(target_lufs=-12.0, tolerance_lu=0.3),
        Loudness(target_lufs=-30.0, max_true_peak_dbtp=-18.0),
    ],
)
def test_other_targets_are_met_as_well(tmp_path, wanted):
    sound = speechlike(0.3)
    done = deliver_sound(tmp_path / "s.m4a", sound, wanted)
    found = heard(tmp_path / "s.m4a", sound)
    assert found.true_peak_dbtp <= wanted.max_true_peak_dbtp
    assert done.reached
    assert abs(found.integrated_lufs - wanted.target_lufs) <= wanted.tolerance_lu


def test_what_cannot_be_had_is_not_claimed(tmp_path):
    """A tone at -5 LUFS needs its peak near -5 dB; the ceiling forbids it, and it wins."""
    wanted = Loudness(target_lufs=-5.0, max_true_peak_dbtp=-12.0)
    done = deliver_sound(tmp_path / "s.m4a", tone(0.1), wanted)
    assert not done.reached
    assert heard(tmp_path / "s.m4a", tone(0.1)).true_peak_dbtp <= -12.0
    assert done.loudness_lufs == pytest.approx(-12.5, abs=1.0), "as near as the ceiling allows"


def test_another_meter_agrees(tmp_path):
    deliver_sound(tmp_path / "s.m4a", speechlike(0.3), Loudness())
    log = ffmpeg([
        "-i", str(tmp_path / "s.m4a"), "-af", "ebur128=peak=true", "-f", "null", "-",
    ])  # fmt: skip
    summary = log[log.rindex("Summary:") :]
    (loudness,) = re.findall(r"I:\s+(-?[\d.]+) LUFS", summary)
    (peak,) = re.findall(r"Peak:\s+(-?[\d.]+) dBFS", summary)
    assert float(loudness) == pytest.approx(-14.0, abs=0.5)
    assert float(peak) <= -1.0


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("nothing", np.zeros((len(TIME_S), CHANNELS), np.float32)),
        ("dither", stereo(2e-5 * np.random.default_rng(1).standard_normal(len(TIME_S)))),
        ("room", stereo(3e-4 * np.random.default_rng(2).standard_normal(len(TIME_S)))),
    ],
)
def test_silence_stays_silence(tmp_path, name, sound):
    """A closed loop that chases -14 LUFS would turn the noise of an empty room into a roar."""
    done = deliver_sound(tmp_path / "s.m4a", sound, Loudness())
    assert not done.reached
    assert done.passes == 1
    before, after = (
        np.abs(each).max() for each in (sound, decoded(tmp_path / "s.m4a", len(sound)))
    )
    assert after <= 2 * before + 1e-6
    assert (done.loudness_lufs is None) == (name != "room")


def test_quiet_speech_is_lifted_by_what_may_be_asked_and_no_further(tmp_path):
    """On either side of the limit: lifted to the target, or left as it was."""
    sound = speechlike(0.3)
    level_lufs = measure(sound, RATE_HZ).integrated_lufs
    for short_db, lifted in ((-1.0, True), (1.0, False)):
        gain_db = -14.0 - MAX_GAIN_DB - short_db - level_lufs
        quiet = (sound * np.float32(10 ** (gain_db / 20))).astype(np.float32)
        done = deliver_sound(tmp_path / "s.m4a", quiet, Loudness())
        assert done.reached == lifted
        if not lifted:
            assert done.loudness_lufs == pytest.approx(-14 - MAX_GAIN_DB - short_db, abs=1.5)


@pytest.mark.parametrize("samples", [1, 400, 9_600])
def test_too_short_for_a_loudness_still_keeps_the_ceiling(tmp_path, samples):
    sound = stereo(np.sign(np.sin(2 * np.pi * 110 * TIME_S)))[:samples]
    done = deliver_sound(tmp_path / "s.m4a", sound, Loudness())
    assert done.loudness_lufs is None
    assert heard(tmp_path / "s.m4a", sound).true_peak_dbtp <= -1.0


def test_the_same_sound_gives_the_same_bytes(tmp_path):
    for name in ("a.m4a", "b.m4a"):
        deliver_sound(tmp_path / name, speechlike(0.3), Loudness())
    assert (tmp_path / "a.m4a").read_bytes() == (tmp_path / "b.m4a").read_bytes()


def test_progress_never_goes_back_and_may_stop_the_work(tmp_path):
    seen: list[float] = []
    deliver_sound(tmp_path / "s.m4a", speechlike(0.3), Loudness(), progress=seen.append)
    assert seen == sorted(seen)
    assert 0 < seen[-1] <= 1

    def cancelled(_share: float) -> None:
        raise Failure("cancelled", "by its user")

    with pytest.raises(Failure):
        deliver_sound(tmp_path / "t.m4a", tone(0.1), Loudness(), progress=cancelled)


# ---- the clip's samples --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def ramp(made):
    """Two seconds whose sample n has the value n / 96000: every sample says where it stood."""
    return made(
        "ramp.wav", "-f", "lavfi", "-i", "aevalsrc=n/96000:s=48000:d=2", "-c:a", "pcm_f32le"
    )


def test_a_clip_begins_at_its_sample_and_has_exactly_its_length(ramp):
    sound = clip_samples(ramp, 0.5, 0.75)
    assert sound.shape == (36_000, 2)
    middle = np.arange(24_000, 60_000)[1_000:-1_000] / 96_000
    np.testing.assert_allclose(sound[1_000:-1_000, 0], middle, atol=1e-5)


def test_its_ends_do_not_click(ramp):
    sound = clip_samples(ramp, 1.0, 0.5)
    assert np.abs(sound[[0, -1]]).max() < 2e-3
    assert np.abs(np.diff(sound[:, 0])).max() < 2e-3


@pytest.mark.parametrize(("start_s", "left_s"), [(1.9, 0.1), (2.5, 0.0)])
def test_sound_that_ends_before_the_clip_does_is_followed_by_silence(ramp, start_s, left_s):
    sound = clip_samples(ramp, start_s, 1.0)
    assert len(sound) == RATE_HZ
    count = round(left_s * RATE_HZ)
    assert not sound[count + 64 :].any()
    assert sound[:count].any() == bool(count)


def test_a_clip_of_one_sample_is_one_sample(ramp):
    assert clip_samples(ramp, 1.0, 1 / RATE_HZ).shape == (1, 2)


def test_a_recording_without_sound_is_refused_by_name(numbered):
    with pytest.raises(Failure, match="no_audio_stream"):
        clip_samples(numbered("mute.mp4"), 0.0, 1.0)


def test_the_file_lasts_as_long_as_its_samples(tmp_path):
    """AAC comes in blocks of 1024; the container must say where the sound ends within one."""
    sound = speechlike(0.3)[:100_001]
    deliver_sound(tmp_path / "s.m4a", sound, Loudness())
    played = read_audio(tmp_path / "s.m4a", rate_hz=RATE_HZ, channels=CHANNELS)
    assert 0 <= len(played) - len(sound) < 1024
    # What was put in starts where it starts: no priming is left before it.
    lag = int(np.argmax(np.correlate(played[:4_000, 0], sound[1_000:3_000, 0], mode="valid")))
    assert lag == 1_000


def test_a_cut_with_a_gap_is_as_long_as_its_pictures_and_does_not_click(ramp):
    cut = Cut(0.2, 0.2, Fraction(25), 30, left_out=((10, 15),))
    sound = cut_samples(ramp, cut)
    assert sound.shape == (round(30 / 25 * RATE_HZ), 2)
    before, after = 10 * RATE_HZ // 25, 15 * RATE_HZ // 25
    truth = (9600 + np.r_[:before, after : 35 * RATE_HZ // 25]) / 96_000
    away = np.r_[1_000 : before - 500, before + 500 : len(sound) - 1_000]
    np.testing.assert_allclose(sound[away, 0], truth[away], atol=1e-5)
    # The jump of 0.1 is spread over the join.
    assert np.abs(np.diff(sound[1_000:-1_000, 0])).max() < 1e-3


def test_a_cut_whose_ends_are_left_out_begins_and_ends_without_a_click(ramp):
    cut = Cut(0.5, 0.5, Fraction(25), 15, left_out=((0, 5), (20, 25)))
    sound = cut_samples(ramp, cut)
    assert sound.shape == (round(15 / 25 * RATE_HZ), 2)
    assert np.abs(sound[[0, -1]]).max() < 2e-3
    truth = (33_600 + np.arange(len(sound))) / 96_000
    np.testing.assert_allclose(sound[1_000:-1_000, 0], truth[1_000:-1_000], atol=1e-5)


LONG = np.tile(speechlike(0.5), (9, 1))
"""Longer than two blocks, and not a whole number of them."""


def test_a_long_sound_is_worked_on_in_blocks_that_change_no_bit():
    for own, whole in zip(measured(LONG), measure(LONG, RATE_HZ), strict=True):
        assert np.array_equal(own, whole)
    louder = LONG * np.float32(10 ** (9 / 20))
    assert np.array_equal(limited(LONG, 9.0, -6.0), limit(louder, RATE_HZ, -6.0))


STAGES = {
    "measured": lambda path, tick: measured(LONG, tick=tick),
    "limited": lambda path, tick: limited(LONG, 9.0, -6.0, tick=tick),
    "encoded": lambda path, tick: encode(LONG, path / "again.m4a", tick=tick),
    "decoded": lambda path, tick: decoded(path / "s.m4a", len(LONG), tick=tick),
    "cut": lambda path, tick: clip_samples(path / "s.m4a", 0.0, 27.0, tick=tick),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stop_is_heard_within_ten_seconds_of_sound_at_every_stage(tmp_path, stage):
    encode(LONG, tmp_path / "s.m4a")
    calls = []

    def tick():
        calls.append(1)
        if len(calls) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        STAGES[stage](tmp_path, tick)
    assert [path.name for path in tmp_path.iterdir()] == ["s.m4a"], "nothing half done is left"
