"""E-mails that SES does not take for now: each is late, none is a dead-letter message, and each is sent once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import Any

import pytest

from events import streams
from events.ordering import OrderConfirmed
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.functions.main import order_emails
from handlers.functions.resources import event_store
from handlers.notification.claims import FUNCTION_TIMEOUT
from handlers.retry_policy import MAX_ATTEMPTS
from handlers.runtime.postponing import LONGEST_SECONDS, SHORTEST_SECONDS
from handlers.table.event_store import EventStore
from tests.builders.dead_letter_queue import dead_letters, queue
from tests.builders.environment import ENVIRONMENT, OWN_QUEUE
from tests.builders.mail import CLAIMED_IN, confirmed_with, sent, verified_sender
from tests.builders.messages import CONTEXT, failed, from_bus, sqs
from tests.builders.orders import EMAIL
from tests.builders.recorded_events import names
from tests.builders.stores import append, events_of, place
from tests.builders.vault import forget
from tests.engines.in_process import WIRE
from tests.engines.wire import Answer, Call, Killed

OWN_QUEUE_URL = ENVIRONMENT["OWN_QUEUE_URL"]
RATE, QUOTA = "TooManyRequestsException", "LimitExceededException"
FOR_NOW = [RATE, QUOTA, "ThrottlingException", "AccountSuspendedException", "SendingPausedException"]


class Refusing:
    """SES as it refuses the first e-mails, so many of them; ``calls`` is how many it was asked to send."""

    def __init__(self, code: str, message: str = "", *, times: float = float("inf")) -> None:
        self._error = {"Code": code, "Message": message}
        self._times = times
        self.calls = 0

    def before(self, call: Call) -> Answer | None:
        """Answers in place of SES while it refuses."""
        if call.operation != "SendEmail":
            return None
        self.calls += 1
        refused = Answer({"Error": self._error, "ResponseMetadata": {"HTTPStatusCode": 400}})
        return refused if self.calls <= self._times else None

    def after(self, call: Call, answer: Answer) -> None:
        """Nothing more happens."""


class Notifier:
    """The function that sends e-mails, and an order that was confirmed and brings one.

    Args:
        store: the log.
        kind: which e-mail it brings.
    """

    def __init__(self, store: EventStore, kind: str) -> None:
        self._store = store
        self._stream = CLAIMED_IN[kind]
        self.order, self._event = confirmed_with(store, kind)

    def deliver(self, receives: int = 1, **attributes: str) -> list[str]:
        """Deliver the event; returns the messages that are to be delivered again."""
        return failed(order_emails.handler(sqs(from_bus(self._event), receives=receives, **attributes), CONTEXT))

    def deliver_what_waits(self) -> None:
        """Deliver each message that was postponed, once its time has come, and have none of them come again."""
        for message in waiting():
            event = sqs(message["Body"], **carried(message))
            assert failed(order_emails.handler(event, CONTEXT)) == []

    @property
    def log(self) -> list[str]:
        """What happened to the e-mail."""
        return names(events_of(self._store, self._stream))


@pytest.fixture(params=CLAIMED_IN)
def notifier(store: EventStore, request: pytest.FixtureRequest) -> Iterator[Notifier]:
    queue().create_queue(QueueName=OWN_QUEUE)
    with verified_sender():
        yield Notifier(store, request.param)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the function waited, which takes no time here."""
    waited: list[float] = []
    monkeypatch.setattr("handlers.retry_policy.time.sleep", waited.append)
    return waited


@pytest.fixture(autouse=True)
def postponed_for(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Between how many seconds messages were to be postponed; here their time has come at once."""
    asked: list[tuple[int, int]] = []

    def at_once(_: SystemRandom, shortest: int, longest: int) -> int:
        asked.append((shortest, longest))
        return 0

    monkeypatch.setattr(SystemRandom, "randint", at_once)
    return asked


def waiting() -> list[Any]:
    """The messages in the function's own queue, which are gone from it then."""
    received = queue().receive_message(QueueUrl=OWN_QUEUE_URL, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    for message in received.get("Messages", []):
        queue().delete_message(QueueUrl=OWN_QUEUE_URL, ReceiptHandle=message["ReceiptHandle"])
    return list(received.get("Messages", []))


def carried(message: Any) -> dict[str, Any]:
    return {name: attribute["StringValue"] for name, attribute in message["MessageAttributes"].items()}


def test_a_rate_that_is_exceeded_for_seconds_is_waited_for_under_one_claim(
    notifier: Notifier, waits: list[float]
) -> None:
    with WIRE.tapped(Refusing(RATE, "Maximum sending rate exceeded.", times=MAX_ATTEMPTS - 1)):
        assert notifier.deliver() == []
    assert len(sent()) == 1
    assert notifier.log == ["EmailClaimed", "CustomerNotified"]
    assert len(waits) == MAX_ATTEMPTS - 1
    assert sum(waits) < FUNCTION_TIMEOUT
    assert waiting() == dead_letters() == []


@pytest.mark.parametrize("code", FOR_NOW)
def test_an_e_mail_that_ses_does_not_take_for_long_is_sent_once_and_never_a_dead_letter_message(
    notifier: Notifier, postponed_for: list[tuple[int, int]], code: str
) -> None:
    deliveries = 3 * MAX_RECEIVE_COUNT
    with WIRE.tapped(Refusing(code)):
        assert notifier.deliver(receives=MAX_RECEIVE_COUNT) == []
        for _ in range(deliveries - 1):
            notifier.deliver_what_waits()
    assert sent() == dead_letters() == []
    assert postponed_for == [(SHORTEST_SECONDS, LONGEST_SECONDS)] * deliveries
    notifier.deliver_what_waits()
    assert len(sent()) == 1
    assert notifier.log == ["EmailClaimed", "EmailRefused"] * deliveries + ["EmailClaimed", "CustomerNotified"]
    assert waiting() == dead_letters() == []


def test_ses_is_asked_again_at_once_about_its_rate_alone(notifier: Notifier, waits: list[float]) -> None:
    for code, times in ((RATE, MAX_ATTEMPTS), (QUOTA, 1), ("SendingPausedException", 1)):
        ses = Refusing(code)
        with WIRE.tapped(ses):
            notifier.deliver()
        assert ses.calls == times, code
    assert len(waits) == MAX_ATTEMPTS - 1


def test_of_copies_of_a_postponed_message_one_sends(notifier: Notifier) -> None:
    with WIRE.tapped(Refusing(QUOTA)):
        notifier.deliver()
        notifier.deliver()
    notifier.deliver()
    notifier.deliver_what_waits()
    assert len(sent()) == 1
    assert waiting() == []


CALLS = 7
"""What a function asks of AWS to postpone an e-mail: order, person, history, claim, SES, refusal, its own queue."""


class Killing(Refusing):
    """SES refuses, and the function is killed once a call is answered: this one, counted from 1."""

    def __init__(self, at: int) -> None:
        super().__init__(QUOTA)
        self._left = at

    def before(self, call: Call) -> Answer | None:
        """Kills the function where the answer is SES's refusal."""
        self._left -= 1
        answer = super().before(call)
        if answer and not self._left:
            raise Killed
        return answer

    def after(self, call: Call, answer: Answer) -> None:
        """Kills the function where the answer is any other."""
        if not self._left:
            raise Killed


@pytest.mark.parametrize("at", range(1, CALLS + 1))
def test_of_a_function_that_is_killed_while_it_postpones_each_e_mail_is_sent_once(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    with WIRE.tapped(Killing(at)), pytest.raises(Killed):
        notifier.deliver()
    later = datetime.now(UTC) + timedelta(seconds=6 * FUNCTION_TIMEOUT)
    monkeypatch.setattr(event_store("subscriber"), "clock", lambda: later)
    with WIRE.tapped(Refusing(QUOTA)):
        assert notifier.deliver(receives=2) == []
    notifier.deliver_what_waits()
    assert len(sent()) == 1
    assert waiting() == dead_letters() == []


def test_who_is_forgotten_meanwhile_gets_no_e_mail(notifier: Notifier, store: EventStore) -> None:
    with WIRE.tapped(Refusing(QUOTA)):
        notifier.deliver()
    forget(store, notifier.order)
    notifier.deliver_what_waits()
    assert sent() == waiting() == dead_letters() == []


def test_a_postponed_message_is_recognized_by_the_id_it_had_first(notifier: Notifier) -> None:
    with WIRE.tapped(Refusing(QUOTA)):
        notifier.deliver()
        [message] = waiting()
        assert carried(message) == {"message_id": "m0"}
        redriven: dict[str, Any] = {
            "message_id": "first",
            "redriven_from": "open/a.json",
            "redriven_by": "arn:aws:iam::1:user/jo",
        }
        notifier.deliver(**redriven)
        [message] = waiting()
        assert carried(message) == redriven


def test_a_message_that_cannot_be_postponed_is_delivered_again(notifier: Notifier) -> None:
    queue().delete_queue(QueueUrl=OWN_QUEUE_URL)
    with WIRE.tapped(Refusing(QUOTA)):
        assert notifier.deliver() == ["m0"]
    assert notifier.deliver(receives=2) == []
    assert len(sent()) == 1


def test_a_postponed_message_is_logged_and_counted_without_an_address(
    notifier: Notifier, logged: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    with WIRE.tapped(Refusing(QUOTA, f"Daily message quota exceeded for {EMAIL}")):
        notifier.deliver()
    assert "message postponed" in logged.getvalue()
    assert QUOTA in logged.getvalue()
    printed = capsys.readouterr().out
    assert "MessagesPostponed" in printed
    assert EMAIL not in logged.getvalue() + printed


NOT_VERIFIED = f"Email address is not verified. The following identities failed the check in region US-EAST-1: {EMAIL}"


@pytest.mark.parametrize(
    ("code", "message"),
    [("MessageRejected", NOT_VERIFIED), ("MailFromDomainNotVerifiedException", f"The domain of {EMAIL} …")],
)
def test_who_is_not_verified_is_named_by_a_dead_letter_message_and_mailed_once_that_is_redriven(
    notifier: Notifier, logged: io.StringIO, code: str, message: str
) -> None:
    """The sender, or in SES's sandbox the recipient: a person has to verify them."""
    with WIRE.tapped(Refusing(code, message)):
        assert [notifier.deliver(receives=each) for each in range(1, MAX_RECEIVE_COUNT)] == [["m0"]] * 4
        assert notifier.deliver(receives=MAX_RECEIVE_COUNT) == []
    [dead] = dead_letters()
    assert carried(dead)["error"] == "NotVerified"
    assert "the sender is not verified in SES, or, in SES's sandbox, the recipient is not" in carried(dead)["reasons"]
    assert EMAIL not in logged.getvalue() + str(dead)
    assert notifier.deliver(message_id="m0") == []
    assert len(sent()) == 1
    assert waiting() == []


def test_once_ses_takes_none_the_other_e_mail_of_the_event_waits_too_and_each_is_sent_once(store: EventStore) -> None:
    queue().create_queue(QueueName=OWN_QUEUE)
    place(store)
    [confirmed] = append(store, streams.order("demo.o1"), OrderConfirmed(order_id="demo.o1"))
    ses = Refusing(QUOTA)
    with verified_sender():
        with WIRE.tapped(ses):
            assert failed(order_emails.handler(sqs(from_bus(confirmed)), CONTEXT)) == []
        assert ses.calls == 1
        [message] = waiting()
        for _ in range(2):
            assert failed(order_emails.handler(sqs(message["Body"], **carried(message)), CONTEXT)) == []
        assert sorted(each.subject for each in sent()) == ["Welcome", "Your order o1 is confirmed"]
