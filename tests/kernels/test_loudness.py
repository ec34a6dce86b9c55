"""Loudness: the standard's own signals, the definition, and any way of feeding the meter."""

import itertools
import json

import av
import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.loudness import Meter, measure
from kernels.loudness.reference import block_energies, integrated, true_peak


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


def test_equals_the_definition_and_agrees_with_pyloudnorm():
    noise = np.random.default_rng(0).normal(0, 0.1, (48_000 * 2, 2)).astype(np.float32)
    noise[48_000:] *= 0.1
    mine = measure(noise, 48_000).integrated_lufs
    assert mine == pytest.approx(integrated(block_energies(noise, 48_000)), abs=1e-9)
    peer = pyloudnorm.Meter(48_000).integrated_loudness(noise.astype(float))
    assert mine == pytest.approx(peer, abs=0.1)


@settings(deadline=None, max_examples=20)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=6), channels=st.integers(1, 6))
def test_any_split_into_blocks_gives_the_same_result(cuts, channels):
    noise = np.random.default_rng(1).normal(0, 0.2, (20_000, channels)).astype(np.float32)
    whole = measure(noise, 16_000)
    meter = Meter(16_000, channels)
    edges = sorted({0, len(noise), *cuts})
    for a, b in itertools.pairwise(edges):
        meter.push(noise[a:b])
    parts = meter.result()
    assert parts.integrated_lufs == pytest.approx(whole.integrated_lufs, abs=1e-6)
    assert parts.true_peak_dbtp == pytest.approx(whole.true_peak_dbtp, abs=1e-5)
    assert len(parts.momentary_lufs) == len(whole.momentary_lufs)


@pytest.mark.parametrize("hz", [997.0, 6_000.0, 11_000.0])
@pytest.mark.parametrize("phase", [0.1, 0.7, 1.3])
def test_true_peak_of_a_tone_is_its_amplitude(hz, phase):
    t = np.arange(48_000) / 48_000
    wave = 0.5 * np.sin(2 * np.pi * hz * t + phase) * np.hanning(48_000)
    peak = 10 ** (measure(wave.astype(np.float32), 48_000).true_peak_dbtp / 20)
    assert 20 * np.log10(peak / true_peak(wave[:, None])) == pytest.approx(0, abs=0.15)


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
