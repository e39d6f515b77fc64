"""The welcome e-mail: a customer's first confirmed order brings an e-mail of welcome, once.

The customer's stream decides which order that is: of two confirmed at once, the one that takes its first version. What
was sent is remembered as its second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from events import streams
from events.envelope import Recorded
from events.notification import CustomerWelcomed, FirstOrderConfirmed
from events.ordering import OrderConfirmed
from handlers.notification.sending import Email, send
from handlers.ordering.order import load
from handlers.runtime.observability import about, logger
from handlers.table.event_store import EventStore

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


def email(order_id: str) -> Email:
    """The welcome that an order brings."""
    return Email("Welcome", f"Welcome, and thank you for your order {order_id}. We look forward to the next.\n")


def welcome(store: EventStore, mail: SESV2Client, sender: str, record: Recorded) -> None:
    """Welcome the customer of a confirmed order, unless another order does, or did, or there is no address.

    Raises:
        OrderNotFound: there is no such order.
        Throttled: try again.
        NotSent: SES did not take it.
    """
    event = record.event
    assert isinstance(event, OrderConfirmed)
    with about(event.order_id, "welcome"):
        customer = load(store, event.order_id).placed.customer
        if customer is None or customer.email is None:
            return
        stream = streams.customer(customer.customer_id)
        metadata = {"correlation_id": event.order_id, "causation_id": record.event_id}
        claim = FirstOrderConfirmed(customer_id=customer.customer_id, order_id=event.order_id)
        told = [each.event for each in store.read(stream)] or [store.standing(stream, 1, claim, **metadata)]
        if told != [claim]:
            return
        message_id = send(mail, sender, customer.email, email(event.order_id))
        welcomed = CustomerWelcomed(customer_id=customer.customer_id, order_id=event.order_id, message_id=message_id)
        store.standing(stream, 2, welcomed, **metadata)
        logger.info("customer welcomed", message_id=message_id)
