"""Order e-mails: a customer is notified once that the order is confirmed, and once that it is cancelled."""

from __future__ import annotations

from functools import partial

from events import streams
from events.currencies import MINOR_UNITS
from events.envelope import Recorded
from events.ordering import OrderCancelled, OrderConfirmed, OrderPlaced
from events.shops import own_id
from handlers.notification.claims import send_once
from handlers.notification.email_sending import Email, Mailer
from handlers.ordering.order import load
from handlers.runtime.observability import about
from handlers.table.event_store import EventStore
from handlers.vault.vault import Vault

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
    order_id = own_id(order.order_id)
    if isinstance(event, OrderConfirmed):
        total = f"{money(order.total, order.currency)} {order.currency}"
        return Email(
            f"Your order {order_id} is confirmed",
            f"Thank you. Your order {order_id} over {total} is confirmed and will be dispatched soon.\n",
        )
    because = _CANCELLED_BECAUSE.get(event.reason, "of a problem on our side")
    return Email(
        f"Your order {order_id} is cancelled",
        f"Your order {order_id} is cancelled, because {because}. You will not be charged; what you paid comes back.\n",
    )


def money(amount: int, currency: str) -> str:
    """An amount in the minor unit as people write it: 1234 pence are 12.34."""
    decimals = MINOR_UNITS[currency]
    whole, part = divmod(amount, 10**decimals)
    return f"{whole}.{part:0{decimals}d}" if decimals else str(whole)


def notify(store: EventStore, vault: Vault, mailer: Mailer, record: Recorded) -> None:
    """Send the e-mail about an order's outcome once, unless the customer left no address, or is forgotten.

    Raises:
        OrderNotFound: there is no such order.
        AlreadyClaimed: another delivery may be sending it: try again.
        NotSent: SES refused it: try again, or much later where it is NotNow.
        MaybeSent: SES did not say whether it was sent: try again.
        Retryable: try again.
    """
    event = record.event
    assert isinstance(event, OrderConfirmed | OrderCancelled)
    with about(event.order_id, "notify"):
        order = load(store, event.order_id).placed
        to = vault.email(order)
        if to is None:
            return
        send_once(
            store,
            streams.notification(event.order_id),
            event.order_id,
            type(event).__name__,
            partial(mailer.send, to, email(order, event), event.order_id),
            causation_id=record.event_id,
        )
