"""Lists of orders while orders move on: each is listed once, and none is missed."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from events import streams
from events.ordering import OrderConfirmed
from handlers.api.answers import Status
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.projections.order_view import ORDER_VIEW
from handlers.projections.registry import PROJECTIONS
from handlers.queries.orders import OrderQueries
from handlers.table.event_store import EventStore
from tests.builders.stores import append, log, place


def project(store: EventStore) -> None:
    PROJECTIONS[ORDER_VIEW.name].on(store).apply("1", log(store))


@pytest.mark.parametrize("asked", range(8, 24))
def test_an_order_that_is_confirmed_while_a_list_is_read_is_in_it_once(store: EventStore, asked: int) -> None:
    """At whichever question to the index it is: first the partitions of orders placed are asked, then the others."""
    for own_id in ("o1", "o2"):
        place(store, f"demo.{own_id}")
    project(store)
    questions = 0

    def before_question(**_: Any) -> None:
        nonlocal questions
        if questions == asked:
            questions += 1
            append(store, streams.order("demo.o1"), OrderConfirmed(order_id="demo.o1"))
            project(store)
        questions += 1

    queries = OrderQueries(store, KnownGenerations(GenerationStore(store.client, store.table)))
    queries.generation()
    store.client.meta.events.register("before-call.dynamodb.Query", before_question)
    try:
        page = queries.orders_of_shops(["demo"], get_args(Status), None, 10)
    finally:
        store.client.meta.events.unregister("before-call.dynamodb.Query", before_question)
    assert sorted(each["order_id"] for each in page[0]) == ["demo.o1", "demo.o2"]
