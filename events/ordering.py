"""Ordering: the life of an order, and submissions that did not become one."""

from typing import Annotated

from pydantic import Field

from events.model import Amount, Currency, DomainEvent, Id, Model, Quantity, Text

Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]


class Customer(Model):
    """Who ordered. Guests have no customer."""

    customer_id: Id
    email: Email | None = None


class Address(Model):
    """Where the goods go; ``country`` is ISO 3166-1 alpha-2."""

    name: Text
    street: Text
    city: Text
    postal_code: Annotated[str, Field(min_length=1, max_length=32)]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class OrderLine(Model):
    """A line as the customer sees it; an order may name a SKU in several lines."""

    sku: Id
    quantity: Quantity
    unit_price: Amount
    description: Annotated[str, Field(max_length=256)] | None = None


class RejectionReason(Model):
    """What was wrong with one field. ``field`` is a path such as ``lines.3.quantity``, empty for the whole."""

    field: str
    message: str


class OrderPlaced(DomainEvent):
    """An order was accepted. Its lines live here and nowhere else."""

    order_id: Id
    content_hash: str
    currency: Currency
    total: Amount
    lines: tuple[OrderLine, ...]
    customer: Customer | None = None
    shipping_address: Address
    payment_token: Text


class OrderConfirmed(DomainEvent):
    """Every step of the saga succeeded: the order will be dispatched."""

    order_id: Id


class OrderCancellationStarted(DomainEvent):
    """The order will not be confirmed any more; what was done for it is being undone."""

    order_id: Id
    reason: str


class OrderCancelled(DomainEvent):
    """Everything done for the order is undone."""

    order_id: Id
    reason: str


class OrderRejected(DomainEvent):
    """A submission was refused. ``reasons`` holds the first 50 of ``reason_count``.

    ``customer_id`` is there where the submission came with a caller's identity, not where its content only claims one.
    """

    order_id: Id
    content_hash: str
    reasons: Annotated[tuple[RejectionReason, ...], Field(max_length=50)]
    reason_count: int
    customer_id: Id | None = None


class OrderCancellationRefused(DomainEvent):
    """A cancellation request came too late."""

    order_id: Id
    content_hash: str
    reason: str
