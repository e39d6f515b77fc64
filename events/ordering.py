"""Ordering: the life of an order, and submissions that did not become one."""

from typing import Annotated

from pydantic import Field

from events.model import Amount, Currency, CustomerId, DomainEvent, Id, Model, OrderId, Quantity

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""


class Destination(Model):
    """Where the goods go, as far as it says nothing of a person: ``postal_area`` is how the postal code begins."""

    country: Country
    postal_area: Annotated[str, Field(min_length=1, max_length=3)]


class OrderLine(Model):
    """A line of an order, which may name a SKU in several lines."""

    sku: Id
    quantity: Quantity
    unit_price: Amount


class RejectionReason(Model):
    """What was wrong with one field. ``field`` is a path such as ``lines.3.quantity``, empty for the whole."""

    field: str
    message: str


class OrderPlaced(DomainEvent):
    """An order was accepted. Its lines live here and nowhere else. A guest's has no ``customer_id``.

    Who ordered is in the vault. ``has_email`` says whether an e-mail address is there; ``content_hash`` is an HMAC of
    what was submitted, under a key that is there too.
    """

    order_id: OrderId
    content_hash: str
    currency: Currency
    total: Amount
    lines: tuple[OrderLine, ...]
    customer_id: CustomerId | None = None
    has_email: bool
    destination: Destination


class OrderConfirmed(DomainEvent):
    """Every step of the saga succeeded: the order will be dispatched, unless a cancellation is quicker."""

    order_id: OrderId


class OrderCancellationStarted(DomainEvent):
    """The order can only be cancelled from here on, confirmed or not; what was done for it is being undone."""

    order_id: OrderId
    reason: str


class OrderCancelled(DomainEvent):
    """Everything done for the order is undone."""

    order_id: OrderId
    reason: str


class OrderRejected(DomainEvent):
    """A submission was refused. ``reasons`` holds the first 50 of ``reason_count``.

    ``content_hash`` is an HMAC of what was submitted, under a key of the environment.
    """

    order_id: OrderId
    content_hash: str
    reasons: Annotated[tuple[RejectionReason, ...], Field(max_length=50)]
    reason_count: int


class CancellationRequested(DomainEvent):
    """A customer does not want an order any more that is confirmed.

    Whether it is cancelled, its shipment decides: unless that is dispatched, the order's own stream tells the rest.
    """

    order_id: OrderId


class UnknownOrderCancellationRefused(DomainEvent):
    """A cancellation was requested of an order that its shop did not have, for as long as the request could wait."""

    order_id: OrderId


class OrderCancellationRefused(DomainEvent):
    """A cancellation request came too late."""

    order_id: OrderId
    reason: str
