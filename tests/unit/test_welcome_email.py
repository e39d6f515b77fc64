"""The welcome: a customer's first confirmed order brings it, once, whatever comes twice, at once, or dies between."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from events import streams
from events.envelope import Recorded
from events.notification import CustomerWelcomed, FirstOrderConfirmed
from events.ordering import OrderConfirmed
from handlers.functions.main.welcome_email import handler
from handlers.notification.sending import NotSent
from handlers.notification.welcome_email import welcome
from handlers.ordering.refusals import OrderNotFound
from handlers.table.event_store import EventStore
from handlers.table.retrying import Throttled
from tests.builders.mail import sent, ses, verified_sender
from tests.builders.samples import (
    CONTEXT,
    EMAIL,
    Raced,
    append,
    clear,
    failed,
    from_bus,
    items,
    names,
    place,
    record,
    sqs,
    told,
)
from tests.unit import SENDER

CUSTOMER = streams.customer("c1")


@pytest.fixture(autouse=True)
def sender(store: EventStore) -> Iterator[None]:
    with verified_sender():
        yield


def confirmed(store: EventStore, order_id: str = "o1", **changed: Any) -> Recorded:
    """An order that is confirmed, of customer c1 unless that is changed."""
    place(store, order_id, **changed)
    return append(store, streams.order(order_id), OrderConfirmed(order_id=order_id))[0]


def test_a_first_order_brings_a_welcome_that_is_remembered(store: EventStore) -> None:
    event = confirmed(store)
    for _ in range(2):
        assert failed(handler(sqs(from_bus(event), from_bus(event)), CONTEXT)) == []
    [message] = sent()
    assert (message.source, message.destinations["ToAddresses"]) == (SENDER, [EMAIL])
    assert message.subject == "Welcome"
    assert "thank you for your order o1" in message.body
    assert told(store, CUSTOMER) == [
        FirstOrderConfirmed(customer_id="c1", order_id="o1"),
        CustomerWelcomed(customer_id="c1", order_id="o1", message_id=message.id),
    ]
    assert {each.metadata.causation_id for each in store.read(CUSTOMER)} == {event.event_id}
    assert {each.metadata.correlation_id for each in store.read(CUSTOMER)} == {"o1"}


def test_later_orders_of_a_customer_bring_none(store: EventStore) -> None:
    first, second = confirmed(store, "o1"), confirmed(store, "o2")
    handler(sqs(from_bus(first)), CONTEXT)
    before = items(store, "customer#")
    handler(sqs(from_bus(second), from_bus(first)), CONTEXT)
    assert len(sent()) == 1
    assert items(store, "customer#") == before


def test_every_customer_is_welcome(store: EventStore) -> None:
    first = confirmed(store, "o1")
    second = confirmed(store, "o2", customer={"customer_id": "c2", "email": "bob@customers.example"})
    handler(sqs(from_bus(first), from_bus(second)), CONTEXT)
    assert [message.destinations["ToAddresses"] for message in sent()] == [[EMAIL], ["bob@customers.example"]]


@pytest.mark.parametrize("customer", [None, {"customer_id": "c1"}])
def test_who_left_no_address_is_not_welcomed_until_an_order_brings_one(
    store: EventStore, customer: dict[str, str] | None
) -> None:
    handler(sqs(from_bus(confirmed(store, customer=customer))), CONTEXT)
    assert sent() == []
    assert items(store, "customer#") == []
    handler(sqs(from_bus(confirmed(store, "o2"))), CONTEXT)
    assert len(sent()) == 1


def test_of_two_orders_confirmed_at_once_one_brings_the_welcome(store: EventStore) -> None:
    first, second = confirmed(store, "o1"), confirmed(store, "o2")

    def quicker(stream: str, version: int) -> None:
        if (stream, version) == (CUSTOMER, 1) and not told(store, CUSTOMER):
            welcome(store, ses(), SENDER, second)

    welcome(Raced(store, before_append=quicker), ses(), SENDER, first)
    [message] = sent()
    assert "o2" in message.body
    assert [event.order_id for event in told(store, CUSTOMER)] == ["o2", "o2"]  # type: ignore[attr-defined]


def test_a_welcome_that_ses_does_not_take_comes_again(store: EventStore) -> None:
    event = confirmed(store)
    with Stubber(ses()) as stub:
        stub.add_client_error("send_email", "TooManyRequestsException", "slow down")
        with pytest.raises(NotSent, match="TooManyRequestsException"):
            welcome(store, ses(), SENDER, event)
    assert names(told(store, CUSTOMER)) == ["FirstOrderConfirmed"]
    welcome(store, ses(), SENDER, confirmed(store, "o2"))
    assert sent() == []
    welcome(store, ses(), SENDER, event)
    assert len(sent()) == 1
    assert names(told(store, CUSTOMER)) == ["FirstOrderConfirmed", "CustomerWelcomed"]


def test_a_crash_between_sending_and_remembering_sends_twice_and_remembers_once(store: EventStore) -> None:
    """E-mail has no idempotency key: the README says so, too."""
    event = confirmed(store)

    def dies(stream: str, version: int) -> None:
        if version == 2:
            raise Throttled

    with pytest.raises(Throttled):
        welcome(Raced(store, before_append=dies), ses(), SENDER, event)
    for _ in range(2):
        welcome(store, ses(), SENDER, event)
    assert len(sent()) == 2
    assert names(told(store, CUSTOMER)) == ["FirstOrderConfirmed", "CustomerWelcomed"]


def test_each_message_of_a_batch_succeeds_or_fails_by_itself(store: EventStore) -> None:
    unknown = record(OrderConfirmed(order_id="o9"), "order#o9", 2)
    assert failed(handler(sqs(from_bus(unknown), "not JSON", from_bus(confirmed(store))), CONTEXT)) == ["m0", "m1"]
    assert len(sent()) == 1
    with pytest.raises(OrderNotFound):
        welcome(store, ses(), SENDER, unknown)


@given(
    owners=st.lists(st.sampled_from(["c1", "c2", None]), min_size=1, max_size=4),
    dies=st.integers(0, 4),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=10)
def test_each_customer_is_welcomed_once_however_orders_are_told(
    store: EventStore, owners: list[str | None], dies: int, order: random.Random
) -> None:
    """Every message once or more, shuffled; the handler dies before one claim, and the message comes again."""
    clear(store)
    sent().clear()
    events = [
        confirmed(store, f"o{n}", customer=owner and {"customer_id": owner, "email": f"{owner}@customers.example"})
        for n, owner in enumerate(owners)
    ]
    messages = [*events, *order.choices(events, k=3)]
    order.shuffle(messages)
    claims = itertools.count()

    def dying(stream: str, version: int) -> None:
        if version == 1 and next(claims) == dies:
            raise Throttled

    fragile = Raced(store, before_append=dying)
    for message in messages:
        try:
            welcome(fragile, ses(), SENDER, message)
        except Throttled:
            welcome(fragile, ses(), SENDER, message)
    welcomed = sorted(message.destinations["ToAddresses"][0] for message in sent())
    assert welcomed == sorted({f"{owner}@customers.example" for owner in owners if owner})
