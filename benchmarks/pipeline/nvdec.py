"""A recording decoded on NVDEC and measured, beside all of the engines that only decode.

Ten minutes are cut into runs, as any job's recording is; the engines alone are given as many
pictures by FFmpeg, in more streams than there are engines, and the pictures stay where they are.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.codec.hwaccel import HWAccel

from benchmarks.case import VIDEO, Case, Rival
from benchmarks.pipeline.talk import RATE_HZ, talk
from kernels import frame_change, saliency
from ray_jobs.contract import IngestLimits, MediaInfo
from ray_jobs.media.dali import engines, planes
from ray_jobs.media.decode import analysis_size
from ray_jobs.media.survey import survey

TESTS = "tests/ray_jobs/media/test_dali.py"
MINUTES = 10
BATCH = 64
STREAMS_AN_ENGINE = 4
"""FFmpeg waits for a picture before it hands on the next: one stream leaves an engine idle."""


def analyse(path: Path, media: MediaInfo) -> list[int]:
    """Shots, motion, saliency and brightness on the GPU; the first frame of every later shot.

    Raises
    ------
    Refused
        where NVDEC gives up: nothing goes on without it.
    """
    change, eye = frame_change.Stream(), saliency.Stream()
    changes, eyes, times = [], [], []
    for times_s, luma, chroma in planes(path, media, analysis_size(media), "mixed", batch=BATCH):
        changes.append(change.push(luma, chroma))
        eyes.append(eye.push(luma, chroma))
        times.append(times_s)
    saliency.join(eyes)
    shots = frame_change.shots(frame_change.join(changes), np.concatenate(times))
    return [shot.first_frame for shot in shots[1:]]


def decode(path: Path, media: MediaInfo) -> int:
    """What `analyse` decodes, and no kernel of ours."""
    size = analysis_size(media)
    return sum(len(batch[0]) for batch in planes(path, media, size, "mixed", batch=BATCH))


def alone(path: Path, frames: int, streams: int) -> None:
    """All engines decode `frames` pictures in all, in `streams` threads."""
    shares = [len(share) for share in np.array_split(np.arange(frames), streams)]
    with ThreadPoolExecutor(streams) as pool:
        assert sum(pool.map(partial(_only, path), shares)) == frames


def _only(path: Path, frames: int) -> int:
    import torch

    torch.cuda.current_stream().synchronize()  # makes this thread's context, which FFmpeg shares
    shared = {"primary_ctx": "0", "current_ctx": "1"}
    engine = HWAccel("cuda", allow_software_fallback=False, options=shared, is_hw_owned=True)
    with av.open(str(path), hwaccel=engine) as container:
        decoded = islice(container.decode(container.streams.video[0]), frames)
        return sum(frame.format.name == "cuda" for frame in decoded)


def cases(*, peers: bool) -> Iterator[Case]:  # noqa: ARG001 - FFmpeg comes with us
    """One recording at 1080p, as a job on this GPU has it to itself."""
    import nvidia.dali  # noqa: F401 - not installed everywhere
    import torch

    if not torch.cuda.is_available():
        raise ImportError("no GPU with NVDEC")
    path, cuts = talk(MINUTES)
    media, frames = survey(path, IngestLimits()), MINUTES * 60 * RATE_HZ
    count = engines(media.video_codec)
    rivals = {
        f"{count} engines alone": Rival(
            partial(alone, path, frames, STREAMS_AN_ENGINE * count), 0.9
        ),
        "our decoding alone": Rival(partial(decode, path, media)),
    }

    def agree() -> None:
        found = analyse(path, media)
        assert found == cuts, f"cuts at {found[:10]} instead of {cuts[:10]}"

    yield Case(
        "nvdec", f"1080p H.264, {MINUTES} min", MINUTES * 60, VIDEO, partial(analyse, path, media),
        rivals=rivals, agree=agree, repeats=3,
    )  # fmt: skip
