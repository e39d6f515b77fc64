"""Order e-mails: a customer is notified once that an order is confirmed, once that it is cancelled, and welcomed once.

One event may bring two e-mails. Each is claimed by itself, so what one fails at neither keeps the other back nor sends
it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from events import streams
from events.currencies import MINOR_UNITS
from events.envelope import Recorded
from events.ordering import OrderCancelled, OrderConfirmed, OrderPlaced
from events.shops import own_id
from handlers.notification.claims import Due, send_once
from handlers.notification.email_sending import Email, Mailer
from handlers.notification.welcome_email import welcome
from handlers.ordering.order import load
from handlers.runtime.observability import about
from handlers.runtime.postponing import NotNow
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


def due(order: OrderPlaced, event: OrderConfirmed | OrderCancelled) -> Iterator[Due]:
    """The e-mails that an order's outcome brings, unless they were sent before. A guest is not welcomed."""
    yield Due(streams.notification(order.order_id), order.order_id, type(event).__name__, email(order, event))
    if isinstance(event, OrderConfirmed) and order.customer_id:
        yield welcome(order.customer_id, order.order_id)


def notify(store: EventStore, vault: Vault, mailer: Mailer, record: Recorded) -> None:
    """Send what an order's outcome brings, each e-mail once, unless the customer left no address, or is forgotten.

    Each is tried, but none more once SES takes none.

    Raises:
        OrderNotFound: there is no such order.
        NotNow: SES takes none now: try again much later.
        AlreadyClaimed: another delivery may be sending one: try again.
        NotSent: SES refused one: try again.
        MaybeSent: SES did not say whether one was sent: try again.
        Retryable: try again.
    """
    event = record.event
    assert isinstance(event, OrderConfirmed | OrderCancelled)
    with about(event.order_id, "notify"):
        order = load(store, event.order_id).placed
        to = vault.email(order)
        if to is None:
            return
        failures: list[Exception] = []
        for each in due(order, event):
            try:
                send_once(
                    store, each, partial(mailer.send, to, each.email, each.order_id), causation_id=record.event_id
                )
            except NotNow:
                raise
            except Exception as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
