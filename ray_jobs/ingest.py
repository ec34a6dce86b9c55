"""Ingest: bytes in, checked and measured; what people need to see of them, out."""

import hashlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import cast

from ray_jobs.contract import (
    RENDITIONS,
    Artifact,
    Box,
    Ingest,
    Ingested,
    IngestLimits,
    Json,
    MediaInfo,
    ObjectRef,
)
from ray_jobs.failures import Failure
from ray_jobs.media.bars import active_area
from ray_jobs.media.download import download
from ray_jobs.media.images import write_filmstrip, write_poster
from ray_jobs.media.probe import probe
from ray_jobs.media.rendition import encode_rendition
from ray_jobs.run import JobRun, Step

CHUNK_BYTES = 1 << 22
PROXY_WEIGHT = 8.0
CONTENT_TYPES = {
    "mp4": "video/mp4",
    "m4a": "audio/mp4",
    "matroska": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
    "mpeg": "video/mpeg",
    "asf": "video/x-ms-asf",
    "flv": "video/x-flv",
    "mxf": "application/mxf",
    "ogg": "video/ogg",
    "wav": "audio/wav",
    "w64": "audio/x-w64",
    "aiff": "audio/aiff",
    "caf": "audio/x-caf",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "amr": "audio/amr",
}
WEBM_CODECS = frozenset({"vp8", "vp9", "av1", "opus", "vorbis"})


def ingest(run: JobRun, spec: Ingest) -> Ingested:
    """Store a recording under its own hash, with proxy, poster and filmstrip where it has pictures.

    Raises
    ------
    Failure
        whatever `download` and `probe` raise, `upload_missing`, `checksum_mismatch` or
        `encode_failed`.
    """
    run.plan(PROXY_WEIGHT + 4)
    path = run.workdir / "original"
    sha256 = _obtain(run, spec, path)
    if spec.expected_sha256 not in (None, sha256):
        raise Failure("checksum_mismatch", "The file arrived damaged: upload it again.")
    measured = run.step(
        "probe",
        lambda _: {"media": probe(path, spec.limits, run.tick).model_dump(mode="json")},
        version=1,
        params=spec.limits,
        inputs=[sha256],
    )
    media = MediaInfo.model_validate(measured.value["media"])
    original = run.adopt(path, content_type(media))
    artifacts = [Artifact(kind="source", object=original, filename=safe_name(spec.filename))]
    if media.video_codec:
        made, active = _pictures(run, path, media, original)
        artifacts += made
        media = media.model_copy(update={"active": active})
    return Ingested(object=original, media=media, artifacts=artifacts)


def _obtain(run: JobRun, spec: Ingest, path: Path) -> str:
    """Bring the bytes to `path`; returns their SHA-256."""
    if (spec.key is None) == (spec.url is None):
        raise Failure("bad_request", "Give either an upload or a URL.")
    if spec.url is not None:
        got = download(spec.url, path, spec.limits, progress=_heard(run))
        return got.sha256
    _copy_upload(run, str(spec.key), path, spec.limits)
    digest, done, total = hashlib.sha256(), 0, max(1, path.stat().st_size)
    progress = _heard(run)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            progress(done, total)
    return digest.hexdigest()


def _copy_upload(run: JobRun, key: str, path: Path, limits: IngestLimits) -> None:
    size_bytes = run.store.head(key)
    if size_bytes is None:
        raise Failure("upload_missing", "The upload is not there: send the file, then try again.")
    if size_bytes > limits.max_size_bytes:
        raise Failure("too_large", f"The file is larger than {limits.max_size_bytes} bytes.")
    run.check()
    if not run.store.get(key, path):
        raise Failure("upload_missing", "The upload is not there: send the file, then try again.")


def _heard(run: JobRun) -> Callable[[int, int | None], None]:
    def progress(done: int, total: int | None) -> None:
        run.progress(done / total if total else 0.0)

    return progress


def _pictures(
    run: JobRun, path: Path, media: MediaInfo, original: ObjectRef
) -> tuple[list[Artifact], Box | None]:
    """What people look at, and where in the picture there is one."""
    proxy = run.step(
        "proxy",
        lambda folder: _proxy(run, path, media, folder),
        version=1,
        params=media,
        inputs=[original.sha256],
        weight=PROXY_WEIGHT,
    )
    small = MediaInfo.model_validate(proxy.value["media"])
    # From the proxy: its clock is even, its key frames are close, its pixels are square.
    still = proxy.path("proxy.mp4")
    poster = _still(
        run,
        "poster",
        proxy,
        lambda target: {"time_s": write_poster(still, small, target, run.tick)},
    )
    strip = _still(
        run,
        "filmstrip",
        proxy,
        lambda target: dict(write_filmstrip(still, small, target, run.tick)._asdict()),
    )
    bars = run.step(
        "bars",
        lambda _: _bars(run, still, small),
        version=1,
        params={},
        inputs=[proxy.ref("proxy.mp4").sha256],
    )
    artifacts = [
        Artifact(kind="proxy", object=proxy.ref("proxy.mp4"), filename="proxy.mp4"),
        Artifact(kind="poster", object=poster.ref("poster.jpg"), filename="poster.jpg"),
        Artifact(kind="filmstrip", object=strip.ref("filmstrip.jpg"), filename="filmstrip.jpg"),
    ]
    box = cast("list[float] | None", bars.value["active"])
    return artifacts, cast("Box", tuple(box)) if box else None


def _proxy(run: JobRun, path: Path, media: MediaInfo, folder: Path) -> Json:
    target = folder / "proxy.mp4"
    run.used(decoder="cpu (ffmpeg)", proxy_encoder="x264")
    encode_rendition(path, media, target, RENDITIONS["proxy"], progress=run.progress)
    return {"media": probe(target, IngestLimits(), run.tick).model_dump(mode="json")}


def _bars(run: JobRun, proxy: Path, media: MediaInfo) -> Json:
    box = active_area(proxy, media, run.tick)
    return {"active": list(box) if box else None}


def _still(run: JobRun, name: str, proxy: Step, write: Callable[[Path], Json]) -> Step:
    return run.step(
        name,
        lambda folder: write(folder / f"{name}.jpg"),
        version=1,
        params={},
        inputs=[proxy.ref("proxy.mp4").sha256],
    )


def content_type(media: MediaInfo) -> str:
    """The media type to serve a recording as, from what it holds, never from its name."""
    codecs = {stream.codec for stream in media.audio} | {media.video_codec}
    if media.container == "matroska" and codecs - {None} <= WEBM_CODECS:
        kind = "video/webm"
    else:
        kind = CONTENT_TYPES.get(media.container, "application/octet-stream")
    return kind if media.video_codec else kind.replace("video/", "audio/")


def safe_name(filename: str) -> str:
    """The last part of a name a user gave, printable, at most 255 characters."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    name = "".join(each for each in name if each.isprintable()).strip()
    return name[-255:] if name not in ("", ".", "..") else "recording"
