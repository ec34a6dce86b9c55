"""Which engine times the words of a text: wav2vec2 where its weights are, else pocketsphinx."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ray_jobs import models
from ray_jobs.engines import pronounce, wav2vec2
from ray_jobs.failures import Failure

ANY = "any"
OTHER = 2
ESTIMATED = "estimated"


class Choice(NamedTuple):
    """`engine` names what runs; `identity` tells its weights from others, which are None where the
    embedded engine serves.
    """

    engine: str
    identity: str
    weights: Path | None = None


def choose(engine: str, language: str) -> Choice:
    """The aligner of a language on this node; the real one is preferred whenever it can run.

    Raises
    ------
    Failure
        `model_missing` or `engine_unavailable` where the engine that is asked for cannot run.
    """
    listed = sorted(models.listing(), key=lambda model: _rank(model, language))
    fitting = [model for model in listed if _rank(model, language) < OTHER]
    here = [Path(model.path) for model in fitting if model.path]
    if engine in {"auto", "wav2vec2"} and here and find_spec("torchaudio"):
        folder = here[0]
        name = f"wav2vec2 {folder.name}, {wav2vec2.device()}"
        return Choice(name, models.identity_of(folder), folder)
    if engine == "wav2vec2":
        raise Failure(
            "model_missing",
            f"No aligner of the language {language!r} is in {models.directory()}: run `cutroom "
            f"models fetch {fitting[0].name}` there, or choose the engine `auto`.",
        )
    if pronounce.available():
        return Choice("pocketsphinx", "embedded")
    if engine == "pocketsphinx":
        raise Failure(
            "engine_unavailable",
            "pocketsphinx is not installed here (it needs Python 3.11): choose the engine `auto`.",
        )
    return Choice(ESTIMATED, "estimated")


def _rank(model: models.Listed, language: str) -> int:
    """0 for an aligner of the language, 1 for one of any language, OTHER for all else."""
    if model.kind != "aligner":
        return OTHER
    spoken = model.languages
    if model.licence == "own" and model.path:
        own = json.loads((Path(model.path) / "aligner.json").read_text(encoding="utf-8"))
        spoken = str(own.get("language", ANY))
    if spoken == language.partition("-")[0].lower():
        return 0
    return 1 if spoken == ANY else OTHER
