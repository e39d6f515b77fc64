"""Replenishment: each time a SKU falls low one purchase order, fulfilled once its delivery is here, in any order."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import streams
from events.envelope import Recorded
from events.inventory import (
    MAX_PIECES,
    DeliveredLine,
    PurchaseOrderFulfilled,
    PurchaseOrderPlaced,
    StockLow,
    StockReceived,
)
from events.model import DomainEvent
from handlers.functions.main.replenishment import handler
from handlers.inventory.replenishment import purchase_order, replenish
from handlers.table.event_store import EventStore
from tests.builders.messages import CONTEXT, failed, from_bus, sqs
from tests.builders.races import Raced
from tests.builders.stores import append, clear, events_of, items, log

SKUS = st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z") | st.sampled_from(["A", "A-1", "1", "x" * 64, "-", "_"])
VERSIONS = st.integers(1, 10**9)
LOW = StockLow(sku="A", available=4, threshold=10, level_version=7)
ORDER = PurchaseOrderPlaced(purchase_order_id="po-A-7", sku="A", quantity=26)
FULFILLED = PurchaseOrderFulfilled(purchase_order_id="po-A-7")
PURCHASE = streams.purchase("po-A-7")


def id_of(sku: str, level_version: int) -> str:
    low = StockLow(sku=sku, available=0, threshold=1, level_version=level_version)
    return purchase_order(low).purchase_order_id


def received(store: EventStore, delivery_id: str = "po-A-7", chunks: int = 1) -> list[Recorded]:
    """All of a delivery is on the shelf."""
    lines = (DeliveredLine(sku="A", quantity=1),)
    parts = [StockReceived(delivery_id=delivery_id, chunk=n, chunks=chunks, lines=lines) for n in range(1, chunks + 1)]
    return append(store, streams.delivery(delivery_id), *parts)


def fell_low(store: EventStore) -> Recorded:
    return append(store, streams.stock("A"), LOW)[0]


def take(*events: Recorded) -> None:
    assert failed(handler(sqs(*map(from_bus, events)), CONTEXT)) == []


# What to order


@given(st.sets(st.tuples(SKUS, VERSIONS), min_size=2))
def test_every_crossing_of_every_sku_has_a_usable_id_of_its_own(crossings: set[tuple[str, int]]) -> None:
    ids = [id_of(*crossing) for crossing in crossings]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", each) for each in ids)
    assert ids == [id_of(*crossing) for crossing in crossings]


def test_an_id_shows_what_it_is_about_where_there_is_room() -> None:
    assert id_of("TEA-1", 12) == "po-TEA-1-12"
    assert id_of("x" * 59, 1) == f"po-{'x' * 59}-1"
    assert id_of("x" * 60, 1) == "po_" + id_of("x" * 60, 1)[3:] != id_of("x" * 60, 2)


@given(st.integers(1, MAX_PIECES).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_what_is_ordered_makes_up_three_thresholds_as_far_as_a_delivery_can(level: tuple[int, int]) -> None:
    available, threshold = level
    quantity = purchase_order(StockLow(sku="A", available=available, threshold=threshold, level_version=1)).quantity
    assert 0 < quantity <= MAX_PIECES
    assert available + quantity == 3 * threshold or quantity == MAX_PIECES
    assert available + quantity >= threshold


# From low stock to its delivery


def test_low_stock_is_ordered_once(store: EventStore) -> None:
    low = fell_low(store)
    take(low, low)
    take(low)
    [order] = store.read(PURCHASE)
    assert order.event == ORDER
    assert (order.metadata.correlation_id, order.metadata.causation_id) == ("A", low.event_id)


def test_a_purchase_order_is_fulfilled_by_the_delivery_with_its_id(store: EventStore) -> None:
    take(fell_low(store))
    [delivery] = received(store)
    take(delivery, delivery)
    take(delivery)
    assert events_of(store, PURCHASE) == [ORDER, FULFILLED]
    assert store.read(PURCHASE)[1].metadata.causation_id == delivery.event_id


def test_each_crossing_is_an_order_of_its_own(store: EventStore) -> None:
    again = LOW.model_copy(update={"available": 9, "level_version": 12})
    take(*append(store, streams.stock("A"), LOW, again))
    assert events_of(store, PURCHASE) == [ORDER]
    [second] = events_of(store, streams.purchase("po-A-12"))
    assert isinstance(second, PurchaseOrderPlaced)
    assert second.quantity == 21


def test_a_delivery_in_chunks_fulfils_when_the_last_one_is_here(store: EventStore) -> None:
    take(fell_low(store))
    first, last = received(store, chunks=2)
    take(first)
    assert events_of(store, PURCHASE) == [ORDER]
    take(last)
    take(first)
    assert events_of(store, PURCHASE) == [ORDER, FULFILLED]


def test_an_order_does_not_take_half_a_delivery_for_all_of_it(store: EventStore) -> None:
    half = StockReceived(delivery_id="po-A-7", chunk=1, chunks=2, lines=())
    append(store, streams.delivery("po-A-7"), half)
    take(fell_low(store))
    assert events_of(store, PURCHASE) == [ORDER]


def test_a_delivery_that_nobody_ordered_changes_nothing(store: EventStore) -> None:
    deliveries = received(store, "d1", chunks=2)
    before = items(store)
    take(*deliveries)
    assert items(store) == before


@pytest.mark.parametrize("quicker", ["order", "delivery"])
def test_the_second_of_two_messages_at_once_fulfils_the_order(store: EventStore, quicker: str) -> None:
    """The two messages are handled at the same time; one of them sees the log as it was before the other."""
    low, delivery = fell_low(store), None

    def meanwhile(stream: str, version: int) -> None:
        nonlocal delivery
        if (stream, version, delivery) == (PURCHASE, 1, None):
            [delivery] = received(store)
            if quicker == "delivery":
                take(delivery)

    replenish(Raced(store, before_append=meanwhile), low)
    if quicker == "order":
        assert delivery is not None
        take(delivery)
    assert events_of(store, PURCHASE) == [ORDER, FULFILLED]


def test_only_the_message_that_is_no_event_is_delivered_again(store: EventStore) -> None:
    low = from_bus(fell_low(store))
    assert failed(handler(sqs("not JSON", low), CONTEXT)) == ["m0"]
    assert events_of(store, PURCHASE) == [ORDER]


@given(
    chunks=st.integers(1, 3),
    others=st.integers(1, 2),
    dies=st.integers(0, 6),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=15)
def test_duplicates_late_messages_and_any_order_end_alike(
    store: EventStore, chunks: int, others: int, dies: int, order: random.Random
) -> None:
    """Every message once or more, shuffled; the handler fails before one append, and the message is delivered again."""
    clear(store)
    low = fell_low(store)
    messages = [low, *received(store, chunks=chunks), *received(store, "d1", chunks=others)]
    deliveries = [*messages, *order.choices(messages, k=4)]
    order.shuffle(deliveries)
    appends = itertools.count()

    def dying(stream: str, version: int) -> None:
        if next(appends) == dies:
            raise ConnectionError

    fragile = Raced(store, before_append=dying)
    for message in deliveries:
        try:
            replenish(fragile, message)
        except ConnectionError:
            replenish(fragile, message)
    bought: list[DomainEvent] = [each.event for each in log(store) if each.stream.startswith("purchase#")]
    assert bought == [ORDER, FULFILLED]
