"""Style a clip's subtitles: the files to deliver, and a picture of what they will look like."""

from pathlib import Path
from typing import cast

from ray_jobs.contract import Artifact, Json, StyleSubtitles, SubtitlesStyled, SubtitleStyle
from ray_jobs.media.brand import brand_fonts, watermark_inputs, watermark_of
from ray_jobs.media.caption_files import (
    FILES,
    findings_in,
    subtitle_artifacts,
    subtitle_files,
)
from ray_jobs.media.cut import after_edits, plan_cut
from ray_jobs.media.encode import render_still
from ray_jobs.media.filtergraph import Subtitles
from ray_jobs.media.fonts import font_environment
from ray_jobs.media.reframe import crop_path, laid_out, target_size
from ray_jobs.run import JobRun


def style_subtitles(run: JobRun, spec: StyleSubtitles) -> SubtitlesStyled:
    """Write the clip's ASS, SRT and VTT and draw the middle of its first cue."""
    run.plan(1.0)
    wanted, media = spec.clip, spec.source.media
    source = run.fetch(spec.source.object)
    cut = plan_cut(source, media, wanted.start_s, wanted.end_s, edits=wanted.edits)
    clip = after_edits(wanted, cut)
    stem = f"clip-{clip.rank:02d}"
    fonts = brand_fonts(run, spec.brand)
    files = subtitle_files(
        run, spec.source, clip, spec.aspect, spec.height, fonts=fonts, weight=0.3
    )
    size = target_size(media, spec.aspect, spec.height)
    frame, _, _ = laid_out(media, size, spec.layout, clip.crop_track)
    at_s = cast("float | None", files.value["preview_s"])

    def draw(directory: Path) -> Json:
        index = min(cut.frames - 1, int((at_s or 0.0) * cut.rate))
        corners = crop_path(clip.crop_track, frame, cut.times_s)
        directory_of_fonts = fonts.directory if fonts else None
        drawn = Subtitles(
            files.path(FILES["subtitles_ass"]), font_environment(run.workdir, directory_of_fonts)
        )
        render_still(
            directory / "preview.jpg", source, media, cut, frame, corners,
            index=index, subtitles=drawn, watermark=watermark_of(run, spec.brand),
        )  # fmt: skip
        return {}

    preview = run.step(
        "subtitle_preview", draw, version=2, weight=0.7,
        params=cast("Json", {
            **cut.plain, "at_s": at_s, "size": list(size),
            "layout": spec.layout,
            "crop_track": [point.model_dump(mode="json") for point in clip.crop_track],
            "media": media.model_dump(mode="json"),
        }),
        inputs=[
            spec.source.object.sha256, files.ref(FILES["subtitles_ass"]).sha256,
            *(fonts.sha256s if fonts else ()), *watermark_inputs(spec.brand),
        ],
    )  # fmt: skip
    picture = Artifact(
        kind="subtitle_preview", object=preview.ref("preview.jpg"),
        filename=f"{stem}-subtitles.jpg", clip_id=clip.clip_id,
    )  # fmt: skip
    return SubtitlesStyled(
        clip_id=clip.clip_id,
        style=clip.style or SubtitleStyle(),
        findings=findings_in(files),
        artifacts=[*subtitle_artifacts(files, clip, stem), picture],
    )
