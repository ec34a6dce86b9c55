"""The bed gives way before a voice begins and comes back whole; true peaks stay under the ceiling;
and neither knows how the stream was cut.
"""

import itertools
from contextlib import contextmanager

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, resample_poly, sosfiltfilt

from kernels import mix as op
from kernels.mix import Ducker, DuckShape, Limiter, duck, limit, mix, reference

RATE_HZ = 1000
SHAPE = DuckShape(depth_db=12.0, attack_s=0.1, hold_s=0.2, release_s=0.3)
DOWN = 10 ** (-12 / 20)
OVER_DB = 0.2
"""What may be found above the ceiling in signals with energy up to half the rate."""


def speaking(length, *spans):
    active = np.zeros(length, bool)
    for start, end in spans:
        active[start:end] = True
    return active


def gain_of(active, rate_hz=RATE_HZ, shape=SHAPE):
    return duck(np.ones((len(active), 1), np.float32), active, rate_hz, shape)[:, 0]


def peak_db(samples):
    """True peak by 16-fold oversampling with a filter of 321 taps, not the limiter's."""
    padded = np.pad(samples.astype(float), ((256, 256), (0, 0)))
    fine = resample_poly(padded, 16, 1, axis=0, window=("kaiser", 8.0))
    return 20 * np.log10(max(np.abs(fine).max(initial=0.0), 1e-9))


@st.composite
def sounds(draw, rate_hz=48_000):
    """Noise, square waves, clicks and tones, from far below the ceiling to far above it."""
    n, channels = draw(st.integers(0, 3000)), draw(st.sampled_from([1, 2, 3, 6, 8]))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    level = 10 ** (draw(st.floats(-40, 30)) / 20)
    noise = random.standard_normal((n, channels))
    steps = np.arange(n)[:, None] * random.uniform(0.05, 2.8, channels)
    kind = draw(st.sampled_from(["noise", "clicks", "tones", "squares"]))
    wave = {
        "noise": noise,
        "clicks": noise * (random.random((n, 1)) < 0.01),
        "tones": np.sin(steps),
        "squares": np.sign(np.sin(steps / 20)),
    }[kind]
    return (level * wave).astype(np.float32)


class TestDucking:
    def test_the_bed_is_down_with_the_first_sample_of_the_voice_and_whole_before_the_attack(self):
        gain = gain_of(speaking(2000, (800, 1000)))
        assert gain[800:1000] == pytest.approx(DOWN)
        assert (gain[:700] == 1).all()
        assert (np.diff(gain[700:800]) < 0).all()

    def test_it_holds_then_returns_to_exactly_what_it_was(self):
        gain = gain_of(speaking(2000, (800, 1000)))
        assert gain[1000:1199] == pytest.approx(DOWN)
        assert (np.diff(gain[1200:1498]) > 0).all()
        assert (gain[1500:] == 1).all()

    def test_a_gap_shorter_than_the_hold_is_not_heard_and_a_long_one_is(self):
        short = gain_of(speaking(2000, (500, 700), (880, 1000)))
        assert short[500:1000] == pytest.approx(DOWN)
        long = gain_of(speaking(4000, (500, 700), (2500, 2700)))
        assert (long[1300:2300] == 1).all()

    @settings(deadline=None, max_examples=40)
    @given(seed=st.integers(0, 999), depth_db=st.floats(0, 40))
    def test_it_never_leaves_its_bounds_and_is_down_wherever_somebody_speaks(self, seed, depth_db):
        active = np.repeat(np.random.default_rng(seed).random(40) < 0.2, 25)
        gain = gain_of(active, shape=SHAPE._replace(depth_db=depth_db))
        floor = 10 ** (-depth_db / 20)
        assert gain.min(initial=1) >= floor * (1 - 1e-6)
        assert gain.max(initial=0) <= 1
        assert gain[active] == pytest.approx(floor)

    def test_silence_leaves_the_bed_alone(self):
        assert (gain_of(np.zeros(500, bool)) == 1).all()
        assert len(gain_of(np.zeros(0, bool))) == 0

    def test_a_shape_that_cannot_be_is_refused(self):
        with pytest.raises(ValueError, match="positive"):
            Ducker(RATE_HZ, SHAPE._replace(release_s=-1.0))
        with pytest.raises(ValueError, match="activity"):
            duck(np.ones((3, 2), np.float32), np.zeros((3, 2), bool), RATE_HZ, SHAPE)


class TestLimiting:
    @settings(deadline=None, max_examples=40)
    @given(sound=sounds(), ceiling_dbtp=st.floats(-20, 0))
    def test_true_peaks_never_exceed_the_ceiling(self, sound, ceiling_dbtp):
        limited = limit(sound, 48_000, ceiling_dbtp)
        assert limited.shape == sound.shape
        assert peak_db(limited) <= ceiling_dbtp + OVER_DB

    @settings(deadline=None, max_examples=25)
    @given(sound=sounds(), ceiling_dbtp=st.floats(-20, 0))
    def test_nor_does_the_ideal_interpolation_of_sound_below_20_khz(self, sound, ceiling_dbtp):
        low_pass = butter(12, 20_000, fs=48_000, output="sos")
        sound = sosfiltfilt(low_pass, np.pad(sound, ((300, 300), (0, 0))), axis=0)
        limited = limit(sound.astype(np.float32), 48_000, ceiling_dbtp)
        padded = np.pad(limited.astype(float), ((512, 512), (0, 0)))
        fine = np.fft.irfft(np.fft.rfft(padded, axis=0), n=16 * len(padded), axis=0) * 16
        assert np.abs(fine).max() <= 10 ** (ceiling_dbtp / 20)

    def test_what_is_below_the_ceiling_comes_back_untouched(self):
        sound = np.random.default_rng(0).normal(0, 0.05, (4800, 2)).astype(np.float32)
        assert np.array_equal(limit(sound, 48_000, -1.0), sound)

    def test_a_peak_in_one_channel_turns_both_down_and_only_around_it(self):
        sound = np.full((48_000, 2), 0.1, np.float32)
        sound[24_000, 0] = 2.0
        limited = limit(sound, 48_000, -1.0)
        assert limited[24_000, 1] < 0.06
        assert (limited[:20_000] == sound[:20_000]).all()
        assert (limited[-20_000:] == sound[-20_000:]).all()

    def test_a_vector_and_an_endless_ceiling_are_refused(self):
        with pytest.raises(ValueError, match="channels"):
            limit(np.zeros(10, np.float32), 48_000, -1.0)
        with pytest.raises(ValueError, match="finite"):
            Limiter(48_000, float("nan"))


class TestTheWholeMix:
    @settings(deadline=None, max_examples=25)
    @given(voice=sounds(), data=st.data())
    def test_equals_its_definition(self, voice, data):
        bed, active = bed_for(voice)
        rate_hz = data.draw(st.sampled_from([8_000, 44_100, 48_000]))
        ceiling_dbtp = data.draw(st.floats(-20, 0))
        found = mix(voice, bed, active, rate_hz, SHAPE, ceiling_dbtp)
        wanted = reference.mix(voice, bed, active, rate_hz, SHAPE, ceiling_dbtp)
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)

    @settings(deadline=None, max_examples=30)
    @given(voice=sounds(), cuts=st.lists(st.integers(0, 3000), max_size=6))
    def test_any_split_into_blocks_gives_the_same_bits(self, voice, cuts):
        bed, active = bed_for(voice)
        whole = mix(voice, bed, active, 8_000, SHAPE, -6.0)
        ducker, limiter, parts = Ducker(8_000, SHAPE), Limiter(8_000, -6.0), []
        edges = [0, *sorted(min(cut, len(voice)) for cut in cuts), len(voice)]
        for a, b in itertools.pairwise(edges):
            parts.append(limiter.push(ducker.push(voice[a:b], bed[a:b], active[a:b])))
        parts += [limiter.push(ducker.finish()), limiter.finish()]
        assert np.array_equal(np.concatenate(parts), whole)

    def test_any_number_of_threads_gives_the_same_bits(self):
        voice = np.random.default_rng(1).normal(0, 0.5, (100_000, 2)).astype(np.float32)
        made = []
        for count in (1, numba.config.NUMBA_NUM_THREADS):
            with threads(count):
                made.append(limit(voice, 48_000, -3.0))
        assert np.array_equal(*made)

    def test_memory_is_bounded_by_what_must_be_seen(self):
        ducker, limiter = Ducker(8_000, SHAPE), Limiter(8_000, -3.0)
        block, active = np.ones((40_000, 2), np.float32), np.zeros(40_000, bool)
        came = [len(limiter.push(ducker.push(block, block, active))) for _ in range(5)]
        assert set(came[1:]) == {40_000}, "as much comes out as goes in"
        assert len(limiter._line) < 1_000
        assert limiter._line.base is None

    def test_samples_that_are_not_finite_count_as_silence(self):
        voice = np.full((4000, 2), 0.1, np.float32)
        voice[1000], voice[2000, 1] = np.nan, -np.inf
        made = mix(voice, voice, np.zeros(4000, bool), 8_000, SHAPE, -1.0)
        assert (made[1000] == 0).all()
        assert made[[0, 2000, -1]].tolist() == [[pytest.approx(0.2), pytest.approx(x)]
                                                for x in (0.2, 0.0, 0.2)]  # fmt: skip

    def test_strides_types_and_torch_do_not_matter(self):
        wide = np.random.default_rng(2).normal(0, 0.5, (9000, 4))
        bed, active = bed_for(wide[::3, ::2])
        wanted = mix(wide[::3, ::2].astype(np.float32), bed, active, 8_000, SHAPE, -3.0)
        assert np.array_equal(mix(wide[::3, ::2], bed, active, 8_000, SHAPE, -3.0), wanted)
        tensors = (torch.from_numpy(x.copy()) for x in (wide[::3, ::2], bed, active))
        assert np.array_equal(mix(*tensors, 8_000, SHAPE, -3.0), wanted)


@pytest.mark.parametrize(("n", "channels"), [(1, 1), (600, 2), (301, 3)])
def test_the_triton_kernels_equal_the_definition_however_the_stream_was_cut(
    monkeypatch, close, device, n, channels
):
    from kernels.mix import fused

    random = np.random.default_rng(n)
    voice = random.standard_normal((n, channels)).astype(np.float32)
    voice[n // 2] = np.nan
    bed, active = bed_for(voice)
    shape = DuckShape(12.0, 0.01, 0.02, 0.03)
    monkeypatch.setattr(op, "_path_of", lambda _: fused)
    tensors = [torch.from_numpy(each).to(device) for each in (voice, bed, active)]
    whole = mix(*tensors, 4_000, shape, -3.0)
    close(whole, reference.mix(voice, bed, active, 4_000, shape, -3.0), "float32")
    monkeypatch.setattr(fused, "AT_ONCE", 257)
    assert torch.equal(mix(*tensors, 4_000, shape, -3.0), whole)


def bed_for(voice):
    """A bed and an activity that fit a voice, the same for the same length."""
    random = np.random.default_rng(len(voice))
    active = np.repeat(random.random(len(voice) // 50 + 1) < 0.2, 50)[: len(voice)]
    return random.normal(0, 0.3, voice.shape).astype(np.float32), active


@contextmanager
def threads(count):
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)
