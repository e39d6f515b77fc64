"""A run that went well, for tests of those who find what is wrong with others."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from events import streams
from events.envelope import Recorded, event_id
from events.inventory import (
    DeliveredLine,
    PurchaseOrderPlaced,
    StockLine,
    StockLow,
    StockReceived,
    StockReleased,
    StockReserved,
)
from events.model import DomainEvent
from events.notification import WELCOME, CustomerNotified, EmailClaimed
from events.ordering import (
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderRejected,
)
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined, PaymentVoided
from events.privacy import CustomerErased
from events.shipping import ShipmentArranged, ShipmentCancelled
from handlers.operations.audit.published_submission import Submission
from handlers.operations.audit.run import DeadLetter, Run, SentEmail
from handlers.operations.audit.table import Item, Place, Table
from handlers.ordering import submission
from handlers.projections.engine.projection import Count
from handlers.vault.person import person
from tests.builders.orders import CONTENT_KEY, EMAIL, invalid, line, order, placed, valid
from tests.builders.recorded_events import record
from tests.builders.vault import KEY_OF_REJECTIONS

# One order is confirmed, one cancelled after its capture was declined, one rejected, and one is a dead letter.
WELL = Submission("demo", order("well", line("A", 2, 100, description="Green"), line("B", 1, 50), line("A", 1, 100)))
DECLINED = Submission("demo", order("declined", line("A", 5, 10), customer=None))
WRONG = Submission("demo", order("wrong", line("A", 0)))
NAMELESS = Submission("demo", order("no id"))

TEN_OF_A = {"sku": "A", "quantity": 10}
DELIVERY: dict[str, Any] = {"delivery_id": "d1", "lines": [TEN_OF_A, {"sku": "B", "quantity": 1}]}
SHELVED = (DeliveredLine(sku="A", quantity=10), DeliveredLine(sku="B", quantity=1))
TAKEN = (StockLine(sku="A", quantity=3), StockLine(sku="B", quantity=1))
FIVE = (StockLine(sku="A", quantity=5),)


def rejection() -> OrderRejected:
    return submission.rejected(WRONG.shop, invalid(WRONG.detail), KEY_OF_REJECTIONS)


def in_vault(submitted: Submission) -> Item:
    """What the vault has of the person behind a submission."""
    known = person(valid(submitted.detail).order)
    return {"person": known.model_dump_json(exclude_none=True), "content_key": CONTENT_KEY.hex()}


REJECTED = f"rejection#demo.wrong#{rejection().content_hash}"

STREAMS: dict[str, tuple[DomainEvent, ...]] = {
    "delivery#d1": (StockReceived(delivery_id="d1", chunk=1, chunks=1, lines=SHELVED),),
    "order#demo.well": (placed("demo.well", *WELL.lines), OrderConfirmed(order_id="demo.well")),
    "reservation#demo.well": (StockReserved(order_id="demo.well", chunk=1, chunks=1, lines=TAKEN),),
    "payment#demo.well": (
        PaymentAuthorized(order_id="demo.well", amount=350, currency="GBP", authorization_id="auth_well"),
        PaymentCaptured(order_id="demo.well", amount=350, currency="GBP"),
    ),
    "shipment#demo.well": (ShipmentArranged(order_id="demo.well", tracking_number="trk_well"),),
    "notification#demo.well": (
        EmailClaimed(order_id="demo.well", about="OrderConfirmed", attempt=1),
        CustomerNotified(order_id="demo.well", about="OrderConfirmed", attempt=1, message_id="mail-1"),
    ),
    "order#demo.declined": (
        placed("demo.declined", *DECLINED.lines, customer=None),
        OrderCancellationStarted(order_id="demo.declined", reason="PaymentDeclined"),
        OrderCancelled(order_id="demo.declined", reason="PaymentDeclined"),
    ),
    "reservation#demo.declined": (
        StockReserved(order_id="demo.declined", chunk=1, chunks=1, lines=FIVE),
        StockReleased(order_id="demo.declined", chunk=1, lines=FIVE),
    ),
    "payment#demo.declined": (
        PaymentAuthorized(order_id="demo.declined", amount=50, currency="GBP", authorization_id="auth_declined"),
        PaymentDeclined(order_id="demo.declined", reason="closed"),
        PaymentVoided(order_id="demo.declined", amount=50, currency="GBP"),
    ),
    "shipment#demo.declined": (
        ShipmentArranged(order_id="demo.declined", tracking_number="trk_declined"),
        ShipmentCancelled(order_id="demo.declined", tracking_number="trk_declined"),
    ),
    "customer#demo.c1": (
        EmailClaimed(order_id="demo.well", about=WELCOME, attempt=1),
        CustomerNotified(order_id="demo.well", about=WELCOME, attempt=1, message_id="mail-2"),
    ),
    "stock#B": (StockLow(sku="B", available=0, threshold=1, level_version=2),),
    "purchase#po-B-2": (PurchaseOrderPlaced(purchase_order_id="po-B-2", sku="B", quantity=3),),
    REJECTED: (rejection(),),
}
VIEWS: dict[str, Mapping[str, Any]] = {
    "demo.well": {
        **{"PK": "view#order#demo.well", "SK": "1", "GSI2PK": "an index may hold what it likes"},
        **{"order_id": "demo.well", "status": "CONFIRMED", "customer_id": "demo.c1", "order_version": 2},
        **{"currency": "GBP", "total": 350, "line_count": 3, "placed_at": "2026-01-02T03:04:06.678901Z"},
        **{"stock": "reserved", "reservation_version": 1, "payment": "captured", "payment_version": 2},
        **{"shipment": "arranged", "tracking_number": "trk_well", "shipment_version": 1},
    },
    "demo.declined": {
        **{"order_id": "demo.declined", "status": "CANCELLED", "reason": "PaymentDeclined", "order_version": 3},
        **{"currency": "GBP", "total": 50, "line_count": 1, "placed_at": "2026-01-02T03:04:06.678901Z"},
        **{"stock": "released", "reservation_version": 2, "payment": "voided", "payment_version": 3},
        **{"payment_reason": "closed", "shipment": "cancelled", "shipment_version": 2},
        "tracking_number": "trk_declined",
    },
    "demo.wrong": {
        **{"order_id": "demo.wrong", "status": "REJECTED", "rejection_count": 1},
        "rejection": "lines.0.quantity: Input should be greater than 0",
        "rejected_at": f"2026-01-02T03:04:06.678901+00:00#{rejection().content_hash}",
    },
}


COUNTERS = {
    "daily_sales": [
        Count("view#sales#2026-01-02#3", "GBP", "orders", 1),
        Count("view#sales#2026-01-02#3", "GBP", "total", 350),
        Count("view#sales#2026-01-02#3", "GBP#A", "quantity", 3),
        Count("view#sales#2026-01-02#3", "GBP#A", "total", 300),
        Count("view#sales#2026-01-02#3", "GBP#B", "quantity", 1),
        Count("view#sales#2026-01-02#3", "GBP#B", "total", 50),
    ],
    "stock_view": [
        Count("view#stock#A", "", "received", 10),
        Count("view#stock#A", "", "reserved", 3),
        Count("view#stock#B", "", "received", 1),
        Count("view#stock#B", "", "reserved", 1),
    ],
    "customer_history": [
        Count("view#customer#demo.c1", "", "placed", 1),
        Count("view#customer#demo.c1", "", "confirmed", 1),
        Count("view#customer#demo.c1", "", "spent_GBP", 350),
    ],
}


def logged(event: DomainEvent, stream: str, version: int) -> Recorded:
    """An event of the log; purchase orders are placed because B is low."""
    cause = event_id("stock#B", 1) if isinstance(event, PurchaseOrderPlaced) else "test"
    return record(event, stream, version, causation_id=cause)


TABLE = Table(
    log={
        (stream, version): logged(event, stream, version)
        for stream, events in STREAMS.items()
        for version, event in enumerate(events, start=1)
    },
    levels={"A": {"available": 7, "version": 4}, "B": {"available": 0, "version": 2}},
    views=VIEWS,
    counters=COUNTERS,
    charges={
        "demo.well": {"book_state": "captured", "authorized": 350, "captured": 350, "currency": "GBP"},
        "demo.declined": {
            **{"book_state": "voided", "authorized": 50, "voided": 50, "currency": "GBP"},
            "declined_because": "closed",
        },
    },
    consignments={
        "demo.well": {"book_state": "arranged", "tracking_number": "trk_well"},
        "demo.declined": {"book_state": "cancelled", "tracking_number": "trk_declined"},
    },
)


def published(log: Iterable[Place]) -> frozenset[str]:
    return frozenset(event_id(*place) for place in log if streams.is_published(place[0]))


CONFIRMATION = SentEmail("mail-1", EMAIL, "Your order well is confirmed")
WELCOMING = SentEmail("mail-2", EMAIL, "Welcome")

PERSONS: Mapping[str, Item] = {"demo.well": in_vault(WELL), "demo.declined": in_vault(DECLINED)}

CLEAN = Run(
    table=TABLE,
    persons=PERSONS,
    rejection_key=KEY_OF_REJECTIONS,
    submissions=[WELL, DECLINED, WELL, WRONG, NAMELESS],
    deliveries=[DELIVERY],
    bus=published(TABLE.log),
    dead_letters=[DeadLetter("intake", NAMELESS.detail, "order_id: not usable")],
    emails=[CONFIRMATION, WELCOMING],
)


def with_table(**changes: Any) -> Run:
    return replace(CLEAN, table=replace(TABLE, **changes))


def erased() -> Run:
    """The run once the person behind its confirmed order is erased, before any e-mail was sent."""
    stream, event = "erasure#demo.well", CustomerErased(order_id="demo.well", customer_id="demo.c1")
    silent = ("notification#demo.well", "customer#demo.c1")
    log = {place: known for place, known in TABLE.log.items() if place[0] not in silent}
    log[stream, 1] = logged(event, stream, 1)
    views = {**VIEWS, "demo.well": {**VIEWS["demo.well"], "personal_data": "erased", "erasure_version": 1}}
    run = replace(with_table(log=log, views=views), bus=published(log), emails=[])
    return replace(run, persons=without(PERSONS, "demo.well"))


def with_log(stream: str, *events: DomainEvent) -> Run:
    """The run with other events in a stream, all of which reached the bus."""
    log = {place: known for place, known in TABLE.log.items() if place[0] != stream}
    log |= {(stream, version): logged(event, stream, version) for version, event in enumerate(events, start=1)}
    return replace(with_table(log=log), bus=published(log))


def with_view(order_id: str, **changes: Any) -> Run:
    return with_table(views={**VIEWS, order_id: {**VIEWS[order_id], **changes}})


def with_counter(projection: str, *counts: Count) -> Run:
    """The run with more counts in the views of a projection."""
    return with_table(counters={**COUNTERS, projection: [*COUNTERS.get(projection, ()), *counts]})


def without(items: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in items.items() if name != key}


def with_charge(order_id: str, **changes: Any) -> Run:
    return with_table(charges={**TABLE.charges, order_id: {**TABLE.charges.get(order_id, {}), **changes}})
