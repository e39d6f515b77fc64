"""Two shops with the same own order ids and customer numbers: in every view, and to every command, each has its own."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from typer.testing import Result

from events import streams
from events.envelope import Recorded
from events.inventory import StockLine, StockReserved
from events.ordering import CancellationRequested, OrderCancellationStarted, OrderCancelled, OrderConfirmed
from events.privacy import CustomerErased
from handlers.ordering import submission
from handlers.projections.counter_views import CUSTOMERS, SALES, STOCK
from handlers.projections.registry import PROJECTIONS
from handlers.table import keys
from handlers.table.codec import numbers
from handlers.table.event_store import EventStore
from infra.cli.commands import COMMANDS
from infra.cli.connection import Connection
from infra.loading import load
from tests.builders.commands import run_command
from tests.builders.environment import OUTPUTS
from tests.builders.orders import invalid, line, order
from tests.builders.recorded_events import START
from tests.builders.stores import append, clear, items, log, place
from tests.builders.vault import KEY_OF_REJECTIONS

SHOPS = ("acme", "bloom")
PRICES = {"acme": 100, "bloom": 900}
"""What tells their orders apart."""

Key = tuple[str, str]


def has_orders(store: EventStore, shop: str) -> list[Recorded]:
    """A shop's orders o1 to o4, of which o1 to o3 are of its customer c1, and one that it sent wrong: in the log."""
    for own_id in ("o1", "o2", "o3"):
        place(store, f"{shop}.{own_id}", line(unit_price=PRICES[shop]))
    place(store, f"{shop}.o4", line(unit_price=PRICES[shop]), customer=None)
    for own_id in ("o1", "o3"):
        order_id = f"{shop}.{own_id}"
        reserved = StockReserved(order_id=order_id, chunk=1, chunks=1, lines=(StockLine(sku="A", quantity=1),))
        append(store, streams.reservation(order_id), reserved)
        append(store, streams.order(order_id), OrderConfirmed(order_id=order_id))
    append(store, streams.cancellation(f"{shop}.o1"), CancellationRequested(order_id=f"{shop}.o1"))
    ending = {"order_id": f"{shop}.o2", "reason": "OutOfStock"}
    append(store, streams.order(f"{shop}.o2"), OrderCancellationStarted(**ending), OrderCancelled(**ending))
    rejected = submission.rejected(shop, invalid(order("o5", line(quantity=0))), KEY_OF_REJECTIONS)
    append(store, streams.rejection(rejected.order_id, rejected.content_hash), rejected)
    erased = CustomerErased(order_id=f"{shop}.o3", customer_id=f"{shop}.c1")
    append(store, streams.erasure(f"{shop}.o3"), erased)
    return log(store)


def views(store: EventStore, records: Sequence[Recorded]) -> dict[Key, dict[str, Any]]:
    """All views of these events, with their keys in the indexes."""
    for projection in PROJECTIONS.values():
        assert projection.on(store).apply("1", records) == {}
    return {(item["PK"]["S"], item["SK"]["S"]): item for item in items(store, keys.VIEW)}


def of_kind(found: dict[Key, dict[str, Any]], *prefixes: str) -> dict[Key, dict[str, Any]]:
    return {key: item for key, item in found.items() if key[0].startswith(prefixes)}


@pytest.fixture
def at_one_time(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything happens at the same moment, whichever shop is first."""
    monkeypatch.setattr(store, "clock", lambda: START)


@pytest.fixture
def two_shops(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deployed has both shops."""
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, "Shops": " ".join(SHOPS)})


@pytest.fixture
def both(store: EventStore, two_shops: None) -> None:
    """The log and all views have the orders of both shops."""
    for shop in SHOPS:
        has_orders(store, shop)
    views(store, log(store))


# Views


@pytest.mark.usefixtures("at_one_time")
def test_no_view_of_a_shops_orders_or_customers_depends_on_another_shop(store: EventStore) -> None:
    alone: dict[str, dict[Key, dict[str, Any]]] = {}
    for shop in SHOPS:
        clear(store)
        alone[shop] = views(store, has_orders(store, shop))
    clear(store)
    for shop in SHOPS:
        has_orders(store, shop)
    together = views(store, log(store))

    own = (keys.ORDER_VIEWS, CUSTOMERS.prefix)
    acme, bloom = (of_kind(alone[shop], *own) for shop in SHOPS)
    assert not acme.keys() & bloom.keys()
    assert of_kind(together, *own) == acme | bloom
    for shop, found in zip(SHOPS, (acme, bloom), strict=True):
        [other] = {*SHOPS} - {shop}
        assert other not in json.dumps(list(found.values()))

    # Goods and sales are counted for all shops together, which operators alone are shown.
    common = (SALES.prefix, STOCK.prefix)
    assert of_kind(together, *own, *common) == together, "a view that is neither"
    assert sums(of_kind(together, *common)) == sums(of_kind(alone["acme"], *common)) + sums(
        of_kind(alone["bloom"], *common)
    )


def sums(counters: dict[Key, dict[str, Any]]) -> Counter[tuple[str, str]]:
    """What views count, the shards of a day added up."""
    added: Counter[tuple[str, str]] = Counter()
    for (pk, sk), item in counters.items():
        view = pk.rpartition("#")[0] if pk.startswith(SALES.prefix) else pk
        added.update({(f"{view} {sk}", name): number for name, number in numbers(item).items()})
    return added


# The command line

ORDER_ARGUMENTS = {
    ("status", "order_id"): ("status",),
    ("history", "order_id"): ("history",),
    ("resume", "order_ids"): ("resume",),
    ("tail", "order"): ("tail", "--order"),
    ("erase", "order"): ("erase", "--order"),
}
CUSTOMER_ARGUMENTS = {
    ("customer", "customer_id"): ("customer",),
    ("export", "customer"): ("export", "--customer"),
    ("erase", "customer"): ("erase", "--customer"),
}
"""Every argument that is an order or a customer, by command and parameter."""


def lines(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.stderr
    return [each.split("\t") for each in result.stdout.splitlines()]


def test_the_arguments_that_are_orders_and_customers_are_known_here() -> None:
    named = {
        (command.name, parameter)
        for command in COMMANDS
        for parameter in inspect.signature(load(command.function)).parameters
        if re.fullmatch("(order|customer)(_ids?)?", parameter)
    }
    assert named == ORDER_ARGUMENTS.keys() | CUSTOMER_ARGUMENTS.keys()


@pytest.mark.parametrize("command", ORDER_ARGUMENTS.values(), ids=" ".join)
@pytest.mark.usefixtures("store", "two_shops")
def test_of_which_shop_an_order_is_has_to_be_said(command: Sequence[str]) -> None:
    assert refused(run_command(*command, "o1")) == (
        "of which shop is the order id 'o1'? Put the shop before it: acme.o1; there is: acme, bloom"
    )


@pytest.mark.parametrize("command", CUSTOMER_ARGUMENTS.values(), ids=" ".join)
@pytest.mark.usefixtures("store", "two_shops")
def test_of_which_shop_a_customer_is_has_to_be_said(command: Sequence[str]) -> None:
    assert refused(run_command(*command, "c1")) == (
        "of which shop is the customer id 'c1'? Put the shop before it: acme.c1; there is: acme, bloom"
    )


def refused(result: Result) -> str:
    """The one line that says what is wrong."""
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.strip()


@pytest.mark.usefixtures("both")
def test_a_command_about_an_order_or_customer_shows_those_of_its_shop_alone() -> None:
    for shop, other in (SHOPS, SHOPS[::-1]):
        shows_its_own_alone(shop, other)


def shows_its_own_alone(shop: str, other: str) -> None:
    price = f"GBP {PRICES[shop] / 100:.2f}"
    shown = [
        *(run_command(question, f"{shop}.{own}") for question in ("status", "history") for own in ("o1", "o2", "o5")),
        run_command("customer", f"{shop}.c1"),
        run_command("export", "--customer", f"{shop}.c1"),
        *(run_command("orders", "--shop", shop, "--status", status) for status in ("CONFIRMED", "CANCELLED")),
    ]
    for result in shown:
        assert result.exit_code == 0, result.stderr
        assert result.stdout
        assert other not in result.stdout
    assert ["total", price] in lines(run_command("status", f"{shop}.o1"))
    assert lines(run_command("history", f"{shop}.o1"))[0][-1] == f"{price}, 1 line"
    assert {tuple(row[::2]) for row in lines(run_command("customer", f"{shop}.c1"))[-3:]} == {
        (f"{shop}.o1", "CONFIRMED"),
        (f"{shop}.o2", "CANCELLED"),
        (f"{shop}.o3", "CONFIRMED"),
    }


def test_what_is_of_all_shops_names_the_shop_or_adds_up(store: EventStore, both: None) -> None:
    listed = [row[0] for row in lines(run_command("orders", "--status", "CONFIRMED"))]
    assert sorted(listed) == sorted(f"{shop}.{own}" for shop in SHOPS for own in ("o1", "o3"))
    [day] = {each.occurred_at[:10] for each in log(store) if isinstance(each.event, OrderConfirmed)}
    assert lines(run_command("sales", day)) == [["4", "GBP 20.00"]]
    level = {**keys.level("A").attributes, "available": {"N": "6"}}
    store.client.put_item(TableName=store.table, Item=level)
    assert lines(run_command("stock", "A")) == [["A", "6", "4", "0"]]
