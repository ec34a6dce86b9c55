"""Pictures for analysis by NVIDIA DALI: on NVDEC and its GPU, or on DALI's CPU backend.

The file is demuxed here, by the one door for untrusted files, and handed on as runs of encoded
pictures in a container of their own. Times are ours (every packet's own, however uneven),
memory is bounded by a run and a few whole frames, and DALI never parses a stranger's container.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from ray_jobs.contract import MediaInfo
from ray_jobs.media.container import Clock, decoded_video, hidden, only, open_media, video_stream
from ray_jobs.media.orientation import Turn, orientation

CODECS = {
    "mixed": frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mjpeg"}),
    "cpu": frozenset({"vp8", "vp9", "mjpeg"}),
}
"""What DALI 2.4 decodes on NVDEC ("mixed") and without a GPU."""

RUN_BYTES = 4 * 2**20
MAX_RUN_BYTES = 2**30
DECODED_BYTES = 128 * 2**20
TICK_MS = 40
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, the matrix by which DALI made RGB
JUMP_S = 1.0
ALIKE = 1.0  # of 255, on average, for the same key frame decoded twice


Floats = npt.NDArray[np.float64]
Item = TypeVar("Item")


class Refused(Exception):
    """DALI cannot do this file, or not to its end; the words say why."""


class Coded(NamedTuple):
    """One packet; an edit list may hide its picture."""

    data: bytes
    pts: int
    time_base: Fraction
    key: bool
    shown: bool


class Run(NamedTuple):
    """Packets from a key frame on, which comes again at the end; `mine` frames are to be used."""

    pictures: list[Coded]
    mine: int


class Shape(NamedTuple):
    """Stored pixels of a block, and blocks of a picture, both height first."""

    block: tuple[int, int]
    blocks: tuple[int, int]


def planes(
    path: Path, media: MediaInfo, size: tuple[int, int], device: str, *, batch: int
) -> Iterator[tuple[Floats, Any, Any]]:
    """Times in s [n], luma [n, h, w] and chroma [n, 2, h/2, w/2], as `AnalysisBatch` has them.

    `device` is "mixed" (NVDEC; CUDA tensors) or "cpu" (arrays). Blocks are averaged over all their
    pixels. While one run's batches are used, the next run is decoded.

    Raises
    ------
    Refused
        where DALI fails, and where it gives more or fewer pictures than the packets promise.
    """
    try:
        with open_media(path) as container:
            stream = video_stream(container)
            if stream is None:
                raise Refused("no picture")
            turn, shape, pixels = _first(container, stream, size)
            frames = max(1, min(batch, DECODED_BYTES // (3 * pixels)))
            pipeline = _pipeline(shape, device, frames)
            clock, step_s = Clock(container), float(1 / Fraction(media.frame_rate or "25/1"))
            decoded = (
                _decoded(pipeline, _contained(run, stream), _times(run, clock, step_s), frames)
                for run in runs(_packets(container, stream), RUN_BYTES)
            )
            for times_s, rgb in chain.from_iterable(_one_ahead(decoded)):
                used = np.flatnonzero(~np.isnan(times_s))
                found = [_upright(plane, turn) for plane in _full_range(rgb[used])]
                luma, chroma = found if rgb.is_cuda else (plane.numpy() for plane in found)
                yield times_s[used], luma, chroma
    except (RuntimeError, ValueError, av.FFmpegError) as error:
        raise Refused(_reason(error)) from error


def _reason(error: Exception) -> str:
    """The sentence in DALI's report of an error that says what is wrong."""
    return str(error).rpartition("encountered:")[2].strip().partition("\n")[0][:200]


def _first(
    container: InputContainer, stream: VideoStream, size: tuple[int, int]
) -> tuple[Turn, Shape, int]:
    """How the first picture lies, how it is cut into blocks, how many pixels it has."""
    frame = next(decoded_video(container, stream), None)
    if frame is None:
        raise Refused("no picture decodes")
    turn = orientation(frame)
    container.seek(container.start_time or 0)
    stream.codec_context.flush_buffers()
    high, wide = turn.stored(np.empty(size, np.bool_)).shape
    if frame.height < high or frame.width < wide:
        raise Refused("the picture is smaller than its header says")
    shape = Shape((frame.height // high, frame.width // wide), (high, wide))
    return turn, shape, frame.width * frame.height


# ---- runs of encoded pictures --------------------------------------------------------------------


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Coded]:
    only(container, stream)
    last_s = -np.inf
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.pts is None or packet.time_base is None:
            raise Refused("pictures without times")
        # Sorting by time is how frames come to their order: a clock that is set anew forbids it.
        time_s = float((packet.dts if packet.dts is not None else packet.pts) * packet.time_base)
        if packet.is_corrupt or time_s < last_s - JUMP_S:
            raise Refused("a damaged packet" if packet.is_corrupt else "the clock jumps back")
        last_s = time_s
        if hidden(packet):
            raise Refused("pictures that are not to be shown")
        shown = not packet.is_discard
        yield Coded(bytes(packet), packet.pts, packet.time_base, packet.is_keyframe, shown)


def runs(packets: Iterator[Coded], least_bytes: int) -> Iterator[Run]:
    """Cut at key frames, each run of `least_bytes` or more except the last.

    Pictures that follow a key frame but are shown before it (open groups) need what came earlier:
    they end the run before, together with the key frame, which begins the next run again.
    """
    pictures: list[Coded] = []
    size, key = 0, None
    for picture in packets:
        if key and picture.pts > key.pts:
            yield _closed(pictures, key)
            pictures, size, key = [key], len(key.data), None
        if pictures and picture.pts < pictures[0].pts:
            raise Refused("pictures out of order")
        if picture.key and size >= least_bytes and not key:
            key = picture
        pictures.append(picture)
        size += len(picture.data)
        if size > max(MAX_RUN_BYTES, 2 * least_bytes):
            raise Refused("too far from one key frame to the next")
    if pictures:
        yield _closed(pictures, None)


def _closed(pictures: list[Coded], key: Coded | None) -> Run:
    """The run up to `key` of the next one, with its own first picture once more as its last.

    DALI promises as many frames as there are packets and leaves memory as it was for those that do
    not decode. Whether the last frame looks like the first tells whether any is missing.
    """
    latest = max(picture.pts for picture in pictures)
    if key and latest > key.pts:
        raise Refused("pictures out of order")
    again = pictures[0]._replace(pts=latest + 1)
    return Run([*pictures, again], len(pictures) - (key is not None))


def _contained(run: Run, stream: VideoStream) -> npt.NDArray[np.uint8]:
    """The run as a Matroska file of evenly spaced pictures, [1, bytes]."""
    rank = np.argsort(np.argsort([p.pts for p in run.pictures], kind="stable"), kind="stable")
    delay = max(0, int(np.max(np.arange(len(rank)) - rank)))
    file = BytesIO()
    with av.open(file, "w", format="matroska") as out:
        target = out.add_stream_from_template(stream)
        for number, (picture, place) in enumerate(zip(run.pictures, rank.tolist(), strict=True)):
            packet = av.Packet(picture.data)
            packet.stream, packet.time_base = target, Fraction(1, 1000)
            packet.pts, packet.dts = TICK_MS * place, TICK_MS * (number - delay)
            packet.duration, packet.is_keyframe = TICK_MS, picture.key
            out.mux(packet)
    return np.frombuffer(file.getbuffer(), np.uint8)[None]


# ---- the pipeline --------------------------------------------------------------------------------


def _pipeline(shape: Shape, device: str, frames: int) -> Any:
    """Encoded pictures in, means of blocks as RGB [n, h, w, 3] float32 out."""
    from nvidia.dali import Pipeline, fn

    gpu = None
    if device == "mixed":
        import torch

        gpu = torch.cuda.current_device()
    (high, wide), (rows, columns) = shape
    # A deeper queue would begin with more sequences than a short run has; decoding ahead is done
    # by `_one_ahead`.
    pipeline = Pipeline(batch_size=1, num_threads=2, device_id=gpu, prefetch_queue_depth=1)
    with pipeline:
        pictures = fn.experimental.inputs.video(name="run", device=device, sequence_length=frames)
        whole = fn.crop(pictures, crop=(rows * high, columns * wide), crop_pos_x=0, crop_pos_y=0)
        blocks = fn.reshape(whole, shape=[-1, rows, high, columns, wide, 3], layout="FHYWXC")
        pipeline.set_outputs(fn.reductions.mean(blocks, axes=[2, 4]))
    pipeline.build()
    return pipeline


def _times(run: Run, clock: Clock, step_s: float) -> Floats:
    """Times in s of the run's frames as they come out of the decoder; NaN is not to be used."""
    frames = sorted(run.pictures, key=lambda picture: picture.pts)
    return np.array([
        clock.place(frame, step_s) if frame.shown and number < run.mine else np.nan
        for number, frame in enumerate(frames)
    ])  # fmt: skip


def _decoded(
    pipeline: Any, encoded: npt.NDArray[np.uint8], times_s: Floats, frames: int
) -> list[tuple[Floats, Any]]:
    """All of a run as times and block means, at most `frames` at a time, once it is audited."""
    pipeline.feed_input("run", encoded)
    taken = []
    for start in range(0, len(times_s), frames):
        part = times_s[start : start + frames]
        pipeline.schedule_run()
        taken.append((part, _taken(pipeline, len(part))))
    first, last = taken[0][1][0], taken[-1][1][-1]
    if float((first - last).abs().mean()) > ALIKE:
        raise Refused("pictures are missing")
    return taken


def _one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made in a thread while the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def _taken(pipeline: Any, frames: int) -> Any:
    """The pipeline's next sequence, [n, h, w, 3], as a tensor of its own memory."""
    import torch
    from nvidia.dali.plugin.pytorch import feed_ndarray

    (out,) = pipeline.share_outputs()
    shape = out[0].shape()
    if shape[0] != frames:
        raise Refused(f"{shape[0]} of {frames} pictures decoded")
    on_gpu = "GPU" in type(out[0]).__name__
    rgb = torch.empty(shape, dtype=torch.float32, device="cuda" if on_gpu else "cpu")
    feed_ndarray(out[0], rgb, cuda_stream=torch.cuda.current_stream() if on_gpu else None)
    pipeline.release_outputs()
    return rgb


def _full_range(rgb: Any) -> tuple[Any, Any]:
    """Luma [n, h, w] and chroma [n, 2, h/2, w/2] uint8 of RGB [n, h, w, 3] (JFIF, full range)."""
    n, height, width, _ = rgb.shape
    y = rgb @ rgb.new_tensor(LUMA)
    small = rgb.view(n, height // 2, 2, width // 2, 2, 3).mean(dim=(2, 4))
    grey = small @ small.new_tensor(LUMA)
    cb = 128 + (small[..., 2] - grey) / (2 * (1 - LUMA[2]))
    cr = 128 + (small[..., 0] - grey) / (2 * (1 - LUMA[0]))
    chroma = rgb.new_empty((n, 2, height // 2, width // 2))
    chroma[:, 0], chroma[:, 1] = cb, cr
    return tuple(plane.add(0.5).clamp(0, 255).byte() for plane in (y, chroma))


def _upright(planes: Any, turn: Turn) -> Any:
    """Stored planes [..., h, w] as they are to be shown, in memory of their own."""
    planes = planes.transpose(-1, -2) if turn.transposed else planes
    mirrored = [axis for axis, flip in ((-1, turn.mirror_x), (-2, turn.mirror_y)) if flip]
    return planes.flip(mirrored).contiguous() if mirrored else planes.contiguous()
