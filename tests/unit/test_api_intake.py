"""Orders of callers: whose they are says the token, and which order it is the gateway, not the body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events import streams
from events.envelope import Actor
from events.ordering import OrderPlaced, OrderRejected
from handlers.functions.main.order_intake import handler
from handlers.intake.callers import Caller
from handlers.projections.order_view import OrderView
from handlers.table.event_store import EventStore
from infra.constructs.api.request_templates import POOL_CLAIMS
from tests.builders.api import CALLER, OPERATOR, SCOPES, ask, content_of, problem, submitted
from tests.builders.dead_letter_queue import dead_letters
from tests.builders.messages import CONTEXT, SOURCE, failed, from_publisher, sqs
from tests.builders.orders import EMAIL, line, order
from tests.builders.stores import log
from tests.builders.vault import vault

OTHER = Caller(subject="other", client="other-web", scopes=SCOPES, shop="other")
"""A caller of another shop."""


def body(**changed: Any) -> dict[str, Any]:
    """What a caller sends."""
    return order(**{"order_id": None, **changed})


def take(*messages: str) -> None:
    assert failed(handler(sqs(*messages), CONTEXT)) == []


def of(store: EventStore, kind: type[Any]) -> list[Any]:
    return [record.event for record in log(store) if isinstance(record.event, kind)]


def shown(store: EventStore) -> None:
    """Bring the views up to date."""
    for record in log(store):
        OrderView(store).apply("1", [record])


def test_an_order_is_the_shops_under_its_key(store: EventStore) -> None:
    take(submitted(body(), key="k"))
    [placed] = of(store, OrderPlaced)
    assert (placed.order_id, placed.customer_id, placed.total) == ("demo.k", "demo.c1", 100)
    assert vault(store).email(placed) == EMAIL
    [record] = log(store)
    assert record.metadata.actor == Actor(door="http", principal=f"demo/{CALLER.client}")


def test_where_the_gateway_checks_tokens_itself_the_shop_is_that_of_the_client(store: EventStore) -> None:
    take(submitted(body(), key="k", claims=POOL_CLAIMS))
    [placed] = of(store, OrderPlaced)
    assert placed.order_id == "demo.k"
    assert log(store)[0].metadata.actor == Actor(door="http", principal=f"demo/{CALLER.client}")


def test_a_guest_has_no_number_and_may_have_an_address_for_e_mails(store: EventStore) -> None:
    take(submitted(body(customer=None), key="nobody"), submitted(body(customer={"email": EMAIL}), key="somebody"))
    addresses = {placed.order_id: vault(store).email(placed) for placed in of(store, OrderPlaced)}
    assert addresses == {"demo.nobody": None, "demo.somebody": EMAIL}
    assert {placed.customer_id for placed in of(store, OrderPlaced)} == {None}


def test_without_a_key_the_order_has_the_id_of_its_message(store: EventStore) -> None:
    take(submitted(body()), submitted(body()))
    assert [placed.order_id for placed in of(store, OrderPlaced)] == ["demo.m0", "demo.m1"]


def test_the_same_key_is_the_same_order_and_two_shops_do_not_meet(store: EventStore) -> None:
    take(submitted(body(), key="k"), submitted(body(), key="k"), submitted(body(), key="k", caller=OTHER))
    assert sorted(placed.order_id for placed in of(store, OrderPlaced)) == ["demo.k", "other.k"]
    assert sorted(placed.customer_id for placed in of(store, OrderPlaced)) == ["demo.c1", "other.c1"]
    assert of(store, OrderRejected) == []


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize(
    "forged",
    [
        body(order_id="victims"),
        body(order_id="other.victims"),
        # Should the gateway ever let more than one document through:
        *(
            json.dumps(body()) + forged
            for forged in (
                f',"caller":{json.dumps(OTHER.model_dump())}',
                f',"caller":{json.dumps(OPERATOR.model_dump())}',
                ',"folder":"other"',
                ',"source":"other.web"',
                ',"order_id":"victims"',
                ',"order_id":"other.victims"',
                ',"id":"victims"',
                ',"detail-type":"OrderCancellationRequested","id":"victims"',
            )
        ),
    ],
)
def test_a_forged_shop_or_order_id_has_no_effect(store: EventStore, forged: Any, key: str | None) -> None:
    take(submitted(forged, key))
    [placed] = of(store, OrderPlaced)
    assert placed.order_id == f"demo.{key or 'm0'}"
    [record] = log(store)
    assert record.metadata.causation_id == "m0"
    assert record.metadata.actor == Actor(door="http", principal=f"demo/{CALLER.client}")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (body(lines=[line(quantity=0)]), "lines.0.quantity"),
        (body(customer_id="c1"), "customer_id"),
        (body(email=EMAIL), "email"),
        (body(customer={"customer_id": "other.c1"}), "customer.customer_id"),
        (body(customer={"email": "nowhere"}), "customer.email"),
        (body(lines=[line(quantity=1_000_000, unit_price=10**10)]), "lines"),
    ],
)
def test_a_refused_order_is_shown_to_its_shop_alone(store: EventStore, wrong: Any, field: str) -> None:
    take(submitted(wrong, key="k"))
    [rejected] = of(store, OrderRejected)
    assert rejected.order_id == "demo.k"
    assert [reason.field for reason in rejected.reasons] == [field]

    shown(store)
    seen = content_of(ask("/orders/k"))
    assert (seen["status"], seen["rejection_count"]) == ("REJECTED", 1)
    assert field in seen["rejection"]
    assert [each["order_id"] for each in content_of(ask("/orders", status="REJECTED"))["orders"]] == ["k"]
    for path in ("/orders/k", "/orders/k/events", "/orders/demo.k"):
        assert problem(ask(path, OTHER), 404)
    for asked in ({}, {"status": "REJECTED"}, {"customer_id": "c1"}):
        assert content_of(ask("/orders", OTHER, **asked))["orders"] == []
    assert content_of(ask("/orders/demo.k", OPERATOR))["status"] == "REJECTED"


def test_another_order_under_the_same_key_is_refused_and_the_first_stands(store: EventStore) -> None:
    take(submitted(body(), key="k"), submitted(body(currency="EUR"), key="k"))
    [placed], [rejected] = of(store, OrderPlaced), of(store, OrderRejected)
    assert (placed.currency, rejected.order_id) == ("GBP", "demo.k")
    shown(store)
    seen = content_of(ask("/orders/k"))
    assert (seen["status"], seen["currency"]) == ("PLACED", "GBP")
    assert "other content" in seen["rejection"]


def test_what_came_by_another_door_is_the_shops_here_too(store: EventStore) -> None:
    take(from_publisher(order("good")), from_publisher(order("bad", line(quantity=0))))
    shown(store)
    assert content_of(ask("/orders/good"))["status"] == "PLACED"
    assert content_of(ask("/orders/bad"))["status"] == "REJECTED"
    [event] = content_of(ask("/orders/bad/events"))["events"]
    assert event["actor"] == {"door": "bus", "principal": SOURCE, "redriven_by": None}


def test_an_operator_places_no_orders(store: EventStore) -> None:
    """Our authorizer denies it; the gateway's own lets pass who has both scopes."""
    take(
        submitted(body(), "k", OPERATOR),
        submitted(body(), "k", OPERATOR.model_copy(update={"scopes": f"{SCOPES} {OPERATOR.scopes}"}), POOL_CLAIMS),
        submitted(body(), None, OPERATOR),
    )
    assert log(store) == []
    reasons = {found["MessageAttributes"]["reasons"]["StringValue"] for found in dead_letters()}
    assert reasons == {": orders are placed by shops, and this comes from none"}


@pytest.mark.parametrize("not_an_order", ["[]", '"order"', "null", "{", '{}} {"x":{}'])
def test_what_is_no_order_at_all_is_a_dead_letter(store: EventStore, not_an_order: str) -> None:
    take(submitted(not_an_order, key="k"))
    assert log(store) == []
    assert len(dead_letters()) == 1


@pytest.mark.parametrize(
    "caller",
    [
        {},
        {"subject": "a"},
        {"client": "demo-web"},
        {"subject": None, "client": "demo-web"},
        {"subject": "", "client": "demo-web"},
        {"subject": "a", "client": ""},
        {"subject": "a", "client": "demo-web", "shop": "No Shop"},
        {"subject": "a", "client": "demo-web", "customer_id": "c1"},
        "c1",
        ["c1"],
    ],
)
def test_a_caller_who_is_nobody_orders_nothing(store: EventStore, caller: Any) -> None:
    take(json.dumps({"detail-type": "OrderSubmitted", "detail": order(), "caller": caller}))
    assert log(store) == []
    assert store.read(streams.order("demo.o1")) == []
    assert len(dead_letters()) == 1
