"""Shipping: what the carrier does for an order."""

from events.model import DomainEvent, Id


class ShipmentArranged(DomainEvent):
    """The carrier will collect the parcel once the order is confirmed."""

    order_id: Id
    tracking_number: str


class ShipmentRejected(DomainEvent):
    """The carrier does not deliver there."""

    order_id: Id
    reason: str


class ShipmentCancelled(DomainEvent):
    """The carrier will not collect; without a tracking number where nothing had been arranged."""

    order_id: Id
    tracking_number: str | None = None


class ShipmentDispatched(DomainEvent):
    """The carrier has the parcel: the order cannot be cancelled any more."""

    order_id: Id


class ShipmentDelivered(DomainEvent):
    """The customer has the parcel."""

    order_id: Id
