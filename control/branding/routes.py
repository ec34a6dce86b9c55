"""`/v1/branding/brand-kits`: kits, and the watermarks, fonts, intros and outros they hold."""

from uuid import UUID, uuid4

from sanic import Blueprint, HTTPResponse, Request
from tortoise.transactions import in_transaction

from control.audit import trail
from control.bodies import body, query, reply
from control.branding.kits import DRAWN, SLOTS, advance, check_slots, keep_version
from control.branding.models import AssetStatus, BrandAsset, BrandKit
from control.branding.schemas import (
    ACCEPTED,
    AssetOut,
    AssetQuery,
    CreateKit,
    KitOut,
    KitPatch,
    PresignAsset,
    PresignedAsset,
    RegisterAsset,
)
from control.errors import Conflict, Invalid, Unfit
from control.jobs.queue import enqueue
from control.openapi import spec
from control.paging import Page, listed, listing, total_of
from control.paths import word
from control.records import amend, check_if_match, find, now
from ray_jobs.contract import CheckAsset, object_key

blueprint = Blueprint("branding", url_prefix="/branding/brand-kits")

PRESIGN_S = 900


@blueprint.post("/")
@spec(body=CreateKit, returns=KitOut, status=201)
async def create_brand_kit(request: Request) -> HTTPResponse:
    """Begin a brand kit; its assets are uploaded afterwards."""
    member, wanted = request.ctx.member, body(request, CreateKit)
    async with in_transaction() as tx:
        if wanted.is_default:
            await BrandKit.of(member).using_db(tx).update(is_default=False, updated_at=now())
        kit = await BrandKit.create(
            using_db=tx, organization_id=member.organization_id,
            **wanted.model_dump(mode="json"),
        )  # fmt: skip
        await keep_version(tx, kit)
        await trail.record(tx, member, "brand_kit.created", kit, after=wanted)
    location = {"Location": f"/v1/branding/brand-kits/{kit.id}"}
    return reply(KitOut.model_validate(kit), 201, location)


@blueprint.get("/")
@spec(lists=KitOut)
async def list_brand_kits(request: Request) -> HTTPResponse:
    """The organisation's kits, newest first."""
    return await listing(BrandKit.of(request.ctx.member), KitOut, Page.of(request))


@blueprint.get("/<brand_kit_id:uuid>")
@spec(returns=KitOut)
async def get_brand_kit(request: Request, brand_kit_id: UUID) -> HTTPResponse:
    """One kit."""
    return reply(KitOut.model_validate(await find(BrandKit.of(request.ctx.member), brand_kit_id)))


@blueprint.patch("/<brand_kit_id:uuid>")
@spec(body=KitPatch, returns=KitOut)
async def change_brand_kit(request: Request, brand_kit_id: UUID) -> HTTPResponse:
    """Change a kit; a change that renderings show makes a new version."""
    member, patch = request.ctx.member, body(request, KitPatch)
    changes = patch.model_dump(mode="json", exclude_unset=True)
    async with in_transaction() as tx:
        kit = await find(BrandKit.of(member).using_db(tx).select_for_update(), brand_kit_id)
        await check_slots(tx, kit, changes)
        if patch.is_default:
            others = BrandKit.of(member).exclude(id=kit.id).using_db(tx)
            await others.update(is_default=False, updated_at=now())
        also = {}
        if patch.placement:
            also["placement"] = kit.placement | patch.placement.model_dump(exclude_unset=True)
        before = await amend(kit, patch, request=request, using=tx, **also)
        if any(name in DRAWN and before[name] != getattr(kit, name) for name in before):
            await advance(tx, kit)
        await trail.record(tx, member, "brand_kit.updated", kit, before=before, after=changes)
    return reply(KitOut.model_validate(kit))


@blueprint.delete("/<brand_kit_id:uuid>")
@spec(status=204)
async def delete_brand_kit(request: Request, brand_kit_id: UUID) -> HTTPResponse:
    """Delete a kit; jobs that were queued with it keep what they need."""
    member = request.ctx.member
    async with in_transaction() as tx:
        kit = await find(BrandKit.of(member).using_db(tx).select_for_update(), brand_kit_id)
        check_if_match(request, kit)
        await trail.record(tx, member, "brand_kit.deleted", kit, before={"name": kit.name})
        await kit.delete(using_db=tx)
    return HTTPResponse(status=204)


@blueprint.post("/<brand_kit_id:uuid>/" + word("assets:presign"))
@spec(body=PresignAsset, returns=PresignedAsset, status=201)
async def presign_brand_asset(
    request: Request,
    brand_kit_id: UUID,
    word: str,  # noqa: ARG001
) -> HTTPResponse:
    """Credentials for one upload, bound to its type, its size and 15 minutes."""
    member, wanted = request.ctx.member, body(request, PresignAsset)
    await find(BrandKit.of(member), brand_kit_id)
    max_bytes, types = ACCEPTED[wanted.kind]
    if wanted.content_type not in types:
        raise Invalid.at("content_type", f"a {wanted.kind} must be one of {', '.join(types)}")
    if wanted.size_bytes > max_bytes:
        raise Invalid.at("size_bytes", f"a {wanted.kind} may have {max_bytes} bytes at most")
    key = f"{_uploads(member.organization_id, brand_kit_id)}/{uuid4()}"
    upload = await request.app.ctx.store.presign_upload(
        key, content_type=wanted.content_type, max_bytes=wanted.size_bytes, expires_s=PRESIGN_S
    )
    return reply(PresignedAsset(key=key, kind=wanted.kind, upload=upload), 201)


@blueprint.post("/<brand_kit_id:uuid>/assets")
@spec(body=RegisterAsset, returns=AssetOut, status=202)
async def register_brand_asset(request: Request, brand_kit_id: UUID) -> HTTPResponse:
    """Register what was uploaded; a worker opens it before anything is drawn with it."""
    member, settings = request.ctx.member, request.app.ctx.settings
    wanted = body(request, RegisterAsset)
    kit = await find(BrandKit.of(member), brand_kit_id)
    if not wanted.key.startswith(_uploads(member.organization_id, brand_kit_id) + "/"):
        raise Unfit.at("key", "must be one that assets:presign gave for this kit")
    if await request.app.ctx.store.head(wanted.key) is None:
        raise Conflict("The bytes have not arrived: upload them first.", code="not_uploaded")
    async with in_transaction() as tx:
        asset = await BrandAsset.create(
            using_db=tx, organization_id=member.organization_id, kit_id=kit.id, kind=wanted.kind,
            filename=wanted.filename, upload_key=wanted.key,
        )  # fmt: skip
        order = CheckAsset(
            asset_id=asset.id, asset_kind=wanted.kind, key=wanted.key,
            expected_sha256=wanted.sha256, max_size_bytes=ACCEPTED[wanted.kind][0],
        )  # fmt: skip
        job, _ = await enqueue(member, order, max_attempts=settings.job_attempts, tx=tx)
        asset.job_id = job.id
        await asset.save(using_db=tx)
        await trail.record(tx, member, "brand_asset.registered", asset, after=wanted)
    return reply(await _shown(request, asset), 202, {"Location": f"/v1/jobs/{job.id}"})


@blueprint.get("/<brand_kit_id:uuid>/assets")
@spec(query=AssetQuery, lists=AssetOut)
async def list_brand_assets(request: Request, brand_kit_id: UUID) -> HTTPResponse:
    """A kit's assets, newest first; deleted ones are not shown."""
    page, wanted = Page.of(request), query(request, AssetQuery)
    rows = BrandAsset.of(request.ctx.member).filter(kit_id=brand_kit_id, deleted_at=None)
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    found = await rows.order_by("-created_at", "id").limit(page.limit + 1).offset(page.offset)
    total = await total_of(rows, page, len(found))
    if not total:
        await find(BrandKit.of(request.ctx.member), brand_kit_id)
    items = [await _shown(request, asset) for asset in found[: page.limit]]
    return listed(items, AssetOut, page, total)


@blueprint.delete("/<brand_kit_id:uuid>/assets/<asset_id:uuid>")
@spec(status=204)
async def delete_brand_asset(request: Request, brand_kit_id: UUID, asset_id: UUID) -> HTTPResponse:
    """Delete an asset that no slot and no subtitle style of its kit uses."""
    member = request.ctx.member
    async with in_transaction() as tx:
        kit = await find(BrandKit.of(member).using_db(tx).select_for_update(), brand_kit_id)
        asset = await find(BrandAsset.filter(kit_id=kit.id, deleted_at=None).using_db(tx), asset_id)
        check_if_match(request, asset)
        used = [slot for slot in SLOTS if getattr(kit, slot) == asset.id]
        family = (asset.info or {}).get("family")
        if family and kit.subtitle_style.get("font") == family:
            used.append("subtitle_style.font")
        if used:
            raise Conflict(
                f"The kit uses it as {', '.join(used)}: set that to null first.",
                code="asset_in_use", used_as=used,
            )  # fmt: skip
        asset.deleted_at = now()
        await asset.save(using_db=tx)
        if asset.kind == "font" and asset.status is AssetStatus.READY:
            await advance(tx, kit)
        await trail.record(tx, member, "brand_asset.deleted", asset)
    return HTTPResponse(status=204)


def _uploads(organization_id: UUID, kit_id: UUID | str) -> str:
    return object_key(organization_id, "uploads", "brand", str(kit_id))


async def _shown(request: Request, asset: BrandAsset) -> AssetOut:
    shown = AssetOut.model_validate(asset)
    if asset.object:
        for name in ("sha256", "size_bytes", "content_type"):
            setattr(shown, name, asset.object[name])
        shown.download_url = await request.app.ctx.store.presign_download(
            asset.object["key"], filename=asset.filename,
            content_type=asset.object["content_type"],
            expires_s=request.app.ctx.settings.download_s,
        )  # fmt: skip
    return shown
