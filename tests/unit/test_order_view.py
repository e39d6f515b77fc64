"""The order view: whatever comes in whatever order and however often, the view is the one that the log tells."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from events import streams
from events.envelope import Recorded
from events.inventory import ReservationRefused, StockLine, StockReleased, StockReserved, StockShipped
from events.model import DomainEvent
from events.ordering import (
    CancellationRequested,
    OrderCancellationRefused,
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderRejected,
    RejectionReason,
)
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided
from events.privacy import CustomerErased
from events.shipping import (
    ShipmentArranged,
    ShipmentCancelled,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentRejected,
)
from handlers.functions.main.order_view import handler
from handlers.projections.engine.projection import LogBehind
from handlers.projections.order_fold import fold
from handlers.projections.order_view import OrderView
from handlers.retry_policy import MAX_CONFLICTS, Contended, Throttled
from handlers.table import keys
from handlers.table.event_store import EventStore
from tests.builders.messages import CONTEXT, failed, from_bus, sqs
from tests.builders.orders import line, placed
from tests.builders.recorded_events import START, image, record
from tests.builders.stores import calls, items
from tests.engines.projecting import STORE, projecting

ORDER, PAYMENT, STOCK, PARCEL, ASKED, ERASED = (
    f"{kind}#demo.o1" for kind in ("order", "payment", "reservation", "shipment", "cancellation", "erasure")
)
GOODS = (StockLine(sku="A", quantity=1),)

PLACED = placed("demo.o1", line(quantity=3, unit_price=100))
GUEST = placed("demo.o1", line(quantity=3, unit_price=100), customer=None)
CONFIRMED = OrderConfirmed(order_id="demo.o1")
RESERVED = StockReserved(order_id="demo.o1", chunk=1, chunks=1, lines=GOODS)
RELEASED = StockReleased(order_id="demo.o1", chunk=1, lines=GOODS)
AUTHORIZED = PaymentAuthorized(order_id="demo.o1", amount=300, currency="GBP", authorization_id="a1")
CAPTURED = PaymentCaptured(order_id="demo.o1", amount=300, currency="GBP")
VOIDED = PaymentVoided(order_id="demo.o1", amount=300, currency="GBP")
REFUNDED = PaymentRefunded(order_id="demo.o1", amount=300, currency="GBP")
DECLINED = PaymentDeclined(order_id="demo.o1", reason="insufficient funds")
ARRANGED = ShipmentArranged(order_id="demo.o1", tracking_number="t1")
CALLED_OFF = ShipmentCancelled(order_id="demo.o1", tracking_number="t1")
SHIPPED = StockShipped(order_id="demo.o1", chunk=1, lines=GOODS)
GONE = [ARRANGED, ShipmentDispatched(order_id="demo.o1"), ShipmentDelivered(order_id="demo.o1")]
REQUESTED = CancellationRequested(order_id="demo.o1")
TOO_LATE = OrderCancellationRefused(order_id="demo.o1", reason="the order is dispatched")
NOT_THERE = ShipmentRejected(order_id="demo.o1", reason="no service")


def cancelled(reason: str) -> list[DomainEvent]:
    return [
        OrderCancellationStarted(order_id="demo.o1", reason=reason),
        OrderCancelled(order_id="demo.o1", reason=reason),
    ]


def rejection(why: str, *, at: int = 0) -> Recorded:
    """A refused submission under the order's id, ``at`` seconds after the first event."""
    event = OrderRejected(
        order_id="demo.o1", content_hash=why, reasons=(RejectionReason(field="lines", message=why),), reason_count=1
    )
    return record(event, streams.rejection("demo.o1", why), 1, START + timedelta(seconds=at))


def course(*order: DomainEvent, payment: Sequence[DomainEvent] = (), stock: Sequence[DomainEvent] = (),
           parcel: Sequence[DomainEvent] = (), asked: Sequence[DomainEvent] = (), erased: Sequence[DomainEvent] = (),
           rejections: Sequence[Recorded] = ()) -> list[Recorded]:  # fmt: skip
    by_stream = {ORDER: order, PAYMENT: payment, STOCK: stock, PARCEL: parcel, ASKED: asked, ERASED: erased}
    return [
        *(record(event, stream, n) for stream, events in by_stream.items() for n, event in enumerate(events, start=1)),
        *rejections,
    ]


COURSES: dict[str, tuple[list[Recorded], dict[str, str]]] = {
    "confirmed": (
        course(PLACED, CONFIRMED, payment=[AUTHORIZED, CAPTURED], stock=[RESERVED], parcel=[ARRANGED]),
        {"status": "CONFIRMED", "payment": "captured", "stock": "reserved", "shipment": "arranged"},
    ),
    "dispatched, and then not to be cancelled": (
        course(PLACED, CONFIRMED, payment=[AUTHORIZED, CAPTURED], stock=[RESERVED, SHIPPED], parcel=GONE[:2],
               asked=[REQUESTED, TOO_LATE]),
        {"status": "CONFIRMED", "stock": "shipped", "shipment": "dispatched", "cancellation": "refused"},
    ),
    "delivered": (
        course(PLACED, CONFIRMED, payment=[AUTHORIZED, CAPTURED], stock=[RESERVED, SHIPPED], parcel=GONE),
        {"status": "CONFIRMED", "stock": "shipped", "shipment": "delivered"},
    ),
    "delivered, and then erased": (
        course(PLACED, CONFIRMED, payment=[AUTHORIZED, CAPTURED], stock=[RESERVED, SHIPPED], parcel=GONE,
               erased=[CustomerErased(order_id="demo.o1", customer_id="demo.c1")]),
        {"status": "CONFIRMED", "shipment": "delivered", "customer_id": "demo.c1", "personal_data": "erased"},
    ),
    "cancelled, and its guest erased": (
        course(GUEST, *cancelled("OutOfStock"), erased=[CustomerErased(order_id="demo.o1")]),
        {"status": "CANCELLED", "personal_data": "erased"},
    ),
    "recalled": (
        course(
            PLACED, CONFIRMED, *cancelled("CancellationRequested"), payment=[AUTHORIZED, CAPTURED, REFUNDED],
            stock=[RESERVED, RELEASED], parcel=[ARRANGED, CALLED_OFF], asked=[REQUESTED],
        ),
        {"status": "CANCELLED", "payment": "refunded", "shipment": "cancelled", "cancellation": "requested"},
    ),
    "a guest's, in several chunks": (
        course(GUEST, CONFIRMED, payment=[AUTHORIZED, CAPTURED], stock=[RESERVED] * 3, parcel=[ARRANGED]),
        {"status": "CONFIRMED", "payment": "captured", "stock": "reserved", "shipment": "arranged"},
    ),
    "out of stock": (
        course(
            PLACED, *cancelled("OutOfStock"), payment=[VOIDED], parcel=[CALLED_OFF],
            stock=[RESERVED, ReservationRefused(order_id="demo.o1", skus=("A",)), RELEASED],
        ),
        {"status": "CANCELLED", "reason": "OutOfStock", "stock": "released", "payment": "voided"},
    ),
    "declined": (
        course(
            PLACED, *cancelled("PaymentDeclined"), payment=[DECLINED], parcel=[CALLED_OFF], stock=[RESERVED, RELEASED]
        ),
        {"status": "CANCELLED", "reason": "PaymentDeclined", "payment": "declined"},
    ),
    "declined at capture": (
        course(
            PLACED, *cancelled("PaymentDeclined"), payment=[AUTHORIZED, DECLINED, VOIDED],
            parcel=[ARRANGED, CALLED_OFF], stock=[RESERVED, RELEASED],
        ),
        {"status": "CANCELLED", "payment": "voided", "payment_reason": "insufficient funds", "shipment": "cancelled"},
    ),
    "not shipped": (
        course(
            PLACED, *cancelled("ShipmentRejected"), payment=[AUTHORIZED, VOIDED], parcel=[NOT_THERE],
            stock=[RESERVED, RELEASED],
        ),
        {"status": "CANCELLED", "shipment": "rejected", "shipment_reason": "no service"},
    ),
    "cancelled after the capture": (
        course(
            PLACED, *cancelled("CancellationRequested"), payment=[AUTHORIZED, CAPTURED, REFUNDED],
            parcel=[ARRANGED, CALLED_OFF], stock=[RESERVED, RELEASED],
        ),
        {"status": "CANCELLED", "reason": "CancellationRequested", "payment": "refunded"},
    ),
    "being cancelled": (course(PLACED, cancelled("OutOfStock")[0]), {"status": "CANCELLING", "reason": "OutOfStock"}),
    "rejected": (
        course(rejections=[rejection("first"), rejection("second", at=5), rejection("third", at=9)]),
        {"status": "REJECTED", "rejection": "lines: third", "rejection_count": "1"},
    ),
    "rejected, then corrected": (
        course(PLACED, CONFIRMED, payment=[AUTHORIZED], rejections=[rejection("wrong", at=-9)]),
        {"status": "CONFIRMED", "rejection": "lines: wrong"},
    ),
    "confirmed, with a conflict": (
        course(PLACED, CONFIRMED, rejections=[rejection("other", at=9), rejection("another", at=9)]),
        {"status": "CONFIRMED", "rejection": "lines: other"},
    ),
}  # fmt: skip


def write(store: EventStore, history: Sequence[Recorded]) -> None:
    """Put events in the log."""
    for each in history:
        store.client.put_item(TableName=store.table, Item=image(each))


def view(store: EventStore) -> dict[str, str]:
    """The order's view, without DynamoDB's types."""
    found = items(store, "view#order#")
    return {name: next(iter(value.values())) for name, value in found[0].items()} if found else {}


def in_order(store: EventStore, history: Sequence[Recorded]) -> dict[str, str]:
    """The view of events that came one by one as they happened."""
    with projecting(history):
        for each in history:
            OrderView(store).apply("1", [each])
        return view(store)


@st.composite
def deliveries(draw: st.DrawFn, history: list[Recorded]) -> list[list[Recorded]]:
    """Events in any order, some twice, some never unless they are the last of their stream, in batches of any size."""
    last = {each.stream: each for each in history}
    arriving: list[Recorded] = []
    for each in history:
        times = draw(st.sampled_from([1, 1, 1, 2] if last[each.stream] is each else [0, 1, 1, 2]))
        arriving += [each] * times
    arriving = draw(st.permutations(arriving))
    batches: list[list[Recorded]] = []
    while arriving:
        size = draw(st.integers(1, min(5, len(arriving))))
        batches.append(arriving[:size])
        arriving = arriving[size:]
    return batches


@pytest.mark.parametrize("name", COURSES)
def test_the_same_view_in_every_order_of_arrival(name: str) -> None:
    """Any order, doubled, with gaps, in any batches; also while the log is longer than what has arrived."""
    history, shown = COURSES[name]
    expected = in_order(STORE, history)
    assert expected.items() >= shown.items()
    folded = fold(each for each in history if each.stream in (ORDER, PAYMENT, STOCK, PARCEL))
    assert expected.items() >= {name: str(value) for name, value in folded.items()}.items()

    @given(deliveries(history))
    @settings(max_examples=12)
    def same(batches: list[list[Recorded]]) -> None:
        with projecting(history):
            for batch in batches:
                OrderView(STORE).apply("1", batch)
            assert view(STORE) == expected

    same()


@given(deliveries(COURSES["declined at capture"][0]), st.randoms(use_true_random=False))
@settings(max_examples=8)
def test_the_same_view_while_the_order_is_on_its_way(batches: list[list[Recorded]], randomly: random.Random) -> None:
    """Events arrive as soon as they are in the log, whose other streams may not have got that far."""
    history, _ = COURSES["declined at capture"]
    late: list[list[Recorded]] = []
    with projecting([]) as memory:
        for batch in batches:
            for each in batch:
                begun = (other for other in history if other.stream == each.stream and other.version <= each.version)
                memory.put(map(image, begun))
            OrderView(STORE).apply("1", batch)
            if randomly.random() < 0.3:
                late.append(batch)
        for batch in late:
            OrderView(STORE).apply("1", batch)
        assert view(STORE) == in_order(STORE, history)


def test_what_a_view_shows(store: EventStore) -> None:
    history, _ = COURSES["confirmed"]
    shown = in_order(store, history)
    placed_at = history[0].metadata.occurred_at
    assert {name: value for name, value in shown.items() if not name.startswith(("GSI", "PK", "SK"))} == {
        "order_id": "demo.o1",
        "status": "CONFIRMED",
        "currency": "GBP",
        "total": "300",
        "line_count": "1",
        "customer_id": "demo.c1",
        "placed_at": shown["placed_at"],
        "stock": "reserved",
        "payment": "captured",
        "shipment": "arranged",
        "tracking_number": "t1",
        "order_version": "2",
        "reservation_version": "1",
        "payment_version": "2",
        "shipment_version": "1",
    }
    assert type(placed_at).fromisoformat(shown["placed_at"]) == placed_at


def test_a_view_holds_neither_lines_nor_where_it_goes_nor_a_hash(store: EventStore) -> None:
    shown = str(in_order(store, COURSES["confirmed, with a conflict"][0]))
    place = PLACED.destination.model_dump_json()
    assert not [part for part in ("sku", "unit_price", "destination", place, PLACED.content_hash) if part in shown]


def test_reasons_of_a_rejection_stay_small(store: EventStore) -> None:
    reasons = tuple(RejectionReason(field=f"lines.{number}.quantity", message="too many " * 5) for number in range(50))
    event = OrderRejected(order_id="demo.o1", content_hash="h", reasons=reasons, reason_count=1_000)
    OrderView(store).apply("1", [record(event, streams.rejection("demo.o1", "h"), 1)])
    assert len(view(store)["rejection"]) < 250
    assert view(store)["rejection_count"] == "1000"


# What it costs


@contextmanager
def counted(store: EventStore) -> Iterator[list[int]]:
    """How many items each query returned."""
    counts: list[int] = []

    def note(parsed: dict[str, Any], **_: Any) -> None:
        counts.append(parsed["Count"])

    store.client.meta.events.register("after-call.dynamodb.Query", note)
    try:
        yield counts
    finally:
        store.client.meta.events.unregister("after-call.dynamodb.Query", note)


def applied(store: EventStore, delivered: Sequence[Recorded]) -> list[str]:
    with calls(store.client) as made:
        OrderView(store).apply("1", delivered)
    return made


def test_several_events_of_an_order_are_one_write(store: EventStore) -> None:
    history, shown = COURSES["declined at capture"]
    assert applied(store, list(reversed(history)) * 2) == ["UpdateItem"]
    assert view(store).items() >= shown.items()


def test_the_next_version_is_one_write_without_a_read(store: EventStore) -> None:
    history, _ = COURSES["confirmed"]
    for each in history:
        assert applied(store, [each]) == ["UpdateItem"]


def test_duplicates_are_acknowledged_without_a_read(store: EventStore) -> None:
    history, _ = COURSES["confirmed"]
    OrderView(store).apply("1", history)
    before = view(store)
    for batch in ([history[0]], history, history[2:4]):
        assert applied(store, batch) == ["UpdateItem"]
    assert view(store) == before


def test_a_gap_reads_what_is_missing_and_no_more(store: EventStore) -> None:
    chunks = course(stock=[RESERVED] * 40)
    write(store, chunks)
    OrderView(store).apply("1", chunks[:37])
    with counted(store) as read:
        assert applied(store, [chunks[39]]) == ["UpdateItem", "Query", "UpdateItem"]
    assert read == [3]
    assert view(store)["reservation_version"] == "40"


def test_a_gap_within_a_batch_is_filled_before_the_first_write(store: EventStore) -> None:
    history = course(PLACED, *cancelled("OutOfStock"))
    write(store, history)
    assert applied(store, [history[0], history[2]]) == ["Query", "UpdateItem"]
    assert view(store)["status"] == "CANCELLED"


# What is delivered again


def test_a_log_that_ends_below_what_was_delivered_is_a_retry(store: EventStore) -> None:
    history = course(PLACED, *cancelled("OutOfStock"))
    write(store, history[:1])
    [(place, why)] = OrderView(store).apply("1", [history[2]]).items()
    assert (place, type(why), str(why)) == ((ORDER, 3), LogBehind, "order#demo.o1 has no version 3 yet")
    assert view(store) == {}
    assert failed(handler(sqs(from_bus(history[2])), CONTEXT)) == ["m0"]
    write(store, history)
    assert failed(handler(sqs(from_bus(history[2])), CONTEXT)) == []
    assert view(store)["status"] == "CANCELLED"


def test_messages_of_a_batch_fail_order_by_order(store: EventStore) -> None:
    """One order is behind, one message is no event, one event is newer than the code: the others are done."""
    behind = course(PLACED, *cancelled("OutOfStock"))
    other = record(placed("demo.o2"), "order#demo.o2", 1)
    newer = from_bus(record(placed("demo.o3"), "order#demo.o3", 1)).replace(
        '"schema_version": 1', '"schema_version": 9'
    )
    unknown = from_bus(other).replace("OrderPlaced", "OrderForgotten")
    bodies = [from_bus(behind[2]), from_bus(other), "not JSON", "[]", newer, unknown, from_bus(behind[1])]
    assert failed(handler(sqs(*bodies), CONTEXT)) == ["m0", "m2", "m3", "m4", "m5", "m6"]
    assert [item["order_id"]["S"] for item in items(store, "view#")] == ["demo.o2"]


def test_a_view_that_others_always_outrun_is_a_retry(store: EventStore) -> None:
    history, _ = COURSES["confirmed"]
    with Stubber(store.client) as stub:
        for _ in range(MAX_CONFLICTS):
            stub.add_client_error("update_item", "ConditionalCheckFailedException", modeled_fields={"Item": {}})
        [why] = OrderView(store).apply("1", history[:1]).values()
        assert isinstance(why, Contended)
        assert "too many others" in str(why)


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_throttling_is_a_retry(store: EventStore, code: str) -> None:
    with Stubber(store.client) as stub:
        stub.add_client_error("update_item", code)
        [why] = OrderView(store).apply("1", [record(PLACED, ORDER, 1)]).values()
        assert isinstance(why, Throttled)


def test_another_writer_in_between_is_taken_into_account(store: EventStore) -> None:
    """Two functions fold different streams of one order at the same time."""
    history, shown = COURSES["confirmed"]
    write(store, history)
    expected = in_order(store, history)
    first = [each for each in history if each.stream in {ORDER, PAYMENT}]
    second = [each for each in history if each.stream in {PAYMENT, STOCK, PARCEL}]
    once: list[Callable[[], object]] = [lambda: OrderView(store).apply("1", second)]

    def meanwhile(**_: Any) -> None:
        if once:
            once.pop()()

    store.client.meta.events.register("before-call.dynamodb.UpdateItem", meanwhile)
    try:
        OrderView(store).apply("1", first)
    finally:
        store.client.meta.events.unregister("before-call.dynamodb.UpdateItem", meanwhile)
    assert view(store) == expected
    assert expected.items() >= shown.items()


# Lists


def listed(store: EventStore, index: str, key: str) -> list[str]:
    answer = store.client.query(
        TableName=store.table,
        IndexName=index,
        KeyConditionExpression=f"{index}PK = :key",
        ExpressionAttributeValues={":key": {"S": key}},
    )
    return [item["PK"]["S"].removeprefix("view#order#") for item in answer["Items"]]


def test_a_customer_finds_the_orders_by_time_and_guests_are_in_no_such_list(store: EventStore) -> None:
    for number, order_id in enumerate(["demo.late", "demo.early", "demo.guest"]):
        content = placed(order_id, **({"customer": None} if order_id == "demo.guest" else {}))
        at = START - timedelta(days=number)
        OrderView(store).apply("1", [record(content, streams.order(order_id), 1, at)])
    assert listed(store, "GSI1", "1#customer#demo.c1") == ["demo.early", "demo.late"]
    assert "GSI1PK" not in items(store, "view#order#demo.guest")[0]


def test_a_shops_orders_are_found_by_status(store: EventStore) -> None:
    def shards(shop: str, status: str) -> list[str]:
        partitions = [f"1#shop#{shop}#status#{status}#{shard}" for shard in range(8)]
        return sorted(each for partition in partitions for each in listed(store, "GSI2", partition))

    orders = [f"{shop}.o{number}" for shop in ("demo", "acme") for number in range(20)]
    for order_id in orders:
        history = [placed(order_id), *([OrderConfirmed(order_id=order_id)] if int(order_id[6:]) % 2 else [])]
        records = [record(event, streams.order(order_id), n) for n, event in enumerate(history, start=1)]
        OrderView(store).apply("1", records)
    OrderView(store).apply("1", [rejection("other")])
    for shop in ("demo", "acme"):
        own = [order_id for order_id in orders if order_id.startswith(shop)]
        assert shards(shop, "CONFIRMED") == sorted(own[1::2])
        assert shards(shop, "PLACED") == sorted(own[::2])
        assert shards(shop, "REJECTED") == []


@pytest.mark.parametrize("first", [0, 1])
def test_an_order_with_a_request_to_cancel_it_is_found_by_its_status_and_the_answer_whichever_stream_comes_first(
    store: EventStore, first: int
) -> None:
    """One that nobody asked to cancel is in no such list."""
    asked = streams.cancellation("demo.o1")
    confirmed = [record(PLACED, ORDER, 1), record(OrderConfirmed(order_id="demo.o1"), ORDER, 2)]
    requested = [record(CancellationRequested(order_id="demo.o1"), asked, 1)]
    partition = keys.status_partition("1", "CONFIRMED", "demo.o1")

    def listed_as(answer: str) -> list[str]:
        found = store.client.query(
            TableName=store.table,
            IndexName="GSI3",
            KeyConditionExpression="GSI2PK = :key AND begins_with(GSI3SK, :answer)",
            ExpressionAttributeValues={":key": {"S": partition}, ":answer": {"S": f"{answer}#2026-01-02T"}},
        )
        return [item["PK"]["S"].removeprefix("view#order#") for item in found["Items"]]

    courses = [confirmed, requested]
    for course in (courses[first], courses[1 - first]):
        assert listed_as("requested") == []
        assert OrderView(store).apply("1", course) == {}
    assert listed_as("requested") == ["demo.o1"]
    assert OrderView(store).differing("1", courses) == []
    refused = [record(OrderCancellationRefused(order_id="demo.o1", reason="it was dispatched"), asked, 2)]
    OrderView(store).apply("1", refused)
    assert (listed_as("requested"), listed_as("refused")) == ([], ["demo.o1"])
