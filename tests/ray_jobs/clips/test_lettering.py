"""Cards are told from scenes by what is drawn in the picture."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ray_jobs.clips.lettering import card, print_of

SIZE = (640, 360)


def written(*lines: tuple[int, int, str], ground: str = "black") -> np.ndarray:
    image = Image.new("RGB", SIZE, ground)
    draw = ImageDraw.Draw(image)
    for x, y, text in lines:
        draw.text((x, y), text, fill="white", font=ImageFont.load_default(28))
    return np.asarray(image)


def found(*pictures: np.ndarray):
    return card([print_of(picture) for picture in pictures])


TITLE = (120, 160, "A SHORT HISTORY OF SALT")


def test_a_title_is_as_wide_as_it_is_written():
    title = found(*[written(TITLE)] * 5)
    left, right = (title.x - title.width / 2) * SIZE[0], (title.x + title.width / 2) * SIZE[0]
    assert left == pytest.approx(TITLE[0], abs=24)
    end = TITLE[0] + ImageFont.load_default(28).getlength(TITLE[2])
    assert right == pytest.approx(end, abs=24)


def test_a_title_that_fades_in_and_out_is_one_still():
    dark = written()
    assert found(dark, dark, written(TITLE), written(TITLE), dark)


def test_a_clock_is_as_wide_as_its_last_digit():
    moments = [written((300, 300, f"01:00:{n:02}:{7 * n % 25:02}")) for n in range(12)]
    clock = found(*moments)
    end = 300 + ImageFont.load_default(28).getlength("01:00:00:00")
    assert (clock.x + clock.width / 2) * SIZE[0] >= end - 12


def test_a_plain_picture_and_one_with_a_single_shape_are_none():
    image = Image.new("RGB", SIZE, "grey")
    ImageDraw.Draw(image).ellipse((200, 100, 400, 300), fill="white")
    assert found(written()) is None
    assert found(np.asarray(image)) is None


def test_letters_that_pass_by_are_none():
    assert found(*[written(TITLE)], *[written()] * 5) is None


def scene() -> np.ndarray:
    """Walls, windows, faces: areas of all lights, none as fine as a letter."""
    areas = np.random.default_rng(0).integers(0, 255, (9, 16, 1)).astype(np.uint8)
    return areas.repeat(40, axis=0).repeat(40, axis=1).repeat(3, axis=2)


def test_letters_over_a_scene_are_no_card():
    picture = scene()
    picture[160:200] = written(TITLE)[160:200]
    assert found(scene()) is None
    assert found(picture) is None


def test_a_texture_that_fills_the_picture_is_none():
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    assert found(noise) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (12, 6)])
def test_the_smallest_pictures_have_none(size):
    assert found(np.zeros((*size, 3), np.uint8)) is None
