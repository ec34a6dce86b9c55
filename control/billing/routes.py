"""`/v1/billing`: subscription, usage, payments."""

from datetime import timedelta

from sanic import Blueprint, HTTPResponse, Request
from tortoise.transactions import in_transaction

from control.access import Role
from control.audit import trail
from control.billing import gateway, payments, subscriptions, usage
from control.billing.models import Payment, PaymentNotification, Subscription
from control.billing.plans import DEFAULT, PLANS
from control.billing.schemas import (
    CreatePayment,
    Entitlements,
    NotificationTaken,
    PaymentDetail,
    PaymentOut,
    PutSubscription,
    SimulatePayment,
    SubscriptionOut,
    UsageQuery,
    UsageSum,
    UsageWritten,
    WriteUsage,
)
from control.billing.subscriptions import PERIOD
from control.bodies import body, query, reply
from control.errors import BadRequest, Conflict, NotFound
from control.openapi import spec
from control.organizations.models import Membership, MemberStatus
from control.paging import Page, listed, listing
from control.paths import verb
from control.records import check_if_match, now

blueprint = Blueprint("billing", url_prefix="/billing")
notifications = Blueprint("payment_notifications", url_prefix="/billing/payments")
ORDER_ID = "[a-z0-9-]+"
PAY_WITHIN = timedelta(hours=24)
MAX_SEEN = 100


async def _shown(found: Subscription, proration_idr: int = 0) -> SubscriptionOut:
    plan = PLANS[found.plan]
    members = Membership.filter(organization_id=found.organization_id, status=MemberStatus.ACTIVE)
    return SubscriptionOut(
        plan=found.plan, seats=found.seats, seats_used=await members.count(),
        period_start=found.period_start, period_end=found.period_start + PERIOD,
        next_plan=found.next_plan, next_seats=found.next_seats, next_from=found.next_from,
        entitlements=Entitlements(
            max_seats=plan.max_seats, processed_minutes=plan.processed_minutes
        ),
        proration_idr=proration_idr, updated_at=found.updated_at,
    )  # fmt: skip


@blueprint.get("/subscription")
@spec(returns=SubscriptionOut)
async def get_subscription(request: Request) -> HTTPResponse:
    """The organisation's plan, its period and what it entitles to."""
    return reply(await _shown(await subscriptions.current(request.ctx.member.organization_id)))


@blueprint.put("/subscription", ctx_role=Role.ADMIN)
@spec(body=PutSubscription, returns=SubscriptionOut)
async def put_subscription(request: Request) -> HTTPResponse:
    """Change the plan or the seats, now or when the period ends."""
    member, wanted = request.ctx.member, body(request, PutSubscription)
    async with in_transaction() as tx:
        mine = Subscription.filter(organization_id=member.organization_id)
        await mine.using_db(tx).select_for_update()
        found = await subscriptions.current(member.organization_id, tx)
        check_if_match(request, found)
        active = Membership.filter(
            organization_id=member.organization_id, status=MemberStatus.ACTIVE
        )
        most, used = PLANS[wanted.plan].max_seats, await active.using_db(tx).count()
        if used > wanted.seats and wanted.plan != DEFAULT:
            raise Conflict(f"{used} members need {used} seats.", code="seats_do_not_fit")
        if most is not None and wanted.seats > most:
            raise Conflict(f"{wanted.plan} has at most {most} seats.", code="seats_do_not_fit")
        before, proration_idr = {"plan": found.plan, "seats": found.seats}, 0
        if wanted.when == "now":
            proration_idr = subscriptions.prorated(found, wanted.plan, wanted.seats, now())
            found.plan, found.seats = wanted.plan, wanted.seats
            found.next_plan = found.next_seats = found.next_from = None
        else:
            found.next_plan, found.next_seats = wanted.plan, wanted.seats
            found.next_from = found.period_start + PERIOD
        await found.save(using_db=tx)
        await trail.record(tx, member, "subscription.updated", found, before=before, after=wanted)
    return reply(await _shown(found, proration_idr))


@blueprint.post("/usage", ctx_role=Role.ADMIN)
@spec(body=WriteUsage, returns=UsageWritten, status=201)
async def write_usage(request: Request) -> HTTPResponse:
    """Add to the ledger; the same event sent again changes nothing."""
    member, wanted = request.ctx.member, body(request, WriteUsage)
    async with in_transaction() as tx:
        event, _ = await usage.write(tx, member.organization_id, wanted)
    return reply(UsageWritten.model_validate(event), 201)


@blueprint.get("/usage")
@spec(query=UsageQuery, lists=UsageSum)
async def sum_usage(request: Request) -> HTTPResponse:
    """What was used in a period: the ledger's own sums."""
    member, page, wanted = request.ctx.member, Page.of(request), query(request, UsageQuery)
    since = wanted.since or (await subscriptions.current(member.organization_id)).period_start
    until = wanted.until or now() + timedelta(minutes=5)
    rows = await usage.sums(
        member.organization_id, since, until, wanted.meter, wanted.group_by,
        page.limit, page.offset,
    )  # fmt: skip
    total = rows[0]["total"] if rows else 0
    return listed([UsageSum.model_validate(row) for row in rows], UsageSum, page, total)


@blueprint.post("/payments", ctx_role=Role.ADMIN)
@spec(body=CreatePayment, returns=PaymentOut, status=201)
async def create_payment(request: Request) -> HTTPResponse:
    """Begin a payment; needs an Idempotency-Key, so that nobody pays twice."""
    member, settings = request.ctx.member, request.app.ctx.settings
    if not request.headers.get("idempotency-key"):
        raise BadRequest(
            "Send an Idempotency-Key: a payment must not happen twice.",
            code="idempotency_key_missing",
        )
    wanted = body(request, CreatePayment)
    order_id = payments.new_order_id()
    begun = await gateway.begin(settings, order_id, wanted.amount_idr)
    async with in_transaction() as tx:
        payment = await Payment.create(
            using_db=tx, organization_id=member.organization_id, order_id=order_id,
            gateway=settings.payment_gateway, token=begun.token, redirect_url=begun.redirect_url,
            expires_at=now() + PAY_WITHIN,
            history=[{"at": now().isoformat(), "status": "pending", "note": None}],
            **wanted.model_dump(),
        )  # fmt: skip
        await trail.record(tx, member, "payment.created", payment, after=wanted)
    location = {"Location": f"/v1/billing/payments/{order_id}"}
    return reply(PaymentOut.model_validate(payment), 201, location)


@blueprint.get("/payments")
@spec(lists=PaymentOut)
async def list_payments(request: Request) -> HTTPResponse:
    """The organisation's payments, newest first."""
    return await listing(Payment.of(request.ctx.member), PaymentOut, Page.of(request))


@blueprint.get(f"/payments/<order_id:(?P<order_id>{ORDER_ID})>")
@spec(returns=PaymentDetail)
async def get_payment(request: Request, order_id: str) -> HTTPResponse:
    """One payment with the history of its status, and what the gateway has said of it."""
    payment = await Payment.of(request.ctx.member).get_or_none(order_id=order_id)
    if payment is None:
        raise NotFound(f"There is no payment with the order {order_id} here.")
    seen = PaymentNotification.filter(order_id=payment.order_id).order_by("-id")
    notifications = await seen.limit(MAX_SEEN).values("received_at", "verdict")
    shown = PaymentOut.model_validate(payment).model_dump()
    return reply(PaymentDetail(**shown, notifications=notifications))


@blueprint.post("/payments/" + verb("order_id", "simulate", ORDER_ID), ctx_role=Role.ADMIN)
@spec(body=SimulatePayment, returns=NotificationTaken)
async def simulate_payment(request: Request, order_id: str) -> HTTPResponse:
    """Let the embedded sandbox gateway send a notification, signed as a real one would be."""
    settings, wanted = request.app.ctx.settings, body(request, SimulatePayment)
    payment = await Payment.of(request.ctx.member).get_or_none(order_id=order_id)
    if payment is None:
        raise NotFound(f"There is no payment with the order {order_id} here.")
    if settings.payment_gateway != "sandbox" or payment.gateway != "sandbox":
        raise Conflict("Only the sandbox gateway can be simulated.", code="not_a_sandbox")
    notification = gateway.sandbox_notification(
        settings, order_id, payment.amount_idr, wanted.transaction_status
    )
    return reply(NotificationTaken(status=await payments.take(settings, notification)))


@notifications.post("/notifications")
@spec(returns=NotificationTaken)
async def take_notification(request: Request) -> HTTPResponse:
    """For the gateway alone: its signature is what lets it in."""
    verdict = await payments.take(request.app.ctx.settings, request.body)
    return reply(NotificationTaken(status=verdict))
