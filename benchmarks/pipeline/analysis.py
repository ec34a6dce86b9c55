"""Everything that is measured of the pictures, beside decoding them and measuring nothing.

How it grows is shown at 360 lines, where decoding hides least of what we add.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.case import Case, Rival, Work
from benchmarks.pipeline.talk import RATE_HZ, talk
from kernels import frame_change, saliency
from ray_jobs.contract import IngestLimits, MediaInfo
from ray_jobs.media.decode import analysis_frames
from ray_jobs.media.survey import survey

TESTS = "tests/ray_jobs/media/test_decode.py"
REPEATS = {1: 5, 10: 3, 60: 1}
"""How often each length, in minutes, is measured: an hour stands for itself."""


def analyse(path: Path, media: MediaInfo, *, fast: bool = False) -> list[int]:
    """Shots, motion, saliency and brightness; the first frame of every shot but the first.

    What the file holds is known, as it is from ingest on.
    """
    change, eye = frame_change.Stream(), saliency.Stream()
    changes, times, held = [], [], []
    for batch in analysis_frames(path, media, fast=fast):
        changes.append(change.push(batch.luma, batch.chroma))
        eye.push(batch.luma, batch.chroma)
        times.append(batch.times_s)
        held.append(batch.held)
    shots = frame_change.shots(
        frame_change.join(changes), np.concatenate(times), held=np.concatenate(held)
    )
    return [shot.first_frame for shot in shots[1:]]


def bare(path: Path) -> int:
    """Decode with as many threads, and look at nothing."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def detector(path: Path, name: str) -> Callable[[], object]:
    """A detector of PySceneDetect at its defaults."""
    import scenedetect

    return lambda: scenedetect.detect(str(path), getattr(scenedetect, name)())


def cases(*, peers: bool) -> Iterator[Case]:
    """A minute of 1080p, exact and fast; a minute to an hour at 360 lines.

    Detectors spend more than a third of their time on decoding every frame, as exact analysis must:
    three times as fast as they are is for the fast one.
    """
    path, cuts = talk(1)
    for name, fast, share, times in (("exact", False, 1.05, None), ("fast", True, 0.55, 3.0)):
        beside = {"bare decode": Rival(partial(bare, path), 1 / share)}
        if peers:
            for peer in ("ContentDetector", "AdaptiveDetector"):
                beside[peer] = Rival(detector(path, peer), times)
        agree = partial(_agrees, path, cuts, fast=fast)
        yield _case(f"{name}, 1080p", path, 1, 1080, fast=fast, rivals=beside, agree=agree)
    for minutes, repeats in REPEATS.items():
        path, cuts = talk(minutes, 360)
        name = f"exact, 360p, {minutes} min"
        agree = partial(_agrees, path, cuts) if minutes == 1 else None
        yield _case(name, path, minutes, 360, repeats=repeats, agree=agree, series="exact",
                    growth_limit=1.02, memory_limit=1.2)  # fmt: skip


def _case(
    name: str, path: Path, minutes: int, height: int, *, fast: bool = False, repeats: int = 5,
    **more: Any,
) -> Case:  # fmt: skip
    # A third of the rows of 4:2:0 planes is read, once.
    moved = minutes * 60 * RATE_HZ * height * height * 16 // 9 // 2
    media = survey(path, IngestLimits())
    return Case(
        "analysis", name, minutes, "min", partial(analyse, path, media, fast=fast),
        work=Work(bytes_moved=moved), clock="cpu", repeats=repeats, **more,
    )  # fmt: skip


def _agrees(path: Path, cuts: list[int], *, fast: bool = False) -> None:
    found = analyse(path, survey(path, IngestLimits()), fast=fast)
    assert found == cuts, f"cuts at {found[:10]} instead of {cuts[:10]}"
