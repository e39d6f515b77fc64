"""Every event says who caused it: who came in at which door, or the function that acted of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from events.envelope import Actor
from events.inventory import DeliveredLine, StockLow, StockReceived
from events.ordering import OrderConfirmed
from events.shipping import ShipmentDispatched
from handlers.functions.main import (
    delivery_intake,
    inventory_service,
    order_intake,
    ordering_service,
    payments_service,
    replenishment,
    shipment_intake,
    shipped_stock,
    shipping_service,
    stock_watch,
)
from handlers.table.event_store import EventStore
from tests.builders.messages import CONTEXT, SOURCE, failed, from_bus, from_publisher, inserted, sqs
from tests.builders.orders import line, order
from tests.builders.stores import append, items, log, place

Handler = Callable[[dict[str, Any], Any], Any]

FUNCTION = "unit"
"""What every function is called here."""
OPERATOR = "arn:aws:iam::123456789012:user/operator"
BUS = Actor(door="bus", principal=f"demo/{SOURCE}")
SAGA, SUBSCRIBER = (Actor(door=door, principal=FUNCTION) for door in ("saga", "subscriber"))


def causes(store: EventStore, before: int = 0) -> set[tuple[Actor, str | None]]:
    """Who caused the events appended after the first so many, and who redrove what they come from."""
    ours = [record.metadata for record in log(store)]
    added = sorted(ours, key=lambda each: each.occurred_at)[before:]
    return {(each.actor, each.redriven_by) for each in added}


def take(handler: Handler, *bodies: str, redriven_by: str | None = None) -> None:
    attributes: dict[str, Any] = {"redriven_by": redriven_by} if redriven_by else {}
    assert failed(handler(sqs(*bodies, **attributes), CONTEXT)) == []


def api(caller: dict[str, str], detail_type: str = "OrderSubmitted", **more: Any) -> str:
    return json.dumps({"detail-type": detail_type, "detail": order(None), "caller": caller, **more})


SUBMITTED = from_publisher(order())
SHOPS_CLIENT = {"subject": "web", "client": "1example23", "scopes": "orders/write"}
IN_A_FILE = json.dumps({"id": "f1", "detail-type": "OrderSubmitted", "detail": order(), "folder": "demo"})


@pytest.mark.parametrize(
    ("body", "actor"),
    [
        (SUBMITTED, BUS),
        (from_publisher(order(lines=[])), BUS),
        (api(SHOPS_CLIENT, order_id="o1"), Actor(door="http", principal="demo/1example23")),
        (IN_A_FILE, Actor(door="file", principal="demo/demo")),
    ],
    ids=["bus", "bus, rejected", "http", "file"],
)
def test_a_submission_is_caused_by_who_came_in_at_its_door(store: EventStore, body: str, actor: Actor) -> None:
    take(order_intake.handler, body)
    assert causes(store) == {(actor, None)}


def test_an_operators_cancellation_is_theirs(store: EventStore) -> None:
    place(store)
    operator = {"subject": "ada", "client": "console", "scopes": "orders/operate"}
    take(order_intake.handler, api(operator, "OrderCancellationRequested", order_id="demo.o1", detail={}))
    assert causes(store, before=1) == {(Actor(door="http", principal="ada"), None)}


def test_deliveries_and_reports_are_their_publishers(store: EventStore) -> None:
    goods = {"delivery_id": "d1", "lines": [{"sku": "A", "quantity": 1}]}
    take(delivery_intake.handler, from_publisher(goods, "StockDelivered"))
    place(store)
    for service, command in ((shipping_service, "arrange_shipment"), (ordering_service, "confirm_order")):
        service.handler({"command": command, "order_id": "demo.o1"}, CONTEXT)
    take(
        shipment_intake.handler,
        from_publisher({"order_id": "demo.o1", "status": "dispatched"}, "ShipmentStatusReported"),
    )
    assert {type(record.event).__name__: record.metadata.actor for record in log(store)} == {
        "StockReceived": BUS,
        "OrderPlaced": SAGA,  # by this test
        "ShipmentArranged": SAGA,
        "OrderConfirmed": SAGA,
        "ShipmentDispatched": BUS,
    }


def test_what_a_saga_does_its_functions_cause_and_not_who_submitted_the_order(store: EventStore) -> None:
    shelved = StockReceived(delivery_id="d1", chunk=1, chunks=1, lines=(DeliveredLine(sku="A", quantity=1),))
    append(store, "delivery#d1", shelved)
    store.client.put_item(
        TableName=store.table,
        Item={"PK": {"S": "level#A"}, "SK": {"S": "level"}, "available": {"N": "1"}, "version": {"N": "1"}},
    )
    take(order_intake.handler, SUBMITTED)
    steps = [
        (inventory_service, "reserve_stock"),
        (payments_service, "authorize_payment"),
        (shipping_service, "arrange_shipment"),
        (ordering_service, "start_cancellation"),
        (shipping_service, "cancel_shipment"),
        (payments_service, "refund_payment"),
        (inventory_service, "release_stock"),
        (ordering_service, "cancel_order"),
    ]
    for service, command in steps:
        service.handler({"command": command, "order_id": "demo.o1"}, CONTEXT)
    assert causes(store, before=2) == {(SAGA, None)}
    assert len(log(store)) == 2 + len(steps)


@pytest.mark.parametrize("redriven_by", [None, OPERATOR])
def test_what_a_subscriber_does_it_causes_itself(store: EventStore, redriven_by: str | None) -> None:
    place(store, "demo.o1", line("A"))
    store.client.put_item(
        TableName=store.table,
        Item={"PK": {"S": "level#A"}, "SK": {"S": "level"}, "available": {"N": "1"}, "version": {"N": "1"}},
    )
    inventory_service.handler({"command": "reserve_stock", "order_id": "demo.o1"}, CONTEXT)
    [dispatched] = append(store.on_behalf_of(BUS), "shipment#demo.o1", ShipmentDispatched(order_id="demo.o1"))
    [low] = append(store.on_behalf_of(BUS), "stock#A", StockLow(sku="A", available=0, threshold=1, level_version=2))
    take(shipped_stock.handler, from_bus(dispatched), redriven_by=redriven_by)
    take(replenishment.handler, from_bus(low), redriven_by=redriven_by)
    assert causes(store, before=4) == {(SUBSCRIBER, redriven_by)}
    assert len(log(store)) == 6


def test_the_stock_watch_causes_what_it_sees(store: EventStore) -> None:
    goods = {"delivery_id": "d1", "lines": [{"sku": "A", "quantity": 1, "threshold": 9}]}
    take(delivery_intake.handler, from_publisher(goods, "StockDelivered"))
    stock_watch.handler({"Records": [inserted(item) for item in items(store, "level#")]}, CONTEXT)
    assert causes(store, before=1) == {(SUBSCRIBER, None)}


# Redelivered and redriven


@pytest.mark.parametrize("operator", [OPERATOR, f"arn:aws:iam::123456789012:user/{'path/' * 100}operator"])
def test_a_redriven_message_is_still_its_senders_and_says_who_redrove_it(store: EventStore, operator: str) -> None:
    take(order_intake.handler, SUBMITTED, redriven_by=operator)
    assert causes(store) == {(BUS, operator)}


@pytest.mark.parametrize("again", [SUBMITTED, IN_A_FILE, api(SHOPS_CLIENT, order_id="o1")], ids=["bus", "file", "http"])
def test_an_event_keeps_its_first_actor_however_often_it_is_delivered(store: EventStore, again: str) -> None:
    take(order_intake.handler, SUBMITTED)
    before = items(store)
    take(order_intake.handler, again)
    take(order_intake.handler, again, redriven_by=OPERATOR)
    assert items(store) == before
    assert causes(store) == {(BUS, None)}


def test_who_redrove_one_message_did_not_redrive_the_next(store: EventStore) -> None:
    take(order_intake.handler, SUBMITTED, redriven_by=OPERATOR)
    take(order_intake.handler, from_publisher(order("o2")))
    append(store, "order#demo.o2", OrderConfirmed(order_id="demo.o2"))
    found = {(record.stream, record.version): record.metadata.redriven_by for record in log(store)}
    assert found == {("order#demo.o1", 1): OPERATOR, ("order#demo.o2", 1): None, ("order#demo.o2", 2): None}
