"""Notification: what customers were told. The notifiers' own memory: it stays in the log, off the bus."""

from events.model import DomainEvent, Id


class CustomerNotified(DomainEvent):
    """An e-mail about the event ``about`` was handed to SES, which answered with ``message_id``."""

    order_id: Id
    about: str
    message_id: str


class FirstOrderConfirmed(DomainEvent):
    """The first confirmed order that the notifier saw of a customer with an address: it brings the welcome."""

    customer_id: Id
    order_id: Id


class CustomerWelcomed(DomainEvent):
    """The welcome that the order brought was handed to SES, which answered with ``message_id``."""

    customer_id: Id
    order_id: Id
    message_id: str
