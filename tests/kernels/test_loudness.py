"""Loudness: the standards' own signals, the definition, and any way of feeding the meter."""

import itertools
import json
from contextlib import contextmanager

import av
import numba
import numpy as np
import pyloudnorm
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels.loudness as op
from kernels.loudness import Meter, measure, reference


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp")
        frames = [
            piece.to_ndarray()
            for frame in container.decode(stream)
            for piece in resampler.resample(frame)
        ]
        return np.concatenate(frames, axis=1).T, stream.rate


def tone(level_dbfs, seconds=5.0, hz=997.0, rate=48_000, channels=2):
    wave = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


@pytest.mark.media
def test_every_signal_of_the_standards_reads_its_stated_value(media):
    folder = media / "loudness"
    for name, wanted in json.loads((folder / "expected_synthetic.json").read_text()).items():
        path = folder / name if (folder / name).exists() else folder / f"{name}.flac"
        result = measure(*decoded(path))
        if "I" in wanted:
            assert result.integrated_lufs == pytest.approx(wanted["I"], abs=0.1), name
        if "M" in wanted:
            assert result.momentary_lufs.max() == pytest.approx(wanted["M"], abs=0.1), name
        if "S" in wanted:
            assert result.short_term_lufs[30:].max() == pytest.approx(wanted["S"], abs=0.1), name
        if "LRA" in wanted:
            assert result.range_lu == pytest.approx(wanted["LRA"], abs=1.0), name
        if "TP" in wanted:
            assert -0.4 <= result.true_peak_dbtp - wanted["TP"] <= 0.2, name
    relative_gate = measure(*decoded(folder / "1770-2_Comp_RelGateTest.wav"))
    assert relative_gate.integrated_lufs == pytest.approx(-10.0, abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_a_tone_in_both_channels_reads_its_level_at_any_rate(rate):
    # BS.1770-5: a 0 dBFS tone at 997 Hz in one front channel reads -3.01 LUFS, in two 0.
    assert measure(tone(-20, rate=rate), rate).integrated_lufs == pytest.approx(-20, abs=0.06)


STEREO_TONES = {
    # EBU Tech 3341 table 1: (dBFS, seconds) of a 1 kHz stereo tone, and the integrated loudness.
    "case 1": ([(-23, 20)], -23),
    "case 2": ([(-33, 20)], -33),
    "case 3": ([(-36, 10), (-23, 60), (-36, 10)], -23),
    "case 4": ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
    "case 5": ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
}


def sequence(parts, rate=48_000, channels=2):
    """Tones of 1 kHz after one another in one phase, [samples, channels]."""
    levels = np.concatenate([np.full(round(s * rate), 10 ** (db / 20)) for db, s in parts])
    wave = levels * np.sin(2 * np.pi * 1000 * np.arange(len(levels)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


class TestTheToneCasesOfTech3341And3342:
    @pytest.mark.parametrize("case", STEREO_TONES)
    def test_integrated_loudness(self, case):
        parts, wanted = STEREO_TONES[case]
        assert measure(sequence(parts), 48_000).integrated_lufs == pytest.approx(wanted, abs=0.1)

    def test_case_6_five_channels_each_at_its_level(self):
        levels = np.array([-28, -28, -24, -np.inf, -30, -30])
        sound = sequence([(0, 20)], channels=6) * (10 ** (levels / 20)).astype(np.float32)
        assert measure(sound, 48_000).integrated_lufs == pytest.approx(-23, abs=0.1)

    def test_case_9_short_term_is_constant_over_tones_that_change_within_it(self):
        parts = [(-20, 1.34), (-30, 1.66)] * 5
        short = measure(sequence(parts), 48_000).short_term_lufs[29:]
        assert short == pytest.approx(-23, abs=0.1)

    @pytest.mark.parametrize("number", range(1, 21))
    def test_case_10_short_term_of_a_tone_that_begins_anywhere(self, number):
        parts = [(-200, 0.15 * (number - 1)), (-23, 3), (-200, 1)]
        short = measure(sequence(parts, 12_000), 12_000).short_term_lufs
        assert short.max() == pytest.approx(-23, abs=0.1)

    def test_case_12_momentary_is_constant_over_tones_that_change_within_it(self):
        parts = [(-20, 0.18), (-30, 0.22)] * 25
        momentary = measure(sequence(parts), 48_000).momentary_lufs[10:]
        assert momentary == pytest.approx(-23, abs=0.1)

    @pytest.mark.parametrize(
        ("phase", "amplitude", "wanted"),
        [(0, 0.5, -6), (45, 0.5, -6), (60, 0.5, -6), (67.5, 0.5, -6), (45, 1.41, 3)],
        ids=["case 15", "case 16", "case 17", "case 18", "case 19"],
    )
    def test_true_peak_of_tones_at_fractions_of_the_rate(self, phase, amplitude, wanted):
        fraction = {0: 4, 45: 4, 60: 6, 67.5: 8}[phase]
        at = 2 * np.pi * np.arange(4800) / fraction + np.radians(phase)
        rise = np.minimum(1, np.minimum(np.arange(4800), np.arange(4800)[::-1]) / 480)
        wave = (amplitude * rise * np.sin(at)).astype(np.float32)
        assert -0.4 <= measure(wave, 48_000).true_peak_dbtp - wanted <= 0.2

    @pytest.mark.parametrize("offset", range(4), ids=["case 20", "21", "22", "23"])
    def test_true_peak_between_samples_of_a_tone_made_at_four_times_the_rate(self, offset):
        """One cycle at a quarter of the rate stands out of a tone, decimated at each offset."""
        rate, n = 4 * 48_000, 4 * 4800
        at = np.arange(n)
        wave = 0.5 * np.sin(2 * np.pi * at / 24)
        burst = np.exp(-(((at - n / 2) / 96) ** 2))
        wave = wave * (1 - burst) + burst * np.sin(2 * np.pi * (at - n / 2) / 16 + np.pi / 2)
        spectrum = np.fft.rfft(wave)
        spectrum[np.fft.rfftfreq(n, 1 / rate) > 20_000] = 0
        wave = np.fft.irfft(spectrum, n)
        sampled = (wave[offset::4] / np.abs(wave).max()).astype(np.float32)
        assert -0.4 <= measure(sampled, 48_000).true_peak_dbtp <= 0.2

    @pytest.mark.parametrize(
        ("levels", "wanted"),
        [([-20, -30], 10), ([-20, -15], 5), ([-40, -20], 20), ([-50, -35, -20, -35, -50], 15)],
        ids=["case 1", "case 2", "case 3", "case 4"],
    )
    def test_loudness_range(self, levels, wanted):
        sound = sequence([(db, 20) for db in levels], 12_000)
        assert measure(sound, 12_000).range_lu == pytest.approx(wanted, abs=1)


def same(found, wanted):
    """Every figure of two results, those of energies to nine digits, those of peaks to 1e-5 dB."""
    assert found.integrated_lufs == pytest.approx(wanted.integrated_lufs, abs=1e-7)
    assert found.range_lu == pytest.approx(wanted.range_lu, abs=1e-7)
    assert found.true_peak_dbtp == pytest.approx(wanted.true_peak_dbtp, abs=1e-5)
    for track in ("momentary_lufs", "short_term_lufs"):
        a, b = (10 ** (getattr(each, track) / 10) for each in (found, wanted))
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-15)


@st.composite
def sounds(draw):
    """Noise [samples, channels] with loud and quiet stretches, and its rate."""
    rate = draw(st.sampled_from([8_000, 11_025, 16_000, 22_050]))
    n, channels = draw(st.integers(0, 8000)), draw(st.sampled_from([1, 2, 3, 5, 6, 8]))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    sound = random.normal(draw(st.sampled_from([0.0, 0.5])), 0.2, (n, channels))
    sound[n // 3 : n // 2] *= 10 ** (draw(st.floats(-80, 40)) / 20)
    for place in draw(st.lists(st.integers(0, 8000), max_size=3)):
        sound[place : place + 1] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 3.0]))
    return sound.astype(np.float32), rate


@settings(deadline=None, max_examples=15)
@given(sounds())
def test_equals_the_definition(given_sound):
    sound, rate = given_sound
    same(measure(sound, rate), reference.measure(sound, rate))


@settings(deadline=None, max_examples=40)
@given(sounds(), st.lists(st.integers(0, 8000), max_size=8))
def test_any_split_into_blocks_gives_the_same_bits(given_sound, cuts):
    sound, rate = given_sound
    whole = measure(sound, rate)
    meter = Meter(rate, sound.shape[1])
    for a, b in itertools.pairwise([0, *sorted(cuts), len(sound)]):
        meter.push(sound[a:b])
        if a % 3 == 0:
            meter.result()
    for found, wanted in zip(meter.result(), whole, strict=True):
        assert np.array_equal(found, wanted)


def test_any_number_of_threads_gives_the_same_bits():
    noise = np.random.default_rng(5).normal(0, 0.2, (8_000 * 12, 2)).astype(np.float32)
    results = []
    for count in (1, numba.config.NUMBA_NUM_THREADS):
        with threads(count):
            results.append(measure(noise, 8_000))
    for found, wanted in zip(*results, strict=True):
        assert np.array_equal(found, wanted)


def test_a_batch_is_measured_as_its_signals_are():
    batch = np.random.default_rng(6).normal(0, 0.2, (3, 9_000, 2)).astype(np.float32)
    meter = Meter(8_000, 2, batch=3)
    meter.push(batch[:, :5_000])
    meter.push(batch[:, 5_000:])
    for found, signal in zip(meter.results(), batch, strict=True):
        for a, b in zip(found, measure(signal, 8_000), strict=True):
            assert np.array_equal(a, b)
    with pytest.raises(ValueError, match="batch"):
        meter.result()


def test_strides_types_and_torch_do_not_matter():
    wide = np.random.default_rng(7).normal(0, 0.2, (9_000, 4))
    wanted = measure(wide[::2, ::2].astype(np.float32).copy(), 8_000)
    tensor = torch.from_numpy(wide.astype(np.float32))[::2, ::2]
    for samples in (wide[::2, ::2], np.asfortranarray(wide[::2, ::2]), tensor):
        for found, value in zip(measure(samples, 8_000), wanted, strict=True):
            assert np.array_equal(found, value)


def test_without_peaks_all_else_is_the_same():
    noise = np.random.default_rng(8).normal(0, 0.2, (9_000, 2)).astype(np.float32)
    found, wanted = measure(noise, 8_000, peaks=False), measure(noise, 8_000)
    assert np.isnan(found.true_peak_dbtp)
    for field in {*wanted._fields} - {"true_peak_dbtp"}:
        assert np.array_equal(getattr(found, field), getattr(wanted, field))


def test_memory_is_bounded_and_the_callers_block_is_let_go():
    meter = Meter(8_000, 2)
    for _ in range(5):
        meter.push(np.ones((80_000, 2), np.float32))
    assert meter._line.shape[1] < 80_000 // 4
    assert meter._line.base is None


def test_agrees_with_pyloudnorm_and_lies_within_a_hundredth_of_the_definition():
    noise = np.random.default_rng(0).normal(0, 0.1, (48_000 * 2, 2)).astype(np.float32)
    noise[48_000:] *= 0.1
    mine = measure(noise, 48_000).integrated_lufs
    assert mine == pytest.approx(reference.measure(noise, 48_000).integrated_lufs, abs=0.01)
    peer = pyloudnorm.Meter(48_000).integrated_loudness(noise.astype(float))
    assert mine == pytest.approx(peer, abs=0.1)


@pytest.mark.parametrize(
    ("rate", "n", "channels", "batch"), [(8_000, 1_700, 1, 2), (8_001, 1_700, 3, 1)]
)
def test_the_triton_kernels_equal_the_definition_however_the_stream_was_cut(
    monkeypatch, device, rate, n, channels, batch
):
    from kernels.loudness import fused

    noise = np.random.default_rng(n).normal(0.2, 0.2, (batch, n, channels)).astype(np.float32)
    noise[:, 5], noise[:, n - 200] = np.nan, np.inf
    monkeypatch.setattr(op, "_path_of", lambda _: fused)
    given, found = torch.from_numpy(noise).to(device), []
    for cut in (0, 500):
        meter = Meter(rate, channels, batch)
        meter.push(given[:, :cut])
        meter.results()
        meter.push(given[:, cut:])
        found.append(meter.results())
    for whole, parts, signal in zip(*found, noise, strict=True):
        same(whole, reference.measure(signal, rate))
        for a, b in zip(whole, parts, strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("hz", [997.0, 6_000.0, 11_000.0])
@pytest.mark.parametrize("phase", [0.1, 0.7, 1.3])
def test_true_peak_of_a_tone_is_its_amplitude(hz, phase):
    t = np.arange(48_000) / 48_000
    wave = 0.5 * np.sin(2 * np.pi * hz * t + phase) * np.hanning(48_000)
    spectrum = np.fft.rfft(np.pad(wave, 256))
    ideal = np.abs(np.fft.irfft(spectrum, n=16 * (len(wave) + 512)) * 16).max()
    peak = 10 ** (measure(wave.astype(np.float32), 48_000).true_peak_dbtp / 20)
    assert 20 * np.log10(peak / ideal) == pytest.approx(0, abs=0.15)


def test_silence_and_nothing_read_minus_infinity():
    for samples in (np.zeros((48_000, 2), np.float32), np.zeros((0, 2), np.float32)):
        result = measure(samples, 48_000)
        assert result[:3] == (-np.inf, 0.0, -np.inf)


def test_samples_that_are_not_finite_count_as_silence():
    wave = tone(-20)
    wave[100:200] = np.nan
    wave[300] = np.inf
    assert measure(wave, 48_000).integrated_lufs == pytest.approx(-20, abs=0.1)


def test_the_lfe_is_not_heard_and_surrounds_are_louder():
    surround = np.zeros((48_000, 6), np.float32)
    surround[:, 3] = tone(-10, 1.0)[:, 0]
    assert measure(surround, 48_000).integrated_lufs == -np.inf
    surround = np.zeros((48_000, 6), np.float32)
    surround[:, 4] = tone(-20, 1.0)[:, 0]
    assert measure(surround, 48_000).integrated_lufs == pytest.approx(-20 - 3.01 + 1.49, abs=0.1)


@pytest.mark.parametrize(("rate", "channels"), [(0, 2), (48_000, 0), (48_000, 65), (10**9, 1)])
def test_impossible_formats_are_refused(rate, channels):
    with pytest.raises(ValueError, match="must be"):
        Meter(rate, channels)


def test_blocks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="block must be"):
        Meter(48_000, 2).push(np.zeros((10, 3), np.float32))


@contextmanager
def threads(count):
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)
