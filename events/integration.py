"""Integration events: what outsiders publish to the intake bus.

An EventBridge entry carries the model's JSON as its ``Detail`` and the class name as its ``DetailType``; its
``Source`` names the publisher.
"""

from typing import Annotated, Literal

from pydantic import Field

from events.inventory import DeliveredLine
from events.model import Currency, Id, Model, OrderId, OwnOrderId, Text
from events.ordering import Country, OrderLine

MAX_LINES = 1_000
MAX_CANONICAL_BYTES = 200 * 1024


Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]


class Address(Model):
    """Where the goods go."""

    name: Text
    street: Text
    city: Text
    postal_code: Annotated[str, Field(min_length=1, max_length=32)]
    country: Country


class SubmittedLine(OrderLine):
    """A line as the customer sees it."""

    description: Annotated[str, Field(max_length=256)] | None = None


class Customer(Model):
    """Who ordered, by the shop's own numbering. A guest has no ``customer_id``, but may have an e-mail address."""

    customer_id: Id | None = None
    email: Email | None = None


class OrderContent(Model):
    """What is ordered by whom, where it goes and how it is paid."""

    currency: Currency
    lines: Annotated[tuple[SubmittedLine, ...], Field(min_length=1, max_length=MAX_LINES)]
    shipping_address: Address
    payment_token: Text
    customer: Customer | None = None


class OrderSubmitted(OrderContent):
    """A shop has an order, under the shop's own id. Submitting the same order twice is harmless."""

    order_id: OwnOrderId


class OrderCancellationRequested(Model):
    """A shop does not want its order any more."""

    order_id: OwnOrderId
    reason: Text | None = None


class StockDelivered(Model):
    """Goods arrived. A delivery that is reported twice counts once."""

    delivery_id: Id
    lines: Annotated[tuple[DeliveredLine, ...], Field(min_length=1, max_length=MAX_LINES)]


class ShipmentStatusReported(Model):
    """A carrier has collected an order's parcel, or handed it over to the customer. Delivered implies dispatched.

    ``order_id`` is the order's id as the carrier was told it: ``demo.by-hand-2``.
    """

    order_id: OrderId
    status: Literal["dispatched", "delivered"]


Role = Literal["shop", "warehouse", "carrier"]

PUBLISHED_BY: dict[type[Model], Role] = {
    OrderSubmitted: "shop",
    OrderCancellationRequested: "shop",
    StockDelivered: "warehouse",
    ShipmentStatusReported: "carrier",
}
"""Every integration event, and the role of those who may publish it."""

INTEGRATION_EVENTS: dict[str, type[Model]] = {event.__name__: event for event in PUBLISHED_BY}
"""Integration events by type."""
