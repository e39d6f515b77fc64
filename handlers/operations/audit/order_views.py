"""What the order view has to show of each order: the audit's own fold of the log.

It shares nothing with `handlers.projections`, so a wrong fold there shows as a difference here. Whoever changes what
the view shows changes both.

- ``order_id``, ``currency``, ``total``, ``line_count``, ``placed_at``, ``customer_id``: what was placed; a guest has no
  ``customer_id``.
- ``status``, ``cancellation``, ``stock``, ``payment``, ``shipment``, ``personal_data``: how far each of the order's
  streams has got.
- ``reason``, ``payment_reason``, ``shipment_reason``, ``tracking_number``: the newest that a stream gave.
- ``<kind of stream>_version``: the newest version of each of these streams.
- ``rejected_at``, ``rejection``, ``rejection_count``: the newest refused submission under the order's id. Where no
  order was placed, the status is ``REJECTED``.
"""

from collections.abc import Iterator, Mapping
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
from handlers.operations.audit.evidence import Evidence
from handlers.table import keys

_PROGRESS: Mapping[str, tuple[str, Mapping[type[DomainEvent], str]]] = {
    "order": (
        "status",
        {
            OrderPlaced: "PLACED",
            OrderConfirmed: "CONFIRMED",
            OrderCancellationStarted: "CANCELLING",
            OrderCancelled: "CANCELLED",
        },
    ),
    "cancellation": ("cancellation", {CancellationRequested: "requested", OrderCancellationRefused: "refused"}),
    "reservation": (
        "stock",
        {
            StockReserved: "reserved",
            ReservationRefused: "refused",
            StockReleased: "released",
            StockShipped: "shipped",
        },
    ),
    "payment": (
        "payment",
        {
            PaymentAuthorized: "authorized",
            PaymentDeclined: "declined",
            PaymentCaptured: "captured",
            PaymentVoided: "voided",
            PaymentRefunded: "refunded",
        },
    ),
    "shipment": (
        "shipment",
        {
            ShipmentArranged: "arranged",
            ShipmentRejected: "rejected",
            ShipmentCancelled: "cancelled",
            ShipmentDispatched: "dispatched",
            ShipmentDelivered: "delivered",
        },
    ),
    "erasure": ("personal_data", {CustomerErased: "erased"}),
}
"""By kind of stream: the attribute that shows how far it has got, and what that is after each event."""

_DETAILS: Mapping[type[DomainEvent], tuple[str, str]] = {
    OrderCancellationStarted: ("reason", "reason"),
    OrderCancelled: ("reason", "reason"),
    PaymentDeclined: ("payment_reason", "reason"),
    ShipmentRejected: ("shipment_reason", "reason"),
    ShipmentArranged: ("tracking_number", "tracking_number"),
}
"""What else an event gives: the attribute, and the event's field."""

_SHOWN_REASONS = 3


def differences(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The ids of the orders whose view is not what the log folds to, each with what differs; an id may come often."""
    # A log that was restored may have the erasure of an order alone, which is younger than the log.
    expected = {order_id: _order(evidence, order_id) for order_id in evidence.orders.keys() | evidence.erased}
    for order_id, rejections in _rejections(evidence).items():
        newest = max(rejections, key=_rejected_at)
        alone = {} if order_id in evidence.orders else _rejected(newest)
        expected[order_id] = alone | expected.get(order_id, {}) | _rejection(newest)
    for order_id in sorted(expected.keys() | evidence.table.views.keys()):
        shown = {
            name: value for name, value in evidence.table.views.get(order_id, {}).items() if name not in keys.ATTRIBUTES
        }
        for wrong in _differences(shown, expected.get(order_id, {})):
            yield order_id, wrong


def _differences(shown: dict[str, Any], expected: dict[str, Any]) -> Iterator[str]:
    if not shown:
        yield "has no view"
    elif not expected:
        yield "has a view, but the log knows nothing of it"
    else:
        for name in sorted(shown.keys() | expected.keys()):
            if shown.get(name) != expected.get(name):
                yield f"the view has {name} {shown.get(name)!r}, the log {expected.get(name)!r}"


def _order(evidence: Evidence, order_id: str) -> dict[str, Any]:
    view: dict[str, Any] = {}
    for kind, (attribute, progress) in _PROGRESS.items():
        for record in evidence.streams.get(f"{kind}#{order_id}", ()):
            event_type = type(record.event)
            view[f"{kind}_version"] = record.version
            if isinstance(record.event, OrderPlaced):
                view |= _placed(record.event, record.occurred_at)
            if event_type in progress:
                view[attribute] = progress[event_type]
            if event_type in _DETAILS:
                detail, field = _DETAILS[event_type]
                view[detail] = getattr(record.event, field)
    return view


def _placed(placed: OrderPlaced, at: str) -> dict[str, Any]:
    whose = {"customer_id": placed.customer_id} if placed.customer_id else {}
    return whose | {
        "order_id": placed.order_id,
        "currency": placed.currency,
        "total": placed.total,
        "line_count": len(placed.lines),
        "placed_at": at,
    }


def _rejections(evidence: Evidence) -> dict[str, list[Recorded]]:
    by_order: dict[str, list[Recorded]] = {}
    for _, record in evidence.of("rejection"):
        if isinstance(record.event, OrderRejected):
            by_order.setdefault(record.event.order_id, []).append(record)
    return by_order


def _rejected_at(record: Recorded) -> str:
    return f"{record.metadata.occurred_at.isoformat()}#{record.stream.rpartition('#')[2]}"


def _rejected(record: Recorded) -> dict[str, Any]:
    """What the view of a rejected order has while there is no order."""
    rejected = record.event
    assert isinstance(rejected, OrderRejected)
    return {"order_id": rejected.order_id, "status": "REJECTED"}


def _rejection(record: Recorded) -> dict[str, Any]:
    rejected = record.event
    assert isinstance(rejected, OrderRejected)
    reasons = (f"{reason.field}: {reason.message}" for reason in rejected.reasons[:_SHOWN_REASONS])
    return {
        "rejected_at": _rejected_at(record),
        "rejection": "; ".join(reasons),
        "rejection_count": rejected.reason_count,
    }
