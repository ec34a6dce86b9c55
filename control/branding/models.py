"""Brand kits, their assets, and what each version of a kit lays on a rendering."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from control.records import TenantRecord


class AssetStatus(StrEnum):
    CHECKING = "checking"
    READY = "ready"
    REJECTED = "rejected"


class BrandKit(TenantRecord):
    """`version` grows with every change that renderings can show."""

    name = fields.CharField(max_length=200)
    version = fields.IntField(default=1)
    is_default = fields.BooleanField(default=False)
    colors: Any = fields.JSONField(default=dict)
    subtitle_style: Any = fields.JSONField(default=dict)
    placement: Any = fields.JSONField()
    watermark_asset_id: UUID | None = fields.UUIDField(null=True)
    logo_asset_id: UUID | None = fields.UUIDField(null=True)
    intro_asset_id: UUID | None = fields.UUIDField(null=True)
    outro_asset_id: UUID | None = fields.UUIDField(null=True)

    class Meta:
        table = "brand_kits"
        indexes = (("organization_id", "created_at", "id"),)


class BrandAsset(TenantRecord):
    """`object` and `info` are set once the bytes have been looked into; deleted ones stay rows,
    because versions of their kit still name their bytes.
    """

    kit: fields.ForeignKeyRelation[BrandKit] = fields.ForeignKeyField(
        "models.BrandKit", related_name=False, on_delete=fields.CASCADE
    )
    kit_id: UUID
    kind = fields.CharField(max_length=16)
    filename = fields.CharField(max_length=255)
    status = fields.CharEnumField(AssetStatus, max_length=16, default=AssetStatus.CHECKING)
    upload_key = fields.CharField(max_length=900)
    job_id: UUID | None = fields.UUIDField(null=True)
    object: Any = fields.JSONField(null=True)
    info: Any = fields.JSONField(null=True)
    problem: Any = fields.JSONField(null=True)
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "brand_assets"
        indexes = (("kit_id", "created_at", "id"), ("job_id",))


class BrandKitVersion(TenantRecord):
    """`brand` is the contract's `Brand`, every object pinned by its hash."""

    kit: fields.ForeignKeyRelation[BrandKit] = fields.ForeignKeyField(
        "models.BrandKit", related_name=False, on_delete=fields.CASCADE
    )
    kit_id: UUID
    version = fields.IntField()
    brand: Any = fields.JSONField()
    subtitle_style: Any = fields.JSONField(default=dict)

    class Meta:
        table = "brand_kit_versions"
        unique_together = (("kit_id", "version"),)
