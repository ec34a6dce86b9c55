"""Pictures for analysis by NVIDIA DALI: on NVDEC and its GPU, or on DALI's CPU backend.

The file is demuxed here, by the one door for untrusted files, and handed on as runs of encoded
pictures in a container of their own. Times are ours (every packet's own, however uneven),
memory is bounded by a few runs and whole frames, and DALI never parses a stranger's container.

A stream is decoded by one engine, and a card has up to eight: runs are decoded side by side.
"""

import ctypes
import struct
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from io import BytesIO
from itertools import islice
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

CUVID = {"h264": 4, "hevc": 8, "vp8": 9, "vp9": 10, "av1": 11}
"""What NVDEC calls the codecs that DALI 2.4 gives it (cudaVideoCodec of NVIDIA's cuviddec.h)."""

CODECS = {
    "mixed": frozenset(CUVID),
    "cpu": frozenset({"vp8", "vp9", "mjpeg"}),
}
"""What DALI 2.4 decodes on NVDEC ("mixed") and without a GPU."""

RUN_BYTES = 8 * 2**20
RUN_FRAMES = 500
MAX_RUN_BYTES = 2**30
DECODED_BYTES = 128 * 2**20
TICK_MS = 40
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, the matrix by which DALI made RGB
JUMP_S = 1.0
ALIKE = 1.0  # of 255, on average, for the same key frame decoded twice
RUNS_AN_ENGINE = 2  # one is decoded while the other is fed or fetched


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


class Decoders(NamedTuple):
    """How to make a pipeline, the frames it gives at a time, and those that nobody uses now."""

    make: Callable[[], Any]
    frames: int
    idle: deque[Any]


class Shape(NamedTuple):
    """Stored pixels of a block, and blocks of a picture, both height first."""

    block: tuple[int, int]
    blocks: tuple[int, int]


def planes(
    path: Path, media: MediaInfo, size: tuple[int, int], device: str, *, batch: int
) -> Iterator[tuple[Floats, Any, Any]]:
    """Times in s [n], luma [n, h, w] and chroma [n, 2, h/2, w/2], as `AnalysisBatch` has them.

    `device` is "mixed" (NVDEC; CUDA tensors) or "cpu" (arrays). Blocks are averaged over all their
    pixels. While one run's batches are used, the next runs are decoded.

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
            decoders = Decoders(partial(_pipeline, shape, device, frames), frames, deque())
            clock = Clock(container)
            step_s = float(1 / Fraction(media.frame_rate or "25/1"))
            at_once = RUNS_AN_ENGINE * (engines(media.video_codec) if device == "mixed" else 1)
            # A file is read, and its clock asked, by one thread.
            work = (
                partial(_decoded, decoders, _contained(run, stream), _times(run, clock, step_s))
                for run in runs(_packets(container, stream), RUN_BYTES, RUN_FRAMES)
            )
            for times_s, *found in _ahead(work, at_once):
                used = np.flatnonzero(~np.isnan(times_s))
                pair = [_upright(plane[used], turn) for plane in found]
                luma, chroma = pair if device == "mixed" else (plane.numpy() for plane in pair)
                for start in range(0, len(used), batch):
                    part = slice(start, start + batch)
                    yield times_s[used[part]], luma[part], chroma[part]
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
        pts, base = packet.pts, packet.time_base  # asked once: a Fraction takes its time
        if pts is None or base is None:
            raise Refused("pictures without times")
        # Sorting by time is how frames come to their order: a clock that is set anew forbids it.
        stamp = packet.dts if packet.dts is not None else pts
        time_s = stamp * base.numerator / base.denominator
        if packet.is_corrupt or time_s < last_s - JUMP_S:
            raise Refused("a damaged packet" if packet.is_corrupt else "the clock jumps back")
        last_s = time_s
        if hidden(packet):
            raise Refused("pictures that are not to be shown")
        yield Coded(bytes(packet), pts, base, packet.is_keyframe, not packet.is_discard)


def runs(packets: Iterator[Coded], least_bytes: int, least_frames: int) -> Iterator[Run]:
    """Cut at key frames, each run of `least_bytes` or `least_frames` or more except the last.

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
        enough = size >= least_bytes or len(pictures) >= least_frames
        if picture.key and enough and not key:
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
        # As it was coded: what decodes it here (libdav1d, say) may have no encoder of its name.
        target = out.add_stream_from_template(stream, opaque=True)
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
    decoders: Decoders, encoded: npt.NDArray[np.uint8], times_s: Floats
) -> tuple[Floats, Any, Any]:
    """All of a run: times, luma [n, h, w], chroma [n, 2, h/2, w/2], once it is audited."""
    import torch

    try:
        pipeline = decoders.idle.pop()
    except IndexError:
        pipeline = decoders.make()
    pipeline.feed_input("run", encoded)
    parts: list[tuple[Any, Any]] = []
    ends: list[Any] = []
    for start in range(0, len(times_s), decoders.frames):
        pipeline.schedule_run()
        rgb = _taken(pipeline, min(decoders.frames, len(times_s) - start))
        parts.append(_full_range(rgb))
        ends = [ends[0] if ends else rgb[0].clone(), rgb[-1]]
    if float((ends[0] - ends[1]).abs().mean()) > ALIKE:
        raise Refused("pictures are missing")
    decoders.idle.append(pipeline)
    luma, chroma = (torch.cat(planes) for planes in zip(*parts, strict=True))
    return times_s, luma, chroma


def _ahead(work: Iterator[Callable[[], Item]], at_once: int) -> Iterator[Item]:
    """What the calls give, in their order; as many run in threads while one's result is used."""
    pool = ThreadPoolExecutor(at_once)
    try:
        coming = deque(pool.submit(call) for call in islice(work, at_once))
        while coming:
            done = coming.popleft().result()
            coming.extend(pool.submit(call) for call in islice(work, 1))
            yield done
    finally:
        pool.shutdown(cancel_futures=True)


def engines(codec: str | None) -> int:
    """How many NVDEC engines of this GPU decode a codec, by its driver; 1 where it does not say."""
    import torch

    torch.cuda.current_stream().synchronize()  # makes the context that the driver asks for
    # CUVIDDECODECAPS of NVIDIA's cuviddec.h: codec, 4:2:0, 8 bits; the answer's 26th byte counts.
    asked = struct.pack("=3I", CUVID.get(codec or "", CUVID["h264"]), 1, 0)
    answer = ctypes.create_string_buffer(asked, 88)
    try:
        failed = ctypes.CDLL("libnvcuvid.so.1").cuvidGetDecoderCaps(answer)
    except OSError:
        return 1
    return 1 if failed else max(1, answer.raw[25])


def _taken(pipeline: Any, frames: int) -> Any:
    """The pipeline's next sequence, [n, h, w, 3], as a tensor of its own memory."""
    import torch
    from nvidia.dali.plugin.pytorch import feed_ndarray

    (out,) = pipeline.share_outputs()
    shape = out[0].shape()
    if shape[0] != frames:
        raise Refused(f"{shape[0]} of {frames} pictures decoded")
    stream = torch.cuda.current_stream() if "GPU" in type(out[0]).__name__ else None
    rgb = torch.empty(shape, dtype=torch.float32, device="cuda" if stream else "cpu")
    feed_ndarray(out[0], rgb, cuda_stream=stream)
    if stream:
        stream.synchronize()  # the copy is only queued, and DALI writes anew what is released
    pipeline.release_outputs()
    return rgb


def _full_range(rgb: Any) -> tuple[Any, Any]:
    """Luma [n, h, w] and chroma [n, 2, h/2, w/2] uint8 of RGB [n, h, w, 3] (JFIF, full range)."""
    n, height, width, _ = rgb.shape
    y = _grey(rgb)
    small = rgb.view(n, height // 2, 2, width // 2, 2, 3).mean(dim=(2, 4))
    grey = _grey(small)
    cb = 128 + (small[..., 2] - grey) / (2 * (1 - LUMA[2]))
    cr = 128 + (small[..., 0] - grey) / (2 * (1 - LUMA[0]))
    chroma = rgb.new_empty((n, 2, height // 2, width // 2))
    chroma[:, 0], chroma[:, 1] = cb, cr
    return tuple(plane.add(0.5).clamp(0, 255).byte() for plane in (y, chroma))


def _grey(rgb: Any) -> Any:
    # No matrix product: cuBLAS would keep a workspace of 32 MiB for every thread.
    red, green, blue = rgb.unbind(-1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def _upright(planes: Any, turn: Turn) -> Any:
    """Stored planes [..., h, w] as they are to be shown, in memory of their own."""
    planes = planes.transpose(-1, -2) if turn.transposed else planes
    mirrored = [axis for axis, flip in ((-1, turn.mirror_x), (-2, turn.mirror_y)) if flip]
    return planes.flip(mirrored).contiguous() if mirrored else planes.contiguous()
