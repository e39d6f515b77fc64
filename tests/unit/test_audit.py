"""The audit finds nothing in a run that went well, and names what does not hold in one where something is broken."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from events.envelope import event_id
from events.inventory import (
    DeliveredLine,
    StockLine,
    StockLow,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShipped,
)
from events.model import DomainEvent
from events.notification import CustomerNotified
from events.ordering import (
    CancellationRequested,
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderRejected,
)
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined, PaymentVoided
from events.shipping import ShipmentArranged, ShipmentCancelled, ShipmentDispatched
from infra.local.audit import audit
from infra.local.audit.run import Run
from infra.local.evidence import DeadLetter, Place, Table
from infra.local.submissions import Submission
from tests.unit.samples import line, order, placed, record

# One order is confirmed, one cancelled after its capture was declined, one rejected, and one is a dead letter.
WELL = Submission(order("well", line("A", 2, 100), line("B", 1, 50), line("A", 1, 100)))
DECLINED = Submission(order("declined", line("A", 5, 10), customer=None))
WRONG = Submission(order("wrong", line("A", 0)))
NAMELESS = Submission(order("no id"))

TEN_OF_A = {"sku": "A", "quantity": 10}
DELIVERY: dict[str, Any] = {"delivery_id": "d1", "lines": [TEN_OF_A, {"sku": "B", "quantity": 1}]}
SHELVED = (DeliveredLine(sku="A", quantity=10), DeliveredLine(sku="B", quantity=1))
TAKEN = (StockLine(sku="A", quantity=3), StockLine(sku="B", quantity=1))
FIVE = (StockLine(sku="A", quantity=5),)


def rejection() -> OrderRejected:
    assert isinstance(WRONG.decided, OrderRejected)
    return WRONG.decided


REJECTED = f"rejection#wrong#{rejection().content_hash}"

STREAMS: dict[str, tuple[DomainEvent, ...]] = {
    "delivery#d1": (StockReceived(delivery_id="d1", chunk=1, chunks=1, lines=SHELVED),),
    "order#well": (placed("well", *WELL.lines), OrderConfirmed(order_id="well")),
    "reservation#well": (StockReserved(order_id="well", chunk=1, chunks=1, lines=TAKEN),),
    "payment#well": (
        PaymentAuthorized(order_id="well", amount=350, currency="GBP", authorization_id="auth_well"),
        PaymentCaptured(order_id="well", amount=350, currency="GBP"),
    ),
    "shipment#well": (ShipmentArranged(order_id="well", tracking_number="trk_well"),),
    "notification#well": (CustomerNotified(order_id="well", about=event_id("order#well", 2), message_id="mail-1"),),
    "order#declined": (
        placed("declined", *DECLINED.lines, customer=None),
        OrderCancellationStarted(order_id="declined", reason="PaymentDeclined"),
        OrderCancelled(order_id="declined", reason="PaymentDeclined"),
    ),
    "reservation#declined": (
        StockReserved(order_id="declined", chunk=1, chunks=1, lines=FIVE),
        StockReleased(order_id="declined", chunk=1, lines=FIVE),
    ),
    "payment#declined": (
        PaymentAuthorized(order_id="declined", amount=50, currency="GBP", authorization_id="auth_declined"),
        PaymentDeclined(order_id="declined", reason="closed"),
        PaymentVoided(order_id="declined", amount=50, currency="GBP"),
    ),
    "shipment#declined": (
        ShipmentArranged(order_id="declined", tracking_number="trk_declined"),
        ShipmentCancelled(order_id="declined", tracking_number="trk_declined"),
    ),
    "stock#B": (StockLow(sku="B", available=0, threshold=1, level_version=2),),
    REJECTED: (rejection(),),
}
VIEWS: dict[str, Mapping[str, Any]] = {
    "well": {
        **{"PK": "view#order#well", "SK": "1", "GSI2PK": "an index may hold what it likes"},
        **{"order_id": "well", "status": "CONFIRMED", "customer_id": "c1", "order_version": 2},
        **{"currency": "GBP", "total": 350, "line_count": 3, "placed_at": "2026-01-02T03:04:06.678901Z"},
        **{"stock": "reserved", "reservation_version": 1, "payment": "captured", "payment_version": 2},
        **{"shipment": "arranged", "tracking_number": "trk_well", "shipment_version": 1},
    },
    "declined": {
        **{"order_id": "declined", "status": "CANCELLED", "reason": "PaymentDeclined", "order_version": 3},
        **{"currency": "GBP", "total": 50, "line_count": 1, "placed_at": "2026-01-02T03:04:06.678901Z"},
        **{"stock": "released", "reservation_version": 2, "payment": "voided", "payment_version": 3},
        **{"payment_reason": "closed", "shipment": "cancelled", "shipment_version": 2},
        "tracking_number": "trk_declined",
    },
    "wrong": {
        **{"order_id": "wrong", "status": "REJECTED", "rejection_count": 1},
        "rejection": "lines.0.quantity: Input should be greater than 0",
        "rejected_at": f"2026-01-02T03:04:06.678901+00:00#{rejection().content_hash}",
    },
}
TABLE = Table(
    log={
        (stream, version): record(event, stream, version)
        for stream, events in STREAMS.items()
        for version, event in enumerate(events, start=1)
    },
    levels={"A": {"available": 7, "version": 4}, "B": {"available": 0, "version": 2}},
    views=VIEWS,
    charges={
        "well": {"book_state": "captured", "authorized": 350, "captured": 350, "currency": "GBP"},
        "declined": {
            **{"book_state": "voided", "authorized": 50, "voided": 50, "currency": "GBP"},
            "declined_because": "closed",
        },
    },
    consignments={
        "well": {"book_state": "arranged", "tracking_number": "trk_well"},
        "declined": {"book_state": "cancelled", "tracking_number": "trk_declined"},
    },
)


def published(log: Iterable[Place]) -> frozenset[str]:
    return frozenset(event_id(*place) for place in log if not place[0].startswith("notification#"))


SOUND = Run(
    table=TABLE,
    submissions=[WELL, DECLINED, WELL, WRONG, NAMELESS],
    deliveries=[DELIVERY],
    bus=published(TABLE.log),
    dead_letters=[DeadLetter("intake", NAMELESS.detail, "order_id: not usable")],
    emails=["mail-1"],
)


def with_table(**changes: Any) -> Run:
    return replace(SOUND, table=replace(TABLE, **changes))


def with_log(stream: str, *events: DomainEvent) -> Run:
    """The run with other events in a stream, all of which reached the bus."""
    log = {place: known for place, known in TABLE.log.items() if place[0] != stream}
    log |= {(stream, version): record(event, stream, version) for version, event in enumerate(events, start=1)}
    return replace(with_table(log=log), bus=published(log))


def with_view(order_id: str, **changes: Any) -> Run:
    return with_table(views={**VIEWS, order_id: {**VIEWS[order_id], **changes}})


def without(items: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in items.items() if name != key}


def with_charge(order_id: str, **changes: Any) -> Run:
    return with_table(charges={**TABLE.charges, order_id: {**TABLE.charges.get(order_id, {}), **changes}})


def test_a_sound_run_has_no_finding() -> None:
    assert audit(SOUND) == []


BROKEN: dict[str, tuple[Callable[[], Run], int, str]] = {
    "a view that fell behind": (
        lambda: with_view("well", status="PLACED"),
        1,
        "order well: the view has status 'PLACED', the log 'CONFIRMED'",
    ),
    "a view that shows what is not in the log": (
        lambda: with_view("wrong", payment="captured"),
        1,
        "order wrong: the view has payment 'captured', the log None",
    ),
    "no view": (lambda: with_table(views=without(VIEWS, "declined")), 1, "order declined: has no view"),
    "a view of nothing": (
        lambda: with_table(views={**VIEWS, "ghost": {"order_id": "ghost"}}),
        1,
        "order ghost: has a view, but the log knows nothing of it",
    ),
    "an event that cannot be read": (
        lambda: with_table(unreadable=["order#x event#0000000001"]),
        1,
        "order#x event#0000000001: the event cannot be read",
    ),
    "a submission that is gone": (
        lambda: replace(SOUND, submissions=[*SOUND.submissions, Submission(order("gone"))]),
        2,
        "order gone: no event says what became of ",
    ),
    "another content than stands": (
        lambda: replace(SOUND, submissions=[*SOUND.submissions, Submission({**WELL.detail, "payment_token": "tok_x"})]),
        2,
        "order well: no event says what became of ",
    ),
    "an order that nobody submitted": (
        lambda: replace(SOUND, submissions=[DECLINED, WRONG, NAMELESS]),
        2,
        "order well: was placed, though nobody submitted it",
    ),
    "an input that is no dead letter": (
        lambda: replace(SOUND, dead_letters=[]),
        2,
        "submission 'no id': is neither an event nor a dead letter",
    ),
    "a dead letter of what was valid": (
        lambda: replace(SOUND, dead_letters=[*SOUND.dead_letters, DeadLetter("intake", WELL.detail, "a bug")]),
        2,
        "a dead letter of intake: a bug: ",
    ),
    "a delivery that came in half": (
        lambda: replace(SOUND, deliveries=[{"delivery_id": "d1", "lines": [*DELIVERY["lines"], TEN_OF_A]}]),
        2,
        "delivery d1: 20 of A were delivered, 10 received",
    ),
    "an event that did not go out": (
        lambda: replace(SOUND, bus=SOUND.bus - {event_id("payment#well", 2)}),
        2,
        "payment#well version 2: PaymentCaptured did not reach the orders bus",
    ),
    "an event that somebody forged": (
        lambda: replace(SOUND, bus=SOUND.bus | {"forged"}),
        2,
        "event forged: came over the orders bus, but is not in the log",
    ),
    "a message that stays in a queue": (
        lambda: replace(SOUND, waiting={"OrderViewQueue": 3}),
        2,
        "the queue OrderViewQueue: 3 messages are left in it",
    ),
    "a charge without an order": (
        lambda: with_charge("well-again", authorized=350, captured=350, currency="GBP"),
        3,
        "key well-again: is in the gateway's books, but there is no such order",
    ),
    "a charge that the log does not know": (
        lambda: with_charge("declined", captured=50),
        3,
        "payment of order declined: the gateway's book has captured 50, the log None",
    ),
    "a charge that only the log knows": (
        lambda: with_table(charges=without(TABLE.charges, "well")),
        3,
        "payment of order well: the gateway's book has captured None, the log 350",
    ),
    "a parcel that was not called off": (
        lambda: with_table(consignments={**TABLE.consignments, "declined": TABLE.consignments["well"]}),
        3,
        "shipment of order declined: the carrier's book has book_state 'arranged', the log 'cancelled'",
    ),
    "a payment captured twice": (
        lambda: with_log("payment#well", *STREAMS["payment#well"], STREAMS["payment#well"][1]),
        3,
        "payment#well: has PaymentCaptured 2 times",
    ),
    "a chunk reserved twice": (
        lambda: with_log("reservation#well", *STREAMS["reservation#well"] * 2),
        3,
        "reservation#well: has StockReserved (1) 2 times",
    ),
    "low stock told twice": (
        lambda: with_log("stock#B", *STREAMS["stock#B"] * 2),
        3,
        "stock#B: has StockLow (2) 2 times",
    ),
    "an e-mail sent twice": (
        lambda: replace(SOUND, emails=["mail-1", "mail-2"]),
        3,
        "e-mail mail-2: was sent, but the log does not say so",
    ),
    "an e-mail that was not sent": (
        lambda: replace(SOUND, emails=[]),
        3,
        "notification#well: says that e-mail mail-1 was sent, but it was not",
    ),
    "a customer who was told nothing": (
        lambda: with_log("notification#well"),
        3,
        "order well: nobody was told of OrderConfirmed",
    ),
    "a customer who was told of no outcome": (
        lambda: with_log("notification#well", CustomerNotified(order_id="well", about="?", message_id="mail-1")),
        3,
        "order well: an e-mail was sent about ?, which is no outcome",
    ),
    "money taken for nothing": (
        lambda: with_log("payment#declined", *STREAMS["payment#well"], *STREAMS["payment#declined"]),
        5,
        "GBP in the log: captured less refunded is 700, confirmed orders add up to 350",
    ),
    "money taken for nothing, in the books": (
        lambda: with_charge("declined", captured=50),
        5,
        "GBP in the gateway's books: captured less refunded is 400, confirmed orders add up to 350",
    ),
    "an authorization that was left": (
        lambda: with_log("payment#declined", *STREAMS["payment#declined"][:2]),
        5,
        "GBP in the log: authorized is 400, captured and voided add up to 350",
    ),
    "a total that is not what the lines add up to": (
        lambda: with_log("order#well", placed("well").model_copy(update={"total": 1}), STREAMS["order#well"][1]),
        5,
        "order well: its total is 1, its lines add up to 100",
    ),
    "stock that went missing": (
        lambda: with_table(levels={**TABLE.levels, "A": {"available": 6, "version": 4}}),
        5,
        "SKU A: 6 are available, received less reserved is 7",
    ),
    "a level below nothing": (
        lambda: with_table(levels={**TABLE.levels, "B": {"available": -1, "version": 2}}),
        5,
        "SKU B: -1 are available",
    ),
    "a level changed without an event": (
        lambda: with_table(levels={**TABLE.levels, "A": {"available": 7, "version": 6}}),
        5,
        "SKU A: its level changed 6 times, the log explains 4",
    ),
    "goods of a cancelled order that were kept": (
        lambda: with_log("reservation#declined", STREAMS["reservation#declined"][0]),
        5,
        "order declined: 5 of A are reserved, it takes 0",
    ),
    "a confirmed order without its goods": (
        lambda: with_log("reservation#well"),
        5,
        "order well: 0 of B are reserved, it takes 1",
    ),
    "an order confirmed after it was cancelled": (
        lambda: with_log("order#declined", *STREAMS["order#declined"], OrderConfirmed(order_id="declined")),
        6,
        "order#declined: is no life of an order: ",
    ),
    "an order cancelled though it is dispatched": (
        lambda: with_log("shipment#declined", STREAMS["shipment#declined"][0], ShipmentDispatched(order_id="declined")),
        6,
        "order#declined: is dispatched, but not confirmed: ",
    ),
    "a confirmed order without its shipment": (
        lambda: with_log(
            "shipment#well",
            *STREAMS["shipment#well"],
            ShipmentCancelled(order_id="well", tracking_number="trk_well"),
        ),
        6,
        "order#well: is confirmed, but its shipment is cancelled",
    ),
    "a request to cancel that nobody answers": (
        lambda: with_log("cancellation#well", CancellationRequested(order_id="well", content_hash="h")),
        6,
        "order#well: a request to cancel it has no answer",
    ),
    "goods shipped without their parcel": (
        lambda: with_log(
            "reservation#well",
            *STREAMS["reservation#well"],
            StockShipped(order_id="well", chunk=1, lines=TAKEN),
        ),
        5,
        "order well: 4 pieces are shipped, 4 set aside; dispatched: False",
    ),
    "a dispatched parcel without its goods": (
        lambda: with_log("shipment#well", *STREAMS["shipment#well"], ShipmentDispatched(order_id="well")),
        5,
        "order well: 0 pieces are shipped, 4 set aside; dispatched: True",
    ),
    "an order without an outcome": (
        lambda: replace(
            with_log("order#well", STREAMS["order#well"][0]), standing={"well": "failed at CapturePayment: KeyError"}
        ),
        6,
        "order#well: has no outcome: OrderPlaced; its saga: failed at CapturePayment: KeyError",
    ),
    "an order confirmed out of nothing": (
        lambda: with_log("order#well", STREAMS["order#well"][1]),
        6,
        "order#well: is no life of an order: OrderConfirmed",
    ),
    "a version that is missing": (
        lambda: with_table(
            log={place: known for place, known in TABLE.log.items() if place != ("payment#declined", 2)}
        ),
        6,
        "payment#declined: its versions are not 1 to 2: [1, 3]",
    ),
    "an event in another's place": (
        lambda: with_table(
            log={
                **TABLE.log,
                ("stock#B", 1): TABLE.log["stock#B", 1]._replace(
                    metadata_json=record(STREAMS["stock#B"][0], "stock#A", 1).metadata_json
                ),
            }
        ),
        6,
        f"stock#B: version 1 says it is {event_id('stock#A', 1)} at ('stock#A', 1)",
    ),
    "an event before the one it follows": (
        lambda: with_table(
            log={
                **TABLE.log,
                ("order#well", 2): TABLE.log["order#well", 2]._replace(
                    metadata_json=TABLE.log["order#well", 2].metadata_json.replace("2026", "2025")
                ),
            }
        ),
        6,
        "order#well: version 2 occurred before version 1",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named(case: str) -> None:
    broken, invariant, told = BROKEN[case]
    findings = [str(finding) for finding in audit(broken())]
    assert any(finding.startswith(f"invariant {invariant}: {told}") for finding in findings), findings


def test_money_of_an_order_that_is_still_open_is_in_no_sum() -> None:
    opened = with_log("order#well", STREAMS["order#well"][0])
    assert {finding.invariant for finding in audit(opened)} == {1, 3, 6}
