"""E-mails that are due, and SES as moto imitates it: a client, a sender that may send, and what was sent."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from events import streams
from events.envelope import Recorded
from events.notification import CustomerNotified, EmailClaimed
from events.ordering import OrderConfirmed, OrderPlaced
from handlers.notification.email_sending import Mailer
from handlers.runtime import aws
from handlers.table.event_store import EventStore
from tests.builders.environment import CONFIGURATION_SET, SENDER
from tests.builders.orders import EMAIL
from tests.builders.stores import append, place

CLAIMED_IN = {"order e-mail": streams.notification("demo.o1"), "welcome": streams.customer("demo.c1")}
"""The two kinds of e-mails that an order's confirmation brings, and the streams in which they are claimed."""


def confirmed_with(store: EventStore, kind: str) -> tuple[OrderPlaced, Recorded]:
    """An order whose confirmation brings an e-mail of that kind alone: what places it, and what confirms it.

    A guest is not welcomed; and who is welcomed has the e-mail about the order already.
    """
    notified = kind == "welcome"
    order = place(store) if notified else place(store, customer={"email": EMAIL})
    event = OrderConfirmed(order_id=order.order_id)
    [confirmed] = append(store, streams.order(order.order_id), event)
    if notified:
        sending = {"order_id": order.order_id, "about": type(event).__name__, "attempt": 1}
        outcome = EmailClaimed.model_validate(sending), CustomerNotified.model_validate({**sending, "message_id": "m"})
        append(store, CLAIMED_IN["order e-mail"], *outcome)
    return order, confirmed


@functools.cache
def ses() -> Any:
    return aws.ses()


def mailer() -> Mailer:
    """Sends as the functions do."""
    return Mailer(ses(), SENDER, CONFIGURATION_SET)


@contextmanager
def verified_sender() -> Iterator[None]:
    """SES sends for a verified sender only. Nothing that was sent is left afterwards."""
    ses().create_email_identity(EmailIdentity=SENDER)
    yield
    ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].reset()


def sent() -> list[Any]:
    messages: list[Any] = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
    return messages


def welcomes() -> list[Any]:
    """The e-mails of welcome that were sent."""
    return [message for message in sent() if message.subject == "Welcome"]


def notices() -> list[Any]:
    """The e-mails about orders that were sent."""
    return [message for message in sent() if message.subject != "Welcome"]
