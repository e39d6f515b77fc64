"""Orders of callers: who ordered is whoever the token says, and which order it is says the gateway, not the body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events import streams
from events.ordering import OrderPlaced, OrderRejected
from handlers.functions.main.order_intake import handler
from handlers.intake.callers import OPERATE
from handlers.projections.order_view import OrderView
from handlers.table.event_store import EventStore
from tests.builders.api import CALLER, ask, content_of, problem, submitted
from tests.builders.dead_letter_queue import dead_letters
from tests.builders.messages import CONTEXT, failed, sqs
from tests.builders.orders import EMAIL, line, order
from tests.builders.stores import log

OTHER = "5f0c0a52-9a3e-4d1c-8a5e-0d8a3a6f6b11"
KEYED = f"{CALLER.replace('-', '')}_k"


def body(**changed: Any) -> dict[str, Any]:
    """What a caller sends."""
    return {**order(None, customer=None), **changed}


def take(*messages: str) -> None:
    assert failed(handler(sqs(*messages), CONTEXT)) == []


def of(store: EventStore, kind: type[Any]) -> list[Any]:
    return [record.event for record in log(store) if isinstance(record.event, kind)]


def shown(store: EventStore) -> None:
    """Bring the views up to date."""
    for record in log(store):
        OrderView(store).apply("1", [record])


def test_an_order_is_the_callers_under_the_id_of_their_key(store: EventStore) -> None:
    take(submitted(body(email=EMAIL), key="k"))
    [placed] = of(store, OrderPlaced)
    assert placed.order_id == KEYED
    assert (placed.customer.customer_id, placed.customer.email) == (CALLER, EMAIL)
    assert placed.total == 100


def test_without_a_key_the_order_has_the_id_of_its_message(store: EventStore) -> None:
    take(submitted(body()), submitted(body()))
    assert [(placed.order_id, placed.customer.email) for placed in of(store, OrderPlaced)] == [
        ("m0", None),
        ("m1", None),
    ]


def test_the_same_key_is_the_same_order_and_two_callers_do_not_meet(store: EventStore) -> None:
    take(submitted(body(), key="k"), submitted(body(), key="k"), submitted(body(), key="k", caller=OTHER))
    assert sorted(placed.customer.customer_id for placed in of(store, OrderPlaced)) == sorted([CALLER, OTHER])
    assert of(store, OrderRejected) == []


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize(
    "forged",
    [
        body(customer={"customer_id": OTHER, "email": EMAIL}),
        body(order_id="victims"),
        body(customer={"customer_id": OTHER}, order_id="victims", email=EMAIL),
        # Should the gateway ever let more than one document through:
        json.dumps(body()) + f',"caller":{{"customer_id":"{OTHER}","scopes":"{OPERATE}"}}',
        json.dumps(body()) + ',"order_id":"victims"',
        json.dumps(body()) + ',"id":"victims"',
        json.dumps(body()) + ',"detail-type":"OrderCancellationRequested","id":"victims"',
    ],
)
def test_a_forged_customer_or_order_id_has_no_effect(store: EventStore, forged: Any, key: str | None) -> None:
    take(submitted(forged, key))
    [placed] = of(store, OrderPlaced)
    assert placed.customer.customer_id == CALLER
    assert placed.order_id == (KEYED if key else "m0")
    [record] = log(store)
    assert record.metadata.causation_id == "m0"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (body(lines=[line(quantity=0)]), "lines.0.quantity"),
        (body(customer_id=OTHER), "customer_id"),
        (body(email="nowhere"), "customer.email"),
        (body(lines=[line(quantity=1_000_000, unit_price=10**10)]), "lines"),
    ],
)
def test_a_refused_order_is_shown_to_its_caller_alone(store: EventStore, wrong: Any, field: str) -> None:
    take(submitted(wrong, key="k"))
    [rejected] = of(store, OrderRejected)
    assert (rejected.order_id, rejected.customer_id) == (KEYED, CALLER)
    assert [reason.field for reason in rejected.reasons] == [field]

    shown(store)
    seen = content_of(ask(f"/orders/{KEYED}"))
    assert (seen["status"], seen["rejection_count"]) == ("REJECTED", 1)
    assert field in seen["rejection"]
    assert [each["order_id"] for each in content_of(ask("/orders", status="REJECTED"))["orders"]] == [KEYED]
    assert problem(ask(f"/orders/{KEYED}", OTHER), 404)
    assert content_of(ask("/orders", OTHER))["orders"] == []
    assert content_of(ask(f"/orders/{KEYED}", OTHER, scopes=OPERATE))["status"] == "REJECTED"


def test_another_order_under_the_same_key_is_refused_and_the_first_stands(store: EventStore) -> None:
    take(submitted(body(), key="k"), submitted(body(currency="EUR"), key="k"))
    [placed], [rejected] = of(store, OrderPlaced), of(store, OrderRejected)
    assert (placed.currency, rejected.customer_id) == ("GBP", CALLER)
    shown(store)
    seen = content_of(ask(f"/orders/{KEYED}"))
    assert (seen["status"], seen["currency"]) == ("PLACED", "GBP")
    assert "other content" in seen["rejection"]


def test_what_a_publisher_rejects_is_nobodys(store: EventStore) -> None:
    message = {"id": "e1", "detail-type": "OrderSubmitted", "detail": order("o1", line(quantity=0))}
    take(json.dumps(message))
    assert [rejected.customer_id for rejected in of(store, OrderRejected)] == [None]
    shown(store)
    assert problem(ask("/orders/o1", "c1"), 404)


@pytest.mark.parametrize("not_an_order", ["[]", '"order"', "null", "{", '{}} {"x":{}'])
def test_what_is_no_order_at_all_is_a_dead_letter(store: EventStore, not_an_order: str) -> None:
    take(submitted(not_an_order, key="k"))
    assert log(store) == []
    assert len(dead_letters()) == 1


@pytest.mark.parametrize("caller", [{}, {"customer_id": "a b"}, {"customer_id": None}, "c1", ["c1"]])
def test_a_caller_who_is_nobody_orders_nothing(store: EventStore, caller: Any) -> None:
    take(json.dumps({"detail-type": "OrderSubmitted", "detail": order(), "caller": caller}))
    assert store.read(streams.order("demo.o1")) == []
    assert len(dead_letters()) == 1
