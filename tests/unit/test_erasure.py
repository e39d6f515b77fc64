"""Erasing customers and orders: what goes, what stays, what is recorded, and what is waited for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from events import streams
from events.model import DomainEvent
from events.ordering import CancellationRequested, OrderCancellationRefused, OrderConfirmed
from events.privacy import CustomerErased
from events.shops import own_id
from handlers.dead_letters.message import DeadLetterMessage
from handlers.intake.parties import Parties, Party
from handlers.operations.erasure import erase as erasing
from handlers.operations.erasure import ledger as ledgers
from handlers.operations.erasure.matching import Whose, whose
from handlers.operations.erasure.progress import Progress
from handlers.runtime import aws
from handlers.table.event_store import EventStore
from tests.builders.environment import DEAD_LETTER_BUCKET, ERASURE_LEDGER, VAULT_TABLE
from tests.builders.erasing import (
    OPERATOR,
    again,
    buckets,
    cancelled,
    confirm,
    dead_letter,
    dead_letter_keys,
    erase,
    ledger,
    ledger_keys,
    message,
    place,
    submitted,
    vaulted,
)
from tests.builders.messages import domain_event, sqs
from tests.builders.recorded_events import START, image
from tests.builders.stores import append, clear, events_of
from tests.engines.in_process import Functions

OTHERS = "demo#c2 other", "demo.other token"


@pytest.fixture(autouse=True)
def functions(store: EventStore) -> Functions:
    """The functions, on the log, the vault, and the buckets. Somebody else has ordered too."""
    buckets().create_bucket(Bucket=DEAD_LETTER_BUCKET)
    buckets().create_bucket(Bucket=ERASURE_LEDGER)
    functions = Functions()
    functions.remaining_ms = lambda: 300_000
    place(functions, "demo.other", customer="c2")
    confirm(store, "demo.other")
    return functions


def test_a_customers_orders_leave_the_vault_with_their_tokens(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1", "demo.o2")
    confirm(store, "demo.o1")
    append(store, streams.order("demo.o2"), *cancelled("demo.o2"))
    done = erase(functions, customer_id="demo.c1")
    assert (done["done"], done["under_way"]) == (True, [])
    assert done["found"] == {"orders": 2, "payment_tokens": 2, "dead_letters": 0, "unattributed": 0}
    assert tuple(vaulted()) == OTHERS


def test_the_log_and_the_ledger_say_who_is_erased_and_who_asked(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    erase(functions, customer_id="demo.c1")
    [order] = store.read("erasure#demo.o1")
    [customer] = store.read("erasure#demo#c1")
    assert order.event == CustomerErased(order_id="demo.o1", customer_id="demo.c1")
    assert customer.event == CustomerErased(customer_id="demo.c1")
    for record, about in ((order, "demo.o1"), (customer, "demo.c1")):
        assert (record.metadata.actor.door, record.metadata.actor.principal) == ("command line", OPERATOR)
        assert (record.metadata.correlation_id, record.metadata.causation_id) == (about, "execution-1")
    written = ledger()
    assert written.keys() == {"orders/demo/o1.json", "customers/demo/c1.json"}
    assert written["orders/demo/o1.json"]["erased"] == {"order_id": "demo.o1", "customer_id": "demo.c1"}
    assert written["customers/demo/c1.json"]["erased"] == {"customer_id": "demo.c1"}
    assert "ada" not in json.dumps(written).lower()


def test_no_other_stream_gains_an_event(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    before = {stream: events_of(store, stream) for stream in ("order#demo.o1", "cancellation#demo.o1")}
    erase(functions, customer_id="demo.c1")
    assert {stream: events_of(store, stream) for stream in before} == before


def test_doing_it_again_changes_nothing(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    erase(functions, customer_id="demo.c1")
    before = store.read("erasure#demo.o1"), store.read("erasure#demo#c1"), ledger(), vaulted()
    whoever: list[dict[str, Any]] = [{"customer_id": "demo.c1"}, {"order_id": "demo.o1"}]
    for whom in whoever:
        done = erase(functions, **whom)
        assert done["found"] == {"orders": 0, "payment_tokens": 0, "dead_letters": 0, "unattributed": 0}
    assert (store.read("erasure#demo.o1"), store.read("erasure#demo#c1"), ledger(), vaulted()) == before


def test_an_order_is_erased_alone(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1", "demo.o2")
    confirm(store, "demo.o1", "demo.o2")
    done = erase(functions, order_id="demo.o1")
    assert done["found"]["orders"] == 1
    assert [item for item in vaulted() if "c1" in item] == ["demo#c1 o2"]
    assert ledger().keys() == {"orders/demo/o1.json"}
    assert events_of(store, "erasure#demo#c1") == []


def test_a_guest_is_forgotten_by_the_order(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.g1", customer=None)
    confirm(store, "demo.g1")
    assert "demo#order#g1 g1" in vaulted()
    assert erase(functions, order_id="demo.g1")["found"]["orders"] == 1
    assert tuple(vaulted()) == OTHERS
    assert events_of(store, "erasure#demo.g1") == [CustomerErased(order_id="demo.g1")]


def test_a_repeated_submission_of_an_erased_order_brings_nobody_back(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    erase(functions, customer_id="demo.c1")
    functions.invoke("order_intake", sqs(message(submitted("o1"))))
    assert tuple(vaulted()) == OTHERS


def test_an_e_mail_that_is_due_later_is_not_sent(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    erase(functions, customer_id="demo.c1")
    [_, confirmed] = [image(record) for record in store.read("order#demo.o1")]
    assert functions.invoke("order_emails", sqs(domain_event(confirmed))) == {"batchItemFailures": []}
    assert events_of(store, streams.notification("demo.o1")) == events_of(store, streams.customer("demo.c1")) == []


# Orders under way

REQUESTED = CancellationRequested(order_id="demo.o1")
REFUSED = OrderCancellationRefused(order_id="demo.o1", reason="dispatched")
CONFIRMED = OrderConfirmed(order_id="demo.o1")
STARTED, ENDED = cancelled("demo.o1")


def test_an_order_under_way_is_waited_for_and_the_others_are_erased(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1", "demo.o2")
    confirm(store, "demo.o2")
    waits = erase(functions, customer_id="demo.c1")
    assert (waits["done"], waits["waits"], waits["wait_seconds"]) == (False, True, 60)
    assert [(each["order_id"], each["under_way"]) for each in waits["under_way"]] == [("demo.o1", "PLACED")]
    assert [item for item in vaulted() if "c1" in item] == ["demo#c1 o1"]
    assert ledger().keys() == {"orders/demo/o2.json"}
    assert events_of(store, "erasure#demo#c1") == []

    still = again(functions, waits)
    assert (still["waits"], still["wait_seconds"]) == (True, 120)
    confirm(store, "demo.o1")
    done = again(functions, still)
    assert (done["done"], done["under_way"], done["found"]["orders"]) == (True, [], 2)
    assert tuple(vaulted()) == OTHERS
    assert ledger().keys() == {"orders/demo/o1.json", "orders/demo/o2.json", "customers/demo/c1.json"}


@pytest.mark.parametrize("whom", [{"customer_id": "demo.c1"}, {"order_id": "demo.o1"}])
def test_an_order_that_is_being_cancelled_is_waited_for(
    store: EventStore, functions: Functions, whom: dict[str, Any]
) -> None:
    place(functions, "demo.o1")
    started, ended = cancelled("demo.o1")
    append(store, streams.order("demo.o1"), started)
    waits = erase(functions, **whom)
    assert [each["under_way"] for each in waits["under_way"]] == ["CANCELLING"]
    append(store, streams.order("demo.o1"), ended)
    assert again(functions, waits)["done"]
    assert tuple(vaulted()) == OTHERS


def test_a_confirmed_order_waits_for_the_answer_to_a_request_to_cancel_it(
    store: EventStore, functions: Functions
) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    append(store, streams.cancellation("demo.o1"), REQUESTED)
    waits = erase(functions, order_id="demo.o1")
    assert [each["under_way"] for each in waits["under_way"]] == ["CONFIRMED"]
    append(store, streams.cancellation("demo.o1"), REFUSED)
    assert again(functions, waits)["done"]


def test_a_confirmed_order_that_is_cancelled_on_request_is_waited_for_until_it_is(
    store: EventStore, functions: Functions
) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    append(store, streams.cancellation("demo.o1"), REQUESTED)
    started, ended = cancelled("demo.o1")
    append(store, streams.order("demo.o1"), started)
    assert erase(functions, order_id="demo.o1")["waits"]
    append(store, streams.order("demo.o1"), ended)
    assert erase(functions, order_id="demo.o1")["done"]


def test_an_order_that_is_placed_while_others_are_waited_for_is_not_erased(
    store: EventStore, functions: Functions
) -> None:
    place(functions, "demo.o1")
    waits = erase(functions, customer_id="demo.c1")
    place(functions, "demo.later")
    confirm(store, "demo.o1", "demo.later")
    assert again(functions, waits)["done"]
    assert [item for item in vaulted() if "c1" in item] == ["demo#c1 later"]


def test_a_wait_is_never_longer_than_six_hours(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1")
    progress = erase(functions, customer_id="demo.c1")
    waits: list[int] = []
    while len(waits) < 12:
        waits.append(progress["wait_seconds"])
        progress = again(functions, progress)
    assert waits[:3] == [60, 120, 240]
    assert waits[-2:] == [21_600, 21_600]


# Dead-letter messages


def http(detail: Any, order_id: str | None = None, scopes: str = "orders/write", kind: str = "OrderSubmitted") -> str:
    """The body of a message from the API."""
    caller = {"subject": "s", "client": "web", "scopes": scopes}
    return json.dumps({"detail-type": kind, "caller": caller, "order_id": order_id, "detail": detail})


CANCEL = "OrderCancellationRequested"
THEIRS = {
    "of the customer, never placed": message(submitted("o7")),
    "without a usable order id": message(submitted("no id")),
    "of the customer, who has no e-mail address": message({"customer": {"customer_id": "c1"}}),
    "of an order, naming no customer": message(submitted("o1", customer=None, currency="???")),
    "a request to cancel": message({"order_id": "o1", "reason": "I moved to 12 Row"}, CANCEL),
    "of an unknown type": message({"order_id": "o1", "to": "Ada"}, "OrderLiked"),
    "from a file": json.dumps(
        {"id": "f1", "detail-type": "OrderSubmitted", "folder": "demo", "detail": submitted("o1", customer=None)}
    ),
    "by HTTP, with the order's id": http({"lines": []}, "o1"),
    "by HTTP, of the customer": http({"customer": {"customer_id": "c1"}}),
    "of an operator": http({"reason": "asked by Ada"}, "demo.o1", "orders/operate", CANCEL),
}
OF_OTHERS = {
    "of another customer": message(submitted("o9", customer="c2")),
    "of another's order": message({"order_id": "other", "reason": "mine"}, CANCEL),
    "of a customer who is called like the order": message(submitted("o9", customer="o1")),
    "of an order that is called like the customer": message({"order_id": "c1"}, CANCEL),
    "of an operator, about another order": http({}, "demo.other", "orders/operate", CANCEL),
}
OF_NOBODY_KNOWN = {
    "not JSON": "{",
    "no message": "[]",
    "of a guest, without an order id": message(submitted(None, customer=None)),
    "no detail": message(None),
}


@pytest.mark.parametrize("redriven", [False, True])
@pytest.mark.parametrize("body", THEIRS.values(), ids=THEIRS)
def test_dead_letter_messages_go_too(store: EventStore, functions: Functions, body: str, redriven: bool) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    dead_letter(body, redriven=redriven)
    assert erase(functions, customer_id="demo.c1")["found"]["dead_letters"] == 1
    assert dead_letter_keys() == []


@pytest.mark.parametrize("body", [*OF_OTHERS.values(), *OF_NOBODY_KNOWN.values()], ids=[*OF_OTHERS, *OF_NOBODY_KNOWN])
def test_dead_letter_messages_of_others_stay(store: EventStore, functions: Functions, body: str) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    key = dead_letter(body)
    found = erase(functions, customer_id="demo.c1")["found"]
    assert (found["dead_letters"], found["unattributed"]) == (0, int(body in OF_NOBODY_KNOWN.values()))
    assert dead_letter_keys() == [key]


def test_what_is_no_dead_letter_message_of_ours_stays_and_is_counted(store: EventStore, functions: Functions) -> None:
    for key in ("open/2026/01/02/order_intake/Refused/m1.1.json", "notes.txt"):
        buckets().put_object(Bucket=DEAD_LETTER_BUCKET, Key=key, Body=b"?")
    assert erase(functions, customer_id="demo.c1")["found"]["unattributed"] == 2


@pytest.mark.parametrize("source", ["order_view", "order_emails", "outbox", "saga_start", "audit_copy"])
def test_messages_that_hold_events_stay_for_they_hold_nobody_and_may_be_redriven(
    store: EventStore, functions: Functions, source: str
) -> None:
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    key = dead_letter(message({"order_id": "o1"}), source)
    erase(functions, customer_id="demo.c1")
    assert dead_letter_keys() == [key]


def test_every_version_of_a_message_goes(store: EventStore, functions: Functions) -> None:
    buckets().put_bucket_versioning(Bucket=DEAD_LETTER_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    place(functions, "demo.o1")
    confirm(store, "demo.o1")
    dead_letter(THEIRS["a request to cancel"], redriven=True)
    dead_letter(OF_OTHERS["of another customer"])
    assert erase(functions, customer_id="demo.c1")["found"]["dead_letters"] == 2
    left = buckets().list_object_versions(Bucket=DEAD_LETTER_BUCKET)["Versions"]
    assert [each["Key"] for each in left] == dead_letter_keys()


def test_the_messages_of_an_order_under_way_stay_for_they_may_be_redriven(
    store: EventStore, functions: Functions
) -> None:
    place(functions, "demo.o1")
    key = dead_letter(THEIRS["a request to cancel"])
    waits = erase(functions, customer_id="demo.c1")
    assert dead_letter_keys() == [key]
    confirm(store, "demo.o1")
    again(functions, waits)
    assert dead_letter_keys() == []


def test_the_messages_of_an_order_that_was_never_placed_go_and_nothing_is_recorded_of_it(
    store: EventStore, functions: Functions
) -> None:
    dead_letter(message(submitted("o1", customer=None, lines=[])))
    done = erase(functions, order_id="demo.o1")
    assert (done["done"], done["found"]["orders"], done["found"]["dead_letters"]) == (True, 0, 1)
    assert (dead_letter_keys(), ledger(), events_of(store, "erasure#demo.o1")) == ([], {}, [])


# Dry runs, the ledger, many orders


def test_a_dry_run_says_what_would_go_and_changes_nothing(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1", "demo.o2")
    confirm(store, "demo.o1")
    dead_letter(message(submitted("o7")))
    before = vaulted(), dead_letter_keys()
    would = erase(functions, customer_id="demo.c1", dry_run=True)
    assert would["done"]
    assert [each["order_id"] for each in would["under_way"]] == ["demo.o2"]
    assert would["found"] == {"orders": 1, "payment_tokens": 1, "dead_letters": 1, "unattributed": 0}
    assert (vaulted(), dead_letter_keys()) == before
    assert (ledger(), events_of(store, "erasure#demo.o1"), events_of(store, "erasure#demo#c1")) == ({}, [], [])


def test_the_ledger_erases_again_what_a_restored_table_has_back(store: EventStore, functions: Functions) -> None:
    place(functions, "demo.o1", "demo.o2")
    confirm(store, "demo.o1", "demo.o2")
    place(functions, "demo.g1", customer=None)
    confirm(store, "demo.g1")
    backup = aws.dynamodb().scan(TableName=VAULT_TABLE)["Items"]
    erase(functions, order_id="demo.g1")
    erase(functions, customer_id="demo.c1")
    erased = vaulted()
    for item in backup:
        aws.dynamodb().put_item(TableName=VAULT_TABLE, Item=item)
    lost = store.read("erasure#demo.o1")
    store.client.delete_item(
        TableName=store.table, Key={"PK": {"S": "erasure#demo.o1"}, "SK": {"S": "event#0000000001"}}
    )
    assert erase(functions, from_ledger=True, dry_run=True)["found"]["orders"] == 3
    assert erase(functions, from_ledger=True)["found"]["orders"] == 3
    assert vaulted() == erased
    [again_in_log] = store.read("erasure#demo.o1")
    assert (again_in_log.event, again_in_log.metadata.actor) == (lost[0].event, lost[0].metadata.actor)
    assert erase(functions, from_ledger=True)["found"]["orders"] == 0


@pytest.mark.parametrize("remaining", [300_000, 1_000])
def test_a_customer_of_many_orders_is_erased_batch_by_batch_in_calls_of_whatever_length(
    store: EventStore, functions: Functions, monkeypatch: pytest.MonkeyPatch, remaining: int
) -> None:
    monkeypatch.setattr(erasing, "BATCH", 2)
    functions.remaining_ms = lambda: remaining
    ids = [f"demo.o{number}" for number in range(5)]
    place(functions, *ids)
    confirm(store, *ids)
    dead_letter(message({"order_id": "o4"}, CANCEL))
    kept = dead_letter(OF_NOBODY_KNOWN["not JSON"])
    done = erase(functions, customer_id="demo.c1")
    assert done["found"] == {"orders": 5, "payment_tokens": 5, "dead_letters": 1, "unattributed": 1}
    assert (tuple(vaulted()), dead_letter_keys()) == (OTHERS, [kept])
    assert len(ledger()) == 6
    for item in ("erasure#demo.o4", "erasure#demo#c1"):
        assert len(store.read(item)) == 1
    monkeypatch.setattr(ledgers, "PAGE", 4)
    assert erase(functions, from_ledger=True)["done"]


@pytest.mark.parametrize(
    "whom", [{}, {"customer_id": "demo.c1", "order_id": "demo.o1"}, {"customer_id": "c1"}, {"operator": ""}]
)
def test_who_is_to_be_forgotten_is_named_once(whom: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Progress.model_validate({"operator": OPERATOR, **whom})


# Laws

STATES: dict[str, tuple[DomainEvent, ...]] = {
    "placed": (),
    "confirmed": (CONFIRMED,),
    "confirmed, asked": (CONFIRMED, REQUESTED),
    "confirmed, refused": (CONFIRMED, REQUESTED, REFUSED),
    "cancelling": (STARTED,),
    "cancelled": (STARTED, ENDED),
    "recalled": (CONFIRMED, REQUESTED, STARTED, ENDED),
}
"""What happened to an order since it was placed."""

ENDED_ALREADY = {"confirmed", "confirmed, refused", "cancelled", "recalled"}
_customers = count(1)


@settings(max_examples=20)
@given(states=st.lists(st.sampled_from(sorted(STATES)), max_size=7), batch=st.integers(1, 3))
def test_whatever_state_orders_are_in_those_that_have_ended_are_erased_and_no_others(
    store: EventStore, functions: Functions, states: list[str], batch: int
) -> None:
    clear(store)
    number = next(_customers)
    customer = f"law{number}"
    orders = {f"demo.law{number}-{nth}": state for nth, state in enumerate(states)}
    place(functions, *orders, customer=customer)
    for order_id, state in orders.items():
        happened(store, order_id, *STATES[state])
    ended = {order_id for order_id, state in orders.items() if state in ENDED_ALREADY}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(erasing, "BATCH", batch)
        progress = erase(functions, customer_id=f"demo.{customer}")
        assert erased_of(store, orders) == ended
        assert {each["order_id"] for each in progress["under_way"]} == orders.keys() - ended
        assert progress["done"] == (ended == orders.keys()) == bool(store.read(f"erasure#demo#{customer}"))
        if not progress["done"]:
            for order_id in orders.keys() - ended:
                happened(store, order_id, *((STARTED, ENDED) if orders[order_id] != "cancelling" else (ENDED,)))
            assert again(functions, progress)["done"]
    assert erased_of(store, orders) == orders.keys()
    assert len(store.read(f"erasure#demo#{customer}")) == 1


def happened(store: EventStore, order_id: str, *events: DomainEvent) -> None:
    """Append events to the order's own stream, and to that of a request to cancel it."""
    for event in events:
        kind = (
            streams.cancellation
            if isinstance(event, CancellationRequested | OrderCancellationRefused)
            else streams.order
        )
        append(store, kind(order_id), event.model_copy(update={"order_id": order_id}))


def erased_of(store: EventStore, orders: Iterable[str]) -> set[str]:
    """Those of these orders that are erased, by all accounts: log, ledger and vault."""
    written, kept = set(ledger_keys()), vaulted()
    in_log = {order_id for order_id in orders if store.read(streams.erasure(order_id))}
    in_ledger = {order_id for order_id in orders if f"orders/demo/{own_id(order_id)}.json" in written}
    gone = {order_id for order_id in orders if not any(item.endswith(f" {own_id(order_id)}") for item in kept)}
    assert in_log == in_ledger == gone
    return in_log


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["o1", "c1", "demo.o1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["order_id", "customer", "customer_id", "detail", "id", "caller", "folder", "source", "shop"]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
PARTIES = Parties(
    shops=("demo",),
    sources={"web": Party(name="demo", roles=("shop",))},
    clients={},
    claims={},
    folders={"demo": "demo"},
)


@given(body=ANY_JSON.map(json.dumps) | st.text(max_size=20), field=ANY_JSON)
def test_whatever_a_message_holds_it_is_somebodys_or_nobodys(body: str, field: Any) -> None:
    nested = json.dumps({"id": "e1", "detail-type": "OrderSubmitted", "source": "web", "detail": field})
    for each in (body, nested):
        stored = DeadLetterMessage(
            message_id="m1",
            source="order_intake",
            error="E",
            reasons="",
            attempts=1,
            sent_at=START,
            body=each,
            attributes={},
        )
        content = stored.model_dump_json().encode()
        assert whose(content, {"demo.o1"}, "demo.c1", PARTIES) in Whose
        assert whose(content, {"acme.o1"}, "acme.c1", PARTIES) is not Whose.THEIRS, "it came from no such shop"
