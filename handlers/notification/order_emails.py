"""Order e-mails: a customer is told once that the order is confirmed, or cancelled.

What was sent is remembered as an event. E-mail has no idempotency key: a crash between sending and remembering sends
the same message twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from events import streams
from events.currencies import MINOR_UNITS
from events.envelope import Recorded
from events.notification import CustomerNotified
from events.ordering import OrderCancelled, OrderConfirmed, OrderPlaced
from handlers.notification.sending import Email, send
from handlers.ordering.order import load
from handlers.runtime.observability import about, logger
from handlers.table.event_store import EventStore

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

_CANCELLED_BECAUSE = {
    "OutOfStock": "we do not have everything you ordered",
    "PaymentDeclined": "the payment was declined",
    "PaymentGatewayUnreachable": "the payment could not be made",
    "ShipmentRejected": "the carrier does not deliver to your address",
    "CarrierUnreachable": "no delivery could be arranged",
    "CancellationRequested": "you asked us to",
}


def email(order: OrderPlaced, event: OrderConfirmed | OrderCancelled) -> Email:
    """The e-mail about an order's outcome."""
    if isinstance(event, OrderConfirmed):
        total = f"{money(order.total, order.currency)} {order.currency}"
        return Email(
            f"Your order {order.order_id} is confirmed",
            f"Thank you. Your order {order.order_id} over {total} is confirmed and will be dispatched soon.\n",
        )
    because = _CANCELLED_BECAUSE.get(event.reason, "of a problem on our side")
    return Email(
        f"Your order {order.order_id} is cancelled",
        f"Your order {order.order_id} is cancelled, because {because}. "
        "You will not be charged; what you paid comes back.\n",
    )


def money(amount: int, currency: str) -> str:
    """An amount in the minor unit as people write it: 1234 pence are 12.34."""
    decimals = MINOR_UNITS[currency]
    whole, part = divmod(amount, 10**decimals)
    return f"{whole}.{part:0{decimals}d}" if decimals else str(whole)


def notify(store: EventStore, mail: SESV2Client, sender: str, record: Recorded) -> None:
    """Send the e-mail about an order's outcome, unless it was sent or there is nobody to send it to.

    Raises:
        Throttled: try again.
        NotSent: SES did not take it.
    """
    event = record.event
    assert isinstance(event, OrderConfirmed | OrderCancelled)
    with about(event.order_id, "notify"):
        stream = streams.notification(event.order_id)
        told = store.read(stream)
        if any(isinstance(t.event, CustomerNotified) and t.event.about == record.event_id for t in told):
            return
        order = load(store, event.order_id).placed
        if order.customer is None or order.customer.email is None:
            return
        message_id = send(mail, sender, order.customer.email, email(order, event))
        store.standing(
            stream,
            len(told) + 1,
            CustomerNotified(order_id=event.order_id, about=record.event_id, message_id=message_id),
            correlation_id=event.order_id,
            causation_id=record.event_id,
        )
        logger.info("customer notified", about=type(event).__name__, message_id=message_id)
