"""Transcode: a recording in other sizes, each a file that plays everywhere, or a ladder of them."""

from pathlib import Path

from ray_jobs.contract import (
    Artifact,
    HlsLadder,
    IngestLimits,
    Json,
    MadeHls,
    MadeRendition,
    MadeRung,
    MediaInfo,
    ObjectRef,
    Rendition,
    Rung,
    Source,
    Transcode,
    Transcoded,
)
from ray_jobs.failures import Failure
from ray_jobs.media.conforming import looks_like, seeks_well
from ray_jobs.media.hls import (
    Track,
    average_bps,
    encode_picture,
    encode_sound,
    ladder_of,
    master_playlist,
    peak_bps,
    playlist,
)
from ray_jobs.media.probe import probe
from ray_jobs.media.rendition import Form, encode_rendition
from ray_jobs.run import JobRun, Step

SOUND_WEIGHT = 0.1


def transcode(run: JobRun, spec: Transcode) -> Transcoded:
    """Encode every rendition and rung, one cached step each, and check what was written.

    A rendition that the recording is already is the recording itself.

    Raises
    ------
    Failure
        `no_video_stream` where renditions are asked of a sound, `encode_failed`, `verify_failed`,
        or what `probe` raises.
    """
    media = spec.source.media
    if spec.renditions and not media.video_codec:
        raise Failure("no_video_stream", "The recording has no picture to transcode.")
    rungs = ladder_of(media, spec.hls) if spec.hls and media.video_codec else []
    run.plan(len(spec.renditions) + len(rungs) + 2 * SOUND_WEIGHT)
    renditions = [made(run, spec.source, wanted) for wanted in spec.renditions]
    hls = climbed(run, spec.source, spec.hls, rungs) if spec.hls else None
    return Transcoded(renditions=renditions, hls=hls)


# ---- renditions --------------------------------------------------------------------------------


def made(run: JobRun, source: Source, wanted: Rendition) -> MadeRendition:
    """One rendition, from the cache where it was made before."""
    conforms = looks_like(source.media, source.object.size_bytes, wanted) and seekable(run, source)
    if conforms:
        return described(wanted, source.media, source.object, conforms=True)
    name = f"{wanted.name}.mp4"

    def work(directory: Path) -> Json:
        run.used(decoder="cpu (ffmpeg)", encoder="x264")
        target = directory / name
        encode_rendition(
            run.fetch(source.object), source.media, target, wanted, progress=run.progress
        )
        return {"media": probe(target, IngestLimits(), run.tick).model_dump(mode="json")}

    step = run.step(
        f"transcode_{wanted.name}",
        work,
        version=1,
        params={"media": source.media.model_dump(mode="json"), **wanted.model_dump()},
        inputs=[source.object.sha256],
    )
    media = MediaInfo.model_validate(step.value["media"])
    return described(wanted, media, step.ref(name), conforms=False)


def seekable(run: JobRun, source: Source) -> bool:
    step = run.step(
        "seeks_well",
        lambda _: {"holds": seeks_well(run.fetch(source.object))},
        version=1,
        params={},
        inputs=[source.object.sha256],
        weight=SOUND_WEIGHT,
    )
    return bool(step.value["holds"])


def described(
    wanted: Rendition, media: MediaInfo, made_object: ObjectRef, *, conforms: bool
) -> MadeRendition:
    return MadeRendition(
        name=wanted.name,
        width=media.width or 0,
        height=media.height or 0,
        frame_rate=media.frame_rate or "25/1",
        duration_s=media.duration_s,
        video=Artifact(kind="rendition", object=made_object, filename=f"{wanted.name}.mp4"),
        source_conforms=conforms,
    )


# ---- HLS ---------------------------------------------------------------------------------------


def climbed(
    run: JobRun, source: Source, ladder: HlsLadder, rungs: list[tuple[Rung, Form]]
) -> MadeHls:
    """A ladder: its rungs, its sound, and the playlist that names them."""
    pictures = [picture(run, source, ladder, rung, form) for rung, form in rungs]
    heard = sound(run, source, ladder) if source.media.audio else None
    master = run.step(
        "hls_master",
        lambda folder: _written(folder / "master.m3u8", master_playlist(pictures, heard)),
        version=1,
        params={"names": [one.name for one in pictures]},
        inputs=[one.playlist.object.sha256 for one in (*pictures, *([heard] if heard else []))],
        weight=SOUND_WEIGHT,
    )
    return MadeHls(master=_file("hls_master", master, "master.m3u8"), rungs=pictures, sound=heard)


def picture(run: JobRun, source: Source, ladder: HlsLadder, rung: Rung, form: Form) -> MadeRung:
    """The picture of one rung."""
    name = f"{rung.height}p"

    def work(folder: Path) -> Json:
        run.used(decoder="cpu (ffmpeg)", encoder="x264")
        recording, target = run.fetch(source.object), folder / f"{name}.mp4"
        track = encode_picture(
            recording, source.media, target, rung, form, ladder, progress=run.progress
        )
        return _listed(target, track)

    step = run.step(
        f"hls_{name}",
        work,
        version=1,
        params={
            "media": source.media.model_dump(mode="json"),
            "segment_s": ladder.segment_s,
            "speed": ladder.speed,
            **rung.model_dump(),
        },
        inputs=[source.object.sha256],
    )
    rate = f"{form.rate.numerator}/{form.rate.denominator}"
    seen = {"width": form.width, "height": form.height, "frame_rate": rate}
    return MadeRung.model_validate({**_track(name, step), **seen})


def sound(run: JobRun, source: Source, ladder: HlsLadder) -> MadeRung:
    """The sound that all rungs share."""

    def work(folder: Path) -> Json:
        run.used(decoder="cpu (ffmpeg)")
        recording, target = run.fetch(source.object), folder / "sound.mp4"
        track = encode_sound(recording, source.media, target, ladder, progress=run.progress)
        return _listed(target, track)

    step = run.step(
        "hls_sound",
        work,
        version=1,
        params={
            "media": source.media.model_dump(mode="json"),
            "segment_s": ladder.segment_s,
            "audio_bitrate_bps": ladder.audio_bitrate_bps,
        },
        inputs=[source.object.sha256],
        weight=SOUND_WEIGHT,
    )
    return MadeRung.model_validate(_track("sound", step))


def _listed(media: Path, track: Track) -> Json:
    """Write a track's playlist beside its media; returns what the master playlist tells of it."""
    _written(media.with_suffix(".m3u8"), playlist(media.name, track))
    return {
        "codecs": track.codecs,
        "duration_s": round(float(track.duration), 6),
        "segments": len(track.pieces),
        "peak_bps": peak_bps(track.pieces),
        "average_bps": average_bps(track.pieces),
    }


def _written(path: Path, text: str) -> Json:
    path.write_text(text, encoding="utf-8")
    return {}


def _track(name: str, step: Step) -> dict[str, object]:
    return {
        **step.value,
        "name": name,
        "media": _file("hls_media", step, f"{name}.mp4"),
        "playlist": _file("hls_playlist", step, f"{name}.m3u8"),
    }


def _file(kind: str, step: Step, name: str) -> Artifact:
    return Artifact(kind=kind, object=step.ref(name), filename=name)
