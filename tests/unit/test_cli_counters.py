"""What was counted, as the command line shows it: a day's sales, and a customer's orders."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from typer.testing import Result

from events import streams
from events.model import DomainEvent
from events.ordering import OrderCancelled, OrderConfirmed
from handlers.projections.counter_views import SALES, day_views
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.projections.registry import PROJECTIONS
from handlers.queries.counters import CounterQueries
from handlers.table import keys
from handlers.table.event_store import EventStore
from infra.cli.connection import Connection
from tests.builders.commands import run_command
from tests.builders.environment import OUTPUTS
from tests.builders.orders import line, placed
from tests.builders.stores import append, calls

SECOND = "2"


def happened(store: EventStore, order_id: str, *events: DomainEvent, generation: str = "1") -> str:
    """Events of an order, in the log and in every view; returns their day."""
    records = append(store, streams.order(order_id), *events)
    for projection in (each.on(store) for each in PROJECTIONS.values()):
        assert not projection.apply(generation, records)
    return records[-1].occurred_at[:10]


def lines(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.stderr
    return [each.split("\t") for each in result.stdout.splitlines()]


def second_goes_live(store: EventStore, projection: str) -> None:
    GenerationStore(store.client, store.table).change(
        projection, lambda known: known.opened(restart=False).switched(SECOND)
    )


def test_a_days_sales_by_currency_and_by_product(store: EventStore) -> None:
    for number in range(6):  # on several shards
        order_id = f"demo.o{number}"
        goods = (line("A", 2, 100), line("B", 1, 50_000))
        day = happened(store, order_id, placed(order_id, *goods), OrderConfirmed(order_id=order_id))
    happened(
        store, "demo.yen", placed("demo.yen", line("A", 3, 7), currency="JPY"), OrderConfirmed(order_id="demo.yen")
    )
    happened(
        store, "demo.gone", placed("demo.gone", line("C", 1, 1), currency="EUR"), OrderConfirmed(order_id="demo.gone")
    )
    happened(store, "demo.gone", OrderCancelled(order_id="demo.gone", reason="CancellationRequested"))
    happened(store, "demo.open", placed("demo.open", line("D", 1, 1)))
    assert lines(run_command("sales", day)) == [["6", "GBP 3,012.00"], ["1", "JPY 21"]]
    assert lines(run_command("sales", day, "--products")) == [
        ["A", "12", "GBP 12.00"],
        ["B", "6", "GBP 3,000.00"],
        ["A", "3", "JPY 21"],
    ]


def test_a_day_without_sales_and_a_day_that_is_none(store: EventStore) -> None:
    result = run_command("sales", "2026-01-02")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing was sold on 2026-01-02\n")
    result = run_command("sales", "2026-02-30")
    assert (result.exit_code, result.stderr) == (2, "'2026-02-30' is no day: 2026-11-21\n")


def test_sales_are_of_the_generation_that_is_live(store: EventStore) -> None:
    day = happened(store, "demo.o1", placed("demo.o1"), OrderConfirmed(order_id="demo.o1"), generation=SECOND)
    assert lines(run_command("sales", day)) == []
    second_goes_live(store, "daily_sales")
    assert lines(run_command("sales", day)) == [["1", "GBP 1.00"]]


def test_sales_by_currency_do_not_read_the_products(store: EventStore) -> None:
    [view, *_] = day_views("2026-01-02")
    for detail in ("EUR", "GBP", *(f"GBP#{number}" for number in range(50)), "USD"):
        counted: dict[str, Any] = {"total": {"N": "1"}, "orders": {"N": "1"}}
        item = {**keys.counter(f"{SALES.prefix}{view}", "1", detail).attributes, **counted}
        store.client.put_item(TableName=store.table, Item=item)
    counters = CounterQueries(store, KnownGenerations(GenerationStore(store.client, store.table)))
    with calls(store.client) as made:
        assert list(counters.sales("2026-01-02")) == ["EUR", "GBP", "USD"]
    # One for each currency, one for the end of each shard, and one for the generation.
    assert Counter(made) == {"Query": 3 + len(day_views("")), "GetItem": 1}
    assert len(counters.products("2026-01-02")) == 50


def test_a_days_products_are_read_whatever_their_number(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    goods = [line(f"sku-{number}", 1, 1) for number in range(20)]
    day = happened(store, "demo.o1", placed("demo.o1", *goods), OrderConfirmed(order_id="demo.o1"))
    counters = CounterQueries(store, KnownGenerations(GenerationStore(store.client, store.table)))
    query = store.client.query

    def small_page(**request: Any) -> Any:
        return query(**{"Limit": 3, **request})

    monkeypatch.setattr(store.client, "query", small_page)
    assert len(counters.products(day)) == len(goods)


def test_what_a_customer_ordered_and_the_latest_orders(store: EventStore) -> None:
    for number in range(3):
        order_id = f"demo.o{number}"
        happened(store, order_id, placed(order_id, line(unit_price=1000)), OrderConfirmed(order_id=order_id))
    happened(store, "demo.o2", OrderCancelled(order_id="demo.o2", reason="CancellationRequested"))
    happened(
        store, "demo.yen", placed("demo.yen", line(unit_price=5), currency="JPY"), OrderConfirmed(order_id="demo.yen")
    )
    happened(store, "demo.other", placed("demo.other", customer={"customer_id": "c2"}))
    printed = lines(run_command("customer", "demo.c1", "--limit", "2"))
    assert printed[:5] == [
        ["placed", "4"],
        ["confirmed", "3"],
        ["cancelled", "1"],
        ["spent", "GBP 20.00"],
        ["spent", "JPY 5"],
    ]
    assert [[order, *rest] for order, _, *rest in printed[5:]] == [
        ["demo.yen", "CONFIRMED", "JPY 5"],
        ["demo.o2", "CANCELLED", "GBP 10.00"],
    ]


def test_a_customer_of_whom_nothing_is_known(store: EventStore) -> None:
    result = run_command("customer", "demo.c1")
    assert (result.exit_code, result.stderr) == (1, "there are no orders of a customer demo.c1, or not yet\n")


def test_customers_of_two_shops_may_have_one_number(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    happened(store, "demo.o1", placed("demo.o1", line(unit_price=100)))
    happened(store, "acme.o1", placed("acme.o1", line(unit_price=900)))
    for shop, total in (("demo", "GBP 1.00"), ("acme", "GBP 9.00")):
        *counted, [order_id, _, status, ordered] = lines(run_command("customer", f"{shop}.c1"))
        assert ["placed", "1"] in counted
        assert (order_id, status, ordered) == (f"{shop}.o1", "PLACED", total)
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, "Shops": "demo acme"})
    result = run_command("customer", "c1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "of which shop is the customer id 'c1'? Put the shop before it: demo.c1; there is: demo, acme\n"
    )


def test_the_shop_of_a_customer_may_be_left_out_where_there_is_one(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened(store, "demo.o1", placed("demo.o1"))
    monkeypatch.setattr(Connection, "outputs", OUTPUTS)
    assert lines(run_command("customer", "c1")) == lines(run_command("customer", "demo.c1"))


@pytest.mark.parametrize("unusable", ["two words", "demo.", ".c1", "Demo.c1", f"demo.{'x' * 65}"])
def test_a_customer_id_that_is_none_is_refused(unusable: str) -> None:
    result = run_command("customer", unusable)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"{unusable!r} is no customer id: 1 to 64 of A-Z, a-z, 0-9, _ and -, after its shop and a point\n"
    )


def test_a_reader_asks_for_generations_once_for_many_questions(store: EventStore) -> None:
    known = KnownGenerations(GenerationStore(store.client, store.table))
    with calls(store.client) as made:
        assert {known.live("stock_view") for _ in range(5)} == {"1"}
        assert {known.live("daily_sales") for _ in range(5)} == {"1"}
    assert made == ["GetItem", "GetItem"]


def test_a_reader_asks_again_before_it_gives_a_list_up(store: EventStore) -> None:
    kept = GenerationStore(store.client, store.table)
    known = KnownGenerations(kept)
    assert known.keeps("order_view", "1")
    assert not known.keeps("order_view", SECOND)
    second_goes_live(store, "order_view")
    assert known.keeps("order_view", SECOND)
    assert known.live("order_view") == SECOND
    kept.change("order_view", lambda each: each.closed(SECOND))
    assert known.keeps("order_view", "1"), "for a few seconds it goes by what it knows"


def test_a_reader_learns_of_a_switch_within_seconds(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("handlers.projections.engine.known_generations.time.monotonic", lambda: now[0])
    known = KnownGenerations(GenerationStore(store.client, store.table))
    assert known.live("stock_view") == "1"
    second_goes_live(store, "stock_view")
    assert known.live("stock_view") == "1"
    now[0] += 6
    assert known.live("stock_view") == SECOND
