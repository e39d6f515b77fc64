"""A shipment: pure decisions between what the carrier says and what the log has."""

from collections.abc import Sequence

from events.envelope import Recorded
from events.model import DomainEvent
from events.shipping import ShipmentArranged, ShipmentCancelled, ShipmentRejected
from handlers.shipping.carrier import Consignment, ConsignmentState


def arrangement(order_id: str, consignment: Consignment) -> ShipmentArranged | ShipmentRejected:
    """What an answer to an arrangement is recorded as."""
    if consignment.tracking_number is None:
        return ShipmentRejected(order_id=order_id, reason=consignment.rejected_because or "rejected")
    return ShipmentArranged(order_id=order_id, tracking_number=consignment.tracking_number)


def is_closed(history: Sequence[Recorded]) -> bool:
    """Whether a shipment is rejected or cancelled: nothing can be undone any more."""
    return any(isinstance(record.event, ShipmentRejected | ShipmentCancelled) for record in history)


def undone(history: Sequence[Recorded], order_id: str, consignment: Consignment) -> list[DomainEvent]:
    """The facts missing in the log once the carrier has cancelled: what came before, then the closing one."""
    if is_closed(history):
        return []
    if consignment.state is ConsignmentState.REJECTED:
        return [arrangement(order_id, consignment)]
    cancelled = ShipmentCancelled(order_id=order_id, tracking_number=consignment.tracking_number)
    if history or consignment.tracking_number is None:
        return [cancelled]
    return [arrangement(order_id, consignment), cancelled]
