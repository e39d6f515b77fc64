"""The log of a run of generated orders, which end in every possible way, and the projections updated from it."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed, OrderPlaced, OrderRejected
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided
from events.shipping import ShipmentArranged, ShipmentCancelled, ShipmentDelivered, ShipmentDispatched
from handlers.operations.audit.submission import distinct
from handlers.ordering.submission import decide
from handlers.projections import registry
from handlers.projections.engine.counting import Counting
from handlers.projections.engine.projection import Count, Projection
from handlers.projections.order_fold import fold
from handlers.runtime import aws
from handlers.table.event_store import EventStore
from infra.local.runner.generator import generate
from tests.builders.environment import TABLE
from tests.builders.samples import START, image, record
from tests.engines.memory_table import Key, Memory

STORE = EventStore(aws.dynamodb(), TABLE)
"""The store of every function: they share a client."""

PROJECTIONS: Mapping[str, Projection] = {name: each.on(STORE) for name, each in registry.PROJECTIONS.items()}
COUNTING: Mapping[str, Counting] = {
    name: definition for name, definition in registry.PROJECTIONS.items() if isinstance(definition, Counting)
}
_WAYS = ("confirmed", "delivered", "recalled", "out of stock", "declined", "placed")
_CHUNK = 99


@contextmanager
def projecting(log: Sequence[Recorded], *, page: int = 1_000_000) -> Iterator[Memory]:
    """The projections work on a table that has this log, for the time of the block."""
    memory = Memory(page)
    memory.put(map(image, log))
    with memory.serving():
        yield memory


def run(count: int, seed: int = 1) -> list[Recorded]:
    """The log of a run, stream by stream."""
    rand = random.Random(seed)
    generated = generate(count, seed)
    log: list[Recorded] = []
    shelf = tuple(DeliveredLine(sku=sku, quantity=quantity) for sku, quantity in list(generated.stock.items())[:_CHUNK])
    log += _stream("delivery#d1", StockReceived(delivery_id="d1", chunk=1, chunks=1, lines=shelf))
    first = {submission.detail["order_id"]: submission for submission in reversed(distinct(generated.submissions))}
    for number, submission in enumerate(reversed(first.values())):
        at = 3 * 3600 * number
        if submission.order_id is None:
            continue
        match decide(submission.detail):
            case OrderPlaced() as placed:
                log += _order(placed, _WAYS[number % len(_WAYS)], at, rand)
            case OrderRejected() as rejected:
                log += _stream(streams.rejection(rejected.order_id, rejected.content_hash), rejected, at=at)
    return log


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
    told: dict[str, Sequence[Sequence[DomainEvent]]] = {
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
        each for kind, events in zip(kinds, told[way], strict=True) for each in _stream(kind(order_id), *events, at=day)
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


def counters(memory: Memory, name: str, generation: str = "1") -> dict[Key, dict[str, int]]:
    """What a generation of a counting projection has counted, by view and detail; zeros are as good as nothing."""
    projection = COUNTING[name]
    owned = (item for item in memory.items.values() if projection.owns(generation, item))
    return _added_up(count for item in owned for count in projection.stored_counts(item))


def summed(log: Sequence[Recorded], name: str) -> dict[Key, dict[str, int]]:
    """The plain sum of what the log's events add to the counters of a projection, by view and detail."""
    return _added_up(COUNTING[name].expected_counts(by_streams(log).values()))


def _added_up(counts: Iterable[Count]) -> dict[Key, dict[str, int]]:
    sums: dict[Key, Counter[str]] = defaultdict(Counter)
    for count in counts:
        sums[count.view, count.detail][count.name] += count.number
    nonzero = {key: {name: number for name, number in counted.items() if number} for key, counted in sums.items()}
    return {key: counted for key, counted in nonzero.items() if counted}


def shown(memory: Memory, generation: str = "1") -> dict[str, dict[str, str]]:
    """The order views of a generation by order, without types, keys, and the versions applied."""
    return {
        key[0].removeprefix("view#order#"): {
            name: next(iter(value.values()))
            for name, value in item.items()
            if not name.startswith(("PK", "SK", "GSI")) and not name.endswith("_version")
        }
        for key, item in memory.under("view#order#").items()
        if key[1] == generation
    }


def folded(log: Sequence[Recorded]) -> dict[str, dict[str, str]]:
    """What the order views show of a log in which no order that was placed was rejected too."""
    found: dict[str, dict[str, str]] = {}
    for stream, history in by_streams(log).items():
        kind, order_id = stream.split("#")[:2]
        if kind in {"order", "reservation", "payment", "shipment"}:
            found.setdefault(order_id, {}).update({name: str(value) for name, value in fold(history).items()})
    return found
