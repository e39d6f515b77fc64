"""Notification: the e-mails sent to customers. The notifiers' own memory: it stays in the log, off the bus."""

from typing import Annotated

from pydantic import Field

from events.model import DomainEvent, OrderId

WELCOME = "Welcome"


class EmailEvent(DomainEvent):
    """What happened to an e-mail that the outcome of an order brings.

    ``about`` says which of the e-mails in the stream it is: the class name of the outcome, or ``Welcome``. ``attempt``
    counts the claims on that e-mail from 1.
    """

    order_id: OrderId
    about: str
    attempt: Annotated[int, Field(ge=1)]


class EmailClaimed(EmailEvent):
    """From now on one delivery may send the e-mail, and no other may, until it is refused or the claim is too old.

    A claim that follows one that was not refused is a take-over: the e-mail may have been sent under both.
    """


class EmailRefused(EmailEvent):
    """The e-mail was not sent, for the reason that ``error`` names: the claim is released."""

    error: str


class CustomerNotified(EmailEvent):
    """The e-mail was handed to SES, which answered with ``message_id``."""

    message_id: str
