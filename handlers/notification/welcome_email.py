"""The welcome e-mail: a customer's first confirmed order brings an e-mail of welcome, once.

The customer's stream decides which order that is: of two confirmed at once, the one whose claim is appended first. The
other one then has nothing to do, whatever becomes of that claim.
"""

from events import streams
from events.notification import WELCOME
from events.shops import own_id
from handlers.notification.claims import Due
from handlers.notification.email_sending import Email


def welcome(customer_id: str, order_id: str) -> Due:
    """The welcome that a confirmed order brings to its customer, unless another order brings it."""
    text = f"Welcome, and thank you for your order {own_id(order_id)}. We look forward to the next.\n"
    return Due(streams.customer(customer_id), order_id, WELCOME, Email("Welcome", text))
