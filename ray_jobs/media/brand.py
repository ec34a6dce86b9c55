"""What a brand kit adds to a rendering: its fonts, its watermark, its intro and outro."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from ray_jobs.contract import (
    OPEN,
    Box,
    Brand,
    Finding,
    IngestLimits,
    Json,
    MediaInfo,
    ObjectRef,
    SafeArea,
)
from ray_jobs.media.cut import Cut, plan_cut
from ray_jobs.media.encode import Encoder, render_picture
from ray_jobs.media.faults import clipped_box, overhang
from ray_jobs.media.filtergraph import Watermark, watermark_edges
from ray_jobs.media.fonts import BrandFonts
from ray_jobs.media.images import read_image
from ray_jobs.media.probe import probe
from ray_jobs.media.reframe import Size, crop_path, whole
from ray_jobs.media.sound import RATE_HZ, Samples, cut_samples, measured
from ray_jobs.run import JobRun, Step

MAX_LIFT_DB = 20.0


def brand_fonts(run: JobRun, brand: Brand | None) -> BrandFonts | None:
    """The brand's fonts as files, None where it has none."""
    if brand is None or not brand.fonts:
        return None
    directory = run.workdir / "brand-fonts"
    directory.mkdir(exist_ok=True)
    for font in brand.fonts:
        suffix = ".otf" if font.content_type == "font/otf" else ".ttf"
        link = directory / f"{font.sha256}{suffix}"
        if not link.exists():
            link.symlink_to(run.fetch(font))
    return BrandFonts(directory, tuple(sorted(font.sha256 for font in brand.fonts)))


def watermark_of(run: JobRun, brand: Brand | None) -> Watermark | None:
    if brand is None or brand.watermark is None:
        return None
    return Watermark(run.fetch(brand.watermark), brand.placement)


def watermark_inputs(brand: Brand | None) -> list[str]:
    """What of a watermark decides the picture."""
    if brand is None or brand.watermark is None:
        return []
    return [brand.watermark.sha256, brand.placement.model_dump_json()]


def watermark_place(
    run: JobRun, brand: Brand | None, size: Size, safe_area: SafeArea, span: tuple[float, float]
) -> tuple[list[Box], list[Finding]]:
    """Where the watermark lies, and what is wrong with that; nothing without one."""
    mark = watermark_of(run, brand)
    if mark is None:
        return [], []
    image = read_image(mark.path)
    edges = watermark_edges(mark.placement, Size(image.width, image.height), size)
    box = clipped_box(*edges)
    if overhang(edges, OPEN) > 1 / min(size):
        severity, message = "error", "The watermark leaves the picture: make it smaller."
    elif overhang(edges, safe_area) > 0:
        message = "The watermark lies where the platform's buttons are: choose another corner."
        severity = "warning"
    else:
        return [box], []
    found = {"severity": severity, "code": "logo_outside_area", "message": message, "box": box}
    return [box], [Finding.model_validate({**found, "start_s": span[0], "end_s": span[1]})]


@dataclass(frozen=True)
class Bumper:
    """An intro or outro at the clip's own rate and size."""

    ref: ObjectRef
    path: Path
    media: MediaInfo
    cut: Cut
    picture: Step

    @property
    def samples(self) -> Samples:
        """Its sound, or silence of its length."""
        if not self.media.audio:
            return np.zeros((round(self.cut.duration_s * RATE_HZ), 2), np.float32)
        return cut_samples(self.path, self.cut)


def bumper(
    run: JobRun, name: str, ref: ObjectRef | None, cut: Cut, size: Size, encoder: Encoder,
    *, weight: float,
) -> Bumper | None:  # fmt: skip
    """Render an intro or outro whole, as the clip it is joined to is rendered."""
    if ref is None:
        return None
    path = run.fetch(ref)
    media = probe(path, IngestLimits())
    own = plan_cut(path, media, 0.0, media.duration_s)
    own = replace(own, rate=cut.rate, frames=max(1, round(own.duration_s * cut.rate)))
    frame = whole(media, size)

    def render(directory: Path) -> Json:
        render_picture(
            directory / "picture.mp4", path, media, own, frame,
            crop_path([], frame, own.times_s), subtitles=None, encoder=encoder,
            progress=run.progress,
        )  # fmt: skip
        return {}

    params = {
        "frames": own.frames, "rate": str(own.rate), "size": list(size),
        "encoder": list(encoder.arguments),
    }  # fmt: skip
    step = run.step(
        name, render, version=1, weight=weight, params=cast("Json", params), inputs=[ref.sha256]
    )
    return Bumper(ref, path, media, own, step)


def joined_sound(
    intro: Bumper | None, clip: Samples, outro: Bumper | None, *, tick: Callable[[], None]
) -> Samples:
    """One sound [n, 2]: intro and outro at the clip's loudness, lifted by at most MAX_LIFT_DB."""
    wanted_lufs = measured(clip, peaks=False, tick=tick).integrated_lufs
    parts = []
    for part in (intro.samples if intro else None, clip, outro.samples if outro else None):
        tick()
        if part is None:
            continue
        gain_db = 0.0
        if part is not clip:
            own_lufs = measured(part, peaks=False, tick=tick).integrated_lufs
            if np.isfinite(own_lufs) and np.isfinite(wanted_lufs):
                gain_db = min(float(wanted_lufs - own_lufs), MAX_LIFT_DB)
        parts.append((part * np.float32(10 ** (gain_db / 20))).astype(np.float32))
    return np.concatenate(parts)
