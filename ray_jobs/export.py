"""Render clips for delivery: exact cut, calm frame, burned subtitles, level sound, verified file.

Picture, sound and subtitles are steps of their own: a changed style renders no sound, a changed
loudness no picture.
"""

from dataclasses import dataclass
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
    SubtitleFinding,
)
from ray_jobs.media.brand import (
    Bumper,
    brand_fonts,
    bumper,
    joined_sound,
    watermark_inputs,
    watermark_of,
)
from ray_jobs.media.caption_files import FILES, findings_in, subtitle_artifacts, subtitle_files
from ray_jobs.media.cut import Cut, plan_cut
from ray_jobs.media.encode import Encoder, join, pick_encoder, render_picture
from ray_jobs.media.filtergraph import Subtitles
from ray_jobs.media.fonts import BrandFonts, font_environment
from ray_jobs.media.programme import strung
from ray_jobs.media.reframe import crop_path, framing, target_size
from ray_jobs.media.sound import CHANNELS, RATE_HZ, clip_samples, deliver_sound
from ray_jobs.media.verify import verify
from ray_jobs.run import JobRun, Step

SUBTITLES, PICTURE, SOUND, WHOLE, BUMPER = 0.02, 0.75, 0.15, 0.08, 0.1


def export(run: JobRun, spec: Export) -> Exported:
    """Render every clip of the order."""
    run.plan(float(len(spec.clips)))
    source = run.fetch(spec.source.object)
    return Exported(deliverables=[deliver(run, spec, clip, source) for clip in spec.clips])


def deliver(run: JobRun, spec: Export, clip: ClipCut, source: Path) -> Deliverable:
    """One clip, from the recording to a verified file."""
    media, brand = spec.source.media, spec.brand or Brand()
    cut = plan_cut(source, media, clip.start_s, clip.end_s)
    fonts = brand_fonts(run, brand)
    files = subtitle_files(
        run, spec.source, clip, spec.aspect, spec.height, fonts=fonts, weight=SUBTITLES
    )
    size = target_size(media, spec.aspect, spec.height)
    encoder = pick_encoder(spec.encoder, crf=spec.crf, speed=spec.speed)
    intro = bumper(run, "intro", brand.intro, cut, size, encoder, weight=BUMPER)
    picture = picture_step(run, spec, clip, cut, source, files, fonts, encoder)
    outro = bumper(run, "outro", brand.outro, cut, size, encoder, weight=BUMPER)
    film = Film(cut, picture, intro, outro)
    sound = sound_step(run, spec, film, source)
    whole = whole_step(run, film, sound)
    lead_s = film.lead_s
    if lead_s:
        files = subtitle_files(
            run, spec.source, clip, spec.aspect, spec.height, fonts=fonts, lead_s=lead_s,
            weight=SUBTITLES,
        )  # fmt: skip
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
        findings=[*findings_in(files), *sound_findings(sound, film)],
        lead_s=lead_s,
        **whole.value,
    )


@dataclass(frozen=True)
class Film:
    """A clip's picture with what comes before and after it."""

    cut: Cut
    picture: Step
    intro: Bumper | None
    outro: Bumper | None

    @property
    def bumpers(self) -> list[Bumper]:
        return [each for each in (self.intro, self.outro) if each]

    @property
    def pictures(self) -> list[Step]:
        steps = [self.intro and self.intro.picture, self.picture, self.outro and self.outro.picture]
        return [step for step in steps if step]

    @property
    def frames(self) -> int:
        return self.cut.frames + sum(each.cut.frames for each in self.bumpers)

    @property
    def duration_s(self) -> float:
        return float(self.frames / self.cut.rate)

    @property
    def lead_s(self) -> float:
        return self.intro.cut.duration_s if self.intro else 0.0


def picture_step(
    run: JobRun, spec: Export, clip: ClipCut, cut: Cut, source: Path, files: Step,
    fonts: BrandFonts | None, encoder: Encoder,
) -> Step:  # fmt: skip
    media = spec.source.media
    size = target_size(media, spec.aspect, spec.height)
    burn = spec.burn_subtitles and clip.style is not None and bool(files.value["cues"])

    def render(directory: Path) -> Json:
        run.used(encoder=encoder.name)
        frame = framing(media, size)
        drawn = None
        if burn:
            ass = files.path(FILES["subtitles_ass"])
            drawn = Subtitles(
                ass, font_environment(run.workdir, fonts.directory if fonts else None)
            )
        render_picture(
            directory / "picture.mp4", source, media, cut, frame,
            crop_path(clip.crop_track, frame, cut.times_s),
            subtitles=drawn, encoder=encoder, watermark=watermark_of(run, spec.brand),
            progress=run.progress,
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
            clip_samples(source, cut.start_s, cut.duration_s)
            if heard
            else np.zeros((round(cut.duration_s * RATE_HZ), CHANNELS), np.float32)
        )
        if film.bumpers:
            sound = joined_sound(film.intro, sound, film.outro, tick=lambda: run.progress(0.0))
        done = deliver_sound(directory / "sound.m4a", sound, spec.loudness, progress=run.progress)
        return {"passes": done.passes, "reached": done.reached, "lufs": done.loudness_lufs}

    params = {
        "start_s": cut.start_s, "duration_s": cut.duration_s,
        "loudness": spec.loudness.model_dump(mode="json"),
    }  # fmt: skip
    return run.step(
        "sound", level, version=1, weight=SOUND, params=cast("Json", params),
        inputs=[
            spec.source.object.sha256,
            *(["intro", film.intro.ref.sha256] if film.intro else []),
            *(["outro", film.outro.ref.sha256] if film.outro else []),
        ],
    )  # fmt: skip


def whole_step(run: JobRun, film: Film, sound: Step | None) -> Step:
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
        found = verify(target, frames=film.frames, rate=film.cut.rate, sound=sound is not None)
        return cast("Json", vars(found))

    parts = [step.ref("picture.mp4").sha256 for step in film.pictures]
    parts += [sound.ref("sound.m4a").sha256] if sound else []
    return run.step(
        "deliver", put_together, version=1, weight=WHOLE,
        params={"frames": film.frames, "rate": str(film.cut.rate)}, inputs=parts,
    )  # fmt: skip


def sound_findings(sound: Step | None, film: Film) -> list[SubtitleFinding]:
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
            end_s=film.duration_s,
        )
    ]
