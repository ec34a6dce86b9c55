"""Forced alignment by letters: a wav2vec2 or MMS model hears them, the kernel finds their path.

Source: Kürzinger et al., "CTC-segmentation of large corpora" (SPECOM 2020); the models are those of
`torchaudio.pipelines`, from the models folder, or one's own with an `aligner.json` beside it.
"""

import json
import os
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice, product
from math import exp, log
from pathlib import Path
from pickle import UnpicklingError
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from kernels.forced_align import STAR, align
from ray_jobs import models
from ray_jobs.engines.activity import RATE_HZ
from ray_jobs.engines.forced import Alignment, Chunk, Tick, Word, is_english, said
from ray_jobs.engines.given import Line
from ray_jobs.engines.pronounce import Unit
from ray_jobs.engines.text import TimedWord
from ray_jobs.engines.timing import Span
from ray_jobs.failures import Failure

HOP, FIELD = 320, 400
"""Samples from frame to frame and in a frame (Baevski et al. 2020, section 2)."""
EDGE = (FIELD - HOP) // 2
WINDOW = 1000
CONTEXT = 100
"""Frames that are heard at once, and those heard around them for their sake (20 s and 2 s)."""
EXACT = 2_000_000_000
BAND = 4096
"""Cells of a trellis up to which every path is weighed, and labels to either side beyond."""
MOST_READINGS = 6
BELIEVED = log(0.1)
DOUBTED = log(0.01)
"""Mean log-probability of its letters below which a word was not said, and that of the middle word
of a chunk below which the text is another: one letter in 28 is right by chance.
"""


class Model(NamedTuple):
    """A net on its device, the class of each letter, and that of the gap between words if any."""

    net: Any
    device: str
    letters: dict[str, int]
    gap: int | None


def prepare(
    lines: Sequence[Line], pcm: Path, speech: Sequence[Span], duration_s: float, language: str
) -> Alignment:
    """An alignment of the lines' tokens, whose units are what is said for them, in words."""
    words = []
    for token, at, parts in said(lines, language):
        texts = [[" ".join(reading) for reading in part] for part in parts]
        words.append(Word(token, at, tuple(Unit(part[0], tuple(part)) for part in texts)))
    return Alignment(words, pcm, speech, duration_s, is_english(language), [None] * len(words))


def align_chunks(model: Model, work: Alignment, chunks: Sequence[Chunk], tick: Tick) -> list[Chunk]:
    """Time the words of the chunks that the sound bears out; returns the other chunks."""
    size = work.pcm.stat().st_size
    sound = np.memmap(work.pcm, "<i2", mode="r") if size else np.zeros(0, "<i2")
    failed = []
    for done, chunk in enumerate(chunks):
        first, last = (round(time * RATE_HZ) for time in (chunk.start_s, chunk.end_s))

        def part(share: float, done: int = done) -> None:
            tick((done + share) / len(chunks))

        heard = emissions(model, sound[first:last], part)
        if not _timed(model, work, chunk, heard, first):
            failed.append(chunk)
    return failed


def emissions(model: Model, sound: np.ndarray, tick: Tick) -> Any:
    """[frames, classes] log-probabilities of 16-bit samples, window by window.

    Frame i is about the samples from 320 i + 40 on. The windows count from the first sample, so
    that the same sound is heard alike wherever it stands.
    """
    import torch

    frames = max(0, (len(sound) - FIELD) // HOP + 1)
    heard = []
    with torch.inference_mode(), _threads():
        for at in range(0, frames, WINDOW):
            tick(at / frames)
            low, high = max(0, at - CONTEXT), min(frames, at + WINDOW + CONTEXT)
            part = sound[low * HOP : (high - 1) * HOP + FIELD].astype(np.float32) / 32768
            scores, _ = model.net(torch.from_numpy(part)[None].to(model.device))
            own = torch.log_softmax(scores[0].float(), -1)
            heard.append(own[at - low : min(high, at + WINDOW) - low])
        return torch.cat(heard) if heard else torch.zeros((0, 1))


@contextmanager
def _threads() -> Iterator[None]:
    """As many threads as there are processors for us, which may be fewer than torch thinks."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---- the path ------------------------------------------------------------------------------------


def _timed(model: Model, work: Alignment, chunk: Chunk, heard: Any, first: int) -> bool:
    """Time a chunk's words where its path is believed.

    A token that may be read in several ways stands as a star at first; once its neighbours have
    found their places, the reading that fits between them best is taken. A word without a letter
    of the alphabet gets no time here: a star is said to be there, but seldom where it begins.
    """
    words = work.words[chunk.first : chunk.last]
    ways = [_ways(model, word) for word in words]
    targets = [way[0] if len(way) == 1 else [STAR] if way else [] for way in ways]
    path = _path(model, heard, targets)
    if path is None:
        return False
    if open_ways := [at for at, way in enumerate(ways) if len(way) > 1]:
        for at in open_ways:
            targets[at] = _likeliest(model, heard, path, at, ways[at])
        path = _path(model, heard, targets) or path
    means = [sum(place.scores) / len(place.scores) for place in path if place and place.scores]
    if not means or median(means) < BELIEVED:
        return False
    for at, place in enumerate(path, chunk.first):
        if place and place.scores:
            score = sum(place.scores) / len(place.scores)
            start_s, end_s = ((first + EDGE + edge * HOP) / RATE_HZ for edge in place.frames)
            text, unheard = work.words[at].text, score < DOUBTED
            confidence = round(exp(score), 3)
            work.times[at] = TimedWord(text, start_s, end_s, confidence, interpolated=unheard)
    return True


class Place(NamedTuple):
    """Frames of a word, from and to, and the scores of its letters, stars left out."""

    frames: tuple[int, int]
    scores: list[float]


def _path(model: Model, heard: Any, targets: Sequence[Sequence[int]]) -> list[Place | None] | None:
    """Where each word's classes are in the emissions; None where they do not fit in."""
    row: list[int] = []
    slices = []
    for classes in targets:
        if row and classes and model.gap is not None:
            row.append(model.gap)
        slices.append(slice(len(row), len(row) + len(classes)))
        row += classes
    if not row:
        return None
    band = BAND if len(heard) * len(row) > EXACT else None
    try:
        found = align(heard[None], np.array([row]), band=band)
    except ValueError:
        return None
    starts, ends, scores = (
        part[0].cpu().numpy() for part in (found.starts, found.ends, found.token_scores)
    )
    return [
        Place(
            (int(starts[own.start]), int(ends[own.stop - 1])),
            [float(s) for s, c in zip(scores[own], classes, strict=True) if c != STAR],
        )
        if classes
        else None
        for own, classes in zip(slices, targets, strict=True)
    ]


def _likeliest(
    model: Model, heard: Any, path: Sequence[Place | None], at: int, ways: list[list[int]]
) -> list[int]:
    """The reading whose path between the word's neighbours scores best; the first if none fits."""
    low = next((place.frames[1] for place in reversed(path[:at]) if place), 0)
    high = next((place.frames[0] for place in path[at + 1 :] if place), len(heard))
    scores = []
    for way in ways:
        row = way if model.gap is None else [model.gap, *way, model.gap]
        try:
            scores.append(float(align(heard[None, low:high], np.array([row])).scores[0]))
        except ValueError:
            scores.append(-np.inf)
    return ways[int(np.argmax(scores))]


def _ways(model: Model, word: Word) -> list[list[int]]:
    """Classes of each way to say a token, at most six, likeliest first; none for a dash, say."""
    choices = [unit.pronunciations for unit in word.units]
    texts = (" ".join(choice) for choice in product(*choices)) if choices else iter(())
    rows = dict.fromkeys(tuple(spelled(model, text)) for text in islice(texts, MOST_READINGS))
    return [list(row) for row in rows if row]


def spelled(model: Model, text: str) -> list[int]:
    """Classes of what is said: letters of the alphabet as they are, else without their accents,
    else in Latin letters; a run of others is one star.
    """
    row: list[int] = []
    for word in text.split():
        if row and model.gap is not None:
            row.append(model.gap)
        for sign in unicodedata.normalize("NFC", word):
            for letter in _in_alphabet(sign, model.letters) or (None,):
                if letter is not None:
                    row.append(model.letters[letter])
                elif sign.isalnum() and row[-1:] != [STAR]:
                    row.append(STAR)
    return row


def _in_alphabet(sign: str, letters: dict[str, int]) -> str:
    from anyascii import anyascii

    plain = unicodedata.normalize("NFD", sign)[:1]
    for spelling in (sign, plain, anyascii(sign)):
        low = spelling.lower()
        if low and all(letter in letters for letter in low):
            return low
    return ""


# ---- loading -------------------------------------------------------------------------------------


def device() -> str:
    """Where models run."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@lru_cache(maxsize=2)
def loaded(weights: Path) -> Model:
    """The model of a folder, on the GPU if there is one.

    Raises
    ------
    Failure
        `model_damaged` where the weights do not load or do not hear 50 frames a second.
    """
    import torch

    try:
        bundle, file, whole = _bundle(weights)
        # A file that is there is not fetched: `models.path_of` has seen to it that it is.
        options = {"model_dir": str(weights), "file_name": file, "weights_only": True}
        net = bundle.get_model(dl_kwargs=options, **({"with_star": False} if whole else {}))
        net = net.eval().to(device())
        labels = bundle.get_labels(**({"star": None} if whole else {}))
        with torch.inference_mode():
            shape = net(torch.zeros(1, RATE_HZ, device=device()))[0].shape
        if tuple(shape) != (1, (RATE_HZ - FIELD) // HOP + 1, len(labels)):
            raise ValueError(f"it hears {tuple(shape)} of a second, for {len(labels)} labels")  # noqa: TRY301
    except (
        RuntimeError, ValueError, OSError, LookupError, TypeError, AttributeError, UnpicklingError,
        EOFError,
    ) as error:  # fmt: skip
        reason = str(error).partition(".")[0]  # torch goes on with advice that nobody should follow
        raise Failure(
            "model_damaged",
            f"The aligner in {weights} does not load ({reason}): run `cutroom models verify`.",
        ) from error
    letters = {label.lower(): at for at, label in enumerate(labels) if at and label != "|"}
    return Model(net, device(), letters, labels.index("|") if "|" in labels else None)


def _bundle(weights: Path) -> tuple[Any, str, bool]:
    """The bundle of a folder, its file, and whether the bundle is one made for alignment alone.

    One's own `aligner.json` holds `params` (arguments of `torchaudio.models.wav2vec2_model`),
    `labels` without the blank, which is class 0, `normalize_waveform`, and the `language` unless it
    is any.
    """
    from torchaudio import pipelines

    known = models.manifest().get(weights.name)
    if known:
        bundle = getattr(pipelines, known.bundle)
        return bundle, known.files[0].path, isinstance(bundle, type(pipelines.MMS_FA))
    own = json.loads((weights / "aligner.json").read_text(encoding="utf-8"))
    own["params"]["extractor_conv_layer_config"] = [
        tuple(layer) for layer in own["params"]["extractor_conv_layer_config"]
    ]
    bundle = pipelines.Wav2Vec2ASRBundle(
        _path="model.pt",
        _params=own["params"],
        _sample_rate=float(RATE_HZ),
        _normalize_waveform=bool(own["normalize_waveform"]),
        _model_type="Wav2Vec2",
        _labels=tuple(own["labels"]),
        _remove_aux_axis=(),
    )
    return bundle, "model.pt", False
