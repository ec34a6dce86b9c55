"""Render clips for delivery: exact cut, calm frame, burned subtitles, level sound, verified file.

Picture, sound and subtitles are steps of their own: a changed style renders no sound, a changed
loudness no picture.
"""

from pathlib import Path
from typing import cast

from ray_jobs.contract import (
    Artifact,
    ClipCut,
    Deliverable,
    Export,
    Exported,
    Json,
    SubtitleFinding,
)
from ray_jobs.media.caption_files import FILES, findings_in, subtitle_artifacts, subtitle_files
from ray_jobs.media.cut import Cut, plan_cut
from ray_jobs.media.encode import join, pick_encoder, render_picture
from ray_jobs.media.filtergraph import Subtitles
from ray_jobs.media.fonts import font_environment
from ray_jobs.media.reframe import crop_path, framing, target_size
from ray_jobs.media.sound import clip_samples, deliver_sound
from ray_jobs.media.verify import verify
from ray_jobs.run import JobRun, Step

SUBTITLES, PICTURE, SOUND, WHOLE = 0.02, 0.75, 0.15, 0.08


def export(run: JobRun, spec: Export) -> Exported:
    """Render every clip of the order."""
    run.plan(float(len(spec.clips)))
    source = run.fetch(spec.source.object)
    return Exported(deliverables=[deliver(run, spec, clip, source) for clip in spec.clips])


def deliver(run: JobRun, spec: Export, clip: ClipCut, source: Path) -> Deliverable:
    """One clip, from the recording to a verified file."""
    cut = plan_cut(source, spec.source.media, clip.start_s, clip.end_s)
    files = subtitle_files(run, spec.source, clip, spec.aspect, spec.height, weight=SUBTITLES)
    picture = picture_step(run, spec, clip, cut, source, files)
    sound = sound_step(run, spec, cut, source) if spec.source.media.audio else None
    whole = whole_step(run, cut, picture, sound)
    stem = f"clip-{clip.rank:02d}"
    video = Artifact(
        kind="export", object=whole.ref("clip.mp4"), filename=f"{stem}.mp4", clip_id=clip.clip_id
    )
    has_subtitles = clip.style is not None
    return Deliverable(
        clip_id=clip.clip_id,
        rank=clip.rank,
        video=video,
        subtitles=subtitle_artifacts(files, clip, stem) if has_subtitles else [],
        frame_rate=f"{cut.rate.numerator}/{cut.rate.denominator}",
        loudness_passes=cast("int", sound.value["passes"]) if sound else 0,
        findings=[*findings_in(files), *sound_findings(sound, cut)],
        **whole.value,
    )


def picture_step(
    run: JobRun, spec: Export, clip: ClipCut, cut: Cut, source: Path, files: Step
) -> Step:
    media = spec.source.media
    size = target_size(media, spec.aspect, spec.height)
    burn = spec.burn_subtitles and clip.style is not None and bool(files.value["cues"])
    encoder = pick_encoder(spec.encoder, crf=spec.crf, speed=spec.speed)

    def render(directory: Path) -> Json:
        run.used(encoder=encoder.name)
        frame = framing(media, size)
        drawn = None
        if burn:
            ass = files.path(FILES["subtitles_ass"])
            drawn = Subtitles(ass, font_environment(run.workdir))
        render_picture(
            directory / "picture.mp4", source, media, cut, frame,
            crop_path(clip.crop_track, frame, cut.times_s),
            subtitles=drawn, encoder=encoder, progress=run.progress,
        )  # fmt: skip
        return {}

    params = {
        "start_s": cut.start_s, "frames": cut.frames, "rate": str(cut.rate), "size": list(size),
        "crop_track": [point.model_dump(mode="json") for point in clip.crop_track],
        "encoder": list(encoder.arguments), "media": media.model_dump(mode="json"),
    }  # fmt: skip
    return run.step(
        "picture", render, version=1, weight=PICTURE, params=cast("Json", params),
        inputs=[
            spec.source.object.sha256,
            files.ref(FILES["subtitles_ass"]).sha256 if burn else "no subtitles",
        ],
    )  # fmt: skip


def sound_step(run: JobRun, spec: Export, cut: Cut, source: Path) -> Step:
    def level(directory: Path) -> Json:
        sound = clip_samples(source, cut.start_s, cut.duration_s)
        done = deliver_sound(directory / "sound.m4a", sound, spec.loudness, progress=run.progress)
        return {"passes": done.passes, "reached": done.reached, "lufs": done.loudness_lufs}

    params = {
        "start_s": cut.start_s, "duration_s": cut.duration_s,
        "loudness": spec.loudness.model_dump(mode="json"),
    }  # fmt: skip
    return run.step(
        "sound", level, version=1, weight=SOUND, params=cast("Json", params),
        inputs=[spec.source.object.sha256],
    )  # fmt: skip


def whole_step(run: JobRun, cut: Cut, picture: Step, sound: Step | None) -> Step:
    """Picture and sound in one file, decoded to its end before anybody else may have it."""

    def put_together(directory: Path) -> Json:
        target = directory / "clip.mp4"
        join(picture.path("picture.mp4"), sound.path("sound.m4a") if sound else None, target)
        run.progress(0.5)
        found = verify(target, frames=cut.frames, rate=cut.rate, sound=sound is not None)
        return cast("Json", vars(found))

    parts = [picture.ref("picture.mp4").sha256]
    parts += [sound.ref("sound.m4a").sha256] if sound else []
    return run.step(
        "deliver", put_together, version=1, weight=WHOLE,
        params={"frames": cut.frames, "rate": str(cut.rate)}, inputs=parts,
    )  # fmt: skip


def sound_findings(sound: Step | None, cut: Cut) -> list[SubtitleFinding]:
    """What a listener should know: silence, or a loudness that could not be reached."""
    if sound is None or sound.value["reached"]:
        return []
    silent = sound.value["lufs"] is None
    return [
        SubtitleFinding(
            severity="warning",
            code="silent" if silent else "loudness_not_reached",
            message="The clip is silent or too short to have a loudness."
            if silent
            else "The loudness could not be reached below the true-peak ceiling.",
            start_s=0.0,
            end_s=cut.duration_s,
        )
    ]
