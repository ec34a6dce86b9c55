"""What brand kits and their assets look like from outside."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from control.bodies import In, Out, Patch
from control.branding.models import AssetStatus
from control.storage import Upload
from ray_jobs.contract import (
    AssetInfo,
    AssetKind,
    Colour,
    Like,
    MediaType,
    ObjectKey,
    Placement,
    Problem,
    Sha256,
    StyleChanges,
    Truth,
)

PICTURES = ("image/png", "image/webp", "image/jpeg")
FILMS = ("video/mp4", "video/quicktime", "video/webm", "video/x-matroska")
FONTS = ("font/ttf", "font/otf", "font/sfnt", "application/x-font-ttf", "application/x-font-otf")
# Largest size, and the types that may be sent; what the bytes are is decided by the bytes.
ACCEPTED: dict[AssetKind, tuple[int, tuple[str, ...]]] = {
    "watermark": (10 * 2**20, PICTURES),
    "logo": (10 * 2**20, PICTURES),
    "font": (20 * 2**20, FONTS),
    "intro": (512 * 2**20, FILMS),
    "outro": (512 * 2**20, FILMS),
}

Name = Annotated[str, Field(min_length=1, max_length=200)]
ColourName = Annotated[
    str,
    Like(
        r"^[a-z][a-z0-9_]{0,31}$",
        "must be a name of at most 32 small letters, digits and _, as in accent_2",
    ),
]
Palette = Annotated[
    dict[ColourName, Colour],
    Field(max_length=32, json_schema_extra={"additionalProperties": False}),
]


class CreateKit(In):
    """`subtitle_style` overrides every preset; `is_default` lets exports use the kit unasked."""

    name: Name
    is_default: Truth = False
    colors: Palette = {}
    subtitle_style: StyleChanges = {}
    placement: Placement = Placement()


class KitPatch(Patch):
    """Slots take an asset of their kind that is ready, or null."""

    clears = frozenset({f"{slot}_asset_id" for slot in ("watermark", "logo", "intro", "outro")})

    name: Name | None = None
    is_default: Truth | None = None
    colors: Palette | None = None
    subtitle_style: StyleChanges | None = None
    placement: Placement | None = None
    watermark_asset_id: UUID | None = None
    logo_asset_id: UUID | None = None
    intro_asset_id: UUID | None = None
    outro_asset_id: UUID | None = None


class KitOut(Out):
    id: UUID
    name: str
    version: int
    is_default: bool
    colors: dict[str, str]
    subtitle_style: dict[str, Any]
    placement: Placement
    watermark_asset_id: UUID | None
    logo_asset_id: UUID | None
    intro_asset_id: UUID | None
    outro_asset_id: UUID | None
    created_at: datetime
    updated_at: datetime


class PresignAsset(In):
    """Each kind has its media types, and a size that is the largest."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {
                    "properties": {
                        "kind": {"const": kind},
                        "content_type": {"enum": list(types)},
                        "size_bytes": {"maximum": max_bytes},
                    }
                }
                for kind, (max_bytes, types) in ACCEPTED.items()
            ]
        }
    )

    kind: AssetKind
    filename: Annotated[str, Field(min_length=1, max_length=255)]
    content_type: MediaType
    size_bytes: Annotated[int, Field(gt=0)]


class PresignedAsset(Out):
    """Send the bytes as `upload` says, then register them by `key`."""

    key: str
    kind: AssetKind
    upload: Upload


class RegisterAsset(In):
    kind: AssetKind
    filename: Annotated[str, Field(min_length=1, max_length=255)]
    key: ObjectKey
    sha256: Sha256 | None = None


class AssetOut(Out):
    """`checking` until a worker has opened the bytes, then `ready`, or `rejected` with a problem.

    `download_url` is signed and dies soon.
    """

    id: UUID
    kit_id: UUID
    kind: AssetKind
    filename: str
    status: AssetStatus
    job_id: UUID | None
    info: AssetInfo | None
    problem: Problem | None
    created_at: datetime
    updated_at: datetime
    sha256: str | None = None
    size_bytes: int | None = None
    content_type: str | None = None
    download_url: str | None = None


class AssetQuery(In):
    kind: AssetKind | None = None
