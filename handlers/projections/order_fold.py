"""The order view as a fold: which attributes each event of an order sets. Pure.

Every stream sets attributes of its own, so streams may arrive in any order.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from events.envelope import Recorded
from events.inventory import ReservationRefused, StockReleased, StockReserved, StockShipped
from events.model import DomainEvent
from events.ordering import (
    CancellationRequested,
    OrderCancellationRefused,
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderRejected,
)
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided
from events.privacy import CustomerErased
from events.shipping import (
    ShipmentArranged,
    ShipmentCancelled,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentRejected,
)
from handlers.ordering.order import Status

Attributes = dict[str, Any]


def _placed(placed: OrderPlaced, record: Recorded) -> Attributes:
    attributes: Attributes = {
        "order_id": placed.order_id,
        "currency": placed.currency,
        "total": placed.total,
        "line_count": len(placed.lines),
        "placed_at": record.occurred_at,
        "status": Status.PLACED.value,
    }
    if placed.customer_id:
        attributes["customer_id"] = placed.customer_id
    return attributes


_SETS: dict[type[DomainEvent], Callable[[Any, Recorded], Attributes]] = {
    OrderPlaced: _placed,
    OrderConfirmed: lambda event, record: {"status": Status.CONFIRMED.value},
    OrderCancellationStarted: lambda event, record: {"status": Status.CANCELLING.value, "reason": event.reason},
    OrderCancelled: lambda event, record: {"status": Status.CANCELLED.value, "reason": event.reason},
    CancellationRequested: lambda event, record: {"cancellation": "requested"},
    OrderCancellationRefused: lambda event, record: {"cancellation": "refused"},
    StockReserved: lambda event, record: {"stock": "reserved"},
    ReservationRefused: lambda event, record: {"stock": "refused"},
    StockReleased: lambda event, record: {"stock": "released"},
    StockShipped: lambda event, record: {"stock": "shipped"},
    PaymentAuthorized: lambda event, record: {"payment": "authorized"},
    PaymentDeclined: lambda event, record: {"payment": "declined", "payment_reason": event.reason},
    PaymentCaptured: lambda event, record: {"payment": "captured"},
    PaymentVoided: lambda event, record: {"payment": "voided"},
    PaymentRefunded: lambda event, record: {"payment": "refunded"},
    ShipmentArranged: lambda event, record: {"shipment": "arranged", "tracking_number": event.tracking_number},
    ShipmentRejected: lambda event, record: {"shipment": "rejected", "shipment_reason": event.reason},
    ShipmentCancelled: lambda event, record: {"shipment": "cancelled"},
    ShipmentDispatched: lambda event, record: {"shipment": "dispatched"},
    ShipmentDelivered: lambda event, record: {"shipment": "delivered"},
    CustomerErased: lambda event, record: {"personal_data": "erased"},
}
"""What each event of an order's own streams sets."""

SET_BY: Mapping[str, frozenset[str]] = {
    "order": frozenset(
        {"order_id", "currency", "total", "line_count", "placed_at", "customer_id", "status", "reason", "order_version"}
    ),
    "cancellation": frozenset({"cancellation", "cancellation_version"}),
    "reservation": frozenset({"stock", "reservation_version"}),
    "payment": frozenset({"payment", "payment_reason", "payment_version"}),
    "shipment": frozenset({"shipment", "shipment_reason", "tracking_number", "shipment_version"}),
    "erasure": frozenset({"personal_data", "erasure_version"}),
    "rejection": frozenset({"rejected_at", "rejection", "rejection_count"}),
}
"""All attributes that events of each kind of stream may set."""

SHOWN = tuple(_SETS)
"""The events of an order's own streams that set attributes."""


def known(event: DomainEvent) -> bool:
    """Whether the view shows something of an event: of a rejected submission, or of what sets attributes.

    Of the erasure of a customer, each order has an event of its own.
    """
    if isinstance(event, CustomerErased):
        return event.order_id is not None
    return isinstance(event, OrderRejected) or type(event) in _SETS


def fold(history: Iterable[Recorded]) -> Attributes:
    """The attributes that events set, one after the other.

    Raises:
        KeyError: the view does not know an event's type.
    """
    attributes: Attributes = {}
    for record in history:
        event = record.event
        attributes.update(_SETS[type(event)](event, record))
    return attributes
