"""What is known of the person behind an order, and of the order in words: all that is personal about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from events.integration import Address, Email, OrderSubmitted
from events.model import Model


class Person(Model):
    """The person behind an order: where the goods go, where e-mails go, and how the lines are described.

    ``descriptions`` are by the position of their line, from ``"0"``.
    """

    address: Address
    email: Email | None = None
    descriptions: Mapping[str, str] = {}


def person(order: OrderSubmitted) -> Person:
    """The person behind an order that was submitted."""
    return Person(
        address=order.shipping_address,
        email=order.customer.email if order.customer else None,
        descriptions={
            str(position): line.description for position, line in enumerate(order.lines) if line.description is not None
        },
    )
