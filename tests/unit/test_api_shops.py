"""Two shops at one API: each sees and changes what is its own, by its own ids, whichever authorizer checks tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from events import streams
from events.envelope import Actor
from events.inventory import StockLine, StockReserved
from events.model import DomainEvent
from events.ordering import CancellationRequested, OrderConfirmed
from handlers.api.routes import Api
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.intake.callers import OPERATE, Caller
from handlers.intake.messages import intake
from handlers.intake.parties import Parties, Party
from handlers.ordering.order_requests import refuse_unknown_order
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.projections.order_view import OrderView
from handlers.queries.counters import CounterQueries
from handlers.queries.orders import OrderQueries
from handlers.queries.stock import StockQueries
from handlers.table.event_store import EventStore
from infra.constructs.api.request_templates import FUNCTION_CLAIMS, POOL_CLAIMS, cancellation
from tests.builders.api import OPERATOR, SCOPES, content_of, problem, question, sent, submitted
from tests.builders.dead_letter_queue import dead_letters, queue
from tests.builders.environment import QUEUE_URL
from tests.builders.messages import CONTEXT, failed, sqs
from tests.builders.orders import EMAIL, line, order
from tests.builders.recorded_events import names
from tests.builders.stores import append, contents, events_of, items, log, put
from tests.builders.vault import request_cancellation, submit, vault, vaulted

PARTIES = Parties(
    shops=("acme", "bloom"),
    sources={"com.acme": Party(name="acme", roles=("shop",)), "com.bloom": Party(name="bloom", roles=("shop",))},
    clients={"acme-web": "acme", "acme-app": "acme", "bloom-web": "bloom"},
    claims={},
    folders={"acme": "acme", "bloom": "bloom"},
)
ACME = Caller(subject="ada", client="acme-web", scopes=SCOPES, shop="acme")
BLOOM = Caller(subject="bob", client="bloom-web", scopes=SCOPES, shop="bloom")
NOBODY = Caller(subject="eve", client="nobodys", scopes=SCOPES)
LATER = "2100-01-01T00:00:00Z"
OF_ORDER: dict[str, dict[str, str]] = {"": {}, "?as_of": {"as_of": LATER}, "/events": {}, "/cancellation": {}}
"""What there is to ask about one order: the rest of its path, and parameters."""

LISTS: list[dict[str, str]] = [
    {},
    {"status": "PLACED"},
    {"customer_id": "c1"},
    {"customer_id": "c1", "status": "PLACED"},
]


@dataclass(frozen=True)
class Door:
    """The API of the two shops; with ``pool`` the gateway checks tokens itself, and knows no shops."""

    store: EventStore
    pool: bool

    def ask(self, caller: Caller, path: str, **parameters: Any) -> dict[str, Any]:
        generations = KnownGenerations(GenerationStore(self.store.client, self.store.table))
        orders = OrderQueries(self.store, generations)
        stock = StockQueries(self.store, CounterQueries(self.store, generations))
        api = Api(orders, stock, vault(self.store), PARTIES)
        return api.handle(question(path, caller, pool=self.pool, **parameters), CONTEXT)

    def order(self, caller: Caller, key: str, **changed: Any) -> str:
        """The message that becomes of an order under that key."""
        return submitted(order(None, **changed), key, caller, POOL_CLAIMS if self.pool else FUNCTION_CLAIMS)

    def wish(self, caller: Caller, order_id: str, **said: str) -> str:
        """The message that becomes of a request to cancel an order."""
        templates = cancellation(POOL_CLAIMS if self.pool else FUNCTION_CLAIMS)
        return sent(templates, json.dumps(said), {"order_id": order_id}, caller)

    def place(self, caller: Caller, key: str, **changed: Any) -> None:
        self.take(self.order(caller, key, **changed))

    def cancel(self, caller: Caller, order_id: str, **said: str) -> None:
        self.take(self.wish(caller, order_id, **said))

    def take(self, *messages: str) -> None:
        """Take messages in, delivered for the last time, and bring the views up to date."""
        handler = intake(
            {"OrderSubmitted": submit, "OrderCancellationRequested": request_cancellation},
            self.store,
            PARTIES,
            DeadLetterQueue(queue, QUEUE_URL),
            too_early={"OrderCancellationRequested": refuse_unknown_order},
        )
        assert failed(handler(sqs(*messages, receives=MAX_RECEIVE_COUNT), CONTEXT)) == []
        for record in log(self.store):
            OrderView(self.store).apply("1", [record])


@pytest.fixture(params=[False, True], ids=["function", "pool"])
def door(store: EventStore, request: pytest.FixtureRequest) -> Door:
    return Door(store, request.param)


@pytest.fixture(scope="module")
def taken() -> dict[bool, dict[str, list[dict[str, Any]]]]:
    """What is in the tables once the orders of both shops are taken in, by who checks tokens."""
    return {}


@pytest.fixture
def shops(door: Door, taken: dict[bool, dict[str, list[dict[str, Any]]]]) -> Door:
    """Both shops have orders o0 and o1 of a customer c1; each has another one, which it asked to cancel."""
    if door.pool in taken:
        put(door.store, taken[door.pool])
        return door
    door.take(
        *(door.order(caller, "o0") for caller in (ACME, BLOOM)),
        door.order(ACME, "o1", lines=[line(quantity=1)]),
        door.order(BLOOM, "o1", lines=[line(quantity=2)]),
        *(door.order(caller, f"only-{caller.shop}") for caller in (ACME, BLOOM)),
        *(door.wish(caller, f"only-{caller.shop}", reason=f"because of {caller.shop}") for caller in (ACME, BLOOM)),
    )
    taken[door.pool] = contents(door.store)
    return door


def about(door: Door, caller: Caller, order_id: str, what: str) -> dict[str, Any]:
    return door.ask(caller, f"/orders/{order_id}{what.partition('?')[0]}", **OF_ORDER[what])


def reasons() -> list[str]:
    """Why the messages in the dead-letter queue are there."""
    return [found["MessageAttributes"]["reasons"]["StringValue"] for found in dead_letters()]


# What a shop sees


@pytest.mark.parametrize("caller", [ACME, BLOOM], ids=["acme", "bloom"])
def test_of_an_id_that_two_shops_have_each_sees_its_own_order(shops: Door, caller: Caller) -> None:
    total = {"acme": 100, "bloom": 200}[str(caller.shop)]
    for what in ("", "?as_of"):
        seen = content_of(about(shops, caller, "o1", what))
        assert (seen["order_id"], seen["customer_id"], seen["total"]) == ("o1", "c1", total)
    [event] = content_of(about(shops, caller, "o1", "/events"))["events"]
    assert (event["stream"], event["data"]["order_id"], event["data"]["customer_id"]) == ("order#o1", "o1", "c1")
    assert event["data"]["total"] == total


@pytest.mark.parametrize("what", OF_ORDER)
def test_an_order_of_another_shop_is_as_good_as_none(shops: Door, what: str) -> None:
    assert content_of(about(shops, ACME, "only-acme", what))
    for theirs, unknown in (("only-acme", "only-none"), ("acme.only-acme", "acme.only-none")):
        answer = problem(about(shops, BLOOM, theirs, what), 404)
        assert answer == problem(about(shops, BLOOM, unknown, what), 404).replace(unknown, theirs)
    # A shop has no other ids than its own.
    assert problem(about(shops, ACME, "acme.only-acme", what), 404)


@pytest.mark.parametrize("asked", LISTS, ids=str)
def test_a_list_is_of_the_shops_own_orders(shops: Door, asked: dict[str, str]) -> None:
    for caller in (ACME, BLOOM):
        listed = content_of(shops.ask(caller, "/orders", **asked))["orders"]
        own = ["o1", "o0"] if "status" in asked else [f"only-{caller.shop}", "o1", "o0"]
        assert [each["order_id"] for each in listed] == own
        assert listed[-2]["total"] == {"acme": 100, "bloom": 200}[str(caller.shop)]


def test_customers_of_another_shop_are_not_there(shops: Door) -> None:
    for customer_id in ("acme.c1", "acme.c9", "bloom.c1"):
        assert problem(shops.ask(BLOOM, "/orders", customer_id=customer_id), 404)


@pytest.mark.parametrize("asked", LISTS, ids=str)
def test_a_cursor_of_another_shop_leads_nowhere(shops: Door, asked: dict[str, str]) -> None:
    cursors = {
        caller.shop: content_of(shops.ask(caller, "/orders", limit=1, **asked))["cursor"] for caller in (ACME, BLOOM)
    }
    assert problem(shops.ask(BLOOM, "/orders", cursor=cursors["acme"], **asked), 404)
    assert problem(shops.ask(ACME, "/orders", cursor=cursors["bloom"], **asked), 404)
    assert content_of(shops.ask(ACME, "/orders", cursor=cursors["acme"], **asked))


def test_stock_is_common_to_all_shops(shops: Door) -> None:
    level = {"PK": {"S": "level#A"}, "SK": {"S": "level"}, "available": {"N": "7"}}
    shops.store.client.put_item(TableName=shops.store.table, Item=level)
    answers = [content_of(shops.ask(caller, "/stock/A")) for caller in (ACME, BLOOM, OPERATOR)]
    assert answers == [{"sku": "A", "available": 7, "reserved": 0, "shipped": 0}] * 3


def test_no_answer_to_a_shop_has_an_id_that_is_not_its_own(shops: Door) -> None:
    shops.take(
        shops.order(ACME, "bad", lines=[line(quantity=0)]),
        shops.order(ACME, "o1", currency="EUR"),
        shops.wish(OPERATOR, "acme.o1"),
    )
    answers = [
        *(about(shops, ACME, own, what) for own in ("o1", "only-acme", "bad") for what in OF_ORDER),
        *(shops.ask(ACME, "/orders", **asked) for asked in LISTS),
        shops.ask(ACME, "/orders", status="REJECTED"),
    ]
    assert {answer["statusCode"] for answer in answers} == {200, 404}
    for answer in answers:
        assert not any(theirs in answer["body"] for theirs in ("acme.", "bloom", OPERATOR.subject)), answer["body"]


def test_what_was_rejected_is_shown_to_its_shop_alone(shops: Door) -> None:
    shops.take(
        shops.order(ACME, "bad", lines=[line(quantity=0)]),
        # Of an id that the other shop has an order of.
        shops.order(ACME, "taken", lines=[line(quantity=0)]),
        shops.order(BLOOM, "taken"),
    )
    assert content_of(about(shops, ACME, "bad", ""))["status"] == "REJECTED"
    assert content_of(about(shops, ACME, "taken", ""))["status"] == "REJECTED"
    listed = content_of(shops.ask(ACME, "/orders", status="REJECTED"))["orders"]
    assert {each["order_id"] for each in listed} == {"bad", "taken"}
    for what in OF_ORDER:
        assert problem(about(shops, BLOOM, "bad", what), 404)
    assert content_of(shops.ask(BLOOM, "/orders", status="REJECTED"))["orders"] == []
    seen = content_of(about(shops, BLOOM, "taken", ""))
    assert (seen["status"], seen.get("rejection")) == ("PLACED", None)
    assert names_of(content_of(about(shops, BLOOM, "taken", "/events"))) == ["OrderPlaced"]


def names_of(history: Any) -> list[str]:
    return [each["type"] for each in history["events"]]


@pytest.mark.parametrize("scopes", [SCOPES, ""])
def test_a_client_of_nobody_is_refused_everywhere(shops: Door, scopes: str) -> None:
    """Our authorizer lets nobody's client pass no method; the gateway's own does."""
    caller = NOBODY.model_copy(update={"scopes": scopes})
    before = items(shops.store), vaulted(shops.store)
    for path in ("/orders", *(f"/orders/o1{what.partition('?')[0]}" for what in OF_ORDER), "/orders/acme.o1"):
        assert "nobodys" in problem(shops.ask(caller, path), 403)
    shops.take(
        shops.order(caller, "o1", lines=[line(quantity=9)]), shops.wish(caller, "o1"), shops.wish(caller, "acme.o1")
    )
    assert reasons() == ["caller: the client 'nobodys' is no shop's in the settings"] * 3
    assert (items(shops.store), vaulted(shops.store)) == before


# What a shop changes


def test_a_shop_cancels_its_own_order_alone(shops: Door) -> None:
    shops.place(ACME, "o2")
    before = {stream: shops.store.read(stream) for stream in ("order#acme.o1", "order#acme.o2")}
    persons = vaulted(shops.store)
    named = ("o2", "acme.o1", "acme.o2", "bloom.o1")
    shops.take(*(shops.wish(BLOOM, order_id, reason="not mine") for order_id in named))

    assert {stream: shops.store.read(stream) for stream in before} == before
    assert vaulted(shops.store) == persons
    assert len(reasons()) == 3
    assert all(reason.startswith("order_id: ") for reason in reasons())
    # Of an order that it does not have it is told so, and the other shop hears nothing of it.
    refused = content_of(about(shops, BLOOM, "o2", "/cancellation"))
    assert refused == {"order_id": "o2", "status": "refused", "reason": "there was no such order"}
    assert problem(about(shops, ACME, "o2", "/cancellation"), 404)
    assert content_of(about(shops, ACME, "o2", ""))["status"] == "PLACED"

    shops.cancel(ACME, "o2", reason="mine")
    assert content_of(about(shops, ACME, "o2", "/cancellation"))["status"] == "cancelling"
    assert content_of(about(shops, ACME, "o2", "/events"))["person"]["cancellation_reason"] == "mine"
    assert names(events_of(shops.store, "order#bloom.o1")) == ["OrderPlaced"]


# Operators


def test_an_operator_sees_the_orders_of_all_shops_by_ids_with_the_shop(shops: Door) -> None:
    for shop, total in (("acme", 100), ("bloom", 200)):
        for what in ("", "?as_of"):
            seen = content_of(about(shops, OPERATOR, f"{shop}.o1", what))
            assert (seen["order_id"], seen["customer_id"], seen["total"]) == (f"{shop}.o1", f"{shop}.c1", total)
        history = content_of(about(shops, OPERATOR, f"{shop}.only-{shop}", "/events"))
        assert {each["stream"] for each in history["events"]} == {f"order#{shop}.only-{shop}"}
        assert history["person"]["email"] == EMAIL
        assert history["person"]["cancellation_reason"] == f"because of {shop}"
        became = content_of(about(shops, OPERATOR, f"{shop}.only-{shop}", "/cancellation"))
        assert (became["order_id"], became["status"]) == (f"{shop}.only-{shop}", "cancelling")


@pytest.mark.parametrize("what", OF_ORDER)
def test_an_operator_who_names_no_shop_is_told_to(shops: Door, what: str) -> None:
    assert "<shop>.only-acme" in problem(about(shops, OPERATOR, "only-acme", what), 404)


def test_an_operators_lists_are_of_all_shops_or_of_one_customer(shops: Door) -> None:
    every = ["bloom.only-bloom", "acme.only-acme", "bloom.o1", "acme.o1", "bloom.o0", "acme.o0"]
    assert listed(shops, {}) == every
    assert listed(shops, {}, limit=1) == every
    assert listed(shops, {"status": "PLACED"}) == ["bloom.o1", "acme.o1", "bloom.o0", "acme.o0"]
    assert listed(shops, {"customer_id": "acme.c1"}) == ["acme.only-acme", "acme.o1", "acme.o0"]
    assert listed(shops, {"customer_id": "acme.c9"}) == []
    assert "<shop>.c1" in problem(shops.ask(OPERATOR, "/orders", customer_id="c1"), 404)


def listed(door: Door, asked: dict[str, str], limit: int = 100) -> list[str]:
    """The ids of an operator's list, page by page."""
    page = content_of(door.ask(OPERATOR, "/orders", limit=limit, **asked))
    found = [each["order_id"] for each in page["orders"]]
    while "cursor" in page:
        page = content_of(door.ask(OPERATOR, "/orders", limit=limit, cursor=page["cursor"], **asked))
        found += [each["order_id"] for each in page["orders"]]
    return found


def test_a_cursor_of_an_operator_is_no_shops_and_the_other_way_round(shops: Door) -> None:
    theirs = content_of(shops.ask(OPERATOR, "/orders", limit=1))["cursor"]
    assert problem(shops.ask(ACME, "/orders", cursor=theirs), 404)
    own = content_of(shops.ask(ACME, "/orders", limit=1))["cursor"]
    assert problem(shops.ask(OPERATOR, "/orders", cursor=own), 404)


@pytest.mark.parametrize("scopes", [OPERATE, f"{SCOPES} {OPERATE}"])
@pytest.mark.parametrize("client", ["console", "acme-web"])
def test_an_operator_cancels_an_order_of_any_shop_and_places_none(shops: Door, scopes: str, client: str) -> None:
    """Whoever's client it is."""
    operator = OPERATOR.model_copy(update={"scopes": scopes, "client": client})
    before = items(shops.store)
    shops.take(shops.order(operator, "o2"), shops.wish(operator, "o1"))
    assert [reason.partition(":")[0] for reason in reasons()] == ["", "order_id"]
    assert items(shops.store) == before
    shops.cancel(operator, "acme.o1", reason="by phone")
    seen = content_of(about(shops, ACME, "o1", ""))
    assert (seen["status"], seen["reason"]) == ("CANCELLING", "CancellationRequested")
    assert content_of(about(shops, BLOOM, "o1", ""))["status"] == "PLACED"


# Who did it


def caused(store: EventStore, actor: Actor, stream: str, *events: DomainEvent, redriven_by: str | None = None) -> None:
    append(store.on_behalf_of(actor, redriven_by), stream, *events)


def actors(history: Any) -> list[tuple[str, str | None, str | None]]:
    """Who did what in a history: door, principal, and who redrove it."""
    who: Sequence[dict[str, Any]] = [each["actor"] for each in history["events"]]
    return [(each["door"], each["principal"], each["redriven_by"]) for each in who]


def test_a_shop_sees_the_doors_and_of_who_came_in_there_its_own_clients(door: Door) -> None:
    store, o1 = door.store, {"order_id": "acme.o1"}
    door.place(ACME, "o1")
    reserved = StockReserved(**o1, chunk=1, chunks=1, lines=(StockLine(sku="A", quantity=1),))
    operator = "arn:aws:iam::123456789012:user/operator"
    caused(store, Actor(door="saga", principal="inventory_service"), streams.reservation("acme.o1"), reserved)
    caused(
        store,
        Actor(door="saga", principal="ordering_service"),
        streams.order("acme.o1"),
        OrderConfirmed(**o1),
        redriven_by=operator,
    )
    door.cancel(OPERATOR, "acme.o1")
    every = [
        ("http", "acme/acme-web", None),
        ("saga", "inventory_service", None),
        ("saga", "ordering_service", operator),
        ("http", OPERATOR.subject, None),
    ]
    assert actors(content_of(about(door, OPERATOR, "acme.o1", "/events"))) == every
    assert actors(content_of(about(door, ACME, "o1", "/events"))) == [
        ("http", "acme-web", None),
        ("saga", None, None),
        ("saga", None, None),
        ("http", None, None),
    ]


@pytest.mark.parametrize(
    ("actor", "shown"),
    [
        (Actor(door="http", principal="acme/acme-app"), "acme-app"),
        (Actor(door="bus", principal="acme/com.acme"), "com.acme"),
        (Actor(door="file", principal="acme/acme"), "acme"),
        (Actor(door="bus", principal="bloom/com.bloom"), None),
        (Actor(door="bus", principal="depot/com.depot"), None),
        (Actor(door="command line", principal="arn:aws:iam::123456789012:user/acme/ops"), None),
        (Actor(door="subscriber", principal="replenishment"), None),
        (Actor(door="http", principal="acme"), None),
    ],
    ids=str,
)
def test_of_every_door_a_shop_sees_its_own_principals_alone(store: EventStore, actor: Actor, shown: str | None) -> None:
    door = Door(store, pool=False)
    door.place(ACME, "o1")
    caused(store, actor, streams.cancellation("acme.o1"), CancellationRequested(order_id="acme.o1"))
    histories = {
        who: content_of(about(door, who, own, "/events")) for who, own in ((ACME, "o1"), (OPERATOR, "acme.o1"))
    }
    assert actors(histories[ACME])[-1] == (actor.door, shown, None)
    assert actors(histories[OPERATOR])[-1] == (actor.door, actor.principal, None)
