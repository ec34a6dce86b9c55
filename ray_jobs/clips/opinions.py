"""Opinions of a language model on the best candidates, as one more part of their scores.

What was answered is kept by the text it is about, so that the same passage is never asked about
twice. An endpoint that fails costs the part, and never the job.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from kernels.select_clips import select
from ray_jobs.clips.candidates import Candidates
from ray_jobs.contract import Json, WriterEndpoint
from ray_jobs.engines.opinion import BEST, Ask, asking
from ray_jobs.failures import Failure
from ray_jobs.run import JobRun

STEP, VERSION = "opinion", 1
ASKED_A_CLIP, MOST_ASKED = 3, 40
ALIKE = 0.5
SILENCE = 2
"""So many passages one after the other without any answer are the endpoint's fault, not theirs."""
NOT_ASKED = "not asked about: others are better without an opinion"


@dataclass(frozen=True)
class Opinions:
    """`said` has score (0 to 10) and reason by text; `failed` why a text has none.

    `down` says why nobody's opinion counts: an endpoint that answers no more would rank passages by
    when it broke.
    """

    model: str
    said: dict[str, tuple[float, str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    down: str | None = None

    @property
    def known(self) -> bool:
        return self.down is None and bool(self.said)

    @property
    def warnings(self) -> list[str]:
        if self.down:
            return [f"No opinions: {self.down}"]
        count = len(self.failed)
        return [f"{count} of {count + len(self.said)} opinions could not be used: {why}"
                for why in sorted(set(self.failed.values()))]  # fmt: skip

    def on(self, text: str) -> tuple[float, float, str]:
        """Raw value, its share of the best, and what says so, of a candidate with this text."""
        if text in self.said:
            score, reason = self.said[text]
            return score, score / BEST, f"{self.model}: {reason}"
        return 0.0, 0.0, self.failed.get(text, NOT_ASKED)

    @property
    def plain(self) -> Json:
        return cast("Json", {
            "model": self.model, "said": self.said, "failed": self.failed, "down": self.down,
        })  # fmt: skip


def shortlist(found: Candidates, total: np.ndarray, max_clips: int) -> list[int]:
    """The candidates worth asking about, best first: the clips that would be chosen without any
    opinion, then others in order of their totals that are not much the same as a better one.
    """
    fitting = np.flatnonzero(found.fits)
    start_s, end_s = found.start_s, found.end_s
    wanted = min(MOST_ASKED, ASKED_A_CLIP * max_clips, len(fitting))
    best = fitting[select(start_s[fitting], end_s[fitting], total[fitting], max_clips)]
    chosen = sorted((int(i) for i in best), key=lambda i: (-total[i], start_s[i]))[:wanted]
    for i in (int(fitting[k]) for k in np.argsort(-total[fitting], kind="stable")):
        if len(chosen) == wanted:
            break
        shared_s = np.minimum(end_s[chosen], end_s[i]) - np.maximum(start_s[chosen], start_s[i])
        shorter_s = np.minimum(end_s[chosen] - start_s[chosen], end_s[i] - start_s[i])
        if i not in chosen and not (shared_s > ALIKE * shorter_s).any():
            chosen.append(i)
    return chosen


def ask(run: JobRun, endpoint: WriterEndpoint, texts: Sequence[str], *, weight: float) -> Opinions:
    """Ask about each text that nobody asked this model about before."""
    said: dict[str, tuple[float, str]] = {}
    failed: dict[str, str] = {}
    silent = 0
    asked = list(dict.fromkeys(filter(None, texts)))
    with asking(_unknown(run, endpoint, asked), endpoint) as answer:
        for text in asked:
            try:
                said[text] = _opinion_step(run, endpoint, text, answer, weight / len(asked))
                silent = 0
            except Failure as failure:
                failed[text] = failure.detail
                silent = silent + 1 if failure.retryable else 0
                if silent == SILENCE:
                    return Opinions(endpoint.model, down=failure.detail)
    down = next(iter(failed.values()), "nobody says anything") if not said else None
    return Opinions(endpoint.model, said, failed, down)


def _unknown(run: JobRun, endpoint: WriterEndpoint, texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        if not run.knows(STEP, version=VERSION, params=_question(endpoint, text), inputs=[]):
            yield text


def _opinion_step(
    run: JobRun, endpoint: WriterEndpoint, text: str, answer: Ask, weight: float
) -> tuple[float, str]:
    def work(_directory: Path) -> Json:
        opinion = answer(text, run.tick)
        run.used(opinion=endpoint.model)
        return {"score": opinion.score, "reason": " ".join(opinion.reason.split())}

    step = run.step(
        STEP, work, version=VERSION, weight=weight, inputs=[], params=_question(endpoint, text)
    )
    return cast("float", step.value["score"]), cast("str", step.value["reason"])


def _question(endpoint: WriterEndpoint, text: str) -> Json:
    return {"text": text, "endpoint": endpoint.model_dump(mode="json")}
