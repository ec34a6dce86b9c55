from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from control.branding.models import AssetStatus
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("models", "0007_dmca")]

    initial = False

    operations = [
        ops.CreateModel(
            name="BrandKit",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=200)),
                ("version", fields.IntField(default=1)),
                ("is_default", fields.BooleanField(default=False)),
                (
                    "colors",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "subtitle_style",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "placement",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("watermark_asset_id", fields.UUIDField(null=True)),
                ("logo_asset_id", fields.UUIDField(null=True)),
                ("intro_asset_id", fields.UUIDField(null=True)),
                ("outro_asset_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "brand_kits",
                "app": "models",
                "indexes": [Index(fields=["organization_id", "created_at", "id"])],
                "pk_attr": "id",
                "table_description": "`version` grows with every change that renderings can show.",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="BrandAsset",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "kit",
                    fields.ForeignKeyField(
                        "models.BrandKit",
                        source_field="kit_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("kind", fields.CharField(max_length=16)),
                ("filename", fields.CharField(max_length=255)),
                (
                    "status",
                    fields.CharEnumField(
                        default=AssetStatus.CHECKING,
                        description="CHECKING: checking\nREADY: ready\nREJECTED: rejected",
                        enum_type=AssetStatus,
                        max_length=16,
                    ),
                ),
                ("upload_key", fields.CharField(max_length=900)),
                ("job_id", fields.UUIDField(null=True)),
                (
                    "object",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "info",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "problem",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "brand_assets",
                "app": "models",
                "indexes": [Index(fields=["kit_id", "created_at", "id"]), Index(fields=["job_id"])],
                "pk_attr": "id",
                "table_description": "`object` and `info` are set once the bytes have been looked into; deleted ones stay rows,",
            },
            bases=["TenantRecord"],
        ),
        ops.CreateModel(
            name="BrandKitVersion",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "kit",
                    fields.ForeignKeyField(
                        "models.BrandKit",
                        source_field="kit_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("version", fields.IntField()),
                (
                    "brand",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                (
                    "subtitle_style",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
            ],
            options={
                "table": "brand_kit_versions",
                "app": "models",
                "unique_together": (("kit_id", "version"),),
                "pk_attr": "id",
                "table_description": "`brand` is the contract's `Brand`, every object pinned by its hash.",
            },
            bases=["TenantRecord"],
        ),
    ]
