"""Render clips for delivery: exact cut, calm frame, burned subtitles, level sound, verified file.

Picture, sound and subtitles are steps of their own: a changed style renders no sound, a changed
loudness no picture.
"""

import json
from pathlib import Path
from typing import cast

import numpy as np

from ray_jobs.contract import (
    Artifact,
    Brand,
    ClipCut,
    Deliverable,
    Export,
    Exported,
    Json,
    Source,
    spec_hash,
)
from ray_jobs.media.brand import (
    brand_fonts,
    bumper,
    joined_sound,
    watermark_inputs,
    watermark_of,
)
from ray_jobs.media.caption_files import (
    FILES,
    subtitle_artifacts,
    subtitle_files,
)
from ray_jobs.media.cut import Cut, after_edits, plan_cut
from ray_jobs.media.encode import Encoder, join, pick_encoder, render_picture
from ray_jobs.media.faults import clipped_spans
from ray_jobs.media.film import Film, brief_of
from ray_jobs.media.filtergraph import Subtitles
from ray_jobs.media.fonts import BrandFonts, font_environment
from ray_jobs.media.programme import strung
from ray_jobs.media.quality import Brief, findings_of, inspected, measured_in
from ray_jobs.media.reframe import crop_data, crop_path, laid_out, target_size
from ray_jobs.media.sound import CHANNELS, RATE_HZ, cut_samples, deliver_sound
from ray_jobs.media.timeline import timeline_step, timelines
from ray_jobs.media.vmaf import Quality, sample, search_crf
from ray_jobs.run import JobRun, Step

SUBTITLES, PICTURE, SOUND, WHOLE, BUMPER, QUALITY = 0.02, 0.75, 0.15, 0.08, 0.1, 0.3


def export(run: JobRun, spec: Export) -> Exported:
    """Render every clip of the order."""
    run.plan(float(len(spec.clips)))
    source = run.fetch(spec.source.object)
    return Exported(
        spec_sha256=spec_hash(spec),
        deliverables=[deliver(run, spec, clip, source) for clip in spec.clips],
    )


def deliver(run: JobRun, spec: Export, clip: ClipCut, source: Path) -> Deliverable:
    """One clip, from the recording to a verified file."""
    media, brand = spec.source.media, spec.brand or Brand()
    cut = plan_cut(source, media, clip.start_s, clip.end_s, spec.max_rate_hz, clip.edits)
    ordered, clip = clip, after_edits(clip, cut)
    fonts = brand_fonts(run, brand)
    files = papers_step(run, spec, clip, fonts)
    size = target_size(media, spec.aspect, spec.height)
    chosen = quality_step(run, spec, clip, cut, source)
    encoder = encoder_at(spec, chosen.crf)
    intro = bumper(run, "intro", brand.intro, cut, size, encoder, weight=BUMPER)
    picture = picture_step(run, spec, clip, cut, source, files, fonts, encoder)
    outro = bumper(run, "outro", brand.outro, cut, size, encoder, weight=BUMPER)
    film = Film(ordered, cut, picture, intro, outro)
    sound = sound_step(run, spec, film, source)
    lead_s = film.lead_s
    if lead_s:
        files = papers_step(run, spec, clip, fonts, lead_s=lead_s)
    whole = whole_step(
        run, film, sound, brief_of(run, spec, film, files, sound, chosen), spec.source
    )
    stem = f"clip-{clip.rank:02d}"
    video = Artifact(
        kind="export", object=whole.ref("clip.mp4"), filename=f"{stem}.mp4", clip_id=clip.clip_id
    )
    laid = timeline_step(
        run, clip.title, cut.rate, size, film.events(spec.source), weight=SUBTITLES
    )
    _, layout, reason = laid_out(media, size, spec.layout, clip.crop_track)
    crop = Artifact(
        kind="crop", object=picture.ref("crop.json"), filename=f"{stem}-crop.json",
        clip_id=clip.clip_id,
    ) if media.width else None  # fmt: skip
    return Deliverable(
        clip_id=clip.clip_id,
        rank=clip.rank,
        video=video,
        subtitles=subtitle_artifacts(files, clip, stem) if clip.style else [],
        timelines=timelines(laid, stem, clip.clip_id),
        frame_rate=f"{cut.rate.numerator}/{cut.rate.denominator}",
        loudness_passes=cast("int", sound.value["passes"]) if sound else 0,
        crf=chosen.crf,
        vmaf=chosen.vmaf,
        findings=findings_of(whole, stem, clip.clip_id),
        lead_s=lead_s,
        layout=layout,
        layout_reason=reason,
        crop=crop,
        **measured_in(whole),
    )


def encoder_at(spec: Export, crf: int) -> Encoder:
    return pick_encoder(
        spec.encoder, crf=crf, speed=spec.speed, max_bitrate_bps=spec.max_bitrate_bps
    )


def quality_step(run: JobRun, spec: Export, clip: ClipCut, cut: Cut, source: Path) -> Quality:
    """The CRF to encode at: the given one, or the one that reaches the target on samples."""
    target, media = spec.target_vmaf, spec.source.media
    if target is None:
        return Quality(spec.crf, None)
    size = target_size(media, spec.aspect, spec.height)
    encoder = encoder_at(spec, spec.crf)

    def search(directory: Path) -> Json:
        frame, _, _ = laid_out(media, size, spec.layout, clip.crop_track)
        corners = crop_path(clip.crop_track, frame, cut.times_s)
        reference = directory / "reference.mp4"
        sample(reference, source, media, cut, frame, corners, tick=lambda: run.progress(0.1))
        found = search_crf(
            reference, target, lambda crf: encoder_at(spec, crf), progress=run.progress
        )
        reference.unlink()
        return cast("Json", found._asdict())

    params = {
        **cut.plain, "size": list(size),
        "crop_track": [point.model_dump(mode="json") for point in clip.crop_track],
        "encoder": list(encoder.arguments), "media": media.model_dump(mode="json"),
        "layout": spec.layout, "target_vmaf": target,
    }  # fmt: skip
    step = run.step(
        "quality", search, version=1, weight=QUALITY, params=cast("Json", params),
        inputs=[spec.source.object.sha256],
    )  # fmt: skip
    return Quality(cast("int", step.value["crf"]), cast("float", step.value["vmaf"]))


def papers_step(
    run: JobRun, spec: Export, clip: ClipCut, fonts: BrandFonts | None, *, lead_s: float = 0.0
) -> Step:
    """The clip's subtitle files; those to deliver count from the intro's start."""
    return subtitle_files(
        run, spec.source, clip, spec.aspect, spec.height, fonts=fonts, lead_s=lead_s,
        safe_area=spec.safe_area, weight=SUBTITLES,
    )  # fmt: skip


def picture_step(
    run: JobRun, spec: Export, clip: ClipCut, cut: Cut, source: Path, files: Step,
    fonts: BrandFonts | None, encoder: Encoder,
) -> Step:  # fmt: skip
    media = spec.source.media
    size = target_size(media, spec.aspect, spec.height)
    burn = spec.burn_subtitles and clip.style is not None and bool(files.value["cues"])

    def render(directory: Path) -> Json:
        run.used(encoder=encoder.name)
        frame, layout, _ = laid_out(media, size, spec.layout, clip.crop_track)
        corners = crop_path(clip.crop_track, frame, cut.times_s)
        if media.width:
            path = crop_data(frame, layout, corners, cut.times_s)
            (directory / "crop.json").write_text(json.dumps(path, indent=1))
        drawn = None
        if burn:
            ass = files.path(FILES["subtitles_ass"])
            drawn = Subtitles(
                ass, font_environment(run.workdir, fonts.directory if fonts else None)
            )
        render_picture(
            directory / "picture.mp4", source, media, cut, frame,
            corners, subtitles=drawn, encoder=encoder, watermark=watermark_of(run, spec.brand),
            progress=run.progress,
        )  # fmt: skip
        return {}

    params = {
        **cut.plain, "size": list(size),
        "layout": spec.layout,
        "crop_track": [point.model_dump(mode="json") for point in clip.crop_track],
        "encoder": list(encoder.arguments), "media": media.model_dump(mode="json"),
    }  # fmt: skip
    return run.step(
        "picture", render, version=2, weight=PICTURE, params=cast("Json", params),
        inputs=[
            spec.source.object.sha256,
            files.ref(FILES["subtitles_ass"]).sha256 if burn else "no subtitles",
            *(fonts.sha256s if fonts and burn else ()),
            *watermark_inputs(spec.brand),
        ],
    )  # fmt: skip


def sound_step(run: JobRun, spec: Export, film: Film, source: Path) -> Step | None:
    """The whole film's sound in one piece; None where nothing of it has any."""
    cut, heard = film.cut, bool(spec.source.media.audio)
    if not heard and not any(each.media.audio for each in film.bumpers):
        return None

    def level(directory: Path) -> Json:
        sound = (
            cut_samples(source, cut, tick=run.tick)
            if heard
            else np.zeros((round(cut.duration_s * RATE_HZ), CHANNELS), np.float32)
        )
        clipped = clipped_spans(sound, RATE_HZ)
        if film.bumpers:
            sound = joined_sound(film.intro, sound, film.outro, tick=run.tick)
        done = deliver_sound(directory / "sound.m4a", sound, spec.loudness, progress=run.progress)
        return {"passes": done.passes, "clipped": [list(span) for span in clipped]}

    params = {
        **cut.plain,
        "loudness": spec.loudness.model_dump(mode="json"),
    }  # fmt: skip
    return run.step(
        "sound", level, version=2, weight=SOUND, params=cast("Json", params),
        inputs=[
            spec.source.object.sha256,
            *(["intro", film.intro.ref.sha256] if film.intro else []),
            *(["outro", film.outro.ref.sha256] if film.outro else []),
        ],
    )  # fmt: skip


def whole_step(run: JobRun, film: Film, sound: Step | None, brief: Brief, source: Source) -> Step:
    """Picture and sound in one file, decoded to its end before anybody else may have it."""

    def put_together(directory: Path) -> Json:
        target = directory / "clip.mp4"
        picture = film.picture.path("picture.mp4")
        if film.bumpers:
            picture = directory / "picture.mp4"
            strung([step.path("picture.mp4") for step in film.pictures], picture)
        join(picture, sound.path("sound.m4a") if sound else None, target)
        if film.bumpers:
            picture.unlink()
        run.progress(0.5)
        recording = run.fetch(source.object)
        return inspected(target, brief, recording, source.media, tick=lambda: run.progress(0.5))

    parts = [step.ref("picture.mp4").sha256 for step in film.pictures]
    parts += [sound.ref("sound.m4a").sha256] if sound else []
    return run.step(
        "deliver", put_together, version=3, weight=WHOLE, params=brief.plain,
        inputs=[*parts, source.object.sha256],
    )  # fmt: skip
