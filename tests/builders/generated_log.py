"""The log of a run of generated orders, which end in every possible way, and the projections updated from it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from events import streams
from events.envelope import Recorded
from events.inventory import (
    DeliveredLine,
    ReservationRefused,
    StockLine,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShipped,
)
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed, OrderPlaced
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided
from events.privacy import CustomerErased
from events.shipping import ShipmentArranged, ShipmentCancelled, ShipmentDelivered, ShipmentDispatched
from handlers.operations.audit.published_submission import distinct
from handlers.ordering.submission import Invalid, Valid, decide, placed
from handlers.ordering.submission import rejected as reject
from infra.local.runner.generator import generate
from tests.builders.orders import CONTENT_KEY
from tests.builders.recorded_events import START, record
from tests.builders.vault import KEY_OF_REJECTIONS

_WAYS = ("confirmed", "delivered", "recalled", "out of stock", "declined", "placed")


_CHUNK = 99


def run(count: int, seed: int = 1) -> list[Recorded]:
    """The log of a run, stream by stream."""
    rand = random.Random(seed)
    generated = generate(count, seed)
    log: list[Recorded] = []
    erased: list[CustomerErased] = []
    shelf = tuple(DeliveredLine(sku=sku, quantity=quantity) for sku, quantity in list(generated.stock.items())[:_CHUNK])
    log += _stream("delivery#d1", StockReceived(delivery_id="d1", chunk=1, chunks=1, lines=shelf))
    first = {submission.detail["order_id"]: submission for submission in reversed(distinct(generated.submissions))}
    for number, submission in enumerate(reversed(first.values())):
        at = 3 * 3600 * number
        if submission.order_id is None:
            continue
        match decide(submission.detail):
            case Valid() as valid:
                order = placed(submission.shop, valid, CONTENT_KEY)
                log += _order(order, _WAYS[number % len(_WAYS)], at, rand)
                if number % 3 == 1:  # all of these have ended
                    erased.append(CustomerErased(order_id=order.order_id, customer_id=order.customer_id))
            case Invalid() as invalid:
                rejected = reject(submission.shop, invalid, KEY_OF_REJECTIONS)
                log += _stream(streams.rejection(rejected.order_id, rejected.content_hash), rejected, at=at)
    return log + _erasures(erased)


def _order(placed: OrderPlaced, way: str, at: int, rand: random.Random) -> list[Recorded]:
    order_id = placed.order_id
    quantities = Counter[str]()
    for line in placed.lines:
        quantities[line.sku] += line.quantity
    goods = [StockLine(sku=sku, quantity=quantity) for sku, quantity in sorted(quantities.items())]
    chunks = [tuple(goods[start : start + _CHUNK]) for start in range(0, len(goods), _CHUNK)]
    money: dict[str, Any] = {"order_id": order_id, "amount": placed.total, "currency": placed.currency}
    of = {"order_id": order_id}

    def cancelled(reason: str) -> list[DomainEvent]:
        return [OrderCancellationStarted(**of, reason=reason), OrderCancelled(**of, reason=reason)]

    reserved: list[DomainEvent] = [
        StockReserved(**of, chunk=number, chunks=len(chunks), lines=chunk)
        for number, chunk in enumerate(chunks, start=1)
    ]
    released: list[DomainEvent] = [
        StockReleased(**of, chunk=number, lines=chunk) for number, chunk in enumerate(chunks, start=1)
    ]
    authorized, arranged = PaymentAuthorized(**money, authorization_id="a"), ShipmentArranged(**of, tracking_number="t")
    captured = [authorized, PaymentCaptured(**money)]
    confirmed = [placed, OrderConfirmed(**of)]
    called_off = ShipmentCancelled(**of, tracking_number="t")
    shipped = [StockShipped(**of, chunk=number, lines=chunk) for number, chunk in enumerate(chunks, start=1)]
    events_by_outcome: dict[str, Sequence[Sequence[DomainEvent]]] = {
        "placed": ([placed], reserved[:1], [], []),
        "confirmed": (confirmed, reserved, captured, [arranged]),
        "delivered": (
            confirmed,
            [*reserved, *shipped],
            captured,
            [arranged, ShipmentDispatched(**of), ShipmentDelivered(**of)],
        ),
        "recalled": (
            [*confirmed, *cancelled("CancellationRequested")],
            [*reserved, *released],
            [*captured, PaymentRefunded(**money)],
            [arranged, called_off],
        ),
        "out of stock": (
            [placed, *cancelled("OutOfStock")],
            [*reserved[:-1], ReservationRefused(**of, skus=(goods[-1].sku,)), *released[:-1]],
            [PaymentVoided(**money)],
            [called_off],
        ),
        "declined": (
            [placed, *cancelled("PaymentDeclined")],
            [*reserved, *released],
            [PaymentDeclined(**of, reason="no")],
            [called_off],
        ),
    }
    kinds = (streams.order, streams.reservation, streams.payment, streams.shipment)
    day = at + rand.randrange(3600)
    return [
        each
        for kind, events in zip(kinds, events_by_outcome[way], strict=True)
        for each in _stream(kind(order_id), *events, at=day)
    ]


def _erasures(orders: Sequence[CustomerErased]) -> list[Recorded]:
    """Orders are erased years later; and their customers, with whatever other orders."""
    years_later = 3 * 365 * 86_400
    of_orders = {streams.erasure(each.order_id): each for each in orders if each.order_id}
    customers = {each.customer_id for each in orders if each.customer_id}
    of_customers = {streams.customer_erasure(each): CustomerErased(customer_id=each) for each in sorted(customers)}
    return [
        recorded
        for stream, event in {**of_orders, **of_customers}.items()
        for recorded in _stream(stream, event, at=years_later)
    ]


def _stream(stream: str, *events: DomainEvent, at: int = 0) -> list[Recorded]:
    moment = START + timedelta(seconds=at)
    return [record(event, stream, version, moment) for version, event in enumerate(events, start=1)]


def by_streams(log: Sequence[Recorded]) -> dict[str, list[Recorded]]:
    """The log's streams."""
    found: dict[str, list[Recorded]] = {}
    for each in log:
        found.setdefault(each.stream, []).append(each)
    return found
