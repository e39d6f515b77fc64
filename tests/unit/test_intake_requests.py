"""Who is let in: by source, client and folder, as the settings say, and never by what a message says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.envelope import Actor
from events.integration import INTEGRATION_EVENTS, PUBLISHED_BY, Role
from events.ordering import OrderPlaced
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.intake.messages import intake
from handlers.intake.parties import ANY, Parties, Party
from handlers.intake.requests import IntakeMessage, NotAllowed, Request, request
from handlers.inventory.deliveries import receive
from handlers.ordering.order_requests import refuse_unknown_order
from handlers.runtime import aws
from handlers.shipping.shipment_reports import report
from handlers.table.event_store import EventStore
from tests.builders.dead_letter_queue import dead_letters, queue
from tests.builders.environment import QUEUE_URL, TABLE
from tests.builders.messages import CONTEXT, failed, sqs
from tests.builders.orders import order
from tests.builders.recorded_events import names
from tests.builders.stores import events_of, items, log, place
from tests.builders.vault import request_cancellation, submit, vaulted

ROLES: dict[str, Role] = {"acme": "shop", "bloom": "shop", "depot": "warehouse", "parcels": "carrier"}
SOURCES = {name: f"com.example.{name}" for name in ROLES}
PARTIES = Parties(
    shops=("acme", "bloom"),
    sources={SOURCES[name]: Party(name=name, roles=(role,)) for name, role in ROLES.items()},
    clients={"acme-web": "acme", "bloom-web": "bloom"},
    claims={},
    folders={"acme": "acme", "blossoms": "bloom"},
)
"""Two shops, a warehouse and a carrier, and nobody else."""
OPERATOR = {"subject": "ops", "client": "console", "scopes": "orders/write orders/operate"}
DETAILS: dict[str, Any] = {
    "OrderSubmitted": order("o1"),
    "OrderCancellationRequested": {"order_id": "o1"},
    "StockDelivered": {"delivery_id": "d1", "lines": [{"sku": "A", "quantity": 1}]},
    "ShipmentStatusReported": {"order_id": "acme.o1", "status": "dispatched"},
}

take_in = intake(
    {
        "OrderSubmitted": submit,
        "OrderCancellationRequested": request_cancellation,
        "StockDelivered": receive,
        "ShipmentStatusReported": report,
    },
    EventStore(aws.dynamodb(), TABLE),
    PARTIES,
    DeadLetterQueue(queue, QUEUE_URL),
    too_early={"OrderCancellationRequested": refuse_unknown_order},
)
"""All doors in one."""


def message(detail_type: str = "OrderSubmitted", detail: Any = None, **more: Any) -> dict[str, Any]:
    """A message of an intake queue; who sent it is in the fields beside."""
    return {
        "id": "e1",
        "detail-type": detail_type,
        "detail": DETAILS[detail_type] if detail is None else detail,
        **more,
    }


def published(party: str, detail_type: str = "OrderSubmitted", detail: Any = None) -> dict[str, Any]:
    """A message as EventBridge delivers what that party published."""
    return message(detail_type, detail, source=SOURCES[party])


def caller(client: str, **more: str) -> dict[str, str]:
    """A caller of the HTTP API with that client."""
    return {"subject": client, "client": client, "scopes": "orders/write", **more}


def let_in(content: dict[str, Any], parties: Parties = PARTIES) -> Request:
    return request(IntakeMessage.model_validate(content), parties)


def refusal(content: dict[str, Any]) -> tuple[str, str]:
    """The field and the message of why a message is not let in."""
    with pytest.raises(NotAllowed) as refused:
        let_in(content)
    [reason] = refused.value.reasons
    return reason.field, reason.message


def take(*contents: dict[str, Any], receives: int = 1) -> list[str]:
    """The messages that are delivered again."""
    return failed(take_in(sqs(*map(json.dumps, contents), receives=receives), CONTEXT))


def reasons() -> list[str]:
    """Why the messages in the dead-letter queue are there."""
    return [found["MessageAttributes"]["reasons"]["StringValue"] for found in dead_letters()]


# Who is let in


@pytest.mark.parametrize("party", ROLES)
@pytest.mark.parametrize("detail_type", INTEGRATION_EVENTS)
def test_a_party_publishes_the_events_of_its_role_and_no_others(party: str, detail_type: str) -> None:
    content = published(party, detail_type)
    needed = PUBLISHED_BY[INTEGRATION_EVENTS[detail_type]]
    if ROLES[party] == needed:
        asked = let_in(content)
        assert asked.actor == Actor(door="bus", principal=f"{party}/{SOURCES[party]}")
        assert asked.shop == (party if needed == "shop" else None)
    else:
        why = f"{detail_type} is for a {needed} to publish, and {SOURCES[party]!r} is none"
        assert refusal(content) == ("detail-type", why)


@pytest.mark.parametrize("detail_type", INTEGRATION_EVENTS)
@pytest.mark.parametrize("source", ["com.example.nobody", "com.example", "COM.EXAMPLE.ACME", "acme", "*", ""])
def test_a_source_of_nobody_is_refused(source: str, detail_type: str) -> None:
    assert refusal(message(detail_type, source=source)) == (
        "source",
        f"the source {source!r} is nobody's in the settings",
    )


def test_without_a_source_caller_or_folder_nobody_sent_it() -> None:
    assert refusal(message()) == ("source", "the source '' is nobody's in the settings")


@pytest.mark.parametrize("client", ["nobody", "acme", "*"])
def test_a_client_of_nobody_is_refused(client: str) -> None:
    assert refusal(message(caller=caller(client))) == ("caller", f"the client {client!r} is no shop's in the settings")


@pytest.mark.parametrize("folder", ["nobody", "bloom", "", "acme/uci", "*"])
def test_a_folder_of_nobody_is_refused(folder: str) -> None:
    assert refusal(message(folder=folder)) == ("folder", f"the folder {folder!r} is no shop's in the settings")


@pytest.mark.parametrize(
    ("sender", "actor", "shop"),
    [
        ({"caller": caller("acme-web")}, Actor(door="http", principal="acme/acme-web"), "acme"),
        ({"caller": caller("elsewhere", shop="bloom")}, Actor(door="http", principal="bloom/elsewhere"), "bloom"),
        ({"caller": OPERATOR}, Actor(door="http", principal="ops"), None),
        ({"folder": "acme"}, Actor(door="file", principal="acme/acme"), "acme"),
        ({"folder": "blossoms"}, Actor(door="file", principal="bloom/blossoms"), "bloom"),
    ],
    ids=str,
)
def test_a_client_and_a_folder_are_of_their_shop(sender: dict[str, Any], actor: Actor, shop: str | None) -> None:
    asked = let_in(message(**sender))
    assert (asked.actor, asked.shop, asked.by_http) == (actor, shop, "caller" in sender)


@pytest.mark.parametrize(
    ("content", "shop"),
    [
        (published("acme", detail={**order("o1"), "shop": "bloom", "source": SOURCES["bloom"]}), "acme"),
        (message(source=SOURCES["acme"], shop="bloom"), "acme"),
        (message(detail={**order("o1"), "folder": "acme"}, folder="blossoms", source=SOURCES["acme"]), "bloom"),
        (message(detail=order("bloom.o1"), caller=caller("acme-web"), source=SOURCES["bloom"]), "acme"),
    ],
)
def test_what_a_message_says_makes_nobody_another(content: dict[str, Any], shop: str) -> None:
    assert let_in(content).shop == shop


def test_one_for_all_stands_for_those_whom_nobody_names() -> None:
    parties = Parties(
        shops=("acme", "demo"),
        sources={
            ANY: Party(name="demo", roles=("shop", "warehouse", "carrier")),
            SOURCES["acme"]: Party(name="acme", roles=("shop",)),
        },
        clients={ANY: "demo", "acme-web": "acme"},
        claims={},
        folders={"acme": "acme", "demo": "demo"},
    )
    for detail_type, event in INTEGRATION_EVENTS.items():
        asked = let_in(message(detail_type, source="com.example.any"), parties)
        assert asked.actor == Actor(door="bus", principal="demo/com.example.any")
        assert asked.shop == ("demo" if PUBLISHED_BY[event] == "shop" else None)
    assert let_in(published("acme"), parties).shop == "acme"
    with pytest.raises(NotAllowed, match="for a warehouse to publish"):
        let_in(published("acme", "StockDelivered"), parties)
    assert let_in(message(caller=caller("any")), parties).shop == "demo"
    assert let_in(message(caller=caller("acme-web")), parties).shop == "acme"
    with pytest.raises(NotAllowed, match="'any' is no shop's"):
        let_in(message(folder="any"), parties)


# What comes of it


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (message(source="com.example.nobody"), "source: the source 'com.example.nobody' is nobody's in the settings"),
        (message(caller=caller("nobody")), "caller: the client 'nobody' is no shop's in the settings"),
        (message(folder="nobody"), "folder: the folder 'nobody' is no shop's in the settings"),
        *(
            (
                published(party, detail_type),
                f"detail-type: {detail_type} is for a {PUBLISHED_BY[event]} to publish, and {SOURCES[party]!r} is none",
            )
            for detail_type, event in INTEGRATION_EVENTS.items()
            for party, role in ROLES.items()
            if role != PUBLISHED_BY[event]
        ),
    ],
)
def test_who_may_not_say_it_is_a_dead_letter_that_names_them_and_nothing_is_appended(
    store: EventStore, content: dict[str, Any], why: str
) -> None:
    place(store, "acme.o1")
    before = items(store), vaulted(store)
    assert take(content) == []
    assert reasons() == [why]
    assert (items(store), vaulted(store)) == before


def test_two_shops_with_the_same_own_id_and_number_have_two_orders_and_two_customers(store: EventStore) -> None:
    """By whatever door each comes in; the same order by another door is a repetition."""
    doors = [
        published("acme"),
        published("bloom"),
        message(caller=caller("acme-web"), order_id="o1"),
        message(caller=caller("bloom-web"), order_id="o1"),
        message(folder="acme"),
        message(folder="blossoms"),
    ]
    assert take(*doors) == []
    assert dead_letters() == []
    events = [record.event for record in log(store)]
    orders = [(event.order_id, event.customer_id) for event in events if isinstance(event, OrderPlaced)]
    assert orders == [("acme.o1", "acme.c1"), ("bloom.o1", "bloom.c1")]
    assert len(events) == 2
    persons = [item["PK"]["S"] for item in vaulted(store) if "person" in item]
    assert persons == ["acme#c1", "bloom#c1"]


def test_a_shop_cancels_its_own_order_and_nobody_elses(store: EventStore) -> None:
    for order_id in ("acme.o1", "acme.o2", "bloom.o1"):
        place(store, order_id)
    own, anothers, by_another = (
        published("acme", "OrderCancellationRequested", {"order_id": "o1"}),
        published("acme", "OrderCancellationRequested", {"order_id": "bloom.o1"}),
        published("bloom", "OrderCancellationRequested", {"order_id": "o2"}),
    )
    assert take(own, anothers, by_another, receives=MAX_RECEIVE_COUNT) == []
    assert reasons() == ["order_id: String should match pattern '^[A-Za-z0-9_-]{1,47}$'"]
    assert names(events_of(store, "unknown-order#bloom.o2")) == ["UnknownOrderCancellationRefused"]
    assert names(events_of(store, "order#acme.o1")) == ["OrderPlaced", "OrderCancellationStarted"]
    for order_id in ("acme.o2", "bloom.o1"):
        assert names(events_of(store, f"order#{order_id}")) == ["OrderPlaced"]
