"""Shipping: what the carrier does for an order."""

from events.model import DomainEvent, OrderId


class ShipmentArranged(DomainEvent):
    """The carrier will collect the parcel once the order is confirmed."""

    order_id: OrderId
    tracking_number: str


class ShipmentRejected(DomainEvent):
    """The carrier does not deliver there."""

    order_id: OrderId
    reason: str


class ShipmentCancelled(DomainEvent):
    """The carrier will not collect; without a tracking number where nothing had been arranged."""

    order_id: OrderId
    tracking_number: str | None = None


class ShipmentDispatched(DomainEvent):
    """The carrier has the parcel: the order cannot be cancelled any more."""

    order_id: OrderId


class ShipmentDelivered(DomainEvent):
    """The customer has the parcel."""

    order_id: OrderId
