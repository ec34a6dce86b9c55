"""Transcode: a recording in other sizes, each a file that plays everywhere."""

from pathlib import Path

from ray_jobs.contract import (
    Artifact,
    IngestLimits,
    Json,
    MadeRendition,
    MediaInfo,
    Rendition,
    Transcode,
    Transcoded,
)
from ray_jobs.failures import Failure
from ray_jobs.media.probe import probe
from ray_jobs.media.rendition import encode_rendition
from ray_jobs.run import JobRun


def transcode(run: JobRun, spec: Transcode) -> Transcoded:
    """Encode every rendition, one cached step each, and probe what was written.

    Raises
    ------
    Failure
        `no_video_stream`, `encode_failed`, or what `probe` raises.
    """
    if not spec.source.media.video_codec:
        raise Failure("no_video_stream", "The recording has no picture to transcode.")
    run.plan(float(len(spec.renditions)))
    return Transcoded(renditions=[made(run, spec, wanted) for wanted in spec.renditions])


def made(run: JobRun, spec: Transcode, wanted: Rendition) -> MadeRendition:
    """One rendition, from the cache where it was made before."""
    name = f"{wanted.name}.mp4"

    def work(directory: Path) -> Json:
        run.used(decoder="cpu (ffmpeg)", encoder="x264")
        target = directory / name
        source = run.fetch(spec.source.object)
        encode_rendition(source, spec.source.media, target, wanted, progress=run.progress)
        return {"media": probe(target, IngestLimits()).model_dump(mode="json")}

    step = run.step(
        f"transcode_{wanted.name}",
        work,
        version=1,
        params={"media": spec.source.media.model_dump(mode="json"), **wanted.model_dump()},
        inputs=[spec.source.object.sha256],
    )
    media = MediaInfo.model_validate(step.value["media"])
    return MadeRendition(
        name=wanted.name,
        width=media.width or 0,
        height=media.height or 0,
        frame_rate=media.frame_rate or "25/1",
        duration_s=media.duration_s,
        video=Artifact(kind="rendition", object=step.ref(name), filename=name),
    )
