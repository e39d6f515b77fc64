"""Order e-mails: one per outcome, to customers who left an address, in words that people read."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from events import streams
from events.envelope import Recorded
from events.model import OrderId
from events.notification import CustomerNotified, EmailClaimed
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed
from events.shops import own_id, shop_of
from handlers.functions.main.order_emails import handler
from handlers.notification.claims import AlreadyClaimed
from handlers.notification.order_emails import email, money, notify
from handlers.ordering.refusals import OrderNotFound
from handlers.table.event_store import EventStore
from tests.builders.environment import CONFIGURATION_SET, SENDER
from tests.builders.mail import mailer, notices, sent, verified_sender
from tests.builders.messages import CONTEXT, failed, from_bus, sqs
from tests.builders.orders import EMAIL, line, placed
from tests.builders.races import Raced
from tests.builders.recorded_events import names, record
from tests.builders.stores import append, events_of, place
from tests.builders.vault import forget, vault
from tests.engines.in_process import WIRE
from tests.engines.interleaving import interleaved
from tests.engines.memory_table import Memory
from tests.engines.wire import Answer, Call, Fault

NOTIFICATIONS = streams.notification("demo.o1")


@pytest.fixture(autouse=True)
def sender(store: EventStore) -> Iterator[None]:
    with verified_sender():
        yield


def confirm(store: EventStore, order_id: str = "demo.o1") -> Recorded:
    return append(store, streams.order(order_id), OrderConfirmed(order_id=order_id))[0]


def cancel(store: EventStore, reason: str, order_id: str = "demo.o1") -> Recorded:
    started = OrderCancellationStarted(order_id=order_id, reason=reason)
    return append(store, streams.order(order_id), started, OrderCancelled(order_id=order_id, reason=reason))[1]


def deliver(store: EventStore, event: Recorded) -> None:
    notify(store, vault(store), mailer(), event)


def subjects() -> list[str]:
    return sorted(message.subject for message in notices())


def test_an_order_cancelled_after_it_was_confirmed_brings_both_e_mails_once(store: EventStore) -> None:
    place(store)
    confirmed, cancelled = from_bus(confirm(store)), from_bus(cancel(store, "CancellationRequested"))
    for _ in range(2):
        assert failed(handler(sqs(cancelled, confirmed, cancelled), CONTEXT)) == []
    assert subjects() == ["Your order o1 is cancelled", "Your order o1 is confirmed"]
    assert len(events_of(store, NOTIFICATIONS)) == 4


def test_an_outcome_is_notified_once(store: EventStore) -> None:
    place(store, "demo.o1", line(quantity=3, unit_price=1234))
    confirmed = from_bus(confirm(store))
    assert failed(handler(sqs(confirmed, confirmed), CONTEXT)) == []
    assert failed(handler(sqs(confirmed), CONTEXT)) == []
    [message] = notices()
    assert message.source == SENDER
    assert message.destinations["ToAddresses"] == [EMAIL]
    assert message.subject == "Your order o1 is confirmed"
    assert "over 37.02 GBP" in message.body


def test_ses_is_told_the_configuration_set_and_the_order(store: EventStore) -> None:
    """So that it suppresses, and that what it reports names the order."""
    place(store, "demo.by-hand-1")
    calls = Fault()
    with WIRE.tapped(calls):
        handler(sqs(from_bus(confirm(store, "demo.by-hand-1"))), CONTEXT)
    sendings = [call.parameters for call in calls.calls if call.operation == "SendEmail"]
    assert len(sendings) == 2
    for sending in sendings:
        assert sending["ConfigurationSetName"] == CONFIGURATION_SET
        assert sending["EmailTags"] == [{"Name": "shop", "Value": "demo"}, {"Name": "order", "Value": "by-hand-1"}]


@given(st.from_regex(r"[a-z0-9]{1,16}\.[A-Za-z0-9_-]{1,47}", fullmatch=True))
def test_ses_takes_every_order_id_as_tags(order_id: str) -> None:
    """A tag's value has ASCII letters, digits, underscores and dashes. Source: SES API v2 Reference, MessageTag."""
    assert TypeAdapter(OrderId).validate_python(order_id)
    for value in (shop_of(order_id), own_id(order_id)):
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value)


def test_the_log_has_the_claim_and_the_e_mail(store: EventStore) -> None:
    place(store)
    confirmed = confirm(store)
    handler(sqs(from_bus(confirmed)), CONTEXT)
    [message] = notices()
    assert events_of(store, NOTIFICATIONS) == [
        EmailClaimed(order_id="demo.o1", about="OrderConfirmed", attempt=1),
        CustomerNotified(order_id="demo.o1", about="OrderConfirmed", attempt=1, message_id=message.id),
    ]
    assert {each.metadata.causation_id for each in store.read(NOTIFICATIONS)} == {confirmed.event_id}
    assert {each.metadata.correlation_id for each in store.read(NOTIFICATIONS)} == {"demo.o1"}


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
def test_a_cancelled_order_is_notified_with_the_reason(store: EventStore, reason: str, because: str) -> None:
    place(store)
    handler(sqs(from_bus(cancel(store, reason))), CONTEXT)
    [message] = notices()
    assert message.subject == "Your order o1 is cancelled"
    assert f"is cancelled, because {because}." in message.body
    assert "You will not be charged" in message.body


def test_an_e_mail_names_the_order_as_its_shop_does(store: EventStore) -> None:
    place(store, "demo.by-hand-1")
    handler(sqs(from_bus(confirm(store, "demo.by-hand-1"))), CONTEXT)
    handler(sqs(from_bus(cancel(store, "CancellationRequested", "demo.by-hand-1"))), CONTEXT)
    assert len(notices()) == 2
    for message in notices():
        assert "Your order by-hand-1 is " in message.subject
        assert "our order by-hand-1 " in message.body
        assert "demo" not in message.subject + message.body


def test_a_guest_who_left_an_address_is_notified(store: EventStore) -> None:
    place(store, customer={"email": EMAIL})
    assert failed(handler(sqs(from_bus(confirm(store))), CONTEXT)) == []
    [message] = notices()
    assert message.destinations["ToAddresses"] == [EMAIL]


@pytest.mark.parametrize("customer", [None, {"customer_id": "c1"}])
def test_who_left_no_address_gets_no_e_mail(store: EventStore, customer: dict[str, str] | None) -> None:
    place(store, customer=customer)
    assert failed(handler(sqs(from_bus(confirm(store))), CONTEXT)) == []
    assert sent() == []
    assert events_of(store, NOTIFICATIONS) == []


def test_who_is_forgotten_gets_no_e_mail(store: EventStore) -> None:
    order = place(store)
    confirmed = from_bus(confirm(store))
    forget(store, order)
    assert failed(handler(sqs(confirmed), CONTEXT)) == []
    assert sent() == []
    assert events_of(store, NOTIFICATIONS) == []


def test_who_is_forgotten_after_an_e_mail_gets_no_other(store: EventStore) -> None:
    order = place(store)
    deliver(store, confirm(store))
    forget(store, order)
    deliver(store, cancel(store, "CancellationRequested"))
    assert subjects() == ["Your order o1 is confirmed"]


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
        order = placed("demo.o1", line(quantity=1, unit_price=amount), currency=currency)
        assert "over 1234 JPY" in email(order, OrderConfirmed(order_id="demo.o1")).body


def test_each_message_of_a_batch_succeeds_or_fails_by_itself(store: EventStore) -> None:
    place(store)
    unknown = record(OrderConfirmed(order_id="demo.o9"), "order#demo.o9", 2)
    assert failed(handler(sqs(from_bus(unknown), "not JSON", from_bus(confirm(store))), CONTEXT)) == ["m0", "m1"]
    assert len(notices()) == 1
    with pytest.raises(OrderNotFound):
        deliver(store, unknown)


def test_two_e_mails_about_one_order_at_once_are_both_sent_and_recorded(store: EventStore) -> None:
    """They share a stream; neither waits for the other, and neither loses its event to the other."""
    place(store)
    confirmed, cancelled = confirm(store), cancel(store, "CancellationRequested")

    def meanwhile(stream: str) -> None:
        if stream == NOTIFICATIONS and not events_of(store, NOTIFICATIONS):
            deliver(store, cancelled)

    deliver(Raced(store, after_read=meanwhile), confirmed)
    for event in (confirmed, cancelled):
        deliver(store, event)
    assert subjects() == ["Your order o1 is cancelled", "Your order o1 is confirmed"]
    assert names(events_of(store, NOTIFICATIONS)) == ["EmailClaimed", "CustomerNotified"] * 2


def test_an_e_mail_sent_while_another_is_claimed_is_recorded(store: EventStore) -> None:
    place(store)
    confirmed, cancelled = confirm(store), cancel(store, "CancellationRequested")

    def meanwhile(stream: str, version: int) -> None:
        if version == 2 and len(events_of(store, NOTIFICATIONS)) == 1:
            deliver(store, cancelled)

    deliver(Raced(store, before_append=meanwhile), confirmed)
    assert names(events_of(store, NOTIFICATIONS)) == [
        "EmailClaimed",
        "EmailClaimed",
        "CustomerNotified",
        "CustomerNotified",
    ]
    deliver(store, confirmed)
    assert subjects() == ["Your order o1 is cancelled", "Your order o1 is confirmed"]


@pytest.mark.parametrize(("failing", "sends"), [(0, "Welcome"), (1, "Your order o1 is confirmed")])
def test_of_the_two_e_mails_of_one_event_the_one_that_fails_comes_later_and_the_other_once(
    store: EventStore, failing: int, sends: str
) -> None:
    place(store)
    confirmed = from_bus(confirm(store))
    refusal = Answer({"Error": {"Code": "MessageRejected"}, "ResponseMetadata": {"HTTPStatusCode": 400}})
    with WIRE.tapped(RefusingOne(failing, refusal)):
        assert failed(handler(sqs(confirmed), CONTEXT)) == ["m0"]
    assert [message.subject for message in sent()] == [sends]
    for _ in range(2):
        assert failed(handler(sqs(confirmed, receives=2), CONTEXT)) == []
    assert sorted(message.subject for message in sent()) == ["Welcome", "Your order o1 is confirmed"]


class RefusingOne:
    """SES as it refuses one e-mail, by its number from 0."""

    def __init__(self, number: int, refusal: Answer) -> None:
        self._numbers = itertools.count()
        self._number = number
        self._refusal = refusal

    def before(self, call: Call) -> Answer | None:
        """Answers in place of SES."""
        if call.operation == "SendEmail" and next(self._numbers) == self._number:
            return self._refusal
        return None

    def after(self, call: Call, answer: Answer) -> None:
        """Nothing more happens."""


@given(turns=st.lists(st.integers(0, 2), max_size=80))
@settings(max_examples=10)
def test_copies_of_ten_events_worked_off_by_several_workers_send_each_e_mail_once(
    store: EventStore, turns: list[int]
) -> None:
    """Two copies of ten confirmations, and ten cancellations, whichever worker is quicker at any call."""
    sent().clear()
    orders = [f"demo.o{number}" for number in range(10)]
    failures: list[Recorded] = []

    def worker(events: list[Recorded]) -> Callable[[], None]:
        def work() -> None:
            for event in events:
                try:
                    deliver(store, event)
                except AlreadyClaimed:
                    failures.append(event)

        return work

    with Memory().serving():
        for order_id in orders:
            place(store, order_id)
        confirmed = [confirm(store, order_id) for order_id in orders]
        cancelled = [cancel(store, "CancellationRequested", order_id) for order_id in orders]
        workers = [worker(confirmed), worker(confirmed), worker(cancelled)]
        interleaved(workers, itertools.chain(turns, itertools.repeat(1)))
        for failure in failures:
            deliver(store, failure)
        events = [event for order_id in orders for event in names(events_of(store, streams.notification(order_id)))]
    assert subjects() == sorted(
        f"Your order {own_id(order_id)} is {outcome}" for order_id in orders for outcome in ("cancelled", "confirmed")
    )
    assert Counter(events) == {"EmailClaimed": 20, "CustomerNotified": 20}
