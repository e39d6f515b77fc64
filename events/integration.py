"""Integration events: what outsiders publish to the intake bus.

An EventBridge entry carries the model's JSON as its ``Detail`` and the class name as its ``DetailType``; its
``Source`` names the publisher.
"""

from typing import Annotated, Literal

from pydantic import Field

from events.inventory import DeliveredLine
from events.model import Currency, Id, Model, Text
from events.ordering import Address, Customer, OrderLine

MAX_LINES = 1_000
MAX_CANONICAL_BYTES = 200 * 1024


class OrderContent(Model):
    """What is ordered, where it goes and how it is paid."""

    currency: Currency
    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1, max_length=MAX_LINES)]
    shipping_address: Address
    payment_token: Text


class OrderSubmitted(OrderContent):
    """A customer wants to order. Submitting the same order twice is harmless."""

    order_id: Id
    customer: Customer | None = None


class OrderCancellationRequested(Model):
    """A customer does not want the order any more."""

    order_id: Id
    reason: Text | None = None


class StockDelivered(Model):
    """Goods arrived. A delivery that is reported twice counts once."""

    delivery_id: Id
    lines: Annotated[tuple[DeliveredLine, ...], Field(min_length=1, max_length=MAX_LINES)]


class ShipmentStatusReported(Model):
    """A carrier has collected an order's parcel, or handed it over to the customer. Delivered implies dispatched."""

    order_id: Id
    status: Literal["dispatched", "delivered"]


INTEGRATION_EVENTS: dict[str, type[Model]] = {
    event.__name__: event
    for event in (OrderSubmitted, OrderCancellationRequested, StockDelivered, ShipmentStatusReported)
}
"""Integration events by type."""
