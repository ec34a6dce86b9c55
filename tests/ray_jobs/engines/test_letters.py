"""Lines of letters are found where something is written, large or small, and nowhere else."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ray_jobs.contract import IngestLimits
from ray_jobs.engines import letters
from ray_jobs.engines.letters import engine, letters_in
from ray_jobs.failures import Failure
from ray_jobs.media.decode import frames_at
from ray_jobs.media.probe import probe

SIZE = (640, 360)


def written(text: str, left: int, top: int, height: int = 28, ground: str = "black") -> np.ndarray:
    image = Image.new("RGB", SIZE, ground)
    font = ImageFont.load_default(height)
    ImageDraw.Draw(image).text((left, top), text, fill="white", font=font)
    return np.asarray(image)


@pytest.mark.parametrize(("height", "ground"), [(14, "black"), (28, "navy"), (80, "darkgreen")])
def test_a_line_is_where_it_is_written(height, ground):
    text = "HISTORY OF SALT" if height < 80 else "SALT"
    [line] = letters_in(written(text, 120, 150, height, ground))
    end = 120 + ImageFont.load_default(height).getlength(text)
    assert (line.left * SIZE[0], line.right * SIZE[0]) == pytest.approx((120, end), abs=24)
    assert line.top * SIZE[1] < 150 + height / 2 < line.bottom * SIZE[1]


def test_lines_come_from_the_top():
    picture = np.maximum(written("The second", 60, 220), written("The first", 300, 80))
    first, second = letters_in(picture)
    assert first.left > second.left
    assert first.bottom < second.top


def test_plain_pictures_shapes_and_noise_have_none():
    image = Image.new("RGB", SIZE, "grey")
    ImageDraw.Draw(image).ellipse((200, 100, 400, 300), fill="white")
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    for picture in (written("", 0, 0), np.asarray(image), noise):
        assert letters_in(picture) == []


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (3, 7), (1, 2000), (192, 32)])
def test_pictures_of_any_size_can_be_looked_at(size):
    assert letters_in(np.zeros((*size, 3), np.uint8)) == []


def test_a_node_without_the_package_says_so(monkeypatch):
    letters._weights.cache_clear()
    letters._detector.cache_clear()
    monkeypatch.setattr(letters, "carried", lambda *_: None)
    try:
        assert engine() == "none (rapidocr is not installed)"
        with pytest.raises(Failure, match="not installed"):
            letters_in(np.zeros((90, 160, 3), np.uint8))
    finally:
        letters._weights.cache_clear()
        letters._detector.cache_clear()


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "time_s"), [("flower.mp4", 2.0), ("chaplin_pd.mp4", 3.0), ("mdn_pig.mp4", 2.0),
                         ("big_buck_bunny_0_30.webm", 12.5)],
)  # fmt: skip
def test_leaves_walls_and_bristles_are_not_read(media, name, time_s):
    path = media / "video" / name
    [picture] = frames_at(path, probe(path, IngestLimits()), [time_s], height=320)
    assert letters_in(picture) == []
