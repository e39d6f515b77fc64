"""A shipment: pure decisions between what the carrier says and what the log has."""

from collections.abc import Sequence
from typing import Literal

from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import RejectionReason
from events.shipping import (
    ShipmentArranged,
    ShipmentCancelled,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentRejected,
)
from handlers.intake.validation import NotYet, Refused
from handlers.ordering.order import Order, Status
from handlers.shipping.carrier import BreachOfContract, Consignment, ConsignmentState


def arrangement(order_id: str, consignment: Consignment) -> ShipmentArranged | ShipmentRejected:
    """What an answer to an arrangement is recorded as."""
    if consignment.tracking_number is None:
        return ShipmentRejected(order_id=order_id, reason=consignment.rejected_because or "rejected")
    return ShipmentArranged(order_id=order_id, tracking_number=consignment.tracking_number)


def is_closed(history: Sequence[Recorded]) -> bool:
    """Whether a shipment is rejected or cancelled: nothing can be undone any more."""
    return _has(history, ShipmentRejected, ShipmentCancelled)


def is_dispatched(history: Sequence[Recorded]) -> bool:
    """Whether the carrier has the parcel: nothing can be undone any more."""
    return _has(history, ShipmentDispatched)


def undone(history: Sequence[Recorded], order_id: str, consignment: Consignment) -> list[DomainEvent]:
    """The events that the log lacks once the carrier has cancelled: what came before, then the closing one.

    Raises:
        BreachOfContract: the carrier has collected the parcel of an order that was never confirmed.
    """
    if is_closed(history):
        return []
    if consignment.state is ConsignmentState.DISPATCHED:
        raise BreachOfContract(f"the carrier has collected order {order_id}, which was never confirmed")
    if consignment.state is ConsignmentState.REJECTED:
        return [arrangement(order_id, consignment)]
    cancelled = ShipmentCancelled(order_id=order_id, tracking_number=consignment.tracking_number)
    if history or consignment.tracking_number is None:
        return [cancelled]
    return [arrangement(order_id, consignment), cancelled]


def progress(
    order: Order | None, history: Sequence[Recorded], order_id: str, status: Literal["dispatched", "delivered"]
) -> list[DomainEvent]:
    """The events that the log lacks once a carrier has reported a status: none of what it reported before.

    Raises:
        Refused: the shipment is closed: it cannot have been dispatched.
        NotYet: the order is not confirmed, or no shipment is arranged for it.
    """
    if is_closed(history):
        why = f"{status} is reported of order {order_id!r}, but the log has {type(history[-1].event).__name__}"
        raise Refused([RejectionReason(field="status", message=why)])
    if order is None:
        raise NotYet([RejectionReason(field="order_id", message=f"there is no order {order_id!r}")])
    if order.status is not Status.CONFIRMED:
        raise NotYet([RejectionReason(field="order_id", message=f"order {order_id!r} is {order.status}")])
    if not history:
        raise NotYet([RejectionReason(field="order_id", message=f"no shipment of order {order_id!r} is arranged")])
    missing: list[DomainEvent] = []
    if not is_dispatched(history):
        missing.append(ShipmentDispatched(order_id=order_id))
    if status == "delivered" and not _has(history, ShipmentDelivered):
        missing.append(ShipmentDelivered(order_id=order_id))
    return missing


def _has(history: Sequence[Recorded], *events: type[DomainEvent]) -> bool:
    return any(isinstance(record.event, events) for record in history)
