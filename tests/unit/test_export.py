"""All that is held on a customer, as one JSON document: persons, events and views, and nothing of anybody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events import streams
from events.ordering import OrderPlaced
from handlers.functions.personal_data import vault
from handlers.projections.registry import PROJECTIONS
from handlers.table.event_store import EventStore
from tests.builders.commands import run_command
from tests.builders.environment import DEAD_LETTER_BUCKET, ERASURE_LEDGER, OUTPUTS
from tests.builders.erasing import buckets, confirm, erase, place
from tests.builders.stores import events_of, log
from tests.engines.in_process import Functions

ADDRESS = {"name": "Ada", "street": "12 Row", "city": "London", "postal_code": "N1 9GU", "country": "GB"}
PERSON = {"address": ADDRESS, "email": "ada@customers.example", "descriptions": {"0": "a gift"}}


@pytest.fixture(autouse=True)
def functions(store: EventStore) -> Functions:
    """The functions; a customer has two orders, others one each, and views show them."""
    functions = Functions()
    place(functions, "demo.o1", "demo.o2")
    place(functions, "demo.other", customer="c2")
    place(functions, "demo.guest", customer=None)
    confirm(store, "demo.o1", "demo.o2", "demo.other", "demo.guest")
    project(store)
    return functions


def project(store: EventStore) -> None:
    for projection in PROJECTIONS.values():
        assert projection.on(store).apply("1", log(store)) == {}


def exported(customer: str = "demo.c1") -> Any:
    done = run_command("export", "--customer", customer)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_it_has_the_persons_the_events_and_the_views_of_a_customers_orders() -> None:
    document = exported()
    assert document["customer_id"] == "demo.c1"
    assert [(each["order_id"], each["person"]) for each in document["orders"]] == [
        ("demo.o1", PERSON),
        ("demo.o2", PERSON),
    ]
    for order in document["orders"]:
        assert [event["type"] for event in order["events"]] == ["OrderPlaced", "OrderConfirmed"]
        assert order["view"]["status"] == "CONFIRMED"
        assert order["events"][0]["data"]["customer_id"] == "demo.c1"
        assert order["events"][0]["door"] == "bus"
    assert document["counts"] == {"placed": 2, "confirmed": 2, "spent_GBP": 200}
    assert document["events"] == []


def test_why_an_order_was_cancelled_is_in_it(store: EventStore) -> None:
    placed, _ = events_of(store, streams.order("demo.o2"))
    assert isinstance(placed, OrderPlaced)
    vault().keep_reason(placed, "I moved")
    assert exported()["orders"][1]["person"] == {**PERSON, "cancellation_reason": "I moved"}


def test_neither_others_nor_secrets_are_in_it() -> None:
    text = json.dumps(exported())
    assert not [each for each in ("other", "guest", "demo.c2", "tok_approve", "content_key", "GSI") if each in text]


def test_of_the_erased_it_has_what_is_left(store: EventStore, functions: Functions) -> None:
    for bucket in (DEAD_LETTER_BUCKET, ERASURE_LEDGER):
        buckets().create_bucket(Bucket=bucket)
    erase(functions, customer_id="demo.c1")
    project(store)
    document = exported()
    assert [each["person"] for each in document["orders"]] == ["erased", "erased"]
    assert [each["view"]["personal_data"] for each in document["orders"]] == ["erased", "erased"]
    assert [each["events"][-1]["type"] for each in document["orders"]] == ["CustomerErased", "CustomerErased"]
    assert [event["type"] for event in document["events"]] == ["CustomerErased"]
    assert "Ada" not in json.dumps(document)


def test_the_shop_may_be_left_out_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.connection.Connection.outputs", OUTPUTS)
    assert exported("c1") == exported("demo.c1")


def test_where_nothing_is_held_it_says_so() -> None:
    done = run_command("export", "--customer", "demo.nobody")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "nothing is held on a customer demo.nobody\n"
