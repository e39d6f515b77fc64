"""Claims on e-mails: who sends, who waits, who takes over, and what SES's answers do to a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.notification import CustomerNotified, EmailClaimed, EmailEvent, EmailRefused
from events.ordering import OrderPlaced
from handlers.notification.claims import LIFETIME, AlreadyClaimed, next_claim
from handlers.notification.email_sending import MaybeSent, NotSent
from handlers.notification.order_emails import notify
from handlers.retry_policy import Throttled
from handlers.table.event_store import EventStore
from infra.function_spec import SendEmail
from infra.functions import FUNCTIONS
from tests.builders.mail import CLAIMED_IN, confirmed_with, mailer, sent, ses, verified_sender
from tests.builders.races import Raced
from tests.builders.recorded_events import ACTOR, START, record
from tests.builders.stores import events_of
from tests.builders.vault import forget, vault

ABOUT = "OrderConfirmed"
WAITED = timedelta(seconds=365)
"""The visibility timeout of the queue of the function that sends e-mails: after it a message is delivered again."""


# The decision


def claimed(attempt: int, about: str = ABOUT, order_id: str = "demo.o1") -> EmailClaimed:
    return EmailClaimed(order_id=order_id, about=about, attempt=attempt)


def refused(attempt: int, about: str = ABOUT) -> EmailRefused:
    return EmailRefused(order_id="demo.o1", about=about, attempt=attempt, error="TooManyRequestsException")


def notified(attempt: int, about: str = ABOUT, order_id: str = "demo.o1") -> CustomerNotified:
    return CustomerNotified(order_id=order_id, about=about, attempt=attempt, message_id="m")


def decided(*history: DomainEvent, age: timedelta = timedelta(0)) -> EmailClaimed | None:
    """What is decided at that age of the newest event."""
    stream = streams.notification("demo.o1")
    records = [record(event, stream, version) for version, event in enumerate(history, start=1)]
    now = records[-1].metadata.occurred_at + age if records else START
    return next_claim(records, "demo.o1", ABOUT, now)


def test_who_comes_first_claims() -> None:
    assert decided() == claimed(1)


@pytest.mark.parametrize("history", [[claimed(1)], [claimed(1), claimed(2)], [claimed(1), refused(1), claimed(2)]])
def test_a_claim_keeps_others_off_until_it_is_too_old(history: list[DomainEvent]) -> None:
    for age in (timedelta(0), LIFETIME - timedelta(microseconds=1)):
        with pytest.raises(
            AlreadyClaimed, match=r"OrderConfirmed of order demo\.o1 is claimed until 2026-01-02T03:06:"
        ):
            decided(*history, age=age)
    assert decided(*history, age=LIFETIME) == claimed(history[-1].attempt + 1)  # type: ignore[attr-defined]


def test_a_refused_claim_is_released_at_once() -> None:
    assert decided(claimed(1), refused(1)) == claimed(2)


def test_an_old_refusal_does_not_release_the_claim_that_took_over() -> None:
    with pytest.raises(AlreadyClaimed):
        decided(claimed(1), claimed(2), refused(1))


@pytest.mark.parametrize("history", [[claimed(1), notified(1)], [claimed(1), claimed(2), notified(1)]])
def test_what_was_sent_is_never_claimed_again(history: list[DomainEvent]) -> None:
    assert decided(*history, age=timedelta(days=1)) is None


def test_what_another_order_brings_is_not_claimed() -> None:
    assert decided(claimed(1, order_id="demo.o2")) is None
    assert decided(claimed(1, order_id="demo.o2"), age=timedelta(days=1)) is None


OTHERS: list[DomainEvent] = [claimed(1, "OrderCancelled"), refused(1, "OrderCancelled"), notified(1, "OrderCancelled")]


@given(others=st.lists(st.sampled_from(OTHERS)), age=st.timedeltas(timedelta(0), timedelta(days=1)))
def test_other_e_mails_of_the_stream_make_no_difference(others: list[DomainEvent], age: timedelta) -> None:
    assert decided(*others, age=age) == claimed(1)
    assert decided(claimed(1), notified(1), *others, age=age) is None
    assert decided(claimed(1), refused(1), *others, age=age) == claimed(2)


@given(
    st.lists(st.sampled_from(["claim", "refuse", "notify"]), max_size=8),
    st.timedeltas(timedelta(0), 2 * LIFETIME),
)
def test_each_claim_has_an_attempt_of_its_own(acts: list[str], age: timedelta) -> None:
    """Whatever the history is that claims made by decisions have led to."""
    history: list[EmailEvent] = []
    for act in acts:
        attempt = max((event.attempt for event in history), default=0)
        if act == "claim":
            history.append(claimed(attempt + 1))
        elif attempt:
            history.append(refused(attempt) if act == "refuse" else notified(attempt))
    try:
        claim = decided(*history, age=age)
    except AlreadyClaimed:
        return
    assert claim is None or claim.attempt not in {event.attempt for event in history}


def test_a_claim_outlives_its_function_and_is_too_old_when_a_message_is_delivered_again() -> None:
    for function in FUNCTIONS:
        if SendEmail() in function.grants:
            assert timedelta(seconds=function.timeout) < LIFETIME < timedelta(seconds=function.hidden_seconds) == WAITED


# Sending, by either kind of e-mail


class Scene:
    """A confirmed order, and the e-mail that it brings; ``now`` is the time.

    Args:
        store: the log, with the order.
        order: the event that places it.
        event: the event that confirms it.
        stream: where the e-mail is claimed.
    """

    def __init__(self, store: EventStore, order: OrderPlaced, event: Recorded, stream: str) -> None:
        self.now = START
        self.order = order
        self.store = EventStore(store.client, store.table, ACTOR, lambda: self.now)
        self.stream = stream
        self._event = event

    def deliver(self, store: EventStore | None = None) -> None:
        """Deliver the event."""
        notify(store or self.store, vault(self.store), mailer(), self._event)

    @property
    def log(self) -> list[str]:
        """What happened to the e-mail, with the number of the attempt."""
        events = events_of(self.store, self.stream)
        assert all(isinstance(event, EmailEvent) for event in events)
        return [f"{type(event).__name__} {event.attempt}" for event in events if isinstance(event, EmailEvent)]


@pytest.fixture(params=CLAIMED_IN)
def scene(store: EventStore, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with verified_sender():
        yield Scene(store, *confirmed_with(store, request.param), CLAIMED_IN[request.param])


def killed_before_completing(stream: str, version: int) -> None:
    if version == 2:
        raise Throttled("killed")


def test_a_delivery_during_another_one_waits_and_then_has_nothing_to_do(scene: Scene) -> None:
    def meanwhile(stream: str, version: int) -> None:
        if (stream, version) == (scene.stream, 2):
            with pytest.raises(AlreadyClaimed):
                scene.deliver()

    scene.deliver(Raced(scene.store, before_append=meanwhile))
    scene.deliver()
    assert len(sent()) == 1
    assert scene.log == ["EmailClaimed 1", "CustomerNotified 1"]


def test_killed_between_sending_and_completing_it_is_sent_again_and_the_log_has_a_take_over(scene: Scene) -> None:
    """E-mail has no idempotency key, so this can happen. It cannot happen unseen."""
    with pytest.raises(Throttled):
        scene.deliver(Raced(scene.store, before_append=killed_before_completing))
    with pytest.raises(AlreadyClaimed):
        scene.deliver()
    assert len(sent()) == 1
    scene.now += WAITED
    for _ in range(2):
        scene.deliver()
    assert len(sent()) == 2
    assert scene.log == ["EmailClaimed 1", "EmailClaimed 2", "CustomerNotified 2"]


def test_of_several_that_take_over_at_once_one_sends(scene: Scene) -> None:
    with pytest.raises(Throttled):
        scene.deliver(Raced(scene.store, before_append=killed_before_completing))
    sent().clear()
    scene.now += WAITED

    def quicker(stream: str) -> None:
        if stream == scene.stream and scene.log == ["EmailClaimed 1"]:
            scene.deliver()

    scene.deliver(Raced(scene.store, after_read=quicker))
    assert len(sent()) == 1
    assert scene.log == ["EmailClaimed 1", "EmailClaimed 2", "CustomerNotified 2"]


@pytest.mark.parametrize("code", ["LimitExceededException", "MessageRejected", "BadRequestException"])
def test_what_ses_refuses_the_next_delivery_sends_at_once(scene: Scene, code: str) -> None:
    with Stubber(ses()) as stub:
        stub.add_client_error("send_email", code, "not now", http_status_code=400)
        with pytest.raises(NotSent, match=f"^{code}$"):
            scene.deliver()
    assert events_of(scene.store, scene.stream)[-1].error == code  # type: ignore[attr-defined]
    scene.deliver()
    assert len(sent()) == 1
    assert scene.log == ["EmailClaimed 1", "EmailRefused 1", "EmailClaimed 2", "CustomerNotified 2"]


def test_what_ses_refused_is_not_sent_to_somebody_who_is_forgotten_since(scene: Scene) -> None:
    with Stubber(ses()) as stub:
        stub.add_client_error("send_email", "MessageRejected", "not now", http_status_code=400)
        with pytest.raises(NotSent):
            scene.deliver()
    forget(scene.store, scene.order)
    scene.deliver()
    assert sent() == []
    assert scene.log == ["EmailClaimed 1", "EmailRefused 1"]


@contextmanager
def no_answer(failure: Exception) -> Iterator[None]:
    """For the time of the block, calls to SES fail with this in place of an answer."""

    def fail(**_: Any) -> None:
        raise failure

    ses().meta.events.register_first("before-send", fail)
    try:
        yield
    finally:
        ses().meta.events.unregister("before-send", fail)


@pytest.mark.parametrize("failure", [boto.EndpointConnectionError, boto.ConnectTimeoutError])
def test_an_e_mail_that_did_not_reach_ses_the_next_delivery_sends_at_once(
    scene: Scene, failure: type[boto.ConnectionError]
) -> None:
    with no_answer(failure(endpoint_url="SES")), pytest.raises(NotSent, match=failure.__name__):
        scene.deliver()
    scene.deliver()
    assert len(sent()) == 1
    assert scene.log == ["EmailClaimed 1", "EmailRefused 1", "EmailClaimed 2", "CustomerNotified 2"]


@contextmanager
def ses_fails() -> Iterator[None]:
    with Stubber(ses()) as stub:
        stub.add_client_error("send_email", "InternalFailure", "oops", http_status_code=500)
        yield


@pytest.mark.parametrize(
    "unclear",
    [
        ses_fails,
        partial(no_answer, boto.ReadTimeoutError(endpoint_url="SES")),
        partial(no_answer, boto.ConnectionClosedError(endpoint_url="SES")),
    ],
)
def test_an_e_mail_that_may_have_been_sent_waits_for_the_take_over(
    scene: Scene, unclear: Callable[[], AbstractContextManager[None]]
) -> None:
    with unclear(), pytest.raises(MaybeSent):
        scene.deliver()
    with pytest.raises(AlreadyClaimed):
        scene.deliver()
    scene.now += WAITED
    scene.deliver()
    assert len(sent()) == 1
    assert scene.log == ["EmailClaimed 1", "EmailClaimed 2", "CustomerNotified 2"]
