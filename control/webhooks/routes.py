"""`/v1/webhooks`: endpoints, and what became of every delivery."""

from datetime import timedelta
from uuid import UUID

from pydantic_core import from_json
from sanic import Blueprint, HTTPResponse, Request, empty
from tortoise.transactions import in_transaction

from control.access import Role
from control.audit import trail
from control.bodies import body, query, reply
from control.errors import Conflict, Unfit
from control.openapi import spec
from control.paging import Page, listed, listing
from control.paths import verb, word
from control.records import amend, check_if_match, find, now
from control.webhooks import addresses
from control.webhooks.catalogue import EVENTS
from control.webhooks.models import (
    DeliveryStatus,
    EndpointStatus,
    WebhookDelivery,
    WebhookEndpoint,
)
from control.webhooks.outbox import body_of, owe, reopen
from control.webhooks.schemas import (
    CreateEndpoint,
    DeliveryDetail,
    DeliveryOut,
    DeliveryPatch,
    DeliveryQuery,
    EndpointOut,
    EndpointPatch,
    EndpointWithSecret,
    EventType,
    ReplayDeliveries,
    Replayed,
)
from control.webhooks.secrets import new_key_pair, new_secret, seal

blueprint = Blueprint("webhooks", url_prefix="/webhooks")
SECRET = {"Cache-Control": "no-store"}
GRACE = timedelta(hours=24)


def _allowed(request: Request, url: str) -> None:
    try:
        addresses.check_url(url, allow_private=request.app.ctx.settings.allow_private_hosts)
    except addresses.ForbiddenAddress as error:
        raise Unfit.at("url", f"cannot be called: {error}") from None


@blueprint.get("/event-types")
@spec(lists=EventType)
async def list_event_types(request: Request) -> HTTPResponse:
    """Every type of event there is."""
    page = Page.of(request)
    every = [EventType(type=name, description=text) for name, text in EVENTS.items()]
    return listed(every[page.offset : page.offset + page.limit], EventType, page, len(every))


@blueprint.post("/endpoints", ctx_role=Role.ADMIN)
@spec(body=CreateEndpoint, returns=EndpointWithSecret, status=201)
async def create_endpoint(request: Request) -> HTTPResponse:
    """Name a URL that is to be told; the secret is shown this once."""
    member, wanted = request.ctx.member, body(request, CreateEndpoint)
    _allowed(request, wanted.url)
    secret, public_key = _new_keys(asymmetric=wanted.signature == "v1a")
    async with in_transaction() as tx:
        endpoint = await WebhookEndpoint.create(
            using_db=tx, organization_id=member.organization_id, public_key=public_key,
            secret=seal(request.app.ctx.settings, secret),
            **wanted.model_dump(exclude={"signature"}),
        )  # fmt: skip
        await trail.record(tx, member, "webhook.created", endpoint, after=wanted)
    return _with_secret(endpoint, secret, 201)


def _new_keys(*, asymmetric: bool) -> tuple[str, str | None]:
    """What signs, and the public key where there is one."""
    return new_key_pair() if asymmetric else (new_secret(), None)


def _with_secret(endpoint: WebhookEndpoint, secret: str, status: int) -> HTTPResponse:
    shown = EndpointOut.model_validate(endpoint).model_dump()
    headers = {"Location": f"/v1/webhooks/endpoints/{endpoint.id}", **SECRET}
    told = None if endpoint.public_key else secret
    return reply(EndpointWithSecret(**shown, secret=told), status, headers)


@blueprint.get("/endpoints")
@spec(lists=EndpointOut)
async def list_endpoints(request: Request) -> HTTPResponse:
    """The organisation's endpoints, newest first."""
    return await listing(WebhookEndpoint.of(request.ctx.member), EndpointOut, Page.of(request))


@blueprint.get("/endpoints/<endpoint_id:uuid>")
@spec(returns=EndpointOut)
async def get_endpoint(request: Request, endpoint_id: UUID) -> HTTPResponse:
    """One endpoint."""
    endpoint = await find(WebhookEndpoint.of(request.ctx.member), endpoint_id)
    return reply(EndpointOut.model_validate(endpoint))


@blueprint.patch("/endpoints/<endpoint_id:uuid>", ctx_role=Role.ADMIN)
@spec(body=EndpointPatch, returns=EndpointOut)
async def change_endpoint(request: Request, endpoint_id: UUID) -> HTTPResponse:
    """Change an endpoint, switch it off, or on again."""
    member, patch = request.ctx.member, body(request, EndpointPatch)
    if patch.url is not None:
        _allowed(request, patch.url)
    also = {}
    if patch.status is not None:
        also = {"status": EndpointStatus(patch.status), "reason": None}
    async with in_transaction() as tx:
        endpoint = await find(WebhookEndpoint.of(member).using_db(tx), endpoint_id)
        before = await amend(endpoint, patch, request=request, using=tx, **also)
        await trail.record(tx, member, "webhook.updated", endpoint, before=before, after=patch)
    return reply(EndpointOut.model_validate(endpoint))


@blueprint.delete("/endpoints/<endpoint_id:uuid>", ctx_role=Role.ADMIN)
@spec(status=204)
async def delete_endpoint(request: Request, endpoint_id: UUID) -> HTTPResponse:
    """Remove an endpoint and its deliveries."""
    member = request.ctx.member
    async with in_transaction() as tx:
        endpoint = await find(WebhookEndpoint.of(member).using_db(tx), endpoint_id)
        check_if_match(request, endpoint)
        await trail.record(tx, member, "webhook.deleted", endpoint, before={"url": endpoint.url})
        await endpoint.delete(using_db=tx)
    return empty()


@blueprint.post("/endpoints/" + verb("endpoint_id", "rotate-secret"), ctx_role=Role.ADMIN)
@spec(returns=EndpointWithSecret)
async def rotate_secret(request: Request, endpoint_id: str) -> HTTPResponse:
    """Make a new secret or key; for a day every delivery is signed with the former one too."""
    member = request.ctx.member
    async with in_transaction() as tx:
        rows = WebhookEndpoint.of(member).using_db(tx).select_for_update()
        endpoint = await find(rows, endpoint_id)
        secret, public_key = _new_keys(asymmetric=endpoint.public_key is not None)
        endpoint.former_secret, endpoint.former_until = endpoint.secret, now() + GRACE
        endpoint.public_key = public_key
        endpoint.secret = seal(request.app.ctx.settings, secret)
        await endpoint.save(using_db=tx)
        await trail.record(tx, member, "webhook.rotated", endpoint)
    return _with_secret(endpoint, secret, 200)


def _must_be_enabled(endpoint: WebhookEndpoint) -> None:
    if endpoint.status is not EndpointStatus.ENABLED:
        raise Conflict("The endpoint is disabled: enable it first.", code="endpoint_disabled")


@blueprint.post("/endpoints/" + verb("endpoint_id", "test"), ctx_role=Role.ADMIN)
@spec(returns=DeliveryDetail, status=202)
async def send_test(request: Request, endpoint_id: str) -> HTTPResponse:
    """Owe the endpoint a `webhook.test` event."""
    member = request.ctx.member
    async with in_transaction() as tx:
        endpoint = await find(WebhookEndpoint.of(member).using_db(tx), endpoint_id)
        _must_be_enabled(endpoint)
        content = await body_of(tx, "webhook.test", {"endpoint_id": endpoint.id})
        delivery = await owe(tx, endpoint, "webhook.test", content)
    return reply(_detail(delivery), 202, {"Location": f"/v1/webhooks/deliveries/{delivery.id}"})


@blueprint.get("/deliveries")
@spec(query=DeliveryQuery, lists=DeliveryOut)
async def list_deliveries(request: Request) -> HTTPResponse:
    """What was owed to whom and what became of it, newest first."""
    wanted = query(request, DeliveryQuery).model_dump(exclude_none=True)
    rows = WebhookDelivery.of(request.ctx.member).filter(**wanted)
    return await listing(rows, DeliveryOut, Page.of(request))


@blueprint.post("/" + word("deliveries:replay"), ctx_role=Role.ADMIN)
@spec(body=ReplayDeliveries, returns=Replayed, status=202)
async def replay_deliveries(request: Request, word: str) -> HTTPResponse:  # noqa: ARG001
    """Send what failed since a moment once more, in bulk.

    Only endpoints that are enabled are told. What is owed already is left as it is, so that the
    same request twice sends nothing twice.
    """
    member, wanted = request.ctx.member, body(request, ReplayDeliveries)
    async with in_transaction() as tx:
        if wanted.endpoint_id:
            endpoint = await find(WebhookEndpoint.of(member).using_db(tx), wanted.endpoint_id)
            _must_be_enabled(endpoint)
        reopened, left = await reopen(tx, member, wanted)
        after = {**wanted.model_dump(mode="json", exclude_none=True), "replayed": reopened}
        what = ("webhookdelivery", None)
        await trail.record(tx, member, "webhook.deliveries.replayed", what, after=after)
    return reply(Replayed(replayed=reopened, left=left), 202)


@blueprint.get("/deliveries/<delivery_id:uuid>")
@spec(returns=DeliveryDetail)
async def get_delivery(request: Request, delivery_id: UUID) -> HTTPResponse:
    """One delivery with its payload."""
    return reply(_detail(await find(WebhookDelivery.of(request.ctx.member), delivery_id)))


@blueprint.patch("/deliveries/<delivery_id:uuid>", ctx_role=Role.ADMIN)
@spec(body=DeliveryPatch, returns=DeliveryDetail)
async def change_delivery(request: Request, delivery_id: UUID) -> HTTPResponse:
    """Send once more, whatever came of it, or give up on what is still owed."""
    member, wanted = request.ctx.member, body(request, DeliveryPatch)
    async with in_transaction() as tx:
        rows = WebhookDelivery.of(member).using_db(tx).select_for_update()
        delivery = await find(rows, delivery_id)
        check_if_match(request, delivery)
        before = {"status": delivery.status}
        if wanted.action == "cancel":
            if delivery.status is not DeliveryStatus.PENDING:
                raise Conflict("It is no longer owed.", allowed=["retry"])
            delivery.status, delivery.next_attempt_at = DeliveryStatus.CANCELLED, None
        else:
            if delivery.status is not DeliveryStatus.PENDING:
                delivery.attempt_count = 0  # ended before: the whole schedule is its again
            delivery.status, delivery.next_attempt_at = DeliveryStatus.PENDING, now()
            delivery.lease_until = None
            endpoint = WebhookEndpoint.of(member).filter(id=delivery.endpoint_id)
            await endpoint.using_db(tx).update(quiet_until=None)
        await delivery.save(using_db=tx)
        await trail.record(tx, member, f"webhook.delivery.{wanted.action}", delivery, before=before)
    return reply(_detail(delivery))


def _detail(delivery: WebhookDelivery) -> DeliveryDetail:
    shown = DeliveryOut.model_validate(delivery).model_dump()
    return DeliveryDetail(**shown, payload=from_json(delivery.content))
