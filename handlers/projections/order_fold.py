"""The order view as a fold: which attributes each event of an order sets. Pure.

Every stream sets attributes of its own, so streams may arrive in any order.
"""

from collections.abc import Callable, Iterable
from typing import Any

from events.envelope import Metadata, Recorded
from events.inventory import ReservationRefused, StockReleased, StockReserved
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed, OrderPlaced
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided
from events.shipping import ShipmentArranged, ShipmentCancelled, ShipmentRejected
from handlers.ordering.order import Status

Attributes = dict[str, Any]


def _placed(placed: OrderPlaced, metadata: Metadata) -> Attributes:
    attributes: Attributes = {
        "order_id": placed.order_id,
        "currency": placed.currency,
        "total": placed.total,
        "line_count": len(placed.lines),
        "placed_at": metadata.occurred_at.isoformat(),
        "status": Status.PLACED.value,
    }
    if placed.customer:
        attributes["customer_id"] = placed.customer.customer_id
    return attributes


_SETS: dict[type[DomainEvent], Callable[[Any, Metadata], Attributes]] = {
    OrderPlaced: _placed,
    OrderConfirmed: lambda event, metadata: {"status": Status.CONFIRMED.value},
    OrderCancellationStarted: lambda event, metadata: {"status": Status.CANCELLING.value, "reason": event.reason},
    OrderCancelled: lambda event, metadata: {"status": Status.CANCELLED.value, "reason": event.reason},
    StockReserved: lambda event, metadata: {"stock": "reserved"},
    ReservationRefused: lambda event, metadata: {"stock": "refused"},
    StockReleased: lambda event, metadata: {"stock": "released"},
    PaymentAuthorized: lambda event, metadata: {"payment": "authorized"},
    PaymentDeclined: lambda event, metadata: {"payment": "declined", "payment_reason": event.reason},
    PaymentCaptured: lambda event, metadata: {"payment": "captured"},
    PaymentVoided: lambda event, metadata: {"payment": "voided"},
    PaymentRefunded: lambda event, metadata: {"payment": "refunded"},
    ShipmentArranged: lambda event, metadata: {"shipment": "arranged", "tracking_number": event.tracking_number},
    ShipmentRejected: lambda event, metadata: {"shipment": "rejected", "shipment_reason": event.reason},
    ShipmentCancelled: lambda event, metadata: {"shipment": "cancelled"},
}
"""What each event of an order's own streams sets."""


def fold(history: Iterable[Recorded]) -> Attributes:
    """The attributes that events set, one after the other.

    Raises:
        KeyError: the view does not know an event's type.
    """
    attributes: Attributes = {}
    for record in history:
        event = record.event
        attributes.update(_SETS[type(event)](event, record.metadata))
    return attributes
