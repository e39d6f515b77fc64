"""Inventory: stock is reserved, released and delivered in balance, and each fall below a threshold is recorded once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from events.inventory import (
    ReservationRefused,
    StockLine,
    StockLow,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShipped,
)
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed, OrderLine
from events.shipping import ShipmentDispatched
from handlers.functions.main import delivery_intake, stock_watch
from handlers.functions.main import shipped_stock as shipped_stock_function
from handlers.intake.validation import Refused
from handlers.inventory import deliveries, low_stock, reservation
from handlers.inventory.refusals import OutOfStock
from handlers.inventory.reservation import CHUNK, chunks, fold, shipped
from handlers.inventory.stock_levels import DEFAULT_THRESHOLD, put_back, take
from handlers.inventory.stock_steps import release_stock, reserve_stock
from handlers.ordering.outcome import start_cancellation
from handlers.ordering.refusals import AlreadyCancelled, AlreadyConfirmed, OrderCancelling, OrderNotFound
from handlers.retry_policy import Contended, Throttled
from handlers.table.event_store import EventStore
from tests.builders.dead_letter_queue import dead_letters
from tests.builders.messages import CONTEXT, failed, from_bus, from_publisher, inserted, request, sqs
from tests.builders.orders import line
from tests.builders.races import Raced, cancelled_meanwhile
from tests.builders.recorded_events import names, record
from tests.builders.stores import append, calls, clear, events_of, items, log, place

SKUS = st.sampled_from(["A", "B", "C", "a", "SKU-1", "SKU-10", "SKU-2"])


def delivery(delivery_id: str, *lines: dict[str, Any]) -> dict[str, Any]:
    return {"delivery_id": delivery_id, "lines": list(lines)}


def deliver(store: EventStore, delivery_id: str, *lines: dict[str, Any]) -> None:
    deliveries.receive(store, request(delivery(delivery_id, *lines), shop=None))


def goods(sku: str, quantity: int, threshold: int | None = None) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity} | ({} if threshold is None else {"threshold": threshold})


def levels(store: EventStore) -> dict[str, int]:
    return {item["PK"]["S"].removeprefix("level#"): int(item["available"]["N"]) for item in items(store, "level#")}


def balance(store: EventStore) -> dict[str, int]:
    """What the log says is available: what came in and back, less what was reserved."""
    sums: Counter[str] = Counter()
    for each_record in log(store):
        event = each_record.event
        if isinstance(event, StockReceived | StockReleased | StockReserved):
            for each in event.lines:
                sums[each.sku] += -each.quantity if isinstance(event, StockReserved) else each.quantity
    return dict(sums)


# Chunks


@given(st.lists(st.tuples(SKUS | st.integers(0, 300).map(lambda n: f"S{n}"), st.integers(1, 1_000_000)), min_size=1))
def test_chunks_hold_what_was_ordered_once_sorted_and_in_transactions_that_fit(ordered: list[tuple[str, int]]) -> None:
    wanted: Counter[str] = Counter()
    for sku, quantity in ordered:
        wanted[sku] += quantity
    parts = chunks(OrderLine(sku=sku, quantity=quantity, unit_price=1) for sku, quantity in ordered)
    flat = [each for part in parts for each in part]
    assert {each.sku: each.quantity for each in flat} == wanted
    assert [each.sku for each in flat] == sorted(wanted)
    assert all(len(part) == CHUNK for part in parts[:-1])
    assert 1 <= len(parts[-1]) <= CHUNK == 99


def test_an_order_of_as_much_as_is_allowed_of_one_sku_is_one_line() -> None:
    [[merged]] = chunks([OrderLine(sku="A", quantity=1_000_000, unit_price=0)] * 1_000)
    assert merged.quantity == 10**9


# Reserving and releasing


def test_what_is_reserved_is_taken_from_the_levels_once(store: EventStore) -> None:
    deliver(store, "d1", goods("A", 10), goods("B", 5))
    place(store, "demo.o1", line("A", 2), line("B", 5), line("A", 1))
    for _ in range(3):
        reserve_stock(store, "demo.o1")
    assert levels(store) == balance(store) == {"A": 7, "B": 0}
    assert names(events_of(store, "reservation#demo.o1")) == ["StockReserved"]


def test_what_is_not_there_is_refused_by_name_and_takes_nothing(store: EventStore) -> None:
    deliver(store, "d1", goods("A", 10), goods("B", 5))
    place(store, "demo.o1", line("A", 1), line("B", 6), line("NEVER-SEEN", 1))
    for _ in range(2):
        with pytest.raises(OutOfStock, match="not enough of B, NEVER-SEEN"):
            reserve_stock(store, "demo.o1")
    assert events_of(store, "reservation#demo.o1") == [ReservationRefused(order_id="demo.o1", skus=("B", "NEVER-SEEN"))]
    assert levels(store) == {"A": 10, "B": 5}
    release_stock(store, "demo.o1")
    assert len(events_of(store, "reservation#demo.o1")) == 1


def test_a_refusal_stays_also_when_goods_are_delivered_later(store: EventStore) -> None:
    deliver(store, "d1", goods("A", 1))
    place(store, "demo.o1", line("A", 2))
    with pytest.raises(OutOfStock):
        reserve_stock(store, "demo.o1")
    deliver(store, "d2", goods("A", 5))
    with pytest.raises(OutOfStock):
        reserve_stock(store, "demo.o1")
    assert levels(store) == {"A": 6}


def test_what_is_released_goes_back_once(store: EventStore) -> None:
    deliver(store, "d1", goods("A", 10), goods("B", 5))
    place(store, "demo.o1", line("A", 2), line("B", 5))
    reserve_stock(store, "demo.o1")
    for _ in range(3):
        release_stock(store, "demo.o1")
    assert levels(store) == balance(store) == {"A": 10, "B": 5}
    assert names(events_of(store, "reservation#demo.o1")) == ["StockReserved", "StockReleased"]


def test_a_release_over_nothing_closes_the_reservation(store: EventStore) -> None:
    deliver(store, "d1", goods("A", 10))
    place(store, "demo.o1", line("A", 2))
    for _ in range(2):
        release_stock(store, "demo.o1")
    with pytest.raises(RuntimeError, match="nobody cancels"):
        reserve_stock(store, "demo.o1")
    with pytest.raises(OrderCancelling):
        reserve_stock(cancelled_meanwhile(store), "demo.o1")
    assert levels(store) == {"A": 10}
    assert events_of(store, "reservation#demo.o1") == [StockReleased(order_id="demo.o1", chunk=0)]


def many(count: int, quantity: int = 1) -> list[dict[str, Any]]:
    return [line(f"SKU-{number:04}", quantity) for number in range(count)]


@pytest.fixture
def chunks_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto takes seconds for a transaction of 100 items."""
    monkeypatch.setattr(reservation, "CHUNK", 3)
    monkeypatch.setattr(deliveries, "CHUNK", 3)


@pytest.mark.usefixtures("chunks_of_three")
def test_an_order_of_many_skus_is_taken_in_chunks_and_put_back_in_chunks(store: EventStore) -> None:
    deliver(store, "d1", *[goods(each["sku"], 2) for each in many(8)])
    received = [event for event in events_of(store, "delivery#d1") if isinstance(event, StockReceived)]
    assert [(event.chunk, event.chunks, len(event.lines)) for event in received] == [(1, 3, 3), (2, 3, 3), (3, 3, 2)]
    place(store, "demo.o1", *many(8))
    for _ in range(2):
        reserve_stock(store, "demo.o1")
    reserved = [event for event in events_of(store, "reservation#demo.o1") if isinstance(event, StockReserved)]
    assert [(event.chunk, event.chunks, len(event.lines)) for event in reserved] == [(1, 3, 3), (2, 3, 3), (3, 3, 2)]
    assert set(levels(store).values()) == {1}
    for _ in range(2):
        release_stock(store, "demo.o1")
    assert set(levels(store).values()) == {2}
    assert names(events_of(store, "reservation#demo.o1")) == ["StockReserved"] * 3 + ["StockReleased"] * 3


@pytest.mark.usefixtures("chunks_of_three")
def test_chunks_already_taken_go_back_when_the_last_one_is_short(store: EventStore) -> None:
    deliver(store, "d1", *[goods(each["sku"], 1 if each["sku"] == "SKU-0006" else 5) for each in many(8)])
    before = levels(store)
    place(store, "demo.o1", *many(8, quantity=2))
    for _ in range(2):
        with pytest.raises(OutOfStock, match=r"not enough of SKU-0006$"):
            reserve_stock(store, "demo.o1")
    assert levels(store) == balance(store) != before
    for _ in range(2):
        release_stock(store, "demo.o1")
    assert levels(store) == balance(store) == before
    history = names(events_of(store, "reservation#demo.o1"))
    assert history == ["StockReserved", "StockReserved", "ReservationRefused", "StockReleased", "StockReleased"]
    with pytest.raises(OutOfStock):
        reserve_stock(store, "demo.o1")


def test_an_order_of_250_skus_is_three_transactions(store: EventStore) -> None:
    """As many as DynamoDB takes: 99 levels and the event in the first two; the last one is short."""
    for number, each in enumerate(many(250)):
        available = {"available": {"N": str(2 - number // 249)}, "version": {"N": "1"}, "previous": {"N": "0"}}
        store.client.put_item(
            TableName=store.table, Item={"PK": {"S": f"level#{each['sku']}"}, "SK": {"S": "level"}, **available}
        )
    place(store, "demo.o1", *many(250, quantity=2))
    with calls(store.client) as made, pytest.raises(OutOfStock, match=r"not enough of SKU-0249$"):
        reserve_stock(store, "demo.o1")
    assert made.count("TransactWriteItems") == 3
    reserved = [event for event in events_of(store, "reservation#demo.o1") if isinstance(event, StockReserved)]
    assert [len(event.lines) for event in reserved] == [99, 99]
    assert list(levels(store).values()) == [0] * 198 + [2] * 51 + [1]


@pytest.mark.usefixtures("chunks_of_three")
def test_a_release_in_the_middle_of_a_reservation_stops_it(store: EventStore) -> None:
    """Another execution of the saga cancels the order while this one takes its second chunk."""
    deliver(store, "d1", *[goods(each["sku"], 2) for each in many(5)])
    place(store, "demo.o1", *many(5))

    def quicker(stream: str, version: int) -> None:
        if version == 2:
            append(store, "order#demo.o1", OrderCancellationStarted(order_id="demo.o1", reason="x"))
            release_stock(store, "demo.o1")

    with pytest.raises(OrderCancelling):
        reserve_stock(Raced(store, before_append=quicker), "demo.o1")
    assert set(levels(store).values()) == {2}
    assert names(events_of(store, "reservation#demo.o1")) == ["StockReserved", "StockReleased"]


def test_a_conflict_of_transactions_never_refuses_an_order(store: EventStore) -> None:
    deliver(store, "d1", goods("A", 1))
    event = place(store, "demo.o1", line("A", 1))
    [order_item] = items(store, "order#")
    with Stubber(store.client) as stub:
        stub.add_response("query", {"Items": [order_item]})
        stub.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            modeled_fields={
                "CancellationReasons": [{"Code": "ConditionalCheckFailed"}, {"Code": "TransactionConflict"}]
            },
        )
        with pytest.raises(Contended):
            reserve_stock(store, event.order_id)
    assert events_of(store, "reservation#demo.o1") == []


@pytest.mark.parametrize(
    ("history", "refusal"),
    [
        ([OrderConfirmed(order_id="demo.o1")], AlreadyConfirmed),
        ([OrderCancellationStarted(order_id="demo.o1", reason="x")], OrderCancelling),
        (
            [OrderCancellationStarted(order_id="demo.o1", reason="x"), OrderCancelled(order_id="demo.o1", reason="x")],
            AlreadyCancelled,
        ),
    ],
)
def test_an_order_with_an_outcome_takes_nothing(
    store: EventStore, history: list[Any], refusal: type[Exception]
) -> None:
    deliver(store, "d1", goods("A", 10))
    place(store, "demo.o1", line("A", 1))
    append(store, "order#demo.o1", *history)
    with pytest.raises(refusal):
        reserve_stock(store, "demo.o1")
    assert levels(store) == {"A": 10}


def test_an_order_nobody_knows_takes_nothing(store: EventStore) -> None:
    for command in (reserve_stock, release_stock):
        with pytest.raises(OrderNotFound):
            command(store, "demo.o9")
    assert items(store) == []


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["deliver", "reserve", "reserve", "release"]), st.integers(0, 3), st.integers(1, 2)),
        max_size=6,
    ),
    wanted=st.lists(st.dictionaries(st.sampled_from("ABC"), st.integers(1, 5), min_size=1), min_size=4, max_size=4),
)
@settings(max_examples=10)
def test_stock_balances_whatever_is_delivered_reserved_and_released(
    store: EventStore, steps: list[tuple[str, int, int]], wanted: list[dict[str, int]]
) -> None:
    """Four deliveries and four orders of the same goods, each step delivered once or twice."""
    clear(store)
    for number, content in enumerate(wanted):
        place(store, f"demo.o{number}", *[line(sku, quantity) for sku, quantity in content.items()])
    for step, number, times in steps:
        order_id = f"demo.o{number}"
        for _ in range(times):
            try:
                if step == "deliver":
                    deliver(store, f"d{number}", *[goods(sku, n) for sku, n in wanted[number].items()])
                elif step == "reserve":
                    reserve_stock(store, order_id)
                else:
                    start_cancellation(store, order_id, "x")
                    release_stock(store, order_id)
            except (OutOfStock, OrderCancelling):
                pass
    found = levels(store)
    assert all(found.get(sku, 0) == quantity for sku, quantity in balance(store).items())
    assert all(quantity >= 0 for quantity in found.values())


# Dispatched orders


def dispatched(store: EventStore, times: int = 1) -> None:
    event = record(ShipmentDispatched(order_id="demo.o1"), "shipment#demo.o1", 2)
    assert failed(shipped_stock_function.handler(sqs(*[from_bus(event)] * times), CONTEXT)) == []


@pytest.mark.usefixtures("chunks_of_three")
def test_what_is_dispatched_is_shipped_once_and_never_released(store: EventStore) -> None:
    deliver(store, "d1", *[goods(each["sku"], 2) for each in many(5)])
    place(store, "demo.o1", *many(5))
    reserve_stock(store, "demo.o1")
    dispatched(store, times=2)
    dispatched(store)
    release_stock(store, "demo.o1")
    events = events_of(store, "reservation#demo.o1")
    reserved = [(event.chunk, event.lines) for event in events if isinstance(event, StockReserved)]
    assert [(event.chunk, event.lines) for event in events if isinstance(event, StockShipped)] == reserved
    assert names(events) == ["StockReserved"] * 2 + ["StockShipped"] * 2
    assert set(levels(store).values()) == {1}


@pytest.mark.usefixtures("chunks_of_three")
def test_shipping_goes_on_where_it_stopped(store: EventStore) -> None:
    deliver(store, "d1", *[goods(each["sku"], 2) for each in many(5)])
    place(store, "demo.o1", *many(5))
    reserve_stock(store, "demo.o1")
    first = shipped(fold(store.read("reservation#demo.o1")), "demo.o1")[0]
    append(store, "reservation#demo.o1", first)
    dispatched(store)
    assert [event.chunk for event in events_of(store, "reservation#demo.o1") if isinstance(event, StockShipped)] == [
        1,
        2,
    ]


# Deliveries


def test_a_delivery_reported_twice_counts_once(store: EventStore) -> None:
    told_twice = from_publisher(delivery("d1", goods("A", 5), goods("B", 1), goods("A", 2)), "StockDelivered")
    assert failed(delivery_intake.handler(sqs(told_twice, told_twice), CONTEXT)) == []
    assert failed(delivery_intake.handler(sqs(told_twice), CONTEXT)) == []
    assert levels(store) == {"A": 7, "B": 1}
    assert dead_letters() == []


@pytest.mark.usefixtures("chunks_of_three")
def test_other_goods_under_a_known_delivery_id_are_a_dead_letter_message(store: EventStore) -> None:
    deliver(store, "d1", goods("A", 5))
    other = [goods(each["sku"], 1) for each in many(5)]
    with pytest.raises(Refused, match="delivery_id"):
        deliver(store, "d1", *other)
    assert failed(delivery_intake.handler(sqs(from_publisher(delivery("d1", *other), "StockDelivered")), CONTEXT)) == []
    assert "other content" in dead_letters()[0]["MessageAttributes"]["reasons"]["StringValue"]
    assert levels(store) == {"A": 5}


@pytest.mark.usefixtures("chunks_of_three")
def test_a_delivery_that_broke_off_goes_on_where_it_did(store: EventStore) -> None:
    parts = [goods(each["sku"], 1) for each in many(5)]

    def broken(stream: str, version: int) -> None:
        if version == 2:
            raise Throttled

    with pytest.raises(Throttled):
        deliver(Raced(store, before_append=broken), "d1", *parts)
    deliver(store, "d1", *parts)
    assert set(levels(store).values()) == {1}
    assert len(levels(store)) == 5


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (delivery("d1"), "lines"),
        (delivery("d 1", goods("A", 1)), "delivery_id"),
        (delivery("d1", goods("A", 0)), "lines.0.quantity"),
        (delivery("d1", goods("A", 10**9), goods("A", 1)), "quantity"),
        (delivery("d1", goods("A", 1, threshold=-1)), "lines.0.threshold"),
        (delivery("d1", goods("A", 1, threshold=10**40)), "lines.0.threshold"),
        ({"lines": [goods("A", 1)]}, "delivery_id"),
        ([], ""),
    ],
)
def test_a_wrong_delivery_is_a_dead_letter_message_that_says_why(store: EventStore, wrong: Any, why: str) -> None:
    assert failed(delivery_intake.handler(sqs(from_publisher(wrong, "StockDelivered")), CONTEXT)) == []
    [message] = dead_letters()
    assert message["MessageAttributes"]["reasons"]["StringValue"].startswith(why)
    assert items(store) == []


def test_a_threshold_stays_until_a_delivery_brings_another(store: EventStore) -> None:
    def thresholds() -> dict[str, str]:
        return {item["PK"]["S"]: item["threshold"]["N"] for item in items(store, "level#")}

    deliver(store, "d1", goods("A", 1, threshold=3), goods("B", 1))
    deliver(store, "d2", goods("A", 1), goods("B", 1, threshold=0))
    assert thresholds() == {"level#A": "3", "level#B": "0"}
    deliver(store, "d3", goods("A", 1, threshold=4), goods("A", 1))
    assert thresholds() == {"level#A": "4", "level#B": "0"}


# The stock watch


def watch(images: Iterable[dict[str, Any]]) -> None:
    stock_watch.handler({"Records": [inserted(image) for image in images]}, CONTEXT)


def level(
    version: int, previous: int, available: int, threshold: int = 10, previous_threshold: int | None = None
) -> dict[str, Any]:
    numbers = {"version": version, "previous": previous, "available": available, "threshold": threshold}
    if previous_threshold is not None:
        numbers["previous_threshold"] = previous_threshold
    return {"PK": {"S": "level#A"}, "SK": {"S": "level"}} | {k: {"N": str(n)} for k, n in numbers.items()}


@pytest.mark.parametrize(
    ("previous", "available", "low"),
    [(10, 9, True), (11, 9, True), (10, 10, False), (9, 8, False), (9, 20, False), (0, 5, False), (20, 10, False)],
)
def test_a_level_is_low_when_it_falls_under_its_threshold(previous: int, available: int, *, low: bool) -> None:
    assert (low_stock.crossing(level(1, previous, available)) is not None) is low


@pytest.mark.parametrize(
    ("previous", "previous_threshold", "available", "threshold", "low"),
    [
        (5, 3, 6, 10, True),  # a higher threshold overtook the goods that came with it
        (5, 3, 6, 6, False),
        (5, 10, 6, 20, False),  # it was low before
        (5, 10, 6, 3, False),  # a lower threshold
        (0, 0, 5, 10, True),  # a SKU's first delivery
        (0, 0, 10, 10, False),
        (0, 0, 5, 0, False),
        (2, 0, 3, 0, False),  # a threshold of 0: never low
    ],
)
def test_a_delivery_makes_a_level_low_by_raising_its_threshold(
    previous: int, previous_threshold: int, available: int, threshold: int, *, low: bool
) -> None:
    changed = level(2, previous, available, threshold, previous_threshold)
    assert (low_stock.crossing(changed) is not None) is low


def test_low_stock_is_recorded_with_what_is_left(store: EventStore) -> None:
    watch([level(7, 12, 9)])
    assert events_of(store, "stock#A") == [StockLow(sku="A", available=9, threshold=10, level_version=7)]


@given(
    levels=st.lists(st.integers(0, 20), min_size=1, max_size=12),
    batches=st.integers(1, 6),
    seed=st.randoms(use_true_random=False),
)
@settings(max_examples=15)
def test_each_crossing_is_recorded_once_however_it_is_delivered(
    store: EventStore, levels: list[int], batches: int, seed: random.Random
) -> None:
    """In the order of the changes, in batches of any size, doubled, and a batch again from its beginning."""
    clear(store)
    steps = list(enumerate(zip([0, *levels[:-1]], levels, strict=True), start=1))
    changes = [level(version, before, now) for version, (before, now) in steps]
    crossings = [version for version, (before, now) in steps if now < 10 <= before]
    for start in range(0, len(changes), batches):
        batch = [each for each in changes[start : start + batches] for _ in range(seed.choice([1, 1, 2]))]
        watch(batch[: seed.randrange(len(batch) + 1)])
        watch(batch)
    low = [event for event in events_of(store, "stock#A") if isinstance(event, StockLow)]
    assert [event.level_version for event in low] == crossings


def test_a_crossing_is_recorded_though_another_one_is_quicker(store: EventStore) -> None:
    """An invocation that is thought dead may still be writing when its batch is delivered again."""
    earlier, later = (StockLow(sku="A", available=9, threshold=10, level_version=version) for version in (2, 7))

    def quicker(stream: str, version: int) -> None:
        if version == 1:
            low_stock.record_crossing(store, earlier)

    low_stock.record_crossing(Raced(store, before_append=quicker), later)
    assert events_of(store, "stock#A") == [earlier, later]


def test_real_changes_of_a_level_show_each_crossing(store: EventStore) -> None:
    def watched() -> None:
        watch(items(store, "level#"))

    deliver(store, "d1", goods("A", 12, threshold=10))
    watched()
    for number in range(4):
        place(store, f"demo.o{number}", line("A", 2))
        reserve_stock(store, f"demo.o{number}")
        watched()
    release_stock(store, "demo.o0")
    watched()
    deliver(store, "d2", goods("A", 4))
    watched()
    place(store, "demo.o9", line("A", 3))
    reserve_stock(store, "demo.o9")
    watched()
    assert [event.available for event in events_of(store, "stock#A") if isinstance(event, StockLow)] == [8, 7]


STEPS = st.lists(
    st.tuples(st.just("deliver"), st.integers(1, 9), st.none() | st.integers(0, 12))
    | st.tuples(st.sampled_from(["take", "put back"]), st.integers(1, 9), st.none()),
    max_size=8,
)


@given(first=st.tuples(st.integers(1, 15), st.none() | st.integers(0, 12)), steps=STEPS)
@settings(max_examples=15)
def test_real_changes_of_levels_and_thresholds_show_each_crossing(
    store: EventStore, first: tuple[int, int | None], steps: list[tuple[str, int, int | None]]
) -> None:
    """Low is what lies below its threshold: recorded each time that a level becomes low, whatever makes it so."""
    clear(store)
    expected: list[tuple[int, int]] = []
    available, threshold, was_low = 0, DEFAULT_THRESHOLD, False
    for number, (step, quantity, brought) in enumerate([("deliver", *first), *steps]):
        moved = goods("A", quantity, brought)
        changed = StockLine(sku="A", quantity=quantity)
        if step == "deliver":
            deliver(store, f"d{number}", moved)
            available, threshold = available + quantity, threshold if brought is None else brought
        elif step == "take" and quantity > available:
            continue
        else:
            change = {"take": take, "put back": put_back}[step](store.table, [changed])
            store.client.transact_write_items(TransactItems=change)
            available += quantity if step == "put back" else -quantity
        watch(items(store, "level#"))
        if available < threshold and not was_low:
            expected.append((available, threshold))
        was_low = available < threshold
    low = [event for event in events_of(store, "stock#A") if isinstance(event, StockLow)]
    assert [(event.available, event.threshold) for event in low] == expected


def test_a_level_written_before_thresholds_were_kept_goes_on(store: EventStore) -> None:
    store.client.put_item(TableName=store.table, Item=level(3, 15, 12))
    for number, quantity in enumerate((3, 1)):
        place(store, f"demo.o{number}", line("A", quantity))
        reserve_stock(store, f"demo.o{number}")
        watch(items(store, "level#"))
    deliver(store, "d1", goods("A", 1, threshold=30))
    watch(items(store, "level#"))
    assert events_of(store, "stock#A") == [StockLow(sku="A", available=9, threshold=10, level_version=4)]
