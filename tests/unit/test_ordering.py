"""Ordering: what becomes of a submission, a cancellation request, and the race for an order's one outcome."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import streams
from events.envelope import Actor
from events.integration import MAX_CANONICAL_BYTES, OrderSubmitted
from events.model import DomainEvent
from events.ordering import (
    CancellationRequested,
    Destination,
    OrderCancellationRefused,
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderRejected,
    UnknownOrderCancellationRefused,
)
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.functions.main.order_intake import handler
from handlers.intake.requests import Request
from handlers.intake.validation import Refused, canonical
from handlers.ordering import outcome, submission
from handlers.ordering.order import Status, fold
from handlers.ordering.refusals import (
    AlreadyCancelled,
    AlreadyCaptured,
    AlreadyConfirmed,
    OrderCancelling,
    OrderNotFound,
)
from handlers.table.event_store import EventStore
from handlers.vault.person import person
from tests.builders.dead_letter_queue import dead_letters
from tests.builders.environment import TABLE, VAULT_TABLE
from tests.builders.json_schemas import allowed_by
from tests.builders.messages import CONTEXT, SOURCE, failed, from_publisher, request, sqs
from tests.builders.orders import CONTENT_KEY, EMAIL, STREET, TOKEN, invalid, line, order, placed, to, valid
from tests.builders.races import Raced
from tests.builders.recorded_events import START, names, record
from tests.builders.stores import append, events_of, items, log, place
from tests.builders.vault import KEY_OF_REJECTIONS, forget, payment_tokens, request_cancellation, submit, vault, vaulted
from tests.engines.in_process import WIRE
from tests.engines.wire import Fault

CONFIRMED = OrderConfirmed(order_id="demo.o1")
STARTED = OrderCancellationStarted(order_id="demo.o1", reason="OutOfStock")
CANCELLED = OrderCancelled(order_id="demo.o1", reason="OutOfStock")
REQUESTED = CancellationRequested(order_id="demo.o1")


def rejected(detail: Any) -> OrderRejected:
    return submission.rejected("demo", invalid(detail), KEY_OF_REJECTIONS)


def reasons(detail: Any) -> dict[str, str]:
    return {reason.field: reason.message for reason in rejected(detail).reasons}


# A submission


def test_an_order_holds_what_was_submitted_and_its_total_and_nothing_of_the_person() -> None:
    lines = [line("A", 2, 150), line("B", 3, 7, description="a bolt"), line("A", 1, 1)]
    accepted = placed("demo.o1", *lines)
    assert accepted.total == 2 * 150 + 3 * 7 + 1
    assert accepted.model_dump(mode="json", exclude={"content_hash", "total"}) == {
        "order_id": "demo.o1",
        "currency": "GBP",
        "lines": [{name: value for name, value in each.items() if name != "description"} for each in lines],
        "customer_id": "demo.c1",
        "has_email": True,
        "destination": {"country": "GB", "postal_area": "N1"},
    }


@pytest.mark.parametrize(("postal_code", "area"), [("N1", "N1"), ("SW1A 1AA", "SW1"), ("8", "8"), ("80331", "803")])
def test_of_where_it_goes_an_order_holds_the_country_and_how_the_postal_code_begins(
    postal_code: str, area: str
) -> None:
    assert placed(shipping_address=to(postal_code)).destination == Destination(country="GB", postal_area=area)


@pytest.mark.parametrize(
    ("customer", "customer_id", "has_email"),
    [
        (None, None, False),
        ({"email": EMAIL}, None, True),
        ({"customer_id": "c1"}, "demo.c1", False),
    ],
)
def test_a_guest_has_no_number_but_may_have_an_address(
    customer: dict[str, str] | None, customer_id: str | None, *, has_email: bool
) -> None:
    accepted = placed(customer=customer)
    assert (accepted.customer_id, accepted.has_email) == (customer_id, has_email)


def test_the_same_order_and_customer_of_two_shops_are_two() -> None:
    here, there = placed("demo.o1"), placed("acme.o1")
    assert (here.order_id, here.customer_id) == ("demo.o1", "demo.c1")
    assert (there.order_id, there.customer_id) == ("acme.o1", "acme.c1")


@pytest.mark.parametrize(
    ("detail", "field", "why"),
    [
        (order("o1", line(quantity=0)), "lines.0.quantity", "greater than 0"),
        (order("o1", line(), line(quantity=-3)), "lines.1.quantity", "greater than 0"),
        (order("o1", line(unit_price=-1)), "lines.0.unit_price", "greater than or equal to 0"),
        (order(currency="XXX"), "currency", "'XXX' is not an ISO 4217 currency code"),
        (order("o1", *[line()] * 1001), "lines", "at most 1000 items"),
        (order("o1", *[line(quantity=1_000_000, unit_price=10**10)] * 2), "lines", "a total over 1000000000000000"),
        (order(lines=None), "lines", "required"),
        (order(lines=[]), "lines", "at least 1 item"),
        (order(unknown=1), "unknown", "not permitted"),
        (order(customer={"customer_id": "c1", "email": "nowhere"}), "customer.email", "match pattern"),
        (order(shipping_address="London"), "shipping_address", "object"),
        (order(nested=[[[[]]]] * 2), "nested", "not permitted"),
    ],
)
def test_what_is_wrong_is_named_field_by_field(detail: dict[str, Any], field: str, why: str) -> None:
    decided = rejected(detail)
    assert decided.reason_count == 1
    assert [(reason.field, why in reason.message) for reason in decided.reasons] == [(field, True)]


def test_over_200_kilobytes_of_canonical_json_is_too_much() -> None:
    def of(size: int) -> dict[str, Any]:
        """A submission of that size; what makes it large is a field that nobody knows."""
        empty = order(filling="")
        return {**empty, "filling": "é" * ((size - len(canonical(empty).encode())) // 2)}

    smaller, larger = of(MAX_CANONICAL_BYTES), of(MAX_CANONICAL_BYTES + 2)
    assert reasons(smaller) == {"filling": "Extra inputs are not permitted"}
    assert reasons(larger)[""].endswith(f"bytes of canonical JSON; {MAX_CANONICAL_BYTES} are allowed")


def test_white_space_and_order_of_keys_do_not_count_towards_the_size() -> None:
    lines = [line(f"SKU-{number:04}", description="x" * 150) for number in range(900)]
    assert len(json.dumps(order("o1", *lines), indent=16)) > MAX_CANONICAL_BYTES
    assert len(valid(order("o1", *lines)).order.lines) == len(lines)


def test_at_most_50_reasons_are_kept_and_all_are_counted() -> None:
    decided = rejected(order("o1", *[line(quantity=0, unit_price=-1)] * 100))
    assert len(decided.reasons) == 50
    assert decided.reason_count == 200


def test_reasons_are_small_and_hold_no_values() -> None:
    decided = rejected({**order(payment_token=["tok_secret"], customer={"customer_id": "Ada L"}), "k" * 5000: 1})
    assert decided.reason_count == 3
    recorded = decided.model_dump_json()
    assert len(recorded) < 1000
    assert "tok_secret" not in recorded
    assert "Ada L" not in recorded


@pytest.mark.parametrize("order_id", ["a" * 47, "A-1_b", "0"])
def test_a_usable_id_is_rejected_under_that_id(order_id: str) -> None:
    assert rejected({"order_id": order_id}).order_id == f"demo.{order_id}"


@pytest.mark.parametrize(
    "detail",
    [
        order(""),
        order("a b"),
        order("x" * 48),
        order("demo.o1"),
        order("o\n"),
        order(None, lines=[]),
        {**order(), "order_id": 7},
        {**order(), "order_id": ["o1"]},
        None,
        [],
        "o1",
        7,
        order("o#1", filling="x" * MAX_CANONICAL_BYTES),
    ],
)
def test_without_a_usable_id_a_submission_cannot_be_rejected_as_an_order(detail: Any) -> None:
    with pytest.raises(Refused):
        submission.decide(detail)


def test_text_that_no_encoding_has_is_taken_as_far_as_it_goes() -> None:
    """Half of a surrogate pair is valid in JSON, but nothing that can be stored."""
    accepted = valid(json.loads(json.dumps(order(payment_token="tok_\ud83d"))))
    assert accepted.order.payment_token == "tok_?"


def shuffled(value: Any, shuffle: Callable[[list[Any]], None]) -> Any:
    """The same JSON with the keys of every object in another order."""
    if isinstance(value, dict):
        keys = list(value)
        shuffle(keys)
        return {key: shuffled(value[key], shuffle) for key in keys}
    return [shuffled(each, shuffle) for each in value] if isinstance(value, list) else value


@given(st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_the_same_content_has_the_same_hash(randomly: random.Random) -> None:
    same = shuffled(order("o1", line("A", description="x"), line("B")), randomly.shuffle)
    again = submission.placed("demo", valid(same), CONTENT_KEY)
    assert placed("demo.o1", line("A", description="x"), line("B")).content_hash == again.content_hash


def test_what_is_left_out_and_what_is_null_are_the_same_content() -> None:
    guest = order(customer=None)
    assert submission.decide(guest) == submission.decide({**guest, "customer": None})


@given(allowed_by(OrderSubmitted.model_json_schema()))
@settings(max_examples=50)
def test_every_submission_is_placed_or_rejected(detail: dict[str, Any]) -> None:
    def event_of(submitted: dict[str, Any]) -> OrderPlaced | OrderRejected:
        match submission.decide(submitted):
            case submission.Valid() as decided:
                return submission.placed("demo", decided, CONTENT_KEY)
            case submission.Invalid() as decided:
                return submission.rejected("demo", decided, KEY_OF_REJECTIONS)

    event = event_of(detail)
    assert event.order_id == f"demo.{detail['order_id']}"
    assert event_of(json.loads(json.dumps(detail))) == event


@pytest.mark.parametrize(
    "changed",
    [
        {"currency": "EUR"},
        {"payment_token": "tok_other"},
        {"customer": None},
        {"lines": [line("B")]},
        {"lines": [line(description="in words")]},
        {"shipping_address": {**to("N1"), "name": "Augusta King"}},
    ],
)
def test_other_content_has_another_hash(changed: dict[str, Any]) -> None:
    """Also where the rest of the event is the same."""
    assert placed(**changed).content_hash != placed().content_hash


def test_without_its_key_a_hash_tells_nothing() -> None:
    accepted, refused = valid(order()), invalid(order(lines=[]))
    placed_with, rejected_with = (
        {submission.placed("demo", accepted, key).content_hash for key in (CONTENT_KEY, KEY_OF_REJECTIONS, b"")},
        {submission.rejected("demo", refused, key).content_hash for key in (CONTENT_KEY, KEY_OF_REJECTIONS, b"")},
    )
    assert len(placed_with) == len(rejected_with) == 3
    assert sha256(accepted.text.encode()).hexdigest() not in placed_with
    assert sha256(refused.text.encode()).hexdigest() not in rejected_with


# Intake


def take(*bodies: str) -> list[str]:
    return failed(handler(sqs(*bodies), CONTEXT))


def test_the_same_submission_again_changes_nothing(store: EventStore) -> None:
    assert take(*[from_publisher(order())] * 3) == []
    assert take(from_publisher(shuffled(order(), lambda keys: keys.reverse()))) == []
    assert names(record.event for record in log(store)) == ["OrderPlaced"]


def test_other_content_under_the_same_id_is_rejected_and_the_first_order_stays(store: EventStore) -> None:
    first = submit(store, request(order()))
    other = [submit(store, request(order("o1", line("B")))) for _ in range(2)]
    assert other[0] == other[1]
    assert isinstance(other[0], OrderRejected)
    assert [reason.field for reason in other[0].reasons] == ["order_id"]
    assert events_of(store, "order#demo.o1") == [first]
    assert events_of(store, streams.rejection("demo.o1", other[0].content_hash)) == [other[0]]
    assert len(log(store)) == 2


def test_a_repeated_submission_is_told_by_the_key_that_is_with_the_person(store: EventStore) -> None:
    first = submit(store, request(order()))
    assert isinstance(first, OrderPlaced)
    key = vault(store).content_key(first)
    assert key is not None
    assert first.content_hash == submission.content_hash(key, valid(order()).text)
    before = items(store), vaulted(store)
    assert submit(store, request(order(), event_id="again")) == first
    assert (items(store), vaulted(store)) == before


def test_every_order_has_a_key_of_its_own(store: EventStore) -> None:
    """So nobody who has the log sees that two orders are alike."""
    alike = [order("o1"), order("o2")]
    events = [submit(store, request(each)) for each in alike]
    keys = {vault(store).content_key(event) for event in events if isinstance(event, OrderPlaced)}
    assert len(keys - {None}) == 2
    assert {len(key) for key in keys if key} == {32}


@pytest.mark.parametrize("customer", [order()["customer"], {"email": EMAIL}, None], ids=["known", "guest", "nobody"])
def test_an_order_and_its_person_are_placed_in_one_transaction_after_the_token(
    store: EventStore, customer: dict[str, str] | None
) -> None:
    with WIRE.tapped(wire := Fault()):
        accepted = submit(store, request(order(customer=customer)))
    assert isinstance(accepted, OrderPlaced)
    put, transaction = [call for call in wire.calls if call.service == "dynamodb"]
    assert (put.operation, put.parameters["TableName"]) == ("PutItem", VAULT_TABLE)
    assert payment_tokens(store).read(accepted) == TOKEN
    assert transaction.operation == "TransactWriteItems"
    assert [
        (action, request["TableName"], request["ConditionExpression"])
        for each in transaction.parameters["TransactItems"]
        for action, request in each.items()
    ] == [("Put", VAULT_TABLE, "attribute_not_exists(PK)"), ("Put", TABLE, "attribute_not_exists(PK)")]
    known = vault(store).read(accepted)
    assert known is not None
    assert (known.person.email, known.person.address.street) == ((customer or {}).get("email"), STREET)
    assert len(vaulted(store)) == 2


def test_where_an_order_stands_no_other_person_and_token_are_put_beside_it(store: EventStore) -> None:
    first = submit(store, request(order()))
    before = vaulted(store)
    other = order(customer={"customer_id": "c2", "email": "grace@customers.example"}, payment_token="tok_other")
    assert isinstance(submit(store, request(other)), OrderRejected)
    assert vaulted(store) == before
    assert events_of(store, "order#demo.o1") == [first]


@pytest.mark.parametrize("again", [order(), order("o1", line("B"))], ids=["the same", "another"])
def test_a_submission_after_its_person_was_forgotten_is_rejected_and_brings_nobody_back(
    store: EventStore, again: dict[str, Any]
) -> None:
    first = submit(store, request(order()))
    assert isinstance(first, OrderPlaced)
    forget(store, first)
    payment_tokens(store).delete(first)
    for _ in range(2):
        refused = submit(store, request(again))
        assert isinstance(refused, OrderRejected)
        assert [(reason.field, reason.message) for reason in refused.reasons] == [
            ("order_id", "an order with this id stands")
        ]
    assert vaulted(store) == []
    assert events_of(store, "order#demo.o1") == [first]
    assert names(record.event for record in log(store)) == ["OrderPlaced", "OrderRejected"]


def test_a_rejections_hash_is_under_the_key_of_the_environment_and_its_person_in_no_vault(store: EventStore) -> None:
    wrong = order(lines=[])
    refused = submit(store, request(wrong))
    assert isinstance(refused, OrderRejected)
    assert refused.content_hash == submission.content_hash(KEY_OF_REJECTIONS, canonical(wrong))
    assert vaulted(store) == []


def test_a_conflicts_hash_is_under_the_key_of_the_environment(store: EventStore) -> None:
    submit(store, request(order()))
    refused = submit(store, request(order("o1", line("B"))))
    assert isinstance(refused, OrderRejected)
    assert refused.content_hash == submission.content_hash(KEY_OF_REJECTIONS, valid(order("o1", line("B"))).text)
    assert [reason.message for reason in refused.reasons] == [
        "an order with this id and other content was placed before"
    ]


def test_the_key_of_the_environment_is_read_for_rejections_alone(store: EventStore) -> None:
    with WIRE.tapped(wire := Fault()):
        submit(store, request(order()))
        submit(store, request(order()))
    assert {call.service for call in wire.calls} == {"dynamodb"}
    with WIRE.tapped(wire := Fault()):
        submit(store, request(order("o2", lines=[])))
    assert [call.operation for call in wire.calls] == ["GetSecretValue", "PutItem"]


def test_a_corrected_submission_after_a_rejection_goes_through(store: EventStore) -> None:
    wrong = order("o1", line(quantity=0))
    assert take(from_publisher(wrong), from_publisher(order()), from_publisher(wrong)) == []
    assert names(record.event for record in log(store)) == ["OrderPlaced", "OrderRejected"]
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced"]


def test_each_rejected_content_is_rejected_once(store: EventStore) -> None:
    wrong = [order("o1", line(quantity=-number)) for number in range(3)]
    assert take(*[from_publisher(each) for each in wrong * 2]) == []
    assert names(record.event for record in log(store)) == ["OrderRejected"] * 3


def test_the_largest_real_order_goes_through(store: EventStore) -> None:
    """592 lines and 77 KB."""
    lines = [line(f"SKU-{number:05}", 12, 1295, description="D" * 61) for number in range(592)]
    assert 77_000 < len(canonical(order("o1", *lines))) < 78_000
    assert take(from_publisher(order("o1", *lines))) == []
    placed_now = fold(store.read("order#demo.o1"))
    assert placed_now is not None
    assert len(placed_now.placed.lines) == 592
    known = vault(store).read(placed_now.placed)
    assert known is not None
    assert known.person.descriptions == {str(position): "D" * 61 for position in range(592)}


def test_the_event_follows_from_the_message_it_came_in(store: EventStore) -> None:
    submit(store, request(order(), event_id="message-1"))
    metadata = store.read("order#demo.o1")[0].metadata
    assert (metadata.correlation_id, metadata.causation_id) == ("demo.o1", "message-1")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("not JSON", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        ('{"id": ' + "9" * 5_000 + "}", "not readable as JSON"),
        ("[]", "valid dictionary"),
        ('{"id": "e1", "detail-type": "OrderSubmitted"}', "detail: Field required"),
        (from_publisher({}, "OrderForgotten"), "'OrderForgotten' is not known here; known: OrderSubmitted"),
        (from_publisher({"order_id": "a b"}), "order_id: String should match"),
        (from_publisher([]), "object"),
        (from_publisher({"\u0000" * 9: 1}), "?: Extra inputs are not permitted"),
        (from_publisher({}, "OrderCancellationRequested"), "order_id: Field required"),
        (from_publisher({"order_id": "o1", "why": ""}, "OrderCancellationRequested"), "why: Extra inputs"),
    ],
)
def test_what_can_never_become_an_event_is_a_dead_letter_that_says_why(store: EventStore, body: str, why: str) -> None:
    assert take(body) == []
    [message] = dead_letters()
    assert message["Body"] == body
    assert why in message["MessageAttributes"]["reasons"]["StringValue"]
    assert message["MessageAttributes"]["message_id"]["StringValue"] == "m0"
    assert log(store) == []


def test_the_reasons_of_a_dead_letter_fit_into_a_message(store: EventStore) -> None:
    assert take(from_publisher({"order_id": "", **{f"field{number}é" * 20: 1 for number in range(500)}})) == []
    [message] = dead_letters()
    assert len(message["MessageAttributes"]["reasons"]["StringValue"].encode()) <= 8 * 1024


def test_a_bad_message_does_not_hold_up_the_others(store: EventStore) -> None:
    asked = from_publisher({"order_id": "unknown"}, "OrderCancellationRequested")
    assert take("not JSON", asked, from_publisher(order())) == ["m1"]
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced"]
    assert len(dead_letters()) == 1


# A cancellation request


def cancellation(order_id: str = "o1", **more: Any) -> Request:
    return request({"order_id": order_id, **more})


def test_a_cancellation_that_comes_first_starts_cancelling(store: EventStore) -> None:
    place(store)
    for _ in range(2):
        request_cancellation(store, cancellation())
    assert events_of(store, "order#demo.o1")[1:] == [
        OrderCancellationStarted(order_id="demo.o1", reason="CancellationRequested")
    ]
    assert len(log(store)) == 2


def test_a_cancellation_of_a_confirmed_order_is_asked_for_once(store: EventStore) -> None:
    place(store)
    outcome.confirm_order(store, "demo.o1")
    for reason in ("too late", "too late", "again"):
        request_cancellation(store, cancellation(reason=reason))
    assert events_of(store, "cancellation#demo.o1") == [REQUESTED]
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced", "OrderConfirmed"]


@pytest.mark.parametrize("history", [[], [CONFIRMED], [STARTED], [STARTED, CANCELLED]])
def test_why_a_customer_cancels_is_kept_in_the_vault_and_in_no_event(
    store: EventStore, history: Sequence[DomainEvent]
) -> None:
    """What was said first stays."""
    of = place(store)
    append(store, "order#demo.o1", *history)
    why = "my sister Byron moved"
    for reason in (why, why, "again"):
        request_cancellation(store, cancellation(reason=reason))
    request_cancellation(store, cancellation())
    known = vault(store).read(of)
    assert known is not None
    assert known.cancellation_reason == why
    assert known.person == person(valid(order()).order)
    assert not any("Byron" in each["data"]["S"] or "Byron" in each["metadata"]["S"] for each in items(store))


def test_a_cancellation_without_a_reason_writes_nothing_to_the_vault(store: EventStore) -> None:
    of = place(store)
    before = vaulted(store)
    request_cancellation(store, cancellation())
    assert vaulted(store) == before
    known = vault(store).read(of)
    assert known is not None
    assert known.cancellation_reason is None


def test_why_a_forgotten_customer_cancels_is_not_kept(store: EventStore) -> None:
    forget(store, place(store))
    before = vaulted(store)
    request_cancellation(store, cancellation(reason="my sister Byron moved"))
    assert vaulted(store) == before
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced", "OrderCancellationStarted"]


def test_who_asked_is_told_once_that_it_is_too_late(store: EventStore) -> None:
    place(store)
    outcome.confirm_order(store, "demo.o1")
    request_cancellation(store, cancellation())
    for _ in range(2):
        outcome.refuse_cancellation(store, "demo.o1")
    request_cancellation(store, cancellation())
    assert events_of(store, "cancellation#demo.o1") == [
        REQUESTED,
        OrderCancellationRefused(order_id="demo.o1", reason="the order is dispatched"),
    ]


def test_where_nobody_asked_nobody_is_told(store: EventStore) -> None:
    place(store)
    outcome.confirm_order(store, "demo.o1")
    outcome.refuse_cancellation(store, "demo.o1")
    assert events_of(store, "cancellation#demo.o1") == []


SHOP: dict[str, str] = {"subject": "web", "client": "web", "scopes": "orders/write"}
"""A caller of the HTTP API whose client is demo's, as every client is here."""
OPERATOR = {"subject": "ops", "client": "ops", "scopes": "orders/write orders/operate"}
ACME = {**SHOP, "shop": "acme"}
"""One whom our own authorizer found to be of another shop."""


def from_caller(caller: Mapping[str, str], path: str | None, **detail: Any) -> str:
    """A message of the HTTP API that asks to cancel the order in its path."""
    return json.dumps(
        {"detail-type": "OrderCancellationRequested", "detail": detail, "caller": caller, "order_id": path}
    )


@pytest.mark.parametrize(
    ("caller", "order_id", "principal"),
    [(SHOP, "o1", "demo/web"), (OPERATOR, "demo.o1", "ops"), (OPERATOR, "acme.o1", "ops")],
)
def test_a_shop_cancels_its_own_order_and_an_operator_any(
    store: EventStore, caller: dict[str, str], order_id: str, principal: str
) -> None:
    wanted = "acme.o1" if order_id == "acme.o1" else "demo.o1"
    for each in ("demo.o1", "acme.o1", "demo.o2"):
        place(store, each)
    assert take(from_caller(caller, order_id, order_id="o2")) == []
    placed_first, started = store.read(streams.order(wanted))
    assert names([placed_first.event, started.event]) == ["OrderPlaced", "OrderCancellationStarted"]
    assert started.metadata.actor == Actor(door="http", principal=principal)
    assert len(log(store)) == 4, "what is sent does not say which order it is"


@pytest.mark.parametrize("confirmed", [True, False])
@pytest.mark.parametrize(("caller", "order_id"), [(ACME, "demo.o1"), (OPERATOR, "o1")])
def test_nobody_names_another_shops_order(
    store: EventStore, caller: dict[str, str], order_id: str, confirmed: bool
) -> None:
    place(store)
    if confirmed:
        outcome.confirm_order(store, "demo.o1")
    before = items(store), vaulted(store)
    asked = from_caller(caller, order_id, reason="mine")
    assert failed(handler(sqs(asked, receives=MAX_RECEIVE_COUNT), CONTEXT)) == []
    [message] = dead_letters()
    why = message["MessageAttributes"]["reasons"]["StringValue"]
    assert why == "order_id: String should match pattern '^[A-Za-z0-9_-]{1,47}$'"
    assert (items(store), vaulted(store)) == before


@pytest.mark.parametrize("confirmed", [True, False])
def test_nobody_cancels_another_shops_order(store: EventStore, confirmed: bool) -> None:
    """By its own id, a shop's order is its own: that acme has none is all that is said."""
    place(store)
    if confirmed:
        outcome.confirm_order(store, "demo.o1")
    before = items(store), vaulted(store)
    asked = from_caller(ACME, "o1", reason="mine")
    assert failed(handler(sqs(asked, receives=MAX_RECEIVE_COUNT), CONTEXT)) == []
    assert dead_letters() == []
    assert events_of(store, "unknown-order#acme.o1") == [UnknownOrderCancellationRefused(order_id="acme.o1")]
    assert ([item for item in items(store) if "acme" not in item["PK"]["S"]], vaulted(store)) == before


@pytest.mark.parametrize("caller", [SHOP, OPERATOR])
def test_a_caller_who_names_no_order_is_refused(store: EventStore, caller: dict[str, str]) -> None:
    place(store)
    assert take(from_caller(caller, None, order_id="o1")) == []
    assert len(dead_letters()) == 1
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced"]


def test_operators_place_no_orders(store: EventStore) -> None:
    submitted = json.dumps({"detail-type": "OrderSubmitted", "detail": order("o1"), "caller": OPERATOR})
    assert take(submitted) == []
    [message] = dead_letters()
    why = message["MessageAttributes"]["reasons"]["StringValue"]
    assert why == ": orders are placed by shops, and this comes from none"
    assert log(store) == []


@pytest.mark.parametrize("history", [[STARTED], [STARTED, CANCELLED]])
def test_a_cancellation_of_what_is_being_cancelled_changes_nothing(
    store: EventStore, history: Sequence[DomainEvent]
) -> None:
    place(store)
    append(store, "order#demo.o1", *history)
    request_cancellation(store, cancellation())
    assert events_of(store, "order#demo.o1")[1:] == history
    assert len(log(store)) == 1 + len(history)


def test_a_cancellation_that_comes_before_its_order_is_delivered_again(store: EventStore) -> None:
    asked = from_publisher({"order_id": "o1"}, "OrderCancellationRequested")
    assert take(asked) == ["m0"]
    assert take(from_publisher(order()), asked) == []
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced", "OrderCancellationStarted"]


ASKED = from_publisher({"order_id": "o1", "reason": "my sister Byron moved"}, "OrderCancellationRequested")
UNKNOWN = "unknown-order#demo.o1"


def delivered(body: str, receives: int) -> list[str]:
    return failed(handler(sqs(body, receives=receives), CONTEXT))


def test_a_cancellation_whose_order_never_comes_is_refused_in_the_end_and_no_dead_letter(store: EventStore) -> None:
    for receives in range(1, MAX_RECEIVE_COUNT):
        assert delivered(ASKED, receives) == ["m0"]
        assert items(store) == []
    for _ in range(2):
        assert delivered(ASKED, MAX_RECEIVE_COUNT) == []
    assert events_of(store, UNKNOWN) == [UnknownOrderCancellationRefused(order_id="demo.o1")]
    [refused] = store.read(UNKNOWN)
    assert refused.metadata.actor == Actor(door="bus", principal=f"demo/{SOURCE}")
    assert (refused.metadata.correlation_id, refused.metadata.causation_id) == ("demo.o1", "e1")
    assert len(log(store)) == 1
    assert dead_letters() == []
    assert vaulted(store) == []


def test_an_operators_cancellation_of_an_unknown_order_is_refused_likewise(store: EventStore) -> None:
    assert delivered(from_caller(OPERATOR, "acme.o9"), MAX_RECEIVE_COUNT) == []
    assert names(events_of(store, "unknown-order#acme.o9")) == ["UnknownOrderCancellationRefused"]
    assert dead_letters() == []


def test_what_is_no_request_to_cancel_is_a_dead_letter_at_its_last_delivery_too(store: EventStore) -> None:
    wrong = from_publisher({"order_id": "o1", "why": ""}, "OrderCancellationRequested")
    assert delivered(wrong, MAX_RECEIVE_COUNT) == []
    assert len(dead_letters()) == 1
    assert items(store) == []


@pytest.mark.parametrize("confirmed", [True, False])
def test_an_order_placed_after_its_cancellation_was_refused_can_be_cancelled(
    store: EventStore, confirmed: bool
) -> None:
    assert delivered(ASKED, MAX_RECEIVE_COUNT) == []
    assert take(from_publisher(order())) == []
    if confirmed:
        outcome.confirm_order(store, "demo.o1")
    for receives in (1, MAX_RECEIVE_COUNT):
        assert delivered(ASKED, receives) == []
    if confirmed:
        assert events_of(store, "cancellation#demo.o1") == [REQUESTED]
    else:
        assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced", "OrderCancellationStarted"]
    assert names(events_of(store, UNKNOWN)) == ["UnknownOrderCancellationRefused"]
    assert dead_letters() == []


def test_a_confirmation_in_the_middle_of_a_cancellation_request_wins(store: EventStore) -> None:
    place(store)
    raced = Raced(store, after_read=lambda _: outcome.confirm_order(store, "demo.o1"))
    request_cancellation(raced, cancellation())
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced", "OrderConfirmed"]
    assert names(events_of(store, "cancellation#demo.o1")) == ["CancellationRequested"]


# The outcome


@pytest.mark.parametrize(
    ("history", "status", "reason"),
    [
        ([], Status.PLACED, None),
        ([CONFIRMED], Status.CONFIRMED, None),
        ([STARTED], Status.CANCELLING, "OutOfStock"),
        ([STARTED, CANCELLED], Status.CANCELLED, "OutOfStock"),
    ],
)
def test_the_status_of_an_order(history: Sequence[DomainEvent], status: Status, reason: str | None) -> None:
    stream = [record(event, "order#demo.o1", version) for version, event in enumerate([placed(), *history], start=1)]
    found = fold(stream)
    assert found is not None
    assert (found.status, found.reason, found.version) == (status, reason, len(stream))
    assert fold([]) is None


def test_confirmed_first(store: EventStore) -> None:
    place(store)
    for _ in range(2):
        assert outcome.confirm_order(store, "demo.o1") == CONFIRMED
    with pytest.raises(AlreadyConfirmed):
        outcome.start_cancellation(store, "demo.o1", "OutOfStock")
    with pytest.raises(RuntimeError, match="not being cancelled"):
        outcome.cancel_order(store, "demo.o1")
    assert events_of(store, "order#demo.o1")[1:] == [CONFIRMED]


def test_cancelled_first(store: EventStore) -> None:
    place(store)
    outcome.start_cancellation(store, "demo.o1", "OutOfStock")
    with pytest.raises(OrderCancelling):
        outcome.confirm_order(store, "demo.o1")
    outcome.start_cancellation(store, "demo.o1", "PaymentDeclined")
    for _ in range(2):
        assert outcome.cancel_order(store, "demo.o1") == CANCELLED
    with pytest.raises(AlreadyCancelled, match="OutOfStock"):
        outcome.start_cancellation(store, "demo.o1", "PaymentDeclined")
    with pytest.raises(OrderCancelling):
        outcome.confirm_order(store, "demo.o1")
    assert events_of(store, "order#demo.o1")[1:] == [STARTED, CANCELLED]


@pytest.mark.parametrize("first", [CONFIRMED, STARTED])
def test_who_starts_to_cancel_obeys_who_was_quicker(store: EventStore, first: DomainEvent) -> None:
    place(store)

    def quicker(stream: str) -> None:
        if len(store.read(stream)) == 1:
            append(store, stream, first)

    race = Raced(store, after_read=quicker)
    if first is CONFIRMED:
        with pytest.raises(AlreadyConfirmed):
            outcome.start_cancellation(race, "demo.o1", "PaymentDeclined")
    else:
        outcome.start_cancellation(race, "demo.o1", "PaymentDeclined")
    assert events_of(store, "order#demo.o1")[1:] == [first]


def test_a_captured_payment_goes_forward_only(store: EventStore) -> None:
    place(store)
    authorized = PaymentAuthorized(order_id="demo.o1", amount=100, currency="GBP", authorization_id="a1")
    append(store, "payment#demo.o1", authorized, PaymentCaptured(order_id="demo.o1", amount=100, currency="GBP"))
    with pytest.raises(AlreadyCaptured):
        outcome.start_cancellation(store, "demo.o1", "PaymentGatewayUnreachable")
    outcome.confirm_order(store, "demo.o1")
    assert events_of(store, "order#demo.o1")[1:] == [CONFIRMED]


def test_a_declined_capture_does_not(store: EventStore) -> None:
    place(store)
    authorized = PaymentAuthorized(order_id="demo.o1", amount=100, currency="GBP", authorization_id="a1")
    append(store, "payment#demo.o1", authorized, PaymentDeclined(order_id="demo.o1", reason="the account was closed"))
    outcome.start_cancellation(store, "demo.o1", "OutOfStock")
    assert events_of(store, "order#demo.o1")[1:] == [STARTED]


def test_an_order_nobody_knows_is_not_cancelled(store: EventStore) -> None:
    for command in (
        lambda: outcome.start_cancellation(store, "demo.o9", "x"),
        lambda: outcome.cancel_order(store, "demo.o9"),
    ):
        with pytest.raises(OrderNotFound):
            command()
    assert items(store) == []


def test_what_follows_from_an_order_says_so(store: EventStore) -> None:
    place(store)
    outcome.start_cancellation(store, "demo.o1", "OutOfStock")
    outcome.cancel_order(store, "demo.o1")
    first, second, third = store.read("order#demo.o1")
    assert [each.metadata.causation_id for each in (second, third)] == [first.event_id, second.event_id]
    assert second.metadata.occurred_at - first.metadata.occurred_at >= timedelta()
    assert START.tzinfo == first.metadata.occurred_at.tzinfo
