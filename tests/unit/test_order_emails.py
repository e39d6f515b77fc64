"""Order e-mails: one per outcome, to those who left an address, in words that people read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

from events import streams
from events.envelope import Recorded
from events.notification import CustomerNotified
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed
from handlers.functions.main.order_notifications import handler
from handlers.notification.order_emails import email, money, notify
from handlers.notification.sending import NotSent
from handlers.ordering.refusals import OrderNotFound
from handlers.table.event_store import EventStore
from handlers.table.retrying import Throttled
from tests.builders.mail import sent, ses, verified_sender
from tests.builders.samples import (
    CONTEXT,
    EMAIL,
    Raced,
    append,
    failed,
    from_bus,
    line,
    names,
    place,
    placed,
    record,
    sqs,
    told,
)
from tests.unit import SENDER


@pytest.fixture(autouse=True)
def sender(store: EventStore) -> Iterator[None]:
    with verified_sender():
        yield


def confirm(store: EventStore, order_id: str = "o1") -> Recorded:
    return append(store, streams.order(order_id), OrderConfirmed(order_id=order_id))[0]


def cancel(store: EventStore, reason: str) -> Recorded:
    started = OrderCancellationStarted(order_id="o1", reason=reason)
    return append(store, "order#o1", started, OrderCancelled(order_id="o1", reason=reason))[1]


def test_an_order_cancelled_after_it_was_confirmed_is_told_both_once(store: EventStore) -> None:
    place(store)
    confirmed, cancelled = from_bus(confirm(store)), from_bus(cancel(store, "CancellationRequested"))
    for _ in range(2):
        assert failed(handler(sqs(cancelled, confirmed, cancelled), CONTEXT)) == []
    assert sorted(message.subject for message in sent()) == ["Your order o1 is cancelled", "Your order o1 is confirmed"]
    assert len(told(store, "notification#o1")) == 2


def test_a_confirmed_order_is_told_once(store: EventStore) -> None:
    place(store, "o1", line(quantity=3, unit_price=1234))
    confirmed = from_bus(confirm(store))
    assert failed(handler(sqs(confirmed, confirmed), CONTEXT)) == []
    assert failed(handler(sqs(confirmed), CONTEXT)) == []
    [message] = sent()
    assert message.source == SENDER
    assert message.destinations["ToAddresses"] == [EMAIL]
    assert message.subject == "Your order o1 is confirmed"
    assert "over 37.02 GBP" in message.body


def test_what_was_sent_is_remembered_as_an_event(store: EventStore) -> None:
    place(store)
    confirmed = confirm(store)
    handler(sqs(from_bus(confirmed)), CONTEXT)
    [notified] = told(store, "notification#o1")
    assert isinstance(notified, CustomerNotified)
    assert notified.about == confirmed.event_id
    assert notified.message_id == sent()[0].id
    [remembered] = store.read("notification#o1")
    assert remembered.metadata.causation_id == confirmed.event_id


@pytest.mark.parametrize(
    ("reason", "because"),
    [
        ("OutOfStock", "we do not have everything you ordered"),
        ("PaymentDeclined", "the payment was declined"),
        ("ShipmentRejected", "the carrier does not deliver to your address"),
        ("CancellationRequested", "you asked us to"),
        ("SomethingNew", "of a problem on our side"),
    ],
)
def test_a_cancelled_order_is_told_with_the_reason(store: EventStore, reason: str, because: str) -> None:
    place(store)
    handler(sqs(from_bus(cancel(store, reason))), CONTEXT)
    [message] = sent()
    assert message.subject == "Your order o1 is cancelled"
    assert f"is cancelled, because {because}." in message.body
    assert "You will not be charged" in message.body


@pytest.mark.parametrize("customer", [None, {"customer_id": "c1"}])
def test_who_left_no_address_is_told_nothing(store: EventStore, customer: dict[str, str] | None) -> None:
    place(store, customer=customer)
    assert failed(handler(sqs(from_bus(confirm(store))), CONTEXT)) == []
    assert sent() == []
    assert told(store, "notification#o1") == []


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1234, "GBP", "12.34"),
        (5, "GBP", "0.05"),
        (0, "EUR", "0.00"),
        (100, "USD", "1.00"),
        (1234, "JPY", "1234"),
        (1234, "KWD", "1.234"),
        (10**15, "GBP", "10000000000000.00"),
        (7, "CLF", "0.0007"),
    ],
)
def test_money_is_written_as_people_write_it(amount: int, currency: str, text: str) -> None:
    assert money(amount, currency) == text
    if currency == "JPY":
        order = placed("o1", line(quantity=1, unit_price=amount), currency=currency)
        assert "over 1234 JPY" in email(order, OrderConfirmed(order_id="o1")).body


def test_an_e_mail_that_ses_does_not_take_comes_again(store: EventStore) -> None:
    place(store)
    confirmed = confirm(store)
    with Stubber(ses()) as stub:
        stub.add_client_error("send_email", "TooManyRequestsException", "slow down")
        with pytest.raises(NotSent, match="TooManyRequestsException"):
            notify(store, ses(), SENDER, confirmed)
    assert told(store, "notification#o1") == []
    notify(store, ses(), SENDER, confirmed)
    assert names(told(store, "notification#o1")) == ["CustomerNotified"]


def test_each_message_of_a_batch_succeeds_or_fails_by_itself(store: EventStore) -> None:
    place(store)
    unknown = record(OrderConfirmed(order_id="o9"), "order#o9", 2)
    assert failed(handler(sqs(from_bus(unknown), "not JSON", from_bus(confirm(store))), CONTEXT)) == ["m0", "m1"]
    assert len(sent()) == 1
    with pytest.raises(OrderNotFound):
        notify(store, ses(), SENDER, unknown)


def test_a_crash_between_sending_and_remembering_sends_twice_and_remembers_once(store: EventStore) -> None:
    """E-mail has no idempotency key: the README says so, too."""
    place(store)
    confirmed = confirm(store)

    def dies(stream: str, version: int) -> None:
        raise Throttled

    with pytest.raises(Throttled):
        notify(Raced(store, before_append=dies), ses(), SENDER, confirmed)
    for _ in range(2):
        notify(store, ses(), SENDER, confirmed)
    assert len(sent()) == 2
    assert names(told(store, "notification#o1")) == ["CustomerNotified"]
