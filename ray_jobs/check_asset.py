"""Brand assets: what was uploaded is opened before anything may be drawn or played with it."""

import hashlib
from pathlib import Path

from ray_jobs.contract import AssetChecked, AssetInfo, AssetKind, CheckAsset, IngestLimits
from ray_jobs.failures import Failure
from ray_jobs.ingest import content_type
from ray_jobs.media.fonts import read_brand_font
from ray_jobs.media.images import read_image
from ray_jobs.media.probe import probe
from ray_jobs.run import JobRun

MAX_BUMPER_S = 60.0


def check_asset(run: JobRun, spec: CheckAsset) -> AssetChecked:
    """Keep the bytes under their own hash if they are what their kind says.

    Raises
    ------
    Failure
        `upload_missing`, `too_large`, `checksum_mismatch`; `svg_refused` or `not_an_image`;
        `not_a_font` or `font_not_embeddable`; what `probe` raises, and `no_picture`.
    """
    run.plan(1.0)
    path = run.workdir / "asset"
    size_bytes = run.store.head(spec.key)
    if size_bytes is None or not run.store.get(spec.key, path):
        raise Failure("upload_missing", "The upload is not there: send the file, then try again.")
    if size_bytes > spec.max_size_bytes:
        raise Failure("too_large", f"The file is larger than {spec.max_size_bytes} bytes.")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if spec.expected_sha256 not in (None, sha256):
        raise Failure("checksum_mismatch", "The file arrived damaged: upload it again.")
    step = run.step(
        "look", lambda _: _looked(path, spec.asset_kind).model_dump(mode="json"),
        version=1, params={"kind": spec.asset_kind}, inputs=[sha256],
    )  # fmt: skip
    looked = _Looked.model_validate(step.value)
    return AssetChecked(
        asset_id=spec.asset_id,
        object=run.adopt(path, looked.content_type),
        info=AssetInfo.model_validate(looked.model_dump(exclude={"content_type"})),
    )


class _Looked(AssetInfo):
    """What was found, and the media type to serve the bytes as."""

    content_type: str


def _looked(path: Path, kind: AssetKind) -> _Looked:
    match kind:
        case "watermark" | "logo":
            image = read_image(path)
            return _Looked(
                content_type=image.content_type, width=image.width, height=image.height,
                transparent=image.transparent,
            )  # fmt: skip
        case "font":
            font = read_brand_font(path)
            return _Looked(
                content_type=font.content_type, family=font.family, bold=font.bold,
                italic=font.italic,
            )  # fmt: skip
        case "intro" | "outro":
            media = probe(path, IngestLimits(max_duration_s=MAX_BUMPER_S))
            if not media.width:
                raise Failure("no_picture", "An intro or outro must have a picture.")
            return _Looked(
                content_type=content_type(media), width=media.width, height=media.height,
                duration_s=media.duration_s, frame_rate=media.frame_rate,
                has_sound=bool(media.audio),
            )  # fmt: skip
