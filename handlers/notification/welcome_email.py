"""The welcome e-mail: a customer's first confirmed order brings an e-mail of welcome, once.

The customer's stream decides which order that is: of two confirmed at once, the one whose claim is appended first. The
other one then has nothing to do, whatever becomes of that claim.
"""

from __future__ import annotations

from functools import partial

from events import streams
from events.envelope import Recorded
from events.notification import WELCOME
from events.ordering import OrderConfirmed
from events.shops import own_id
from handlers.notification.claims import send_once
from handlers.notification.email_sending import Email, Mailer
from handlers.ordering.order import load
from handlers.runtime.observability import about
from handlers.table.event_store import EventStore
from handlers.vault.vault import Vault


def email(order_id: str) -> Email:
    """The welcome that an order brings."""
    return Email("Welcome", f"Welcome, and thank you for your order {own_id(order_id)}. We look forward to the next.\n")


def welcome(store: EventStore, vault: Vault, mailer: Mailer, record: Recorded) -> None:
    """Welcome the customer of a confirmed order once, unless another order brings the welcome, or there is no address.

    Raises:
        OrderNotFound: there is no such order.
        AlreadyClaimed: another delivery may be sending it: try again.
        NotSent: SES refused it: try again, or much later where it is NotNow.
        MaybeSent: SES did not say whether it was sent: try again.
        Retryable: try again.
    """
    event = record.event
    assert isinstance(event, OrderConfirmed)
    with about(event.order_id, "welcome"):
        order = load(store, event.order_id).placed
        to = vault.email(order) if order.customer_id else None
        if order.customer_id is None or to is None:
            return
        send_once(
            store,
            streams.customer(order.customer_id),
            event.order_id,
            WELCOME,
            partial(mailer.send, to, email(event.order_id), event.order_id),
            causation_id=record.event_id,
        )
