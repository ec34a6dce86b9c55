"""Everything that is measured of the pictures, beside decoding them and measuring nothing."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np

from benchmarks.case import Case, Rival, Work
from benchmarks.pipeline.talk import talk
from kernels import frame_change, saliency
from ray_jobs.contract import IngestLimits
from ray_jobs.media.decode import analysis_frames
from ray_jobs.media.probe import probe

TESTS = "tests/ray_jobs/media/test_decode.py"
MINUTES = (1, 3, 10)


def analyse(path: Path, *, fast: bool = False) -> list[int]:
    """Shots, motion, saliency and brightness; the first frame of every shot but the first."""
    change, eye = frame_change.Stream(), saliency.Stream()
    changes, times = [], []
    for batch in analysis_frames(path, probe(path, IngestLimits()), fast=fast):
        changes.append(change.push(batch.luma, batch.chroma))
        eye.push(batch.luma, batch.chroma)
        times += batch.times_s.tolist()
    shots = frame_change.shots(frame_change.join(changes), np.array(times))
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
    """One, three and ten minutes, exact and fast."""
    for minutes in MINUTES:
        path, cuts = talk(minutes)
        rivals = {"bare decode": Rival(partial(bare, path), 1 / 1.05)}
        if peers and minutes == MINUTES[0]:
            for name in ("ContentDetector", "AdaptiveDetector"):
                rivals[name] = Rival(detector(path, name), 3.0)
        # Planes of 1080p 4:2:0 are read once, a third of their rows.
        work = Work(bytes_moved=minutes * 60 * 25 * 1920 * 1080 // 2)
        shape = {"size": minutes, "unit": "min", "growth_limit": 1.02, "clock": "cpu", "work": work}
        yield Case(
            "analysis", f"exact {minutes} min", run=partial(analyse, path), rivals=rivals,
            agree=partial(_agrees, path, cuts), series="exact", **shape,
        )  # fmt: skip
        fast = partial(analyse, path, fast=True)
        target = {"bare decode": Rival(partial(bare, path), 1 / 0.55)}
        yield Case(
            "analysis", f"fast {minutes} min", run=fast, rivals=target, series="fast", **shape
        )


def _agrees(path: Path, cuts: list[int]) -> None:
    found = analyse(path)
    assert found == cuts, f"cuts at {found[:10]} instead of {cuts[:10]}"
