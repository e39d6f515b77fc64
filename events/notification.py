"""Notification: what customers were told. The notifier's own memory: it stays in the log, off the bus."""

from events.model import DomainEvent, Id


class CustomerNotified(DomainEvent):
    """An e-mail about the event ``about`` was handed to SES, which answered with ``message_id``."""

    order_id: Id
    about: str
    message_id: str
