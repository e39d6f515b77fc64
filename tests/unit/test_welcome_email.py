"""The welcome: a customer's first confirmed order brings it, once, whatever is delivered twice, at once or late."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from events import streams
from events.envelope import Recorded
from events.notification import WELCOME, CustomerNotified, EmailClaimed
from events.ordering import OrderConfirmed, OrderPlaced
from events.shops import of_shop, own_id, shop_of
from handlers.functions.main.order_emails import handler
from handlers.notification.claims import AlreadyClaimed
from handlers.notification.email_sending import NotSent
from handlers.notification.order_emails import notify
from handlers.ordering.refusals import OrderNotFound
from handlers.retry_policy import Throttled
from handlers.table.event_store import EventStore
from tests.builders.environment import SENDER
from tests.builders.mail import mailer, sent, ses, verified_sender, welcomes
from tests.builders.messages import CONTEXT, failed, from_bus, sqs
from tests.builders.orders import EMAIL
from tests.builders.races import Raced
from tests.builders.recorded_events import names, record
from tests.builders.stores import append, clear, events_of, items, place
from tests.builders.vault import forget, vault
from tests.engines.interleaving import interleaved
from tests.engines.memory_table import Memory

CUSTOMER = streams.customer("demo.c1")


@pytest.fixture(autouse=True)
def sender(store: EventStore) -> Iterator[None]:
    with verified_sender():
        yield


def confirmed(store: EventStore, order_id: str = "demo.o1", **changed: Any) -> Recorded:
    """An order that is confirmed, of customer c1 unless that is changed."""
    place(store, order_id, **changed)
    return append(store, streams.order(order_id), OrderConfirmed(order_id=order_id))[0]


def deliver(store: EventStore, event: Recorded) -> None:
    notify(store, vault(store), mailer(), event)


def test_a_first_order_brings_a_welcome_that_is_recorded(store: EventStore) -> None:
    event = confirmed(store)
    for _ in range(2):
        assert failed(handler(sqs(from_bus(event), from_bus(event)), CONTEXT)) == []
    [message] = welcomes()
    assert (message.source, message.destinations["ToAddresses"]) == (SENDER, [EMAIL])
    assert message.subject == "Welcome"
    assert "thank you for your order o1." in message.body
    assert events_of(store, CUSTOMER) == [
        EmailClaimed(order_id="demo.o1", about=WELCOME, attempt=1),
        CustomerNotified(order_id="demo.o1", about=WELCOME, attempt=1, message_id=message.id),
    ]
    assert {each.metadata.causation_id for each in store.read(CUSTOMER)} == {event.event_id}
    assert {each.metadata.correlation_id for each in store.read(CUSTOMER)} == {"demo.o1"}


def test_later_orders_of_a_customer_bring_none(store: EventStore) -> None:
    first, second = confirmed(store, "demo.o1"), confirmed(store, "demo.o2")
    handler(sqs(from_bus(first)), CONTEXT)
    before = items(store, "customer#")
    handler(sqs(from_bus(second), from_bus(first)), CONTEXT)
    assert len(welcomes()) == 1
    assert items(store, "customer#") == before


def test_every_customer_is_welcome(store: EventStore) -> None:
    first = confirmed(store, "demo.o1")
    second = confirmed(store, "demo.o2", customer={"customer_id": "c2", "email": "bob@customers.example"})
    handler(sqs(from_bus(first), from_bus(second)), CONTEXT)
    assert [message.destinations["ToAddresses"] for message in welcomes()] == [[EMAIL], ["bob@customers.example"]]


def test_two_shops_customers_of_the_same_number_get_a_welcome_each(store: EventStore) -> None:
    one, other, later = (confirmed(store, order_id) for order_id in ("demo.o1", "acme.o1", "acme.o2"))
    for _ in range(2):
        assert failed(handler(sqs(from_bus(one), from_bus(other), from_bus(later)), CONTEXT)) == []
    assert [message.subject for message in welcomes()] == ["Welcome", "Welcome"]
    claimed_in = {each["PK"]["S"] for each in items(store, "customer#")}
    assert claimed_in == {"customer#demo.c1", "customer#acme.c1"}
    assert names(events_of(store, streams.customer("acme.c1"))) == ["EmailClaimed", "CustomerNotified"]


def test_a_guest_with_an_address_is_not_welcomed(store: EventStore) -> None:
    """Nobody would know whether it was the guest's first order."""
    assert failed(handler(sqs(from_bus(confirmed(store, customer={"email": EMAIL}))), CONTEXT)) == []
    assert welcomes() == []
    assert items(store, "customer#") == []


@pytest.mark.parametrize("customer", [None, {"customer_id": "c1"}])
def test_who_left_no_address_is_not_welcomed_until_an_order_brings_one(
    store: EventStore, customer: dict[str, str] | None
) -> None:
    handler(sqs(from_bus(confirmed(store, customer=customer))), CONTEXT)
    assert welcomes() == []
    assert items(store, "customer#") == []
    handler(sqs(from_bus(confirmed(store, "demo.o2"))), CONTEXT)
    assert len(welcomes()) == 1


def test_who_is_forgotten_is_not_welcomed_and_a_later_order_of_theirs_may_be(store: EventStore) -> None:
    event = confirmed(store)
    [order, _] = events_of(store, streams.order("demo.o1"))
    assert isinstance(order, OrderPlaced)
    forget(store, order)
    assert failed(handler(sqs(from_bus(event)), CONTEXT)) == []
    assert welcomes() == []
    assert items(store, "customer#") == []
    handler(sqs(from_bus(confirmed(store, "demo.o2"))), CONTEXT)
    assert len(welcomes()) == 1


def test_of_two_orders_confirmed_at_once_one_brings_the_welcome(store: EventStore) -> None:
    first, second = confirmed(store, "demo.o1"), confirmed(store, "demo.o2")

    def quicker(stream: str, version: int) -> None:
        if (stream, version) == (CUSTOMER, 1) and not events_of(store, CUSTOMER):
            deliver(store, second)

    deliver(Raced(store, before_append=quicker), first)
    [message] = welcomes()
    assert "o2" in message.body
    assert [event.order_id for event in events_of(store, CUSTOMER)] == ["demo.o2", "demo.o2"]  # type: ignore[attr-defined]


def test_an_order_that_claimed_the_welcome_keeps_it(store: EventStore) -> None:
    """Another order has nothing to do, and need not wait, though the welcome is not sent yet."""
    first, second = confirmed(store, "demo.o1"), confirmed(store, "demo.o2")
    with Stubber(ses()) as stub:
        stub.add_response("send_email", {"MessageId": "of the order"})
        stub.add_client_error("send_email", "LimitExceededException", "not today")
        with pytest.raises(NotSent):
            deliver(store, first)
    deliver(store, second)
    assert welcomes() == []
    deliver(store, first)
    [message] = welcomes()
    assert "o1" in message.body


@given(turns=st.lists(st.integers(0, 3), max_size=30))
@settings(max_examples=30)
def test_copies_of_two_first_orders_worked_off_at_once_welcome_once(store: EventStore, turns: list[int]) -> None:
    sent().clear()
    failures: list[Recorded] = []

    def worker(event: Recorded) -> Callable[[], None]:
        def work() -> None:
            try:
                deliver(store, event)
            except AlreadyClaimed:
                failures.append(event)

        return work

    with Memory().serving():
        first, second = confirmed(store, "demo.o1"), confirmed(store, "demo.o2")
        workers = [worker(first), worker(first), worker(second), worker(second)]
        interleaved(workers, itertools.chain(turns, itertools.repeat(1)))
        for failure in failures:
            deliver(store, failure)
        events = names(events_of(store, CUSTOMER))
    assert len(welcomes()) == 1
    assert events == ["EmailClaimed", "CustomerNotified"]


def test_each_message_of_a_batch_succeeds_or_fails_by_itself(store: EventStore) -> None:
    unknown = record(OrderConfirmed(order_id="demo.o9"), "order#demo.o9", 2)
    assert failed(handler(sqs(from_bus(unknown), "not JSON", from_bus(confirmed(store))), CONTEXT)) == ["m0", "m1"]
    assert len(welcomes()) == 1
    with pytest.raises(OrderNotFound):
        deliver(store, unknown)


@given(
    owners=st.lists(st.sampled_from(["demo.c1", "demo.c2", "acme.c1", None]), min_size=1, max_size=4),
    dies=st.integers(0, 4),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=10)
def test_each_customer_is_welcomed_once_however_orders_are_delivered(
    store: EventStore, owners: list[str | None], dies: int, order: random.Random
) -> None:
    """Every message once or more, shuffled; the handler fails before one claim, and the message is delivered again."""
    clear(store)
    sent().clear()
    events = [
        confirmed(
            store,
            of_shop(shop_of(owner or "demo.guest"), f"o{n}"),
            customer=owner and {"customer_id": own_id(owner), "email": f"{owner}@customers.example"},
        )
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
            deliver(fragile, message)
        except Throttled:
            deliver(fragile, message)
    welcomed = sorted(message.destinations["ToAddresses"][0] for message in welcomes())
    assert welcomed == sorted({f"{owner}@customers.example" for owner in owners if owner})
