"""A Whisper of random weights in CTranslate2's form: small, but run by the real engine."""

from pathlib import Path

import numpy as np
import pytest

WORDS = [
    "river",
    "city",
    "stone",
    "water",
    "bridge",
    "people",
    "morning",
    "market",
    "boat",
    "road",
    "light",
    "winter",
]
WIDTH, MELS, HEADS = 64, 80, 2


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory) -> Path:
    """A folder of models: `whisper-random` says a few words, `whisper-endless` never stops."""
    models = tmp_path_factory.mktemp("models")
    build(models / "whisper-random", end=1.0)
    build(models / "whisper-endless", end=-1e4)
    return models


def build(folder: Path, *, end: float) -> None:
    """Save a model whose end-of-text token has the bias `end`; only `WORDS` can be said."""
    from ctranslate2.specs.whisper_spec import WhisperSpec
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    vocabulary = [*byte_alphabet(), *(f"Ġ{word}" for word in WORDS), ""]
    spoken = range(256, 256 + len(WORDS))
    special = ["<|endoftext|>", "<|startoftranscript|>"]
    special += [f"<|{code}|>" for code in _LANGUAGE_CODES]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    special += ["<|nospeech|>", "<|notimestamps|>", *(f"<|{i / 50:.2f}|>" for i in range(1501))]
    tokens = [*vocabulary, *special]
    spec = WhisperSpec(1, HEADS, 1, HEADS)
    fill(spec, len(tokens))
    bias = np.full(len(tokens), -1e4, np.float32)
    bias[list(spoken)] = 0.0
    bias[len(vocabulary)] = end
    languages = slice(len(vocabulary) + 2, len(vocabulary) + 2 + len(_LANGUAGE_CODES))
    bias[languages] = 0.0
    spec.decoder.projection.bias = bias
    spec.register_vocabulary(tokens)
    spec.config.lang_ids = list(range(languages.start, languages.stop))
    spec.config.suppress_ids = [*range(languages.start, languages.stop)]
    spec.config.suppress_ids_begin = [len(vocabulary)]
    spec.config.alignment_heads = [(0, 0), (0, 1)]
    spec.validate()
    spec.optimize(quantization="int8")
    folder.mkdir(parents=True)
    spec.save(str(folder))
    write_tokenizer(folder / "tokenizer.json", vocabulary, special)


def fill(spec, size: int) -> None:
    random = np.random.default_rng(7)

    def weight(*shape):
        return (random.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)

    def norm(layer):
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def linear(layer, rows, columns):
        layer.weight, layer.bias = weight(rows, columns), np.zeros(rows, np.float32)

    def feed_forward(layer):
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 4 * WIDTH, WIDTH)
        linear(layer.ffn.linear_1, WIDTH, 4 * WIDTH)

    def attention(layer, *rows):
        norm(layer.layer_norm)
        for part, count in zip(layer.linear, rows, strict=True):
            linear(part, count * WIDTH, WIDTH)

    encoder, decoder = spec.encoder, spec.decoder
    for conv, inputs in ((encoder.conv1, MELS), (encoder.conv2, WIDTH)):
        conv.weight, conv.bias = weight(WIDTH, inputs, 3), np.zeros(WIDTH, np.float32)
    encoder.position_encodings.encodings = weight(1500, WIDTH)
    decoder.position_encodings.encodings = 4 * weight(448, WIDTH)
    decoder.embeddings.weight = weight(size, WIDTH)
    decoder.projection.weight = 4 * weight(size, WIDTH)
    norm(encoder.layer_norm)
    norm(decoder.layer_norm)
    attention(encoder.layer[0].self_attention, 3, 1)
    feed_forward(encoder.layer[0])
    attention(decoder.layer[0].self_attention, 3, 1)
    attention(decoder.layer[0].attention, 1, 2, 1)
    feed_forward(decoder.layer[0])


def byte_alphabet() -> list[str]:
    """The printable stand-ins of GPT-2's byte-level vocabulary, in order of their bytes."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def write_tokenizer(path: Path, vocabulary: list[str], special: list[str]) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    ids = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    assert tokenizer.token_to_id(special[0]) == len(vocabulary)
    tokenizer.save(str(path))
