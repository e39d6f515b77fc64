"""Ordering: what becomes of a submission, a cancellation request, and the race for an order's one outcome."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
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
    OrderCancellationRefused,
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderRejected,
)
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.functions.main.order_intake import handler
from handlers.intake.requests import Request
from handlers.intake.validation import Refused, canonical
from handlers.ordering import outcome, submission
from handlers.ordering.order import Status, fold
from handlers.ordering.order_requests import request_cancellation, submit
from handlers.ordering.refusals import (
    AlreadyCancelled,
    AlreadyCaptured,
    AlreadyConfirmed,
    OrderCancelling,
    OrderNotFound,
)
from handlers.table.event_store import EventStore
from tests.builders.dead_letter_queue import dead_letters
from tests.builders.json_schemas import allowed_by
from tests.builders.messages import CONTEXT, failed, from_publisher, request, sqs
from tests.builders.orders import EMAIL, line, order, placed
from tests.builders.races import Raced
from tests.builders.recorded_events import START, names, record
from tests.builders.stores import append, events_of, items, log, place

CONFIRMED = OrderConfirmed(order_id="demo.o1")
STARTED = OrderCancellationStarted(order_id="demo.o1", reason="OutOfStock")
CANCELLED = OrderCancelled(order_id="demo.o1", reason="OutOfStock")


def rejected(detail: Any) -> OrderRejected:
    decided = submission.decide("demo", detail)
    assert isinstance(decided, OrderRejected), decided
    return decided


def reasons(detail: Any) -> dict[str, str]:
    return {reason.field: reason.message for reason in rejected(detail).reasons}


# A submission


def test_an_order_holds_what_was_submitted_and_its_total() -> None:
    accepted = placed("demo.o1", line("A", 2, 150), line("B", 3, 7, description="a bolt"), line("A", 1, 1))
    submitted = OrderSubmitted.model_validate_json(
        json.dumps(order("o1", *[each.model_dump() for each in accepted.lines]))
    )
    same = OrderSubmitted.model_fields.keys() - {"order_id", "customer"}
    assert accepted.total == 2 * 150 + 3 * 7 + 1
    assert all(getattr(accepted, name) == getattr(submitted, name) for name in same)
    assert (accepted.order_id, accepted.customer_id, accepted.email) == ("demo.o1", "demo.c1", EMAIL)


@pytest.mark.parametrize(
    ("customer", "customer_id", "email"),
    [
        (None, None, None),
        ({"email": EMAIL}, None, EMAIL),
        ({"customer_id": "c1"}, "demo.c1", None),
    ],
)
def test_a_guest_has_no_number_but_may_have_an_address(
    customer: dict[str, str] | None, customer_id: str | None, email: str | None
) -> None:
    accepted = placed(customer=customer)
    assert (accepted.customer_id, accepted.email) == (customer_id, email)


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
    assert isinstance(submission.decide("demo", order("o1", *lines)), OrderPlaced)


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
        submission.decide("demo", detail)


def test_text_that_no_encoding_has_is_taken_as_far_as_it_goes() -> None:
    """Half of a surrogate pair is valid in JSON, but nothing that can be stored."""
    accepted = submission.decide("demo", json.loads(json.dumps(order(payment_token="tok_\ud83d"))))
    assert isinstance(accepted, OrderPlaced)
    assert accepted.payment_token == "tok_?"


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
    decided = submission.decide("demo", same)
    assert placed("demo.o1", line("A", description="x"), line("B")).content_hash == decided.content_hash


def test_what_is_left_out_and_what_is_null_are_the_same_content() -> None:
    guest = order(customer=None)
    assert submission.decide("demo", guest) == submission.decide("demo", {**guest, "customer": None})


@given(allowed_by(OrderSubmitted.model_json_schema()))
@settings(max_examples=50)
def test_every_submission_is_placed_or_rejected(detail: dict[str, Any]) -> None:
    decided = submission.decide("demo", detail)
    assert decided.order_id == f"demo.{detail['order_id']}"
    assert submission.decide("demo", json.loads(json.dumps(detail))) == decided


@pytest.mark.parametrize(
    "changed",
    [{"currency": "EUR"}, {"payment_token": "tok_other"}, {"customer": None}, {"lines": [line("B")]}],
)
def test_other_content_has_another_hash(changed: dict[str, Any]) -> None:
    assert placed(**changed).content_hash != placed().content_hash


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
    assert take(from_publisher(order("o1", *lines))) == []
    [item] = items(store)
    assert 77_000 < len(item["data"]["S"]) < 78_000
    assert fold(store.read("order#demo.o1")) is not None


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
        (from_publisher({"\u0000" * 9: 1}), "?????????: Extra inputs are not permitted"),
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
    [requested] = events_of(store, "cancellation#demo.o1")
    assert isinstance(requested, CancellationRequested)
    assert (requested.order_id, requested.reason) == ("demo.o1", "too late")
    assert names(events_of(store, "order#demo.o1")) == ["OrderPlaced", "OrderConfirmed"]


def test_who_asked_is_told_once_that_it_is_too_late(store: EventStore) -> None:
    place(store)
    outcome.confirm_order(store, "demo.o1")
    request_cancellation(store, cancellation())
    for _ in range(2):
        outcome.refuse_cancellation(store, "demo.o1")
    request_cancellation(store, cancellation())
    requested, refused = events_of(store, "cancellation#demo.o1")
    assert isinstance(requested, CancellationRequested)
    assert refused == OrderCancellationRefused(
        order_id="demo.o1", content_hash=requested.content_hash, reason="the order is dispatched"
    )


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
@pytest.mark.parametrize(
    ("caller", "order_id", "why"),
    [
        (ACME, "o1", "order_id: there is no order 'acme.o1' to cancel"),
        (ACME, "demo.o1", "order_id: String should match pattern '^[A-Za-z0-9_-]{1,47}$'"),
        (OPERATOR, "o1", "order_id: String should match pattern '^[A-Za-z0-9_-]{1,47}$'"),
    ],
)
def test_nobody_cancels_another_shops_order(
    store: EventStore, caller: dict[str, str], order_id: str, why: str, confirmed: bool
) -> None:
    place(store)
    if confirmed:
        outcome.confirm_order(store, "demo.o1")
    before = items(store)
    assert failed(handler(sqs(from_caller(caller, order_id), receives=MAX_RECEIVE_COUNT), CONTEXT)) == []
    [message] = dead_letters()
    assert message["MessageAttributes"]["reasons"]["StringValue"] == why
    assert items(store) == before


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


def test_a_cancellation_whose_order_never_comes_is_a_dead_letter_in_the_end(store: EventStore) -> None:
    asked = from_publisher({"order_id": "o1"}, "OrderCancellationRequested")
    for receives in range(1, MAX_RECEIVE_COUNT):
        assert failed(handler(sqs(asked, receives=receives), CONTEXT)) == ["m0"]
        assert dead_letters() == []
    assert failed(handler(sqs(asked, receives=MAX_RECEIVE_COUNT), CONTEXT)) == []
    [message] = dead_letters()
    assert message["MessageAttributes"]["reasons"]["StringValue"] == "order_id: there is no order 'demo.o1' to cancel"
    assert items(store) == []


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
