"""Sound lies where the recording's time line says, in finite numbers, whatever the file holds."""

import numpy as np
import pytest
from av.audio.layout import AudioLayout
from hypothesis import given
from hypothesis import strategies as st

from ray_jobs.failures import Failure
from ray_jobs.media.audio import audio_blocks, downmix, read_audio

RATE_HZ = 16_000
CLICKS = "aevalsrc=if(lt(mod(t\\,1)\\,0.01)\\,0.8\\,0):s=48000:d=3"
LAYOUTS = ["mono", "stereo", "2.1", "3.0", "4.0", "5.0", "5.1", "6.1", "7.1", "16C", "quad"]


def write_wav(path, samples: np.ndarray, rate_hz: int = RATE_HZ, form: int = 3) -> None:
    """A RIFF WAVE file, IEEE float or PCM by `form`, of samples [n, channels]."""
    data, channels, width = samples.tobytes(), samples.shape[1], samples.dtype.itemsize
    block = channels * width
    numbers = [(form, 2), (channels, 2), (rate_hz, 4), (rate_hz * block, 4), (block, 2)]
    head = b"".join(value.to_bytes(size, "little") for value, size in [*numbers, (width * 8, 2)])
    body = b"WAVEfmt " + len(head).to_bytes(4, "little") + head
    body += b"data" + len(data).to_bytes(4, "little") + data
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)


def onsets_s(samples: np.ndarray, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Times at which loudness starts after at least 0.1 s of quiet."""
    loud = np.flatnonzero(np.abs(samples[:, 0]) > 0.3) / rate_hz
    return loud[np.diff(loud, prepend=-1) > 0.1]


@pytest.mark.parametrize("name", ["clicks.wav", "clicks.flac", "clicks.mkv", "clicks.m4a"])
def test_clicks_keep_their_times(made, name):
    path = made(name, "-f", "lavfi", "-i", CLICKS)
    assert np.allclose(onsets_s(read_audio(path, rate_hz=RATE_HZ)), [0, 1, 2], atol=0.003)


def test_late_sound_starts_with_silence(made):
    picture = ("-f", "lavfi", "-i", "color=s=32x32:d=3", "-itsoffset", "0.7")
    sound = ("-f", "lavfi", "-i", CLICKS, "-map", "0", "-map", "1", "-c:a", "pcm_s16le")
    samples = read_audio(made("late_sound.mkv", *picture, *sound), rate_hz=RATE_HZ)
    assert np.allclose(onsets_s(samples), [0.7, 1.7, 2.7], atol=0.002)
    assert not samples[: int(0.69 * RATE_HZ)].any()


def test_a_gap_is_silence_and_what_follows_keeps_its_time(made):
    gap = ("-af", "aselect='not(between(t,0.5,1.5))'", "-c:a", "pcm_s16le")
    path = made("gap.mkv", "-f", "lavfi", "-i", "sine=f=440:d=3", *gap)
    samples = read_audio(path, rate_hz=RATE_HZ)
    assert len(samples) == pytest.approx(3 * RATE_HZ, abs=200)
    assert np.abs(samples[int(0.6 * RATE_HZ) : int(1.4 * RATE_HZ)]).max() < 1e-3
    assert np.abs(samples[int(1.6 * RATE_HZ) :]).max() > 0.1


@pytest.mark.parametrize("name", ["noise.wav", "noise.flac", "noise.ts"])
@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.0), (1.3, 2.9), (5.25, 7.75), (7.5, None)])
def test_a_span_is_that_part_of_the_whole(made, name, start_s, end_s):
    noise = "anoisesrc=d=8:r=48000:a=0.3:seed=1"
    path = made(name, "-f", "lavfi", "-i", noise)
    everything = read_audio(path, rate_hz=48_000)
    part = read_audio(path, rate_hz=48_000, start_s=start_s, end_s=end_s)
    first = round(start_s * 48_000)
    expected = everything[first : None if end_s is None else round(end_s * 48_000)]
    assert part.shape == expected.shape
    assert np.abs(part - expected).max() < 1e-4


def test_a_span_of_a_coarse_clock_is_right_to_its_tick(made):
    sound = "aevalsrc=if(lt(mod(t\\,1)\\,0.01)\\,0.8\\,0):s=48000:d=9"
    path = made("long.mkv", "-f", "lavfi", "-i", sound, "-c:a", "pcm_s16le")
    part = read_audio(path, rate_hz=RATE_HZ, start_s=5.5)
    assert np.allclose(onsets_s(part), [0.5, 1.5, 2.5], atol=0.001)


def test_past_the_end_there_is_nothing(made):
    path = made("clicks.wav", "-f", "lavfi", "-i", CLICKS)
    assert read_audio(path, rate_hz=RATE_HZ, start_s=60, end_s=61).shape == (0, 1)
    assert len(read_audio(path, rate_hz=RATE_HZ, start_s=2.5, end_s=61)) == RATE_HZ // 2


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_resampling_keeps_pitch_level_and_place(made, rate_hz):
    path = made("sine.wav", "-f", "lavfi", "-i", "sine=f=1000:r=48000:d=2")
    samples = read_audio(path, rate_hz=rate_hz)[:, 0]
    assert len(samples) == pytest.approx(2 * rate_hz, abs=2)
    times_s = np.arange(len(samples)) / rate_hz
    inner = slice(rate_hz // 10, -rate_hz // 10)
    assert np.abs(samples - 0.125 * np.sin(2 * np.pi * 1000 * times_s))[inner].max() < 2e-3


@pytest.mark.parametrize("block_s", [0.1, 0.77, 2.0, 10.0])
def test_blocks_are_the_whole_cut_evenly(made, block_s):
    path = made("sine.wav", "-f", "lavfi", "-i", "sine=f=1000:r=48000:d=2")
    blocks = list(audio_blocks(path, rate_hz=RATE_HZ, block_s=block_s))
    assert {len(block) for block in blocks[:-1]} <= {round(block_s * RATE_HZ)}
    assert np.array_equal(np.concatenate(blocks), read_audio(path, rate_hz=RATE_HZ))


def test_not_a_number_and_infinity_become_silence(tmp_path):
    samples = np.full((RATE_HZ, 1), 0.25, np.float32)
    samples[100:200], samples[300], samples[400], samples[500] = np.nan, np.inf, -np.inf, 1e38
    write_wav(tmp_path / "odd.wav", samples)
    found = read_audio(tmp_path / "odd.wav", rate_hz=RATE_HZ)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 10
    assert not found[[100, 199, 300, 400]].any()
    assert found[250] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("dtype", "form", "low", "high"),
    [(np.uint8, 1, 0, 255), (np.int16, 1, -32768, 32767), (np.int32, 1, -(2**31), 2**31 - 1)],
)
def test_whole_numbers_reach_full_scale(tmp_path, dtype, form, low, high):
    samples = np.repeat(np.array([low, high], dtype), RATE_HZ // 2)[:, None]
    write_wav(tmp_path / "full.wav", samples, form=form)
    found = read_audio(tmp_path / "full.wav", rate_hz=RATE_HZ)
    assert found.min() == -1
    assert 0.99 < found.max() <= 1


@pytest.mark.parametrize("channels", [3, 6, 16, 64])
def test_channels_without_a_place_are_averaged(tmp_path, channels):
    samples = np.tile(np.arange(channels) / channels, (RATE_HZ, 1)).astype(np.float32)
    write_wav(tmp_path / "many.wav", samples)
    mono = read_audio(tmp_path / "many.wav", rate_hz=RATE_HZ)
    assert mono.shape == (RATE_HZ, 1)
    assert np.ptp(mono) < 1e-6
    assert 0.2 < mono[0, 0] < 0.6
    own = read_audio(tmp_path / "many.wav", rate_hz=8000, channels=None)
    assert own.shape[1] == channels
    assert np.abs(own[100:-100] - samples[0]).max() < 1e-3


@given(st.sampled_from(LAYOUTS), st.sampled_from([1, 2]))
def test_a_downmix_hears_every_channel_but_lfe_and_never_clips(layout, width):
    matrix = downmix(AudioLayout(layout), width)
    names = [channel.name for channel in AudioLayout(layout).channels]
    assert matrix.shape == (width, len(names))
    assert (matrix.sum(axis=1) <= 1 + 1e-6).all()
    heard = matrix.sum(axis=0) > 0
    assert all(heard[index] or name == "LFE" for index, name in enumerate(names))


def test_no_sound_says_so(made):
    path = made("mute.mp4", "-f", "lavfi", "-i", "color=s=32x32:d=1")
    with pytest.raises(Failure, match="no_audio_stream"):
        read_audio(path, rate_hz=RATE_HZ)


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("containers/matrix_av1_opus.webm", 6.0),
        ("containers/matrix_wmv2_wma2.wmv", 6.0),
        ("containers/matrix_mpeg4_mp3.avi", 6.0),
        ("containers/tc_sine_mono_u8.wav", 4.0),
        ("video/bigbuckbunny_5.1.mp4", 5.3),
        ("hostile/gen_pts_backwards.ts", 12.05),
        ("hostile/gen_pts_jump.ts", 6.03),
        ("hostile/flac_uncommon_02_increasing_number_of_channels.flac", 14.49),
        ("hostile/gen_wav_size_4gb.wav", 0.1),
    ],
)
def test_real_recordings_have_their_length(media, name, seconds):
    samples = read_audio(media / name, rate_hz=RATE_HZ)
    assert len(samples) / RATE_HZ == pytest.approx(seconds, abs=0.1)
    assert np.isfinite(samples).all()
