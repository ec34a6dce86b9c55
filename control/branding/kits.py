"""What a kit lays on a rendering: resolved when a job is queued, and kept for every version."""

from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from control.access import Member
from control.branding.models import AssetStatus, BrandAsset, BrandKit, BrandKitVersion
from control.errors import Unfit
from control.jobs.models import Job, JobState
from control.records import now
from control.settings import Settings
from control.storage import Store
from ray_jobs.contract import AssetChecked, AssetKind, Brand, ObjectRef, Placement

SLOTS: dict[str, AssetKind] = {
    "watermark_asset_id": "watermark",
    "logo_asset_id": "logo",
    "intro_asset_id": "intro",
    "outro_asset_id": "outro",
}
DRAWN = {*SLOTS, "subtitle_style", "placement"}


async def keep_version(tx: BaseDBAsyncClient, kit: BrandKit) -> None:
    """Freeze the kit as it is now under its version."""
    ready = BrandAsset.filter(kit_id=kit.id, status=AssetStatus.READY, deleted_at=None)
    assets = await ready.using_db(tx).order_by("created_at", "id")
    objects = {asset.id: ObjectRef.model_validate(asset.object) for asset in assets}

    def of(slot: UUID | None) -> ObjectRef | None:
        return objects.get(slot) if slot else None

    brand = Brand(
        kit_id=kit.id, version=kit.version,
        watermark=of(kit.watermark_asset_id), intro=of(kit.intro_asset_id),
        outro=of(kit.outro_asset_id), placement=Placement.model_validate(kit.placement),
        fonts=[objects[asset.id] for asset in assets if asset.kind == "font"],
    )  # fmt: skip
    await BrandKitVersion.create(
        using_db=tx, organization_id=kit.organization_id, kit_id=kit.id, version=kit.version,
        brand=brand.model_dump(mode="json"), subtitle_style=kit.subtitle_style,
    )  # fmt: skip


async def advance(tx: BaseDBAsyncClient, kit: BrandKit) -> None:
    """Give a kit that this transaction holds, and that looks different now, its next version."""
    kit.version += 1
    await kit.save(using_db=tx)
    await keep_version(tx, kit)


async def check_slots(tx: BaseDBAsyncClient, kit: BrandKit, changes: dict[str, Any]) -> None:
    """Raise `Unfit` for a slot that names no ready asset of its kind."""
    for slot, kind in SLOTS.items():
        if asset_id := changes.get(slot):
            there = BrandAsset.filter(
                id=asset_id, kit_id=kit.id, kind=kind, status=AssetStatus.READY, deleted_at=None
            )
            if not await there.using_db(tx).exists():
                raise Unfit.at(slot, f"names no {kind} of this kit that is ready")


async def keep_asset(tx: BaseDBAsyncClient, _job: Job, result: AssetChecked) -> None:
    """Make a checked asset ready; a slot that was empty takes it."""
    asset = await BrandAsset.filter(id=result.asset_id).using_db(tx).select_for_update().get()
    asset.status = AssetStatus.READY
    asset.object = result.object.model_dump(mode="json")
    asset.info = result.info.model_dump(mode="json")
    await asset.save(using_db=tx)
    kit = await BrandKit.filter(id=asset.kit_id).using_db(tx).select_for_update().get()
    slot = next((name for name, kind in SLOTS.items() if kind == asset.kind), None)
    if slot and getattr(kit, slot) is None:
        setattr(kit, slot, asset.id)
    await advance(tx, kit)


async def follow(tx: BaseDBAsyncClient, job: Job) -> None:
    """Let an asset whose check has failed say so."""
    if job.state in (JobState.FAILED, JobState.CANCELLED):
        await (
            BrandAsset.filter(job_id=job.id)
            .using_db(tx)
            .update(status=AssetStatus.REJECTED, problem=job.problem, updated_at=now())
        )


async def brand_for(
    member: Member, settings: Settings, store: Store, kit_id: UUID | None, *,
    version: int | None, unasked: bool,
) -> tuple[Brand | None, dict[str, Any]]:  # fmt: skip
    """What to lay on a rendering, and what is different in its subtitles.

    The kit asked for; where none was asked for (`unasked`), the organisation's default kit, else
    what the installation's environment names.

    Raises
    ------
    Unfit
        where the organisation has no such kit or version.
    """
    if unasked:
        kit = await BrandKit.of(member).filter(is_default=True).first()
        if kit is None:
            return await _of_environment(settings, store), {}
        kit_id = kit.id
    if kit_id is None:
        return None, {}
    rows = BrandKitVersion.of(member).filter(kit_id=kit_id)
    rows = rows.filter(version=version) if version else rows.order_by("-version")
    found = await rows.first()
    if found is None:
        at = "brand_kit_version" if version else "brand_kit_id"
        raise Unfit.at(at, "the organisation has no such brand kit")
    return Brand.model_validate(found.brand), dict(found.subtitle_style)


async def _of_environment(settings: Settings, store: Store) -> Brand | None:
    """The installation's own assets, by their content-addressed keys."""
    keys = {
        "watermark": settings.brand_watermark_key,
        "intro": settings.brand_intro_key,
        "outro": settings.brand_outro_key,
    }
    found: dict[str, Any] = {}
    for name, key in keys.items():
        if key and (head := await store.head(key)):
            found[name] = ObjectRef(
                key=key, sha256=key.rpartition("/")[2], size_bytes=head.size_bytes,
                content_type="application/octet-stream",
            )  # fmt: skip
    return Brand(placement=settings.placement, **found) if found else None
