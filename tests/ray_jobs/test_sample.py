"""The sample talk: what its truth says is what is in the video."""

import json

import av
import numpy as np
import pytest

from ray_jobs import sample
from ray_jobs.contract import GivenTranscript
from ray_jobs.engines.given import parse
from ray_jobs.engines.text import joined
from ray_jobs.media.audio import read_audio


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The first two scenes, with one sentence each, made for real."""
    folder = tmp_path_factory.mktemp("sample")
    short = tuple(
        scene._replace(text=scene.text.partition("? ")[0] + "?")
        for scene in (sample.SCENES[0], sample.SCENES[2])
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "SCENES", short)
        yield sample.make_sample(folder / "demo.mp4", folder / "cache"), folder


def frames(path):
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.time, frame.to_ndarray(format="rgb24")


def test_the_video_is_720p_at_25_frames_with_sound(made):
    talk, _ = made
    with av.open(str(talk.path)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.width, picture.height, picture.average_rate) == (1280, 720, 25)
        assert sound.rate == 48000
        assert container.duration / 1e6 == pytest.approx(talk.duration_s, abs=0.1)


def test_the_cut_is_where_the_truth_says(made):
    talk, _ = made
    means = [(time, image[::8, ::8].mean((0, 1))) for time, image in frames(talk.path)]
    times = [time for time, _ in means]
    jumps = np.abs(np.diff([mean for _, mean in means], axis=0)).sum(1)
    assert times[int(jumps.argmax()) + 1] == pytest.approx(talk.cuts_s[0], abs=0.001)


def test_the_subject_is_where_the_truth_says(made):
    talk, _ = made
    track = {round(t, 2): (x, y) for t, x, y in json.loads(talk.truth_path.read_text())["subject"]}
    seen = 0
    for time, image in frames(talk.path):
        if round(time, 2) in track:
            x, y = track[round(time, 2)]
            red, green, blue = (int(v) for v in image[round(y * 720), round(x * 1280)])
            assert red > 180
            assert green > 90
            assert blue < 140
            seen += 1
    assert seen >= 4


def test_words_are_heard_where_the_truth_says(made):
    talk, _ = made
    sound = np.abs(read_audio(talk.path, rate_hz=16000)[:, 0])

    def level(start_s, end_s):
        return float(np.sqrt(np.mean(np.square(sound[int(start_s * 16000) : int(end_s * 16000)]))))

    speech = [level(word.start_s, word.end_s) for word in talk.words]
    assert min(speech) > 2 * level(0.1, 0.6)


def test_the_script_is_srt_with_every_word(made):
    talk, _ = made
    lines = parse(GivenTranscript(format="srt", text=talk.transcript), talk.duration_s).lines
    assert joined(t for line in lines for t in line.tokens) == joined(w.text for w in talk.words)


def test_it_is_made_once(made):
    talk, folder = made
    before = {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*")}
    again = sample.make_sample(folder / "again" / "other.mp4", folder / "cache")
    assert {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*")} == before
    assert again.path.read_bytes() == talk.path.read_bytes()
    assert again.words == talk.words
